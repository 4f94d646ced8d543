# Two commands matter: make run, make test. Each installs what the machine lacks, builds, does its job.
SHELL := /bin/bash
CARGO ?= cargo
DATA ?= data
PORT ?= 2181

.PHONY: help prepare build run test suites reference fix miri check
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/; s/\$$\(PORT\)/$(PORT)/' | expand -t 18

prepare:
	@scripts/install.sh build

build: prepare ## the release binary, target/release/ringkeeper
	@$(CARGO) build --release --locked -p ringkeeper

run: build ## a server on 127.0.0.1:$(PORT), its data under ./data
	@scripts/run.sh target/release/ringkeeper $(PORT) $(DATA)

test: prepare ## every test of this repository, and kazoo's own suite against our server
	@scripts/test.sh

suites: prepare ## kazoo's own suite alone (SERVER_CMD: another server than ours)
	@scripts/suites.sh

reference: prepare ## the same tests against Apache ZooKeeper 3.9.5 (needs java and mvn)
	@$(CARGO) build --locked --profile ci -p ringkeeper
	@RINGKEEPER_TEST_SERVER_CMD=$(CURDIR)/tests/suites/stock-server.sh SUITES=$(CURDIR)/target/suites \
	  $(CARGO) test --locked -p ringkeeper-tests -- conformance order crash convert

fix: prepare ## format the code
	@$(CARGO) fmt --all

miri: ## the unsafe parts under Miri (needs a nightly toolchain with it; half an hour)
	@MIRIFLAGS=-Zmiri-strict-provenance $(CARGO) +nightly miri test -p ringkeeper-model --lib record
	@MIRIFLAGS=-Zmiri-strict-provenance $(CARGO) +nightly miri test -p ringkeeper-engine --lib tree::

check: prepare ## what CI runs before the tests: format, lints, documentation
	@scripts/check.sh
