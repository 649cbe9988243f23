"""The command `payments`; it needs the extra `cli`."""
