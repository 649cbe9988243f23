"""Other systems for the same task, measured on the same servers in the same run."""
