# make course   set up on first use, then open the course in JupyterLab
# make test     set up on first use, then lint, unit tests and every notebook
# make help     the rest

PYTHON ?= python3
PORT ?= 8888
ARGS ?=
NB ?=
CPU ?=

VENV := .venv
BIN := $(VENV)/bin
# A copy of pyproject.toml, taken after its pins were installed.
STAMP := $(VENV)/installed.toml
LAB_SETTINGS := $(VENV)/share/jupyter/lab/settings
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: help setup course test lint unit notebooks outputs format clean
.DEFAULT_GOAL := help

help:
	@echo "make course             open the course in JupyterLab (ARGS=--no-browser, PORT=8888)"
	@echo "make test               lint, unit tests, every notebook"
	@echo "make setup              only the set-up in .venv (CPU=1: PyTorch's small builds without GPU)"
	@echo "make lint | unit | notebooks    one part of make test (NB=01 for one notebook)"
	@echo "make outputs            execute the notebooks in place (NB=01 for one)"
	@echo "make format             bring Python files into the project's format"
	@echo "make clean              remove .venv and caches"

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { \
	    echo; \
	    echo "The course needs Python 3.11 or newer; '$(PYTHON)' is" \
	         "$$($(PYTHON) --version 2>/dev/null || echo 'not installed')."; \
	    echo "Install one from python.org or your system, then name it: make $(MAKECMDGOALS) PYTHON=python3.12"; \
	    exit 1; }
	@if cmp -s pyproject.toml $(STAMP); then touch $(STAMP); else $(MAKE) --no-print-directory install; fi

.PHONY: install
install:
	@$(BIN)/python -c '$(NEW_ENOUGH)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
	    echo; \
	    echo "No virtual environment could be made. Debian and Ubuntu: sudo apt install python3-venv"; \
	    exit 1; }
	@echo "Installing into $(VENV): a few minutes, and with PyTorch's GPU builds 5.5 GB."
ifneq ($(CPU),)
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off \
	    --index-url $(TORCH_CPU_INDEX) $$(grep -oE '"torch(vision|audio)?==[0-9.]+' pyproject.toml | tr -d '"')
endif
	$(BIN)/python -m pip install --disable-pip-version-check --progress-bar off --editable '.[dev]'
	@mkdir -p $(LAB_SETTINGS)
	@echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}' \
	    > $(LAB_SETTINGS)/overrides.json
	@cp pyproject.toml $(STAMP)

course: setup
	$(BIN)/python -m jupyterlab --port=$(PORT) $(ARGS) \
	    --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: setup lint
	$(BIN)/python -m pytest tests notebooks

lint: setup
	$(BIN)/python -m ruff check --quiet --output-format concise .
	$(BIN)/python -m ruff format --check --quiet .

unit: setup
	$(BIN)/python -m pytest tests

notebooks: setup
	$(BIN)/python -m pytest $(if $(NB),$(wildcard notebooks/$(NB)*.ipynb),notebooks)

outputs: setup
	$(BIN)/python tests/tools/outputs.py $(NB)

format: setup
	$(BIN)/python -m ruff check --quiet --fix-only .
	$(BIN)/python -m ruff format --quiet .

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .hypothesis
