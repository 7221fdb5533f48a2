# `make run` and `make test` need Python 3.11 or newer and make, nothing else. Everything they install stays in this
# folder: .venv, node_modules, var. Variables: PYTHON=, PORT=, HOST=, DATA=, DATABASE_URL=, REDIS_URL=.

PYTHON ?= python3
SHELL := /bin/sh
BIN := .venv/bin
LOCKED := .venv/.locked
PACKAGES := node_modules/.locked
LITELLM := var/litellm
TOOLS := var/tools
# What fares on a Citus cluster as on one server: decision 92 says why the rest is not here.
ON_CITUS := tests/quota/hot_path tests/quota/views tests/quota/api tests/quota/admin tests/billing/selectors \
  tests/billing/admin tests/keepers/test_tenancy.py \
  $(patsubst %,tests/races/test_%.py,amounts balance bulk credits money rollups same_id \
    locks_of_calls locks_of_api_calls locks_of_lapses) \
  $(patsubst %,tests/quota/services/test_%.py,distribution rollups partitions partitions_of_the_ledger reservations \
    reconcile reconcile_alarms reconcile_rows reconcile_runs notices notices_follow windows_history \
    windows_history_follows) \
  tests/quota/selectors/test_usage_bar.py tests/quota/selectors/test_usage_series.py
# The versions that the guides were last tried with.
CLAUDE_CODE := 2.1.197
OPENCLAW := 2026.9.6
HERMES_AGENT := 0.19.0
MMX := 1.0.27

# Given on make's command line or in the environment, these reach every program; not given, they stay unset.
$(foreach name,PORT HOST DATA DATABASE_URL REDIS_URL BASE_URL CHROMIUM WITH,$(if $($(name)),$(eval export $(name))))

# Where this is set, every process compiles every module anew: a second for each that `up` and the tests start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup run test test-all test-citus test-litellm tools mutants bench check format messages lock shots clean
.DEFAULT_GOAL := help

help: ## These targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

setup: $(LOCKED) $(PACKAGES) ## Install the locked packages (again only when a lock changed)

run: setup $(if $(filter litellm,$(WITH)),$(LITELLM)/.locked) ## Start everything; Ctrl-C stops it. PORT= and DATA= move it, WITH=litellm
	@exec $(BIN)/python manage.py up

test: setup ## The test suite; ARGS= names some tests, COVERAGE=1 measures what they reach
	@$(BIN)/pytest -n auto --dist worksteal -m "not slow" $(if $(COVERAGE),--cov --cov-report=term:skip-covered) $(ARGS)

test-all: setup $(LITELLM)/.locked ## And the tests that take minutes, each property with more examples, and test-litellm unless ARGS= names some
	@HYPOTHESIS_PROFILE=$(or $(HYPOTHESIS_PROFILE),all) $(BIN)/pytest -n auto --dist worksteal $(if $(COVERAGE),--cov --cov-report=term:skip-covered) $(ARGS)
	@$(if $(ARGS),,$(MAKE) --no-print-directory test-litellm)

test-citus: setup ## What can run on a Citus cluster (decision 92), on that of CITUS_URL; ARGS= names some of its tests
	@test -n "$$CITUS_URL" || { echo "CITUS_URL names no coordinator of a Citus cluster: see CONTRIBUTING.md" >&2; exit 1; }
	@$(BIN)/pytest -n 0 $(or $(ARGS),$(ON_CITUS))

test-litellm: setup $(LITELLM)/.locked ## The package for LiteLLM, with the real proxy, in an environment of its own
	@cd integrations/litellm && $(CURDIR)/$(LITELLM)/bin/python -m pytest $(ARGS)

tools: setup $(TOOLS)/claude-code/.$(CLAUDE_CODE) $(TOOLS)/openclaw/.$(OPENCLAW) $(TOOLS)/hermes-agent/.$(HERMES_AGENT) $(TOOLS)/mmx-cli/.$(MMX) ## Claude Code, OpenClaw, Hermes Agent and mmx, which test-all puts to work

mutants: setup ## Plant faults in the code that must not be wrong; each that no test notices is named. ARGS="--only REGEX"
	@$(BIN)/python -m tests.mutants $(ARGS)

bench: setup $(LITELLM)/.locked ## Measure what is promised of speed, beside LiteLLM's proxy; writes benchmarks/results.md. ARGS=--full, "--only NAME"
	@$(BIN)/python -m benchmarks $(ARGS)

check: setup ## Lint, format, types, who imports whom, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

format: setup ## Put the code in its one format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

shots: setup ## Pictures of every page of the running demo, into DATA/shots
	$(BIN)/python -m tests.shots --demo $(or $(DATA),var)/demo.json --out $(or $(DATA),var)/shots

messages: setup ## Write the catalogues of locale/ anew from the texts in the code, and compile them; needs GNU gettext
	@$(BIN)/python manage.py messages

lock: setup ## Write requirements.lock and package-lock.json anew. UPGRADE=1 takes newer versions
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra dev \
	  --no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) \
	  --no-strip-extras pyproject.toml --output-file requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	  --no-emit-index-url --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) \
	  integrations/litellm/tests/requirements.in --output-file integrations/litellm/tests/requirements.lock
	$(BIN)/npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund

clean: ## Remove what setup and tests made; the data in var/ stays, all but var/test, var/litellm and var/tools
	rm -rf .venv node_modules var/test $(LITELLM) $(TOOLS) .coverage .coverage.* .hypothesis .pytest_cache .mypy_cache .ruff_cache

# The interpreter is looked at before anything is made with it: a half-made .venv explains nothing.
$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1); 3.11 or newer is needed. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

# As root, PostgreSQL runs from here as another account, which must be able to read it.
$(LOCKED): requirements.lock | $(BIN)/python
	umask 022 && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

# LiteLLM and its hundred packages, which the console never imports.
$(LITELLM)/.locked: integrations/litellm/tests/requirements.lock | $(LOCKED)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LITELLM)
	$(BIN)/uv pip install --quiet --require-hashes --python $(LITELLM)/bin/python -r $<
	@touch $@

# Half a gigabyte in all, each made anew when its version changed above. Of the packages' own scripts
# one alone runs: Claude Code's, which puts its program in place.
$(TOOLS)/claude-code/.$(CLAUDE_CODE): | $(LOCKED)
	@mkdir -p $(@D)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error @anthropic-ai/claude-code@$(CLAUDE_CODE)
	$(BIN)/node $(@D)/node_modules/@anthropic-ai/claude-code/install.cjs
	@touch $@

$(TOOLS)/openclaw/.$(OPENCLAW): | $(LOCKED)
	@mkdir -p $(@D)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error openclaw@$(OPENCLAW)
	@touch $@

$(TOOLS)/mmx-cli/.$(MMX): | $(LOCKED)
	@mkdir -p $(@D)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm install --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error mmx-cli@$(MMX)
	@touch $@

$(TOOLS)/hermes-agent/.$(HERMES_AGENT): | $(LOCKED)
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	$(BIN)/uv pip install --quiet --python $(@D)/bin/python hermes-agent==$(HERMES_AGENT)
	@touch $@

# npm comes with a wheel, so that no Node.js needs to be installed first.
$(PACKAGES): package.json package-lock.json | $(LOCKED)
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm ci --no-audit --no-fund --loglevel=error
	@touch $@
