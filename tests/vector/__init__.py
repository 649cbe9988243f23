"""Tests of Vector's configuration, with its own language compiled and run."""
