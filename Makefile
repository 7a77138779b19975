# Everything a person or CI calls. Only git, make and Python >= 3.11 are needed.
.DEFAULT_GOAL := help
.PHONY: help demo up test check bench lock schema docs clean
PYTHON ?= python3
BIN := .venv/bin
# uv installs in seconds what takes pip twenty; where it cannot reach the index as configured for pip, pip does it.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes
UV := $(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python

.venv/.ready: requirements.lock .ci/installer.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Change Control needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing what the product needs, locked by hash ..."
	@$(PIP) -r .ci/installer.lock && $(UV) -r requirements.lock 2>/dev/null || $(PIP) -r requirements.lock
	@touch $@

.venv/.ready-tests: .venv/.ready tests/requirements.lock
	@echo "Installing what the tests need, locked by hash ..."
	@$(UV) -r tests/requirements.lock 2>/dev/null || $(PIP) -r tests/requirements.lock
	@touch $@

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

demo: .venv/.ready ## play the story against a running system, then leave the site running (ARGS=--once: stop after the story)
	@$(BIN)/python manage.py demo $(ARGS)

up: .venv/.ready ## run it for real: database, broker, web, worker and beat under one supervisor
	@$(BIN)/python manage.py up $(ARGS)

test: .venv/.ready-tests ## the whole suite (ARGS="tests/gate -k promotion" for a part)
	@$(BIN)/python -m tests.browsers
	@$(BIN)/python -m pytest --quiet --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/.ready-tests ## format, lint, types, import contracts, templates, dependencies, migrations, schema, budgets
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy
	@$(BIN)/djlint --lint --quiet templates
	@$(BIN)/deptry .
	@$(BIN)/typos
	@$(BIN)/python manage.py check --fail-level WARNING
	@$(BIN)/python -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file var/openapi.yaml && diff -u docs/openapi.yaml var/openapi.yaml
	@$(BIN)/python -m pytest --quiet tests/test_repository.py tests/test_counterparts.py
	@echo "All checks hold."

bench: .venv/.ready-tests ## measure the figures the product promises, as ratios in interleaved rounds
	@$(BIN)/python -m benchmarks $(ARGS)

schema: .venv/.ready ## write docs/openapi.yaml
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

docs: .venv/.ready ## write the generated pages of docs/
	@$(BIN)/python manage.py write_states && $(BIN)/python manage.py write_gate_rules

lock: ## lock the dependencies again (needs uv)
	uv pip compile --quiet pyproject.toml --generate-hashes --universal --no-header --no-annotate -o requirements.lock
	uv pip compile --quiet pyproject.toml --group dev --generate-hashes --universal --no-header --no-annotate -c requirements.lock -o tests/requirements.lock
	echo "uv==0.13.8" | uv pip compile --quiet - --generate-hashes --universal --no-header --no-annotate -o .ci/installer.lock

clean: ## remove the environment and everything the embedded mode keeps
	rm -rf .venv var
