#!/bin/bash
# mixed.sh ROUNDS SEED VERSIONS - runs ensembles of ZooKeeper's servers and ours, with each of these releases of ZooKeeper, then exchanges
# and kills servers at random ROUNDS times under load.
set -eu
cd "$(dirname "$0")/.."
export SUITES=${SUITES:-$PWD/target/suites}
scripts/install.sh suites java
cargo build --locked --profile ci -p ringkeeper
for version in $3; do
  echo "== ZooKeeper $version"
  export STOCK_VERSION=$version
  STOCK_MAIN=org.apache.zookeeper.version.VersionInfoMain tests/suites/stock-server.sh
  cargo test --locked -p ringkeeper-tests --test all -- --test-threads=1 mixed::
done
RINGKEEPER_MIXED_ROUNDS=$1 RINGKEEPER_MIXED_SEED=$2 \
  cargo test --locked -p ringkeeper-tests --test all -- --nocapture --ignored servers_are_exchanged_and_killed_at_random
