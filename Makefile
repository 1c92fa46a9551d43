# `make` alone lists the targets. `make demo` and `make test` set up everything they need.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
BIN := .venv/bin
PYTHON ?= $(eval PYTHON := $$(shell scripts/find-python.sh))$(PYTHON)# looked for once, and only if needed
ACCOUNTS ?=
SERVE ?=
# Hashes and no addresses, for every platform: the lock installs from any mirror.
LOCKING := --universal --python-version 3.12 --generate-hashes --no-header --no-annotate --no-emit-index-url

# Installs the locked packages $(2) into the environment $(1): by uv, which is quick, else by pip.
define install
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check uv || true
	if [ -x $(1)/bin/uv ] && $(1)/bin/uv pip install --quiet --python $(1)/bin/python --require-hashes -r $(2); \
	then :; else $(1)/bin/python -m pip install --quiet --require-hashes -r $(2); fi
endef

.PHONY: help setup demo test core-test lint format types contracts bench bench-pages shots soak lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

setup: .venv/.ready ## make the environment: newest Python from 3.12 on, locked packages, the recoup command

.venv/.ready: requirements.lock pyproject.toml
	@test -n "$(PYTHON)"
	@echo "Setting up .venv with $(PYTHON)"
	@"$(PYTHON)" -m venv .venv
	@$(call install,.venv,requirements.lock)
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv-core/.ready: requirements-core.lock
	@test -n "$(PYTHON)"
	@"$(PYTHON)" -m venv .venv-core
	@$(call install,.venv-core,requirements-core.lock)
	@touch $@

demo: setup ## a small city from meter to money (ACCOUNTS=… SERVE=…)
	@$(BIN)/recoup demo $(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(SERVE),--serve $(SERVE))

test: core-test ## every test: the pure core without Django, then the rest with a real PostgreSQL
	@$(BIN)/python -m pytest --ignore=tests/core

core-test: setup .venv-core/.ready ## the pure core and the cases, in an environment without Django or PostgreSQL
	@PYTHONPATH=src .venv-core/bin/python -m pytest tests/core tests/cases

lint: setup ## style and plain mistakes
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: setup ## put the source into its one form
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: setup ## types: strict in core, rulebook, database
	@$(BIN)/mypy

contracts: setup ## who may import whom
	@$(BIN)/lint-imports --no-logo

bench: setup ## measure every step against the limits of this machine (ACCOUNTS=…)
	@$(BIN)/python bench/run.py $(if $(ACCOUNTS),--accounts $(ACCOUNTS))
	@$(BIN)/python bench/pages.py $(if $(ACCOUNTS),--accounts $(firstword $(ACCOUNTS)))

bench-pages: setup ## how long fifty people at once wait for the overview and an account (ACCOUNTS=…)
	@$(BIN)/python bench/pages.py $(if $(ACCOUNTS),--accounts $(ACCOUNTS))

shots: setup ## every page of the console as a picture, wide and narrow, in both languages: shots/
	@CI=true RECOUP_SHOTS=1 $(BIN)/python -m pytest tests/journeys/test_every_page.py

soak: setup ## long runs under faults
	@$(BIN)/python -m pytest -m soak

lock: setup ## resolve the dependencies of pyproject.toml anew
	@$(BIN)/uv pip compile --quiet --python $(BIN)/python $(LOCKING) --group dev pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --python $(BIN)/python $(LOCKING) --group core-test -o requirements-core.lock

clean: ## remove environments and caches; the data stays
	@rm -rf .venv .venv-core .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
