# Every target makes .venv when there is none; Python 3.11 or newer, git, make and a C library are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat requirements.lock pyproject.toml | cksum | cut -d' ' -f1)
JOBS ?= 2
CASES ?= bench
BENCH_OUT ?= out

.PHONY: demo test test-all check bench bench-verify local-model lock clean

demo: $(STAMP)
	$(BIN)/treemend demo

test: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

test-all: $(STAMP)
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -m ""

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python benchmarks/repair.py $(CASES) --out $(BENCH_OUT)

bench-verify: $(STAMP)
	$(BIN)/python benchmarks/verify.py --out $(BENCH_OUT)/verify --write benchmarks/RESULTS.md

# Builds llama.cpp, which takes about 12 minutes of CPU, a C++ compiler and cmake.
local-model: $(STAMP)
	$(BIN)/python benchmarks/local_model.py --out $(BENCH_OUT)/local-model

lock:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --generate-hashes \
	  --no-emit-index-url --no-emit-find-links --python-version 3.11 --universal --quiet --output-file requirements.lock

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

clean:
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
