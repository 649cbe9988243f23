"""Scenarios over real proxies and poolers, by `make cluster-test`: they need packages of Debian."""
