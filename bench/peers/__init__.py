"""Other ways to do the same, measured on the same servers in the same run."""
