#!/bin/bash
# twin-ensemble.sh SEEDS FIRST MIX - sends SEEDS streams of requests to three servers of ZooKeeper 3.9.5 and to three others (MIX: ours, or
# mixed for one of ZooKeeper's among ours); fails if the answers differ, and shows a short stream that reproduces the difference.
set -eu
cd "$(dirname "$0")/.."
scripts/install.sh suites java
cargo build --locked --profile ci -p ringkeeper
SUITES=${SUITES:-$PWD/target/suites} STOCK_HEAP=${STOCK_HEAP:-256m} TWIN_SEEDS=$1 TWIN_FIRST=$2 TWIN_MIX=$3 \
  TWIN_REQUESTS=${TWIN_REQUESTS:-400} TWIN_TRIES=${TWIN_TRIES:-30} \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture ensembles_answer_streams_alike
