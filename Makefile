# Every target sets up what it needs: a fresh machine needs make and git, nothing else. `make` alone lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

python := .venv/bin/python
code := cni_multus plugins ipam
checked := $(code) tests bench tools

# Most tests wait for the kernel, so that more workers than processors pay; `ARGS=-n0` has them run in one process.
in_parallel := --numprocesses=4 --dist=worksteal

# Tests leave nothing outside the checkout: pytest's directories are below .cache, and stay for failed tests only.
export PYTEST_DEBUG_TEMPROOT := $(CURDIR)/.cache/pytest
# Compiled modules are kept: each worker, and the virtual machine, would compile all of them again.
unexport PYTHONDONTWRITEBYTECODE

##@ Using it

.PHONY: demo
demo: build ## build, then show the main job: a pod with three networks in namespaces of its own, from ADD to DEL
	$(python) tools/demo.py

.PHONY: build
build: venv ## freeze the program into dist/multus/multus (does nothing when its inputs have not changed)
	$(python) -m tools.build multus

.PHONY: image
image: build ## write the image without a builder: dist/multus.image.tar, for ctr, podman and kind to load
	rm -rf build/image
	$(python) -m tools.image build/image dist/multus.image.tar

.PHONY: reproducible
reproducible: build ## build once more under other circumstances, and compare every byte, the image's too
	$(python) -m tools.reproducible

##@ Working on it

.PHONY: test
test: build baseline reference vmkit firewalld crikit kubekit ## build, then the whole test suite as root, in namespaces of its own (some of it: make test ARGS=tests/cni)
	mkdir -p $(PYTEST_DEBUG_TEMPROOT)
	$(python) -m pytest $(in_parallel) $(ARGS)

.PHONY: check
check: lint test ## format, lint, types, import contracts, then the tests

.PHONY: lint
lint: venv ## the same without the tests
	.venv/bin/ruff format --check $(checked) build.spec
	.venv/bin/ruff check $(checked) build.spec
	.venv/bin/mypy
	.venv/bin/lint-imports

.PHONY: format
format: venv ## rewrite the sources as ruff formats them, and mend what it can
	.venv/bin/ruff format $(checked) build.spec
	.venv/bin/ruff check --fix $(checked) build.spec

.PHONY: bench
bench: build baseline reference kubekit ## measure every budget against the Go reference programs, print the table
	$(python) -m bench $(ARGS)

.PHONY: fuzz
fuzz: venv ## what comes from outside, by coverage-guided fuzzing (ARGS="--all --seconds 60", or targets; --merge keeps what is found)
	$(python) -m tests.fuzz $(if $(ARGS),$(ARGS),--all)

.PHONY: faults
faults: build kubekit ## kill the program at each of its system calls, and make each fail; goes on where it was stopped (ARGS=--fresh: anew)
	$(python) -m tests.faults $(ARGS)
	for part in cut delegates api; do $(python) -m tests.faults $$part || exit 1; done
	$(python) -m tests.faults table

.PHONY: load
load: build ## 500 pods of four networks in bursts of 64 requests, some of them killed (ARGS='--pods 100' is shorter)
	nice -n 10 $(python) -m tests.load $(ARGS)
	$(python) -m tests.faults table

.PHONY: features
features: venv ## write FEATURES.md: what Multus can do, and which tests hold it here (from tests/features.py)
	$(python) -m tests.features

.PHONY: man
man: venv ## write the manual pages, docs/man, from what the commands say of themselves
	$(python) -m tools.man docs/man

.PHONY: coverage
coverage: build baseline reference vmkit firewalld crikit kubekit ## the tests once more, with branch coverage of what runs inside the test process
	mkdir -p $(PYTEST_DEBUG_TEMPROOT)
	$(python) -m pytest $(in_parallel) --cov --cov-report=term-missing:skip-covered

##@ Parts of the above

.PHONY: venv
venv: .venv/.installed ## .venv with everything that building and testing need
.venv/.installed: requirements.txt tools/setup_venv.sh
	tools/setup_venv.sh

.PHONY: baseline
baseline: venv ## a frozen program that does nothing: what start-up is measured against
	$(python) -m tools.build baseline

.PHONY: reference
reference: venv ## fetch the Go reference plugins from Debian into the user's cache
	$(python) -m tools.reference

.PHONY: vmkit
vmkit: venv ## fetch qemu and a kernel from Debian into the user's cache, for the tests that want another kernel
	$(python) -m tools.vmkit

.PHONY: kubekit
kubekit: venv ## compile an API server and a kubelet from Debian's sources into the user's cache: some minutes, once
	$(python) -m tools.kubekit

.PHONY: firewalld
firewalld: venv ## fetch firewalld and a D-Bus from Debian into the user's cache
	$(python) -m tools.firewalld

.PHONY: crikit
crikit: venv ## fetch container runtimes and kubectl from Debian into the user's cache
	$(python) -m tools.crikit

.PHONY: lock
lock: venv ## resolve requirements.in into requirements.txt again (upgrade: make lock ARGS=--upgrade)
	tools/lock.sh $(ARGS)

.PHONY: clean
clean: ## remove everything that was made inside the checkout
	rm -rf .venv .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage*
	find $(checked) -depth -name __pycache__ -exec rm -rf {} +

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	    /^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
