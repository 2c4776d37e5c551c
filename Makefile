# make demo and make test set up what they need in .venv.
PYTHON ?= python3
BIN := .venv/bin
CHROMIUM := /usr/bin/chromium

.PHONY: setup demo test ui app clean
setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; name it: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/eve demo

ui: setup
	$(BIN)/eve ui

app: setup
	$(BIN)/eve app

# The tests of the web app need Debian's Chromium; where it cannot be installed they fail and say so.
test: setup
	@test -x $(CHROMIUM) || test "$$(id -u)" != 0 || { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } || true
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --no-loadscope-reorder

clean:
	rm -rf .venv eve_home .mypy_cache .pytest_cache .ruff_cache
