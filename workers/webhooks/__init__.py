"""Sending webhooks: which are due and what becomes of them, and the call itself."""
