"""Tests of what is in clients/."""
