# exlake: every task a person needs. `make` alone lists them.
.DEFAULT_GOAL := help
.PHONY: help setup setup-s3 test-s3 demo demo-real up down test test-unit test-full bench bench-full lint format clean
# A shell that forbids bytecode would let every process compile every library again.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
EXLAKE := $(BIN)/exlake
DATA ?= ../shared/data

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: ## make .venv, find or install Java, fetch the Delta jars and charts (says size first; quick when done)
	@sh setup/setup.sh

setup-s3: ## fetch the jars for tables in S3-compatible storage too (14 MB)
	@sh setup/setup.sh --with s3

demo: setup ## simulate three trade dates, run the real DAGs over them, show the outcome
	@$(EXLAKE) demo

demo-real: setup ## the same DAGs over real files: make demo-real DATA=folder
	@$(EXLAKE) demo-real --data "$(DATA)"

up: setup ## start Airflow on 127.0.0.1 and print its address
	@$(EXLAKE) up

down: ## stop the Airflow that `make up` started, and nothing else
	@$(EXLAKE) down

test: setup lint ## everything but the slow proofs: lint, types, imports, all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not full"

test-unit: setup ## the tests that need neither Spark nor Airflow (seconds)
	@$(BIN)/python -m pytest -n 2 -m "not (spark or airflow or whole or slow or full or browser)" \
		--ignore=tests/browser --ignore=tests/pipelines/simulation --ignore=tests/pipelines/sources

test-full: setup lint ## every test, the slow proofs too
	@$(BIN)/python -m pytest

test-s3: ## tables in object storage, proven against a local S3 endpoint (fetches 15 MB more)
	@sh setup/setup.sh --with s3 --with s3proxy
	@$(BIN)/python -m pytest tests/pipelines/engine/test_object_storage.py

bench: setup ## measure: every benchmark at small sizes (minutes)
	@$(BIN)/python -m benchmarks

bench-full: setup ## measure all sizes (hours)
	@$(BIN)/python -m benchmarks --full

lint: setup ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: setup ## let ruff put the code in order
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

clean: ## remove caches (never the lake)
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
