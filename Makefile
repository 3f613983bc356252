# The two commands of the README are `make certify` and `make test`; both set up everything they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out/report

.PHONY: help setup packages witnesses certify test lint types layers unit reports images images-base images-test bite teeth bench soak vm clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

packages:  ## Install or name the missing Debian packages
	@./.ci/debian-packages

witnesses:  ## Also those of the tests
	@./.ci/debian-packages tests

$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

setup: packages $(VENV)/.ready  ## Virtual environment and Debian packages
	@$(BIN)/python -m compileall -q l3conf reference_impl # the lab's nodes see them read-only

certify: setup  ## Certify the reference implementation on the emulated lab
	@$(BIN)/l3conf certify --impl reference_impl/impl.yaml --on emulated -o $(OUT)

lint: setup  ## ruff, all families
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup  ## mypy, strict
	@$(BIN)/mypy

layers: setup  ## import-linter contracts
	@$(BIN)/lint-imports

# What fails beside others is tried once more, alone, and both are printed: a busy machine passes then, a fault does not.
# Three failures are no accident: pytest ends with 2, as where it was interrupted, and nothing is tried again.
unit: witnesses setup  ## Unit and integration tests
	@$(BIN)/pytest -n 2 --dist loadgroup --maxfail 3 --cache-clear || { [ $$? -eq 1 ] && echo "once more, alone:" && \
	  $(BIN)/pytest --last-failed --last-failed-no-failures none; }

reports: setup  ## Published reports keep their rules
	@$(BIN)/l3conf reports check

ENGINE ?= docker
BASE ?=
REGISTRY ?= l3conf
images: setup  ## Container images, by docker or ENGINE=…; from BASE=… where nothing can be pulled (make images-base)
	@./images/build --engine '$(ENGINE)' --base '$(BASE)' --registry '$(REGISTRY)'

out/images/base.tar: images/base $(wildcard images/packages/*)
	@./images/base $@

images-base: out/images/base.tar  ## l3conf/base:bookworm, by debootstrap: what images are built from without a registry
	@$(ENGINE) import $< l3conf/base:bookworm

images-test: setup  ## Images from that base, on a docker engine in namespaces of its own
	@$(BIN)/pytest -q --timeout 600 images/tests

teeth: setup  ## Every mutant must be caught by its rows (half an hour)
	@$(BIN)/l3conf teeth

BITES := crd-ignores-host-bits clear-packets-accepted snat-at-gateway large-packets-lost residue-rules
bite: setup  ## One mutant of each kind
	@$(BIN)/l3conf teeth $(BITES:%=--only %)

test: lint types layers reports unit images-test bite  ## Everything CI checks

bench: setup  ## Benchmarks as JSON
	@$(BIN)/l3conf bench lab --json
	@$(BIN)/l3conf bench probes --json
	@$(BIN)/l3conf bench connect --json
	@$(BIN)/l3conf bench cables --json
	@$(BIN)/l3conf bench detection --json
	@$(BIN)/l3conf bench calm --json
	@$(BIN)/l3conf bench outages --json
	@$(BIN)/l3conf bench mesh --json
	@$(BIN)/l3conf bench policies --json
	@$(BIN)/l3conf bench translated --json
	@$(BIN)/l3conf bench crowd --json
	@$(BIN)/l3conf bench certify --json
	@./.ci/debian-packages mininet && $(BIN)/l3conf bench grounds --json
	@$(BIN)/python -m reference_impl.bench.reconcile

SOAK_SECONDS := 3600
soak: setup  ## An hour of random changes under traffic, and agents killed a hundred times, as JSON
	@mkdir -p out
	@$(BIN)/l3conf bench soak --seconds $(SOAK_SECONDS) --journal out/soak.jsonl --json
	@$(BIN)/l3conf bench kills --json
	@$(BIN)/l3conf bench kills --impl reference_impl/impl-wireguard.yaml --json

CABLE_TESTS := reference_impl/tests/kernel/test_wireguard.py reference_impl/tests/kernel/test_ipsec.py
VM_ROWS := L3-F1 L3-F5 L3-F8 L3-B5 L3-E1 L3-E2
vm: setup  ## WireGuard and ESP of the distribution's kernel, in a virtual machine (for machines with KVM)
	@./.ci/debian-packages vm
	@$(BIN)/l3conf vm -- pytest -q -p no:cacheprovider $(CABLE_TESTS)
	@for driver in wireguard ipsec; do \
	  $(BIN)/l3conf vm -o out/vm-$$driver -- run $(VM_ROWS) --impl reference_impl/impl-$$driver.yaml --stretch 10 || exit; done

clean:
	rm -rf $(VENV) out build *.egg-info
