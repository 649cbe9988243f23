"""Acceptance of payments: the request, reference data, and group commit."""
