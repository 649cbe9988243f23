#!/bin/sh
# What needs no server: format, lint, types. Import contracts and shell scripts are tested in tests/test_architecture.py.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

ruff format --check --quiet .
ruff check --quiet .
mypy
