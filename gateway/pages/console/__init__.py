"""The pages below /console, for ops users and auditors."""
