# make run    set everything up, run config.yaml to the end, print the table
# make test   set everything up, run the linters and the whole test suite
# make help   the other targets

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
# cpu or gpu: which build of vLLM the stages get, from the same pins
STAGES ?= cpu
# more for pytest, as in: make test PYTEST="-k filter"
PYTEST ?=
# more for snakemake, as in: make run ARGS="--configfile mine.yaml"
ARGS ?=

BIN := $(CURDIR)/.venvs
UV := $(BIN)/boot/bin/uv

# Make or update one environment from its lock: $(call sync,ENVIRONMENT,LOCK)
define sync
@echo "Setting up .venvs/$(1) from $(2)"
@.venvs/$(1)/bin/python -c "" 2>/dev/null || $(UV) venv --quiet --clear --no-python-downloads --python $(PYTHON) .venvs/$(1)
@$(UV) pip sync --quiet --require-hashes --python .venvs/$(1) $(2)
endef

.PHONY: help run test lint format setup unlock lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

run: setup unlock ## run the default config to the end and print the table
	@$(BIN)/driver/bin/snakemake all $(ARGS)
	@cat results/tables/main.md
	@printf '\nThe table is results/tables/main.csv. To use snakemake by itself:\n  export PATH="%s:$$PATH"\n' "$(BIN)/driver/bin"

test: setup lint ## run the linters and the whole test suite
	@$(BIN)/stages/bin/python -m pytest $(PYTEST)

lint: .venvs/driver/.synced .venvs/dev/.synced ## run ruff, mypy, snakefmt and snakemake --lint
	$(BIN)/dev/bin/ruff check .
	$(BIN)/dev/bin/ruff format --check .
	$(BIN)/dev/bin/mypy
	PATH="$(BIN)/dev/bin:$$PATH" snakefmt --check Snakefile workflow
	$(BIN)/driver/bin/snakemake --lint

format: .venvs/dev/.synced ## rewrite the code in the project's format
	$(BIN)/dev/bin/ruff check --fix .
	$(BIN)/dev/bin/ruff format .
	PATH="$(BIN)/dev/bin:$$PATH" snakefmt Snakefile workflow

setup: .venvs/driver/.synced .venvs/stages/.synced-$(STAGES) ## make the environments that a run needs

unlock: .venvs/driver/.synced ## clear what a killed run left: its lock and its orphaned stage
	@$(BIN)/driver/bin/python workflow/scripts/clear_stale.py

.venvs/boot/.synced: envs/boot/requirements.lock
	@envs/boot/check.sh $(PYTHON)
	@$(PYTHON) -m venv --clear .venvs/boot
	@.venvs/boot/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

.venvs/driver/.synced: envs/driver/requirements.lock envs/driver/snakemake .venvs/boot/.synced
	$(call sync,driver,$<)
	@install -m 755 envs/driver/snakemake .venvs/driver/bin/snakemake
	@touch $@

.venvs/dev/.synced: envs/dev/requirements.lock .venvs/boot/.synced
	$(call sync,dev,$<)
	@touch $@

# The package itself needs no build: a .pth file that leads to src/, and the command
.venvs/stages/.synced-$(STAGES): envs/$(STAGES)/requirements.lock envs/coldstart .venvs/boot/.synced
	$(call sync,stages,$<)
	@echo ../../../../../src >$$(.venvs/stages/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/coldstart.pth
	@install -m 755 envs/coldstart .venvs/stages/bin/coldstart
	@rm -f .venvs/stages/.synced-*
	@touch $@

# A lock records versions and hashes only. The CPU lock is the start of the GPU's and binds the light one's.
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header

lock: .venvs/boot/.synced ## resolve envs/*/requirements.in anew (UPGRADE=1: to the newest versions)
	$(if $(UPGRADE),rm -f envs/*/requirements.lock)
	$(COMPILE) envs/cpu/requirements.in --override envs/cpu/overrides.txt -o envs/cpu/requirements.lock
	cp envs/cpu/requirements.lock envs/gpu/requirements.lock
	$(COMPILE) envs/gpu/requirements.in -o envs/gpu/requirements.lock
	$(COMPILE) envs/light/requirements.in -c envs/cpu/requirements.lock -o envs/light/requirements.lock
	for env in boot driver dev; do $(COMPILE) envs/$$env/requirements.in -o envs/$$env/requirements.lock; done

clean: ## delete the environments; results/ stays
	rm -rf .venvs
