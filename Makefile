PYTHON ?= python3
# processes that share the tests, file by file
WORKERS ?= 2
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test test-all lint docs clean

demo: $(READY)
	$(BIN)/tskd run configs/demo.yaml --workers 2
	$(BIN)/python benchmarks/garch_beside.py configs/demo.yaml runs/demo

test: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-all: lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m ""

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# the pages with their figures in site/; what their code prints is compared by the tests
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# torch first and by its exact version, so that a CPU build can be found where there is one
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tskd needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf .venv runs site .pytest_cache .ruff_cache .mypy_cache .hypothesis
