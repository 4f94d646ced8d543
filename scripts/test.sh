#!/bin/bash
# test.sh [cargo test arguments] - builds the server that the tests use, runs every test, then the quick suites with clients.
# The last line is the tally, which is also in target/tally.
set -u
cd "$(dirname "$0")/.." || exit 2
mkdir -p target
log=target/test.log
: > "$log"
rm -f target/tally
status=0

# Fetch Apache ZooKeeper now, not while a test waits for it to serve: the twin tests run against both.
export SUITES=${SUITES:-$PWD/target/suites}
scripts/install.sh suites java && STOCK_MAIN=org.apache.zookeeper.Version tests/suites/stock-server.sh --full > /dev/null || status=1

# The tests of the tests package start this binary; `ci` is release without the long link.
cargo build --locked --profile ci -p ringkeeper || status=1
cargo test --locked --workspace --no-fail-fast "$@" 2>&1 | tee -a "$log"
[ "${PIPESTATUS[0]}" = 0 ] || status=1
# Run these again with production limits: some are small in tests.
cargo test --locked -p ringkeeper-engine --lib --features production-limits 2>&1 | tee -a "$log"
[ "${PIPESTATUS[0]}" = 0 ] || status=1
if [ "${RINGKEEPER_SUITES:-yes}" = yes ]; then
  SERVER_CMD=${SERVER_CMD:-"$PWD/target/ci/ringkeeper serve"} scripts/suites.sh quick 2>&1 | tee -a "$log"
  [ "${PIPESTATUS[0]}" = 0 ] || status=1
fi

# Both forms: cargo's "test result: ok. 3 passed; 0 failed; 1 ignored; ..." and a suite's last line.
tally=$(awk '
  /^test result: |^[0-9]+ passed, [0-9]+ failed/ {
    for (i = 2; i <= NF; i++) {
      word = $i; sub(/[;,.]$/, "", word)
      if (word == "passed") passed += $(i - 1)
      if (word == "failed") failed += $(i - 1)
      if (word == "ignored" || word == "skipped") skipped += $(i - 1)
    }
  }
  END { printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped }' "$log")
# A failed build leaves no result line: the tally must still show a failure.
[ $status = 0 ] || case $tally in *" 0 failed,"*) tally=${tally/ 0 failed,/ 1 failed,} ;; esac
echo "$tally" | tee target/tally
exit $status
