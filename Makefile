# make course   set up on first use, then open the course in JupyterLab
# make test     set up on first use, then lint, unit tests and every notebook
# make help     the rest

PYTHON ?= python3
PORT ?= 8888
ARGS ?=
NB ?=
CPU ?=
UPGRADE ?=

VENV := .venv
BIN := $(VENV)/bin
# What was installed: the dependencies of pyproject.toml (all that stands before its tools) and the
# lock, copied after the installation.
STAMP := $(VENV)/installed.txt
WANTED = { sed '/^\[tool\./,$$d' pyproject.toml; cat constraints.txt; }
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

.PHONY: help setup course test lint types unit notebooks outputs exercises format hooks lock api mutants campaign accessibility teach site slides assignment test-teach clean
.DEFAULT_GOAL := help

help:
	@echo "make course             open the course in JupyterLab (ARGS=--no-browser, PORT=8888)"
	@echo "make test               lint, unit tests, every notebook"
	@echo "make setup              only the set-up in .venv (CPU=1: PyTorch's small builds without GPU)"
	@echo "make lint | unit | notebooks    one part of make test (NB=01 for one notebook)"
	@echo "make types              only the type hints of the core, a part of make lint"
	@echo "make outputs            execute the notebooks in place (NB=01 for one)"
	@echo "make exercises          write the exercise cells of the notebooks from their masters (NB=01 for one)"
	@echo "make format             bring Python files into the project's format"
	@echo "make hooks              what a commit checks, on every file; make hooks ARGS=install switches it on"
	@echo "make lock               write constraints.txt anew (UPGRADE=1: everything; UPGRADE=numpy: one)"
	@echo "make api                the reference of the package, in site/api"
	@echo "make mutants            do the tests notice small faults? (about ten minutes)"
	@echo "make campaign           thousands of random inputs against an oracle (about ten minutes)"
	@echo "make accessibility      can a screen reader read the notebooks? (needs Chromium and npm)"
	@echo "make site               the course as web pages, in site (needs npm)"
	@echo "make slides             a deck of slides for each notebook, in site/slides (needs npm)"
	@echo "make assignment         the exercises as a course of nbgrader, in assignments (NB=01 for one)"
	@echo "make test-teach         checks the tools for teachers (pages: needs Chromium and npm)"
	@echo "make clean              remove .venv, caches and site"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c '$(NEW_ENOUGH)' || { \
	    echo; \
	    echo "The course needs Python 3.11 or newer; '$(PYTHON)' is" \
	         "$$($(PYTHON) --version 2>/dev/null || echo 'not installed')."; \
	    echo "Install one from python.org or your system, then name it: make $(MAKECMDGOALS) PYTHON=python3.12"; \
	    exit 1; }
	@if [ -f $(STAMP) ] && $(WANTED) | cmp -s - $(STAMP); then touch $(STAMP); \
	    else $(MAKE) --no-print-directory install; fi

.PHONY: venv install
venv:
	@$(BIN)/python -c '$(NEW_ENOUGH)' 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || { \
	    echo; \
	    echo "No virtual environment could be made. Debian and Ubuntu: sudo apt install python3-venv"; \
	    exit 1; }

PIP_INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar off

install: venv
	@echo "Installing into $(VENV): a few minutes, and with PyTorch's GPU builds 5.5 GB."
ifneq ($(CPU),)
	$(PIP_INSTALL) --no-deps --index-url $(TORCH_CPU_INDEX) \
	    $$(grep -oE '^torch(vision|audio)?==[0-9.]+' constraints.txt)
endif
	$(PIP_INSTALL) --constraint constraints.txt --editable '.[dev,lab]'
	@$(WANTED) > $(STAMP)

course: setup
	$(BIN)/python -m jupyterlab --port=$(PORT) $(ARGS) \
	    --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

test: setup lint
	$(BIN)/python -m pytest tests notebooks

lint: setup
	$(BIN)/python -m ruff check --quiet --output-format concise .
	$(BIN)/python -m ruff format --check --quiet .
	$(BIN)/python -m mypy

types: setup
	$(BIN)/python -m mypy

unit: setup
	$(BIN)/python -m pytest tests

notebooks: setup
	$(BIN)/python -m pytest $(if $(NB),$(wildcard notebooks/$(NB)*.ipynb),notebooks)

outputs: setup
	$(BIN)/python tests/tools/outputs.py $(NB)

exercises: setup
	$(BIN)/python -m course_utils.exercises $(NB) --write

format: setup
	$(BIN)/python -m ruff check --quiet --fix-only .
	$(BIN)/python -m ruff format --quiet .

hooks: setup
	$(BIN)/python -m pre_commit $(if $(ARGS),$(ARGS),run --all-files)

# Versions in constraints.txt stay as they are while pyproject.toml allows them, unless UPGRADE is given.
lock: venv
	@$(BIN)/python -m uv --version >/dev/null 2>&1 || $(PIP_INSTALL) --constraint constraints.txt uv
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 \
	    --extra dev --extra lab --extra mutants --extra teach --custom-compile-command "make lock" \
	    $(if $(filter 1,$(UPGRADE)),--upgrade,$(addprefix --upgrade-package=,$(UPGRADE))) \
	    --output-file constraints.txt pyproject.toml

api: setup
	$(BIN)/python tests/tools/reference.py $(ARGS)

mutants: setup
	@$(BIN)/python -m pip show --quiet mutmut 2>/dev/null || \
	    $(PIP_INSTALL) --constraint constraints.txt --editable '.[dev,lab,mutants]'
	$(BIN)/python tests/tools/mutants.py $(ARGS)

# What only teachers need, once for each set-up.
TEACH := $(VENV)/teach.txt
$(TEACH): $(STAMP)
	$(PIP_INSTALL) --constraint constraints.txt --editable '.[dev,lab,teach]'
	@touch $@

teach: $(TEACH)

# What npm installs, once for each lock: a later call needs no network.
NPM_INSTALLED := node_modules/.package-lock.json
%/$(NPM_INSTALLED): %/package-lock.json
	@command -v npm >/dev/null || { echo "npm is not installed: it comes with Node.js"; exit 1; }
	cd $* && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

site: $(TEACH) tools/website/$(NPM_INSTALLED)
	$(BIN)/python tests/tools/website.py $(ARGS)

slides: $(STAMP) tools/website/$(NPM_INSTALLED)
	$(BIN)/python tests/tools/slides.py $(ARGS)

# nbgrader calls alembic, which lies beside it.
assignment: $(TEACH)
	$(BIN)/python -m course_utils.exercises.assignment assignments $(NB) $(ARGS)
	cd assignments && export PATH="$(abspath $(BIN)):$$PATH" && \
	    for name in $$(ls source | grep '^$(NB)'); do \
	        nbgrader generate_assignment "$$name" --force --log-level=WARN || exit 1; done

test-teach: $(TEACH)
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory \
	    $(addsuffix /$(NPM_INSTALLED),tools/website tests/accessibility); fi
	$(BIN)/python -m pytest -rs tests/teach
campaign: setup
	cd tests && $(abspath $(BIN))/python -m tools.campaign $(ARGS)

accessibility: setup
	@if command -v npm >/dev/null; then \
	    $(MAKE) --no-print-directory tests/accessibility/$(NPM_INSTALLED); fi
	$(BIN)/python -m pytest -rs tests/accessibility

clean:
	rm -rf $(VENV) *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis mutants site \
	    tests/accessibility/node_modules tools/website/node_modules
