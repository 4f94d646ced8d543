#!/bin/bash
# joining.sh NODES RATE - an ensemble of three holds NODES nodes on two servers; the third one joins without data while the leader
# takes RATE writes a second. Lines with figures begin with "joining:".
set -eu
cd "$(dirname "$0")/.."
cargo build --locked --profile ci -p ringkeeper
RINGKEEPER_ENSEMBLE_NODES=$1 RINGKEEPER_ENSEMBLE_RATE=$2 \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture --ignored \
  a_server_without_data_joins_many_nodes_under_load
