#!/bin/bash
# ensemble.sh ROUNDS SEED - kills servers of an ensemble of three under load and checks everything that was acknowledged.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --profile ci -p ringkeeper
RINGKEEPER_ENSEMBLE_ROUNDS=$1 RINGKEEPER_ENSEMBLE_SEED=$2 \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture \
  nothing_acknowledged_is_lost_whichever_servers_are_killed
