#!/bin/sh
# What needs no server: format, lint, types, import contracts, shell. Stops at the first that fails.
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/.venv/bin:$PATH"

ruff format --check --quiet .
ruff check --quiet .
mypy
lint-imports --no-logo
shellcheck embedded/bootstrap.sh tests/check.sh .ci/run
