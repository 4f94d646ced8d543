#!/bin/bash
# faults.sh SEEDS FIRST - the campaigns of log, snapshot and recovery over simulated disks, from so
# many seeds.
set -eu
cd "$(dirname "$0")/.."
export RINGKEEPER_FAULT_SEEDS=$1 RINGKEEPER_FAULT_FIRST=$2
cargo test --locked -p ringkeeper-log -p ringkeeper-snapshot --lib -- --nocapture campaign
