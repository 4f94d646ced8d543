#!/bin/bash
# crash.sh ROUNDS SEED - kills a server ROUNDS times under load and checks everything it acknowledged.
# The last line for each data directory reports the progress so far.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --profile ci -p ringkeeper
RINGKEEPER_CRASH_ROUNDS=$1 RINGKEEPER_CRASH_SEED=$2 \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture \
  nothing_acknowledged_is_lost_whenever_it_is_killed
