#!/bin/bash
# twin.sh SEEDS FIRST - so many streams of requests to ZooKeeper 3.9.5 and to ours; fails where they differ, and shows the
# shortest stream that it finds.
set -eu
cd "$(dirname "$0")/.."
scripts/install.sh suites java
cargo build --locked --profile ci -p ringkeeper
SUITES=${SUITES:-$PWD/target/suites} TWIN_SEEDS=$1 TWIN_FIRST=$2 TWIN_REQUESTS=${TWIN_REQUESTS:-1000} \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture streams_of_requests_are_answered_alike
