# `make help` lists the targets. Everything is installed into .venv from requirements.lock.txt.
.DEFAULT_GOAL := help
.PHONY: help env demo test test-all lab tensorboard bench lint format strip lock clean
SHELL := /bin/sh

PYTHON ?= python3
UV ?= uv
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
WORKSPACE ?= .

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(INSTALLED) ## Create .venv from the lock (done by itself when another target needs it)

$(INSTALLED): requirements.lock.txt pyproject.toml
	@echo "Installing the locked packages into $(VENV): about 2.5 GB, a few minutes the first time."
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] < (3, 14); \
	  sys.exit(0 if ok else "photoclf needs Python 3.11, 3.12 or 3.13. Received: " \
	  + sys.version.split()[0] + ". Run it as: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
	  -r requirements.lock.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation -e .
	@echo "Compiling them once (importing TensorFlow from sources would take 15 s each time)."
	@$(BIN)/python -m compileall -q -j 0 $$($(BIN)/python -c \
	  'import sysconfig; print(sysconfig.get_path("purelib"))') >/dev/null 2>&1 || true
	@touch $@

demo: $(INSTALLED) ## Draw the demo archive and take it to the report, in about five minutes
	@echo "Demo: draws an archive, trains two small networks on it, and writes the report."
	@$(BIN)/photoclf demo --workspace $(WORKSPACE)

test: $(INSTALLED) ## Lint, check types and floors, run the tests and every notebook
	@echo "Test: lint, types, floors, then pytest with every notebook run on a tiny archive."
	@$(MAKE) --no-print-directory lint
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lab: $(INSTALLED) ## Open JupyterLab in notebooks/
	@cd notebooks && ../$(BIN)/jupyter lab

tensorboard: $(INSTALLED) ## Open TensorBoard on the workspace's runs
	@$(BIN)/tensorboard --logdir $(WORKSPACE)/models

bench: $(INSTALLED) ## Measure speed: ratios in one interleaved run
	@$(BIN)/photoclf bench

lint: $(INSTALLED) ## Check style, types and the floors
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo 2>&1 | tail -n 2
	@$(BIN)/nbstripout --verify $$(git ls-files 'notebooks/*.ipynb' 2>/dev/null)

format: $(INSTALLED) ## Format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet .

strip: $(INSTALLED) ## Remove the outputs of the notebooks
	@$(BIN)/nbstripout notebooks/*.ipynb

lock: ## Resolve versions anew after changing pyproject.toml (needs uv)
	@$(UV) lock
	@$(UV) export --quiet --frozen --no-emit-project --no-hashes --no-header --no-annotate \
	  --extra cpu --extra heif --extra parquet --group dev -o requirements.lock.txt

clean: ## Remove .venv, caches and what the demo wrote, never your own data
	@rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	@rm -rf data/demo_archive build dist *.egg-info
	@find photoclf tests -name __pycache__ -type d -prune -exec rm -rf {} +
