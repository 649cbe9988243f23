"""Commission terms, their preview and report."""
