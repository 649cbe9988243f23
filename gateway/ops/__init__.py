"""What operators see and do: stuck payments, adjustments, users, audit, health."""
