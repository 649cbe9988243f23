"""Commands of `flask` that run with the worker's database role."""
