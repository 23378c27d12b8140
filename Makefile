# Everything a developer or a build needs. `make` alone explains; the first use of a target makes .venv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
SHELL := /bin/sh

BIN := .venv/bin
READY := .venv/ready
PINS := $(wildcard requirements/*.txt) pyproject.toml scripts/bootstrap.sh
WORKERS ?= 2
T ?= tests
ARGS ?=

.PHONY: help demo test check format bench mutate crosscheck schema openapi requirements clean

help: ## explain the targets (this list)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  T=tests/ledger   with test: run a part     ARGS=...   with demo, bench, mutate: pass options on"

$(READY): $(PINS)
	@scripts/bootstrap.sh

demo: $(READY) ## a private PostgreSQL, a believable day in Huế, signed traffic; serves until Ctrl-C
	@$(BIN)/doisoat demo $(ARGS)

test: $(READY) ## all tests, as the build runs them
	@$(BIN)/pytest -n $(WORKERS) --dist worksteal $(T)

check: $(READY) ## format, lint, layers, types, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/deptry .

format: $(READY) ## rewrite the code as `check` wants it
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(READY) ## measure speed as ratios against a baseline of the same run
	@$(BIN)/python -m bench $(ARGS)

mutate: $(READY) ## change valid calls of every provider 120,000 times; nothing else may be believed
	@$(BIN)/python -m tests.mutation $(ARGS)

crosscheck: $(READY) ## hold signatures against independent npm clients (needs node and npm; in var/)
	@$(BIN)/python -m tests.crosscheck $(ARGS)

schema: $(READY) ## write service/schema.sql from the migrations
	@$(BIN)/python -m service.dev.schema

openapi: $(READY) ## write openapi.yaml from the application
	@$(BIN)/doisoat openapi --output openapi.yaml

requirements: $(READY) ## pin requirements/*.in anew (needs uv)
	@for name in runtime embedded build dev; do \
	    uv pip compile --quiet --universal --python-version 3.11 --upgrade --generate-hashes \
	        --no-strip-extras --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
	        requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done

clean: ## remove what make made, except the data in var/
	@rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
