"""The years that dates may be in."""

YEAR_MIN, YEAR_MAX = 1971, 9998
"""Ids contain the time since 1970; and a UTC offset must not move a time out of the calendar."""
