#!/bin/bash
# sim.sh ARGUMENTS - builds the simulator of ensembles and runs it; sim.sh --help lists the arguments.
set -eu
cd "$(dirname "$0")/.."
cargo build --quiet --locked --profile sim -p ringkeeper-sim
exec target/sim/sim "$@"
