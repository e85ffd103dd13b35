# Needs make and a Python of 3.11 or later with its venv module; everything else is installed into .venv.

PYTHON ?= python3
BENCH_ARGS ?=
PYTEST_ARGS ?=

VENV := .venv
ifeq ($(OS),Windows_NT)
PY := $(VENV)/Scripts/python.exe
else
PY := $(VENV)/bin/python
endif
PIP := $(PY) -m pip --disable-pip-version-check --quiet
# Stamps: a step whose file is newer than what it was made from is not repeated.
MADE := $(VENV)/.made
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
UV := uv>=0.9
SHORT := tests/test_api.py tests/test_errors.py tests/test_settings.py tests/test_settings_names.py tests/test_surface.py \
	tests/history tests/schema tests/scaffold tests/sqlite/test_rebuild.py tests/runner/test_atomic.py tests/runner/test_progress.py \
	tests/cli/test_loading.py tests/cli/test_answers.py
# The pins of the projects that `migrator scaffold` makes.
SCAFFOLD := migrator/scaffold/project/requirements

.DEFAULT_GOAL := help
# Two recipes may install into the same environment.
.NOTPARALLEL:
.PHONY: help upgrade test test-short lint bench soak pins clean

help: ## This list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo
	@echo "  PYTHON=python3.13 chooses the interpreter that makes .venv; PYTEST_ARGS='-k name' and"
	@echo "  BENCH_ARGS='--rounds 3' are handed on."

upgrade: $(RUNTIME) ## Migrate the database to the newest revision (app.db unless DATABASE_URL says otherwise)
	$(PY) migrate.py upgrade

test: $(DEV) ## Run the tests, on SQLite and PostgreSQL
	$(PY) -m pytest --numprocesses auto --dist worksteal $(PYTEST_ARGS)

test-short: $(DEV) ## The part of the tests that another version of Python is most likely to break
	$(PY) -m pytest --numprocesses auto --dist worksteal $(SHORT) $(PYTEST_ARGS)

lint: $(DEV) ## ruff check, ruff format --check, mypy
	@failed=0; for tool in "ruff check ." "ruff format --check ." "mypy"; do \
		echo "$(PY) -m $$tool"; $(PY) -m $$tool || failed=1; \
	done; exit $$failed

bench: $(DEV) ## Time migrate.py against alembic and against the bare driver
	$(PY) -m benchmarks.cost $(BENCH_ARGS)
	$(PY) -m benchmarks.rebuild

soak: $(DEV) ## The long forms of the kill and race tests (many minutes)
	$(PY) -m tests.kit.soak

pins: $(MADE) ## Renew requirements/*.txt from pyproject.toml: newest versions, Python 3.11 to 3.14
	$(PIP) install '$(UV)'
	$(PY) -m uv pip compile pyproject.toml --extra postgresql --output-file requirements/runtime.txt \
		--upgrade --universal --python-version 3.11 --generate-hashes \
		--no-config --custom-compile-command 'make pins' --quiet
	$(PY) -m uv pip compile pyproject.toml --extra dev --constraints requirements/runtime.txt \
		--output-file requirements/dev.txt \
		--upgrade --universal --python-version 3.11 --generate-hashes \
		--no-config --custom-compile-command 'make pins' --quiet
	$(PY) -m uv pip compile --group pyproject.toml:scaffold --constraints requirements/dev.txt \
		--output-file $(SCAFFOLD)/dev.txt \
		--upgrade --universal --python-version 3.11 --generate-hashes \
		--no-config --custom-compile-command 'make pins' --quiet
	cp requirements/runtime.txt $(SCAFFOLD)/runtime.txt
	@if grep -n '://' requirements/*.txt $(SCAFFOLD)/*.txt; then echo "make pins: an address got into the lines above" >&2; exit 1; fi

clean: ## Remove .venv and the caches; databases stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		found=$$($(PYTHON) -V 2>&1) || found='not a Python that runs'; \
		echo "make: Python 3.11 or later is needed; \"$(PYTHON)\" is $$found. Nothing was installed." >&2; \
		echo "make: name another one: make $(or $(MAKECMDGOALS),upgrade) PYTHON=python3.13" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUNTIME): requirements/runtime.txt $(MADE)
	$(PIP) install --require-hashes -r requirements/runtime.txt
	@touch $@

$(DEV): requirements/dev.txt $(MADE)
	$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
