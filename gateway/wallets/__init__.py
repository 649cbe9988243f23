"""Wallets, their charge limits, history and statements."""
