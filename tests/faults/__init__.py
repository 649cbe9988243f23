"""Real kills, freezes and restarts while payments flow over HTTP; FAULTS=full runs the long form."""
