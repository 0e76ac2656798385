# Two commands do everything on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Inputs over all fuzz tests.
FUZZ ?= 100000

# As many processes as cores (at most 8), each with one thread. Slow tests come in files, as their fixtures are slow too.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 8

.PHONY: demo test test-slow test-all fuzz kill lint docs docs-reference bench bench-table clean

demo: $(READY)  ## the method on data it makes itself, within 3 minutes
	$(BIN)/mmts demo

test: $(READY)  ## the fast tests, within 3 minutes; MMTS_DATA_DIR=FOLDER adds those on real data
	$(PYTEST) --dist worksteal -m "not slow"

test-slow: $(READY)  ## the other tests
	$(PYTEST) --dist loadfile -m slow

test-all: test test-slow  ## every test

fuzz: $(READY)  ## 100,000 random inputs to readers, records, schedules, losses and scores; FUZZ=N for others
	MMTS_FUZZ=$(FUZZ) $(PYTEST) tests/fuzz

kill: $(READY)  ## each stage killed and interrupted at 20 random moments, and run again
	PYTHONPATH=tests HF_HUB_OFFLINE=1 $(BIN)/python -m attacks.kill

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)  ## the documentation as a site in build/docs; a dead link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

docs-reference: $(READY)  ## the page of every command and flag, from the command line itself
	$(BIN)/python -m mmts_cli.reference > docs/reference.md

bench: $(READY)  ## every speed and memory claim, as ratios
	for script in $(filter-out benchmarks/figures.py benchmarks/table.py, $(wildcard benchmarks/*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

bench-table: $(READY)  ## the table of docs/speed.md, ranges over three runs of each benchmark
	$(BIN)/python benchmarks/table.py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mmts needs Python 3.11 or later; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build mmts-demo
