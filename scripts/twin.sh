#!/bin/bash
# twin.sh SEEDS FIRST - sends SEEDS streams of requests to ZooKeeper 3.9.5 and to ours; fails if the answers differ, and shows
# the shortest stream that reproduces the difference.
set -eu
cd "$(dirname "$0")/.."
scripts/install.sh suites java
cargo build --locked --profile ci -p ringkeeper
SUITES=${SUITES:-$PWD/target/suites} TWIN_SEEDS=$1 TWIN_FIRST=$2 TWIN_REQUESTS=${TWIN_REQUESTS:-1000} \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture streams_of_requests_are_answered_alike
