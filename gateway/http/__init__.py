"""HTTP for every subject: errors, fields, parsing, the edge, the access log, OpenAPI."""
