#!/bin/bash
# zkmain.sh SERVER_CMD - ZooKeeper's own shell on one server: every command of its help, with its output compared with
# zkmain/expected.txt (including zxids, but not times, session ids or ports). ZKMAIN_RECORD=1 writes that file again;
# use it only with stock-server.sh. ZKMAIN_LIVE=1 compares with a concurrent run on stock instead. ZKMAIN_SERVERS=3 runs the shell on
# an ensemble instead, with zkmain/ensemble.txt and expected-ensemble.txt: `config` and `reconfig`. Needs java and mvn.
set -u
here=$(dirname "$(readlink -f "$0")")
export SUITE_MAIN=shell.Script
run() { "$here/java/run.sh" zkmain "$1" "$here/zkmain/$script.txt" "${@:2}"; }
server=${1:?SERVER_CMD}
script=script
expected=$here/zkmain/expected.txt
if [ "${ZKMAIN_SERVERS:-1}" != 1 ]; then
  script=ensemble
  expected=$here/zkmain/expected-ensemble.txt
  export SUITE_FLAGS="${SUITE_FLAGS:-} -Dservers=$ZKMAIN_SERVERS"
fi
if [ -n "${ZKMAIN_RECORD:-}" ]; then
  run "$server" "$expected" record
elif [ -n "${ZKMAIN_LIVE:-}" ]; then
  export SUITES=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
  expected=$SUITES/zkmain-$script-stock.txt
  mkdir -p "$SUITES"
  run "$here/stock-server.sh" - "$expected" > /dev/null || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  run "$server" "$expected"
else
  run "$server" "$expected"
fi
