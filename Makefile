# `make` or `make help` says what there is. PORT=, CONTROL_PORT=, DATA_DIR= and PYTHON= may be given to run and demo.

.DEFAULT_GOAL := help
.PHONY: help demo run backup restore test lint types layers js unit sdk e2e browser drills bench verifier-page endurance endurance-sdk pictures lock install dev format clean

ifdef PORT
export ANSWERABLE_PORT := $(PORT)
endif
ifdef CONTROL_PORT
export ANSWERABLE_CONTROL_PORT := $(CONTROL_PORT)
endif
ifdef DATA_DIR
export ANSWERABLE_DATA_DIR := $(abspath $(DATA_DIR))
endif
export PYTHON
# where it is set, each process would compile the whole project anew at its start
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
STEP := tools/step
WORKERS ?= 2

help: ## this list
	@echo "Answerable: every AI decision sealed, owned, overridable and provable."
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PORT=8000, CONTROL_PORT=8001 and DATA_DIR=.data may be given: make run PORT=9000 DATA_DIR=/srv/answerable"

demo: install ## start it with made-up AI systems, people and a stream of decisions
	@exec $(BIN)/python -m config.standalone demo

run: install ## start it empty; prints the link that creates the first administrator
	@exec $(BIN)/python -m config.standalone run

backup: install ## a backup into a new folder below TO=, while it runs (docs/operations.md)
	@test -n "$(TO)" || { echo "Say where backups go: make backup TO=/backup"; exit 1; }
	@exec $(BIN)/python manage.py backup "$(abspath $(TO))"

restore: install ## a backup, FROM=, into a data folder without a database; HEADS= where none survived
	@test -n "$(FROM)" || { echo "Say which: make restore FROM=/backup/answerable-20261121T070000Z DATA_DIR=/srv/new"; exit 1; }
	@exec $(BIN)/python manage.py restore "$(abspath $(FROM))" $(if $(HEADS),--heads $(HEADS))

test: dev ## everything that checks the project but the drills
	@$(STEP) "Style (ruff)" $(MAKE) --no-print-directory lint
	@$(STEP) "Types (mypy, strict), floors (import-linter), JavaScript (node), the Python SDK" \
		$(MAKE) --no-print-directory --jobs=$(WORKERS) --output-sync=target types layers js sdk
	@$(STEP) "Tests against PostgreSQL" $(MAKE) --no-print-directory unit
	@$(STEP) "The running product" $(MAKE) --no-print-directory e2e
	@$(STEP) "The browser" $(MAKE) --no-print-directory browser

lint: dev ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: dev ## mypy, strict
	@$(BIN)/mypy .

layers: dev ## import-linter: no floor knows one above it
	@$(BIN)/lint-imports

js: ## the JavaScript tests (needs node)
	@if command -v node >/dev/null; then node --test tests/js; \
	else echo "node is not here, so the JavaScript tests were NOT run (Debian: apt-get install nodejs)."; fi

unit: dev ## the tests that need PostgreSQL or nothing (WORKERS=2 at once)
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not e2e and not browser"

sdk: dev ## the Python SDK: its types and tests, killed under load too
	@cd sdk && ../$(BIN)/mypy && ../$(BIN)/python -m pytest -q

e2e: dev ## the tests that start the whole product (WORKERS=2, each file by one)
	@tools/chromium
	@$(BIN)/python -m pytest -v -n $(WORKERS) --dist loadfile -m "e2e and not browser and not drill"

drills: dev ## the tests that take minutes each (before a release): endurance, two installations, a thousand erasures
	@$(BIN)/python -m pytest -v -n $(WORKERS) -m drill

browser: dev ## the tests that drive the product with a browser (WORKERS=2)
	@tools/chromium
	@$(BIN)/python -m pytest -v -n $(WORKERS) -m browser

verifier-page: dev ## build the page that verifies bundles in a browser (verify.html) from its modules
	@$(BIN)/python tools/verifier_page.py

bench: install ## measure against the service level (docs/performance.md; BENCH="--help")
	@$(BIN)/python -m benchmarks $(BENCH)

bench-full: install ## the same with a log of 5 million entries; about 36 GB of disk
	@$(BIN)/python -m benchmarks --entries 5000000 $(BENCH)

pictures: dev ## draw the pictures of the documentation anew, from a demonstration
	@tools/chromium
	@$(BIN)/python -m tests.pictures $(ONLY)

endurance: dev ## 100,000 decisions with kills in the middle, then everything is checked (POSTS=100000)
	@$(BIN)/python -m benchmarks.endurance --posts $(or $(POSTS),100000)

format: dev ## let ruff rewrite what it can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

endurance-sdk: dev ## 50,000 records of the SDK, the service killed ten times and the SDK twice (RECORDS=50000)
	@$(BIN)/python -m benchmarks.endurance.sdk --records $(or $(RECORDS),50000)

lock: dev ## pin all dependencies again, by hash
	@tools/lock

install: ## .venv with what is needed to run
	@tools/install runtime

dev: ## .venv with what is needed to develop and test
	@tools/install dev
	@tools/install-js

clean: ## remove .venv and caches; data folders stay
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis static-collected
