"""The benchmark: the product's rates beside those of PostgreSQL itself, measured in one run on one machine."""
