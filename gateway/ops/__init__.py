"""Routes for operators: stuck payments, adjustments, users, audit log, health."""
