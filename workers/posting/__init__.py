"""Posting: the double entry of each payment, and its retries."""
