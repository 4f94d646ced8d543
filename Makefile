# The two main commands are make run and make test. Each installs missing packages, builds, and does its job.
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

.PHONY: help prepare build run test crash ensemble joining mixed three sim faults fuzz hostile twin twin-ensemble keys suites reference bench sweep stages compare compare-ensemble drain fix miri check
.DEFAULT_GOAL := help

help: ## list these targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/; s/\$$\(PORT\)/$(PORT)/' | expand -t 24

prepare:
	@scripts/install.sh build

build: prepare ## build the release binary, target/release/ringkeeper
	@$(CARGO) build --release --locked -p ringkeeper

run: build ## serve on 127.0.0.1:$(PORT), with data under ./data
	@scripts/run.sh target/release/ringkeeper $(PORT) $(DATA)

test: prepare ## run every test of this repository and the quick suites with public clients
	@scripts/test.sh

crash: ROUNDS ?= 100
crash: prepare ## kill a server ROUNDS times under load and check what it acknowledged (SEED)
	@scripts/crash.sh $(ROUNDS) $(SEED)

ensemble: ROUNDS ?= 100
ensemble: AWAY ?= 100000
ensemble: prepare ## kill servers of an ensemble of three under load, ROUNDS times, and check what it acknowledged (SEED; AWAY: txns missed)
	@scripts/ensemble.sh $(ROUNDS) $(SEED) $(AWAY)

joining: NODES ?= 1000000
joining: RATE ?= 5000
joining: prepare ## let an empty server join two that hold NODES nodes, with RATE writes a second, and print figures
	@scripts/joining.sh $(NODES) $(RATE)

mixed: ROUNDS ?= 60
mixed: VERSIONS ?= 3.6.4 3.7.2 3.8.4 3.9.5
mixed: prepare ## run ensembles of ZooKeeper's servers and ours (VERSIONS), then exchange and kill servers ROUNDS times under load (SEED)
	@scripts/mixed.sh $(ROUNDS) $(SEED) '$(VERSIONS)'

three: build ## serve as three servers on 127.0.0.1:$(PORT) and the two ports behind it, with data under ./data
	@scripts/three.sh target/release/ringkeeper $(PORT) $(DATA)

sim: prepare ## run ensembles in a simulated world, SEEDS seeds of it (FIRST: the first; KIND=servers: whole servers in all; SEED=n LOG=conversation: one, with all that is said)
	@scripts/sim.sh $(if $(filter command line,$(origin SEED)),--seed $(SEED),--seeds $(SEEDS) --first $(FIRST)) $(if $(KIND),--kind $(KIND)) $(if $(LOG),--log $(LOG))

faults: prepare ## test log, snapshots and recovery on failing disks, with SEEDS seeds (FIRST: the first)
	@scripts/faults.sh $(SEEDS) $(FIRST)

suites: prepare ## run all suites with public clients, or those in SUITE (SERVER_CMD: against another server)
	@scripts/suites.sh $(SUITE)

twin: prepare ## send the same SEEDS streams of requests to ZooKeeper 3.9.5 and ours, and compare (FIRST: the first)
	@scripts/twin.sh $(SEEDS) $(FIRST)

twin-ensemble: SEEDS = 100
twin-ensemble: MIX ?= ours
twin-ensemble: prepare ## the same with three servers each, between which clients move (FIRST: the first; MIX=mixed: one of ZooKeeper's among ours)
	@scripts/twin-ensemble.sh $(SEEDS) $(FIRST) $(MIX)

keys: prepare ## record again how ZooKeeper 3.9.5 reads thousands of key-value pairs, and compare
	@scripts/keys.sh

reference: prepare ## run the same tests against Apache ZooKeeper 3.9.5 (needs java and mvn)
	@$(CARGO) build --locked --profile ci -p ringkeeper
	@RINGKEEPER_TEST_SERVER_CMD=$(CURDIR)/tests/suites/stock-server.sh SUITES=$(CURDIR)/target/suites \
	  $(CARGO) test --locked -p ringkeeper-tests -- conformance order crash convert

bench: prepare ## measure the parts with criterion: all benches, or BENCH
	@$(CARGO) bench --locked -p ringkeeper-benches --bench '$(BENCH)'

sweep: prepare build ## measure sets under every combination of what a profile decides about the log, beside the probe's choice (OPTIONS)
	@benches/sweep.py $(OPTIONS)

stages: prepare build ## measure the stages of gets and sets by sampling the server with perf
	@scripts/install.sh suites perf
	@benches/stages.py

compare: ROUNDS ?= 2
compare: prepare build ## measure ZooKeeper and ours in turn, with a page of results (ROUNDS, SECONDS_EACH, ROWS, WORKLOADS, MEMORY_NODES, ETCD=yes)
	@scripts/install.sh suites java $(if $(ETCD),go)
	@$(CARGO) build --release --locked -p ringkeeper-benches --bin bare
	@benches/compare/run.sh $(PARTS) --servers "stock ours bare$(if $(ETCD), etcd)" --rounds $(ROUNDS) \
	  --seconds $(SECONDS_EACH) --rows '$(ROWS)' --workloads '$(WORKLOADS)' --memory-nodes $(MEMORY_NODES) $(OPTIONS)

compare-ensemble: ROUNDS ?= 2
compare-ensemble: KILLS ?= 20
compare-ensemble: prepare build ## measure three servers of ours beside three of ZooKeeper, in turn (ROUNDS, SECONDS_EACH, KILLS, PARTS, OPTIONS)
	@scripts/install.sh suites java
	@benches/compare/ensemble.py $(PARTS) --rounds $(ROUNDS) --seconds $(SECONDS_EACH) --kills $(KILLS) $(OPTIONS)

drain: prepare build ## empty one of three servers of 2,000 sessions, beside clients of another one (OPTIONS)
	@benches/compare/drain.py $(OPTIONS)

fix: prepare ## format the code
	@$(CARGO) fmt --all

miri: ## run the unsafe parts under Miri (needs a nightly toolchain with Miri; half an hour)
	@MIRIFLAGS=-Zmiri-strict-provenance $(CARGO) +nightly miri test -p ringkeeper-model --lib record
	@MIRIFLAGS=-Zmiri-strict-provenance $(CARGO) +nightly miri test -p ringkeeper-engine --lib tree::

fuzz: prepare ## send malformed packets for MINUTES: to the engine, a server, and the decoders (cargo-fuzz)
	@scripts/fuzz.sh $(MINUTES)

hostile: prepare ## run all floods of hostile clients, with figures (a quarter of an hour)
	@scripts/hostile.sh

check: prepare ## check format, lints and documentation, as CI does before the tests
	@scripts/check.sh
