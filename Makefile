.PHONY: help demo test check fix bench
PYTHON ?= python3
# uv from the machine where there is one, else our own copy in .tools
UV := $(or $(shell command -v uv 2>/dev/null),.tools/bin/uv)
RUN := $(UV) run --frozen

help: ## list these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

.venv/.synced: uv.lock pyproject.toml | $(UV)
	$(UV) sync --frozen --quiet --compile-bytecode
	@touch $@

demo: .venv/.synced ## start it and walk through the main job on the sample data
	$(RUN) addtocrm demo

# They start hundreds of processes. Where Python was told to keep no bytecode, each would compile the project anew.
test: .venv/.synced ## all tests, on the real engines
	PYTHONDONTWRITEBYTECODE= $(RUN) pytest

check: .venv/.synced ## format, lint, types, import rules
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) basedpyright
	$(RUN) lint-imports

fix: .venv/.synced ## format and fix what can be fixed
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

bench: .venv/.synced ## the speed figures, as ratios of one run (writes bench/RESULTS.md); SCALE=10m: search among so many
	$(UV) sync --frozen --quiet --group bench
	$(RUN) --group bench python -m bench $(if $(SCALE),p5_search)
