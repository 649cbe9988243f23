"""Commands of `flask`, run in the worker's role."""
