"""Currencies, exchange rates and quotes."""
