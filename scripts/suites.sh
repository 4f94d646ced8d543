#!/bin/bash
# suites.sh - the tests of clients that nobody here wrote. SERVER_CMD: what runs a zoo.cfg (default: our server).
set -u
cd "$(dirname "$0")/.." || exit 2
scripts/install.sh suites || exit 1
if [ -z "${SERVER_CMD:-}" ]; then
  cargo build --locked --profile ci -p ringkeeper || exit 1
  SERVER_CMD="$PWD/target/ci/ringkeeper serve"
fi
export SUITES=${SUITES:-$PWD/target/suites}
exec tests/suites/kazoo.sh "$SERVER_CMD"
