# Every target makes .venv first; nothing else needs to be installed by hand (Python 3.11+ and make).
PYTHON ?= python3
VENV   := .venv
# Threads that spin while they wait make torch several times slower when two processes share the cores.
export OMP_WAIT_POLICY ?= passive
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: run test check format e2e bench screenshots lock clean
.DEFAULT_GOAL := run

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "songclip needs Python 3.11 or newer: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $(READY)

run: $(READY)
	$(BIN)/songclip run

test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not e2e"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

e2e: $(READY)
	$(BIN)/python -m pytest -m e2e tests/e2e

bench: $(READY)
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

screenshots: $(READY)
	$(BIN)/python docs/make_screenshots.py

# The versions every machine gets: all platforms in one file, no registry named in it.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache
