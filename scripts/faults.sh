#!/bin/bash
# faults.sh SEEDS FIRST - runs the campaigns of log, snapshot and recovery on simulated disks with SEEDS
# seeds, beginning with FIRST.
set -eu
cd "$(dirname "$0")/.."
export RINGKEEPER_FAULT_SEEDS=$1 RINGKEEPER_FAULT_FIRST=$2
cargo test --locked -p ringkeeper-log -p ringkeeper-snapshot --lib -- --nocapture campaign
