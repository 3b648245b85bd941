# Every target installs what it needs into .venv… folders in this one.
# Start with `make demo`.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check

# Hide your keys, addresses and teams from demos and tests. Keep compiled modules: hundreds of processes load them.
unexport VIRTUAL_ENV PYTHONHOME PYTHONDONTWRITEBYTECODE $(filter PRIME_% PRIMEPODS_%,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: help demo lab test soak package bench lint notebooks documents pictures clean

help:
	@echo 'make demo       run the quickstart notebook in the sandbox and print it'
	@echo 'make lab        open JupyterLab on the notebooks'
	@echo 'make test       run the whole suite: unit, sandbox, notebooks, browser'
	@echo 'make soak       run the long and random tests in full'
	@echo 'make package    build, and install on every local Python with the newest and oldest dependencies'
	@echo 'make bench      measure speed, as medians and ratios'
	@echo 'make lint       check format, lint and types'
	@echo 'make notebooks  run the notebooks again and save their outputs'
	@echo 'make documents  write REFERENCE.md and the outputs in README.md'
	@echo 'make pictures   take the screenshots in README.md again (needs Chromium)'
	@echo 'make clean      remove everything that these targets created'

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "Python 3.10 or newer is required: make PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Requirements for opening the notebooks.
$(VENV)/.for-lab: pyproject.toml Makefile | $(VENV)/.made
	@echo 'Installing JupyterLab and what else the notebooks need into $(VENV): about a minute, only once.' >&2
	@$(PIP) --progress-bar on --editable '.[plot,lab]' >&2
	@touch $@

$(VENV)/.for-test: pyproject.toml Makefile | $(VENV)/.made
	@echo 'Installing what the tests need into $(VENV): a minute or two, only once.' >&2
	@$(PIP) --quiet --editable '.[plot,test]'
	@touch $(VENV)/.for-lab $@

demo: $(VENV)/.for-lab
	@$(PY) -m tests.support.notebooks show notebooks/quickstart.ipynb
	@echo 'That was notebooks/quickstart.ipynb. To open the notebooks, run: make lab'

lab: $(VENV)/.for-lab
	$(PY) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

# Use 1.5 workers per processor: most tests wait more than they compute. tests/conftest.py puts slow files first.
WORKERS = $(shell $(PY) -c 'import os; print(min(4, (os.cpu_count() or 1) * 3 // 2))')
test: $(VENV)/.for-test
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

soak: $(VENV)/.for-test
	@PRIMEPODS_SOAK=1 $(PY) -m pytest --timeout=3600 --ignore=tests/browser

package: $(VENV)/.for-test
	@PRIMEPODS_PACKAGE=1 $(PY) -m pytest tests/package -n $(WORKERS) -rP

bench: $(VENV)/.for-test
	@$(PY) -m benchmarks

lint: $(VENV)/.for-test
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy

notebooks: $(VENV)/.for-lab
	@$(PY) -m tests.support.notebooks execute

documents: $(VENV)/.for-test
	@$(PY) -m tests.documents

pictures: $(VENV)/.for-test
	PRIMEPODS_PICTURES=1 REQUIRE_BROWSER=1 $(PY) -m pytest tests/browser/test_tour.py tests/browser/test_launcher.py
	cp tests/browser/screenshots/tour-light.png notebooks/pictures/create.png
	cp tests/browser/screenshots/launcher-summary-1280-light.png notebooks/pictures/launcher-summary.png
	cp tests/browser/screenshots/launcher-ready-1280-dark.png notebooks/pictures/launcher-ready.png
	cp tests/browser/screenshots/launcher-invalid-600-light.png notebooks/pictures/launcher-narrow.png

clean:
	rm -rf $(VENV) .venv-prime .venv-kernels .venv-front-ends .venv-package .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist tests/browser/screenshots
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
