# Each target sets up what it needs in .venv; only Python 3.11 or newer and make are assumed. CONTRIBUTING.md lists them.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/*)
READY := $(VENV)/.ready

SEED ?= 0
MINUTES ?= 5

.PHONY: demo test test-slow test-gpu fuzz coverage lint format typecheck docs clean

demo: $(READY)
	mkdir -p runs
	$(BIN)/inpaintkit fill docs/images/rocket.jpg --mask docs/images/rocket-mask.png -o runs/filled.png --overwrite
	@echo "filled picture: runs/filled.png"
	$(BIN)/inpaintkit run recipes/iccv_perceptual.yaml --profile demo

test: $(READY)
	$(BIN)/python -m pytest -q

test-slow: $(READY)
	$(BIN)/python -m pytest -q -m slow

test-gpu: $(READY)
	$(BIN)/python -m pytest -q -m gpu

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --seed $(SEED) --minutes $(MINUTES)

coverage: $(READY)
	$(BIN)/python -m coverage run -m pytest -q
	$(BIN)/python -m coverage report

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

typecheck: $(READY)
	$(BIN)/mypy

docs: $(READY)
	$(BIN)/python docs/make_reference.py

$(READY): pyproject.toml $(PLUGINS:%=%/pyproject.toml)
	@test -n "$(PYTHON)" || { echo "inpaintkit needs Python 3.11 or newer: put it on the PATH, or make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet -e ".[testing,demo]" $(PLUGINS:%=-e ./%)
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

clean:
	rm -rf $(VENV) build dist .coverage .pytest_cache .mypy_cache .ruff_cache
