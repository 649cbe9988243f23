"""The OpenAPI document and the event streams, as the programs of others read them."""
