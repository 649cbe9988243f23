"""The posting story, its turns and its commands, on a real PostgreSQL."""
