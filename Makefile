# Each target is a few commands that run without make, too.
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE
python := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run up down demo test check faults cluster-test bench screenshots contract lock fmt embedded dev

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

run: embedded ## start everything, show a payment from POST to COMPLETED, run until Ctrl-C
	@$(python) -m embedded run

up: embedded ## start everything in the background; return when it is ready, write .run/stack.json
	@$(python) -m embedded up

down: embedded ## stop everything; the data stays in .run
	@$(python) -m embedded down

demo: embedded ## show a payment on the running stack, or on one started for it
	@$(python) -m embedded demo

test: dev ## run the checks and all tests, with kills, freezes and restarts
	@sh tests/check.sh & checks=$$!; \
	$(python) -m pytest -n 4 --dist loadfile --no-loadscope-reorder --durations=30; tests=$$?; \
	wait $$checks || { echo "format, lint or types: see above"; exit 1; }; exit $$tests

check: dev ## run the checks and the quick tests; for use before a commit
	@sh tests/check.sh
	@$(python) -m pytest -n 4 --dist loadfile --no-loadscope-reorder -m "not slow"

faults: dev ## run the long form of the tests that kill, freeze and restart servers while payments flow
	@FAULTS=full $(python) -m pytest tests/faults tests/e2e/state_machine/test_state_machine.py

cluster-test: dev ## run the scenarios over nginx and PgBouncer, with packages of Debian (needs root to install them)
	@sh tests/cluster/install.sh
	@$(python) -m pytest tests/cluster
	@BROKER=rabbitmq $(python) -m pytest tests/faults/test_broker.py tests/faults/test_silence.py \
	  tests/faults/test_broker_refuses.py::test_who_is_told_to_end_while_it_is_frozen_ends

bench: dev ## measure, print the figures, and write bench/report.md
	@$(python) -m bench

screenshots: dev ## make the pictures of the pages in docs/images again
	@$(python) -m tests.browser.screenshots

fmt: dev ## format the code, and fix what the linter can fix
	@$(python) -m ruff format .
	@$(python) -m ruff check --fix .

contract: dev ## write docs/openapi.json, and what is made from it: the collection, the clients
	$(python) -m flask --app wsgi openapi write docs/openapi.json
	$(python) -c 'from tests.contract import node; node.install(); node.run("node", "postman.mjs", "../../docs/payments.postman_collection.json")'
	$(python) -c 'from tests.contract import node; node.run("node", "bruno.mjs", "../../docs/payments.bruno_collection.json")'
	$(python) -c 'from tests.contract import node; node.types("../../clients/typescript/index.d.ts")'
	$(python) -m clients.python.generator

lock: ## pin what pyproject.toml allows, with hashes (needs uv)
	uv lock
	uv export --quiet --frozen --no-emit-project --no-header --no-default-groups -o requirements.txt
	uv export --quiet --frozen --no-emit-project --no-header --no-default-groups --extra sentry --extra otel -o requirements-telemetry.txt
	uv export --quiet --frozen --no-emit-project --no-header --no-default-groups --group embedded -o requirements-embedded.txt
	uv export --quiet --frozen --no-emit-project --no-header --group embedded --group dev -o requirements-dev.txt

embedded:
	@sh embedded/bootstrap.sh requirements-embedded.txt

dev:
	@sh embedded/bootstrap.sh requirements-dev.txt
