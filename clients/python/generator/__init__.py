"""Writes the part of the client that follows from docs/openapi.json: its models, routes and resources."""
