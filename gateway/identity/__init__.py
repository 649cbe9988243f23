"""Users: sign-up, sessions, API keys, passwords, confirmations."""
