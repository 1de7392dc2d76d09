# What a person types and what .ci/run runs.

PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash

export EXAMPLE ?= numbers

.DEFAULT_GOAL := help
.PHONY: help run test check docs soak load clean

help:
	@echo "make run    install into .venv and start a node with the Procfile: http://localhost:4000/"
	@echo "            EXAMPLE=chat, cursors, orders, jobs, fastapi_jwt or django_session is served instead of numbers"
	@echo "make test   the whole check: format, lint, types, layers, all tests"
	@echo "make docs   the guides and the reference as a site, in build/site"
	@echo "make soak   20,000 simulated clusters, with progress; make test plays 300"
	@echo "make load   the load tests of the README, with a table at the end"
	@echo "make clean  remove what the others made"

run: $(if $(filter orders fastapi_jwt django_session,$(EXAMPLE)),.venv/examples,.venv/run)
	PATH="$(CURDIR)/$(BIN):$$PATH" exec honcho -f $(firstword $(wildcard examples/$(EXAMPLE).Procfile) Procfile) start

test: .venv/test tests/js/node_modules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p roost -p examples -p tests
	$(BIN)/pytest -n 4 -r s

docs: .venv/test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -f docs/site/mkdocs.yml

soak: .venv/test
	$(BIN)/python -m tests.simulation soak 20000
	$(BIN)/python -m tests.simulation presence 3000

load: .venv/run
	$(BIN)/python -m tests.load table

clean:
	rm -rf .venv tests/js/node_modules build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Roost needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: pyproject.toml | .venv/python
	$(BIN)/pip install -q -e .
	@touch $@

.venv/examples: pyproject.toml | .venv/python
	$(BIN)/pip install -q -e '.[examples]'
	@touch $@ .venv/run

.venv/test: pyproject.toml | .venv/python
	$(BIN)/pip install -q -e '.[dev]'
	@touch $@ .venv/run .venv/examples

# Without Node the tests with the official client are skipped, and say so.
tests/js/node_modules: tests/js/package-lock.json
	@if command -v npm > /dev/null; then npm ci --prefix tests/js --no-audit --no-fund --silent; else mkdir -p $@; fi
	@touch $@
