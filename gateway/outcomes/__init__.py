"""Responses that may wait for the outcome of a payment or a bulk."""
