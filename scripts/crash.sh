#!/bin/bash
# crash.sh ROUNDS SEED - a server killed so many times under load, with a check of everything it
# acknowledged. The last line of each life of a data directory says what was done so far.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --profile ci -p ringkeeper
RINGKEEPER_CRASH_ROUNDS=$1 RINGKEEPER_CRASH_SEED=$2 \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture \
  nothing_acknowledged_is_lost_whenever_it_is_killed
