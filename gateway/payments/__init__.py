"""Payments: creating, reading, capturing, voiding, cancelling, refunding."""
