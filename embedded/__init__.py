"""The embedded stack: PostgreSQL and Valkey (Redis protocol) from wheels, and the project's processes."""
