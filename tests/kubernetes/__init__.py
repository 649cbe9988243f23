"""Tests of the Helm chart, by the real Helm."""
