"""Bulk transfers and charges, and the bank accounts they pay from."""
