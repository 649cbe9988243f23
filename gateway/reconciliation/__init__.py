"""Bank statements and how they agree with the books."""
