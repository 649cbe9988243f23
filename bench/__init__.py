"""What the product does per second beside what PostgreSQL itself does, measured in one run on one machine."""
