# The commands of the README. Each target is one line: the work is in a script or in the Swift package manager.
# Variables: PREFIX and DESTDIR for `make install`; SECONDS and SEED for `make chaos`;
# PYTHON and BENCH (more options) for `make bench`.

PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= python3
BENCH ?=

.DEFAULT_GOAL := help
.PHONY: help setup build demo test chaos bench lint format install deb check-deployments clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing to build, run and test (Debian packages; quick when nothing is)
	@Deploy/scripts/setup

build: setup ## Build the release binary, .build/release/tintype
	@swift build -c release --product tintype
	@.ci/check-instruction-sets .build/release/tintype

demo: build ## Turn rows into PNGs: a private PostgreSQL and one worker, pictures in output/demo
	@Deploy/scripts/demo

test: setup ## Run every check: lint, warnings as errors, undeclared imports, all tests
	@.ci/test

chaos: setup ## Break everything at random for SECONDS (600), by SEED (drawn), and check the books
	@.ci/chaos '$(or $(SECONDS),600)' '$(SEED)'

bench: build ## Time Tintype beside diffusers and OpenVINO: Tests/Benchmarks/Peers
	@$(PYTHON) Tests/Benchmarks/Peers/compare.py $(BENCH)

lint: setup ## Check the format of Swift files and the shell scripts
	@.ci/lint

format: ## Rewrite Swift files in the project's format
	@swift format -i -r --configuration .ci/swift-format.json Package.swift Sources Tests Migrations

install: build ## Install binary, manual, demo model and systemd units under PREFIX (default /usr/local)
	@Deploy/scripts/install '$(DESTDIR)' '$(PREFIX)'

deb: setup ## Make a Debian package in output, with the Swift runtime linked in
	@swift build -c release --product tintype --static-swift-stdlib --scratch-path .build-deb
	@.ci/check-instruction-sets .build-deb/release/tintype
	@PROGRAM=.build-deb/release/tintype Deploy/scripts/package-deb output

check-deployments: ## Check the container, Compose and Kubernetes files with tools from PyPI
	@Deploy/scripts/check-deployments

clean: ## Remove build products and the demo's output
	@rm -rf .build .build-deb output
