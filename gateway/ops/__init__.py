"""Routes for ops users: stuck payments, adjustments, users, audit log, health."""
