#!/bin/bash
# ensemble.sh ROUNDS SEED AWAY - kills servers of an ensemble of three under load and checks everything that was acknowledged; lets
# servers return, one of them after AWAY txns.
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --profile ci -p ringkeeper
RINGKEEPER_ENSEMBLE_ROUNDS=$1 RINGKEEPER_ENSEMBLE_SEED=$2 RINGKEEPER_ENSEMBLE_AWAY=$3 \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture --test-threads=1 ensemble::
