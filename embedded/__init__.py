"""The embedded stack: real PostgreSQL and Valkey (Redis protocol) from wheels, and the project's processes."""
