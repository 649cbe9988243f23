"""Requests that wait for a payment or a bulk to change."""
