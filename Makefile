# Two commands matter: make run, make test. Each installs what the machine lacks, builds, does its job.
SHELL := /bin/bash
CARGO ?= cargo
DATA ?= data
PORT ?= 2181
SEED ?= 1
SEEDS ?= 1000
FIRST ?= 1
MINUTES ?= 10
BENCH ?= *
SECONDS_EACH ?= 8
ROWS ?= .
WORKLOADS ?= .
MEMORY_NODES ?= 1300000

.PHONY: help prepare build run test crash faults fuzz hostile twin keys suites reference bench stages compare fix miri check
.DEFAULT_GOAL := help

help: ## what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /make \1\t/; s/\$$\(PORT\)/$(PORT)/' | expand -t 18

prepare:
	@scripts/install.sh build

build: prepare ## the release binary, target/release/ringkeeper
	@$(CARGO) build --release --locked -p ringkeeper

run: build ## a server on 127.0.0.1:$(PORT), its data under ./data
	@scripts/run.sh target/release/ringkeeper $(PORT) $(DATA)

test: prepare ## every test of this repository, and the quick suites with public clients
	@scripts/test.sh

crash: ROUNDS ?= 100
crash: prepare ## kills a server ROUNDS times under load and checks what it acknowledged (SEED)
	@scripts/crash.sh $(ROUNDS) $(SEED)

faults: prepare ## log, snapshots and recovery on a disk that fails, from SEEDS seeds (FIRST: the first)
	@scripts/faults.sh $(SEEDS) $(FIRST)

suites: prepare ## all suites with public clients, or those in SUITE (SERVER_CMD: another server than ours)
	@scripts/suites.sh $(SUITE)

twin: prepare ## the same SEEDS streams of requests to ZooKeeper 3.9.5 and to ours (FIRST: the first)
	@scripts/twin.sh $(SEEDS) $(FIRST)

keys: prepare ## how ZooKeeper 3.9.5 reads thousands of pairs of key and value, recorded anew and compared
	@scripts/keys.sh

reference: prepare ## the same tests against Apache ZooKeeper 3.9.5 (needs java and mvn)
	@$(CARGO) build --locked --profile ci -p ringkeeper
	@RINGKEEPER_TEST_SERVER_CMD=$(CURDIR)/tests/suites/stock-server.sh SUITES=$(CURDIR)/target/suites \
	  $(CARGO) test --locked -p ringkeeper-tests -- conformance order crash convert

bench: prepare ## what the parts cost, by criterion: all benches, or BENCH of them
	@$(CARGO) bench --locked -p ringkeeper-benches --bench '$(BENCH)'

stages: prepare build ## nanoseconds a stage of gets and sets, by sampling the server with perf
	@scripts/install.sh suites perf
	@benches/stages.py

compare: ROUNDS ?= 2
compare: prepare build ## ZooKeeper and ours measured in turn, with a page (ROUNDS, SECONDS_EACH, ROWS, WORKLOADS, MEMORY_NODES, ETCD=yes)
	@scripts/install.sh suites java $(if $(ETCD),go)
	@$(CARGO) build --release --locked -p ringkeeper-benches --bin bare
	@benches/compare/run.sh $(PARTS) --servers "stock ours bare$(if $(ETCD), etcd)" --rounds $(ROUNDS) \
	  --seconds $(SECONDS_EACH) --rows '$(ROWS)' --workloads '$(WORKLOADS)' --memory-nodes $(MEMORY_NODES) $(OPTIONS)

fix: prepare ## format the code
	@$(CARGO) fmt --all

miri: ## the unsafe parts under Miri (needs a nightly toolchain with it; half an hour)
	@MIRIFLAGS=-Zmiri-strict-provenance $(CARGO) +nightly miri test -p ringkeeper-model --lib record
	@MIRIFLAGS=-Zmiri-strict-provenance $(CARGO) +nightly miri test -p ringkeeper-engine --lib tree::

fuzz: prepare ## hostile packets for MINUTES=n: the engine, a server, and the decoders by cargo-fuzz
	@scripts/fuzz.sh $(MINUTES)

hostile: prepare ## floods of hostile clients in full, with figures (a quarter of an hour)
	@scripts/hostile.sh

check: prepare ## what CI runs before the tests: format, lints, documentation
	@scripts/check.sh
