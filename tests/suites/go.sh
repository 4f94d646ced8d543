#!/bin/bash
# go.sh SERVER_CMD [go test arguments] - tests/suites/go: the Go client go-zookeeper/zk used as an application would.
# Last line: the tally. Work files below $SUITES (default: a folder in the temporary directory).
set -u
here=$(dirname "$(readlink -f "$0")")
export SERVER_CMD=${1:?SERVER_CMD}
shift
suites=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
work=$suites/go
mkdir -p "$work/tmp"
cd "$here/go" || exit 2
out=$work/out.txt
TMPDIR=$work/tmp go test -count=1 -timeout=600s -v "$@" ./... > "$out" 2>&1
status=$?
grep -E '^(--- FAIL|    [a-z_]+\.go:|panic:|# )' "$out"
awk -v status=$status '
  /^ *--- PASS/ { passed++ }
  /^ *--- FAIL/ { failed++ }
  /^ *--- SKIP/ { skipped++ }
  END {
    if (failed == 0 && (status != 0 || passed == 0)) failed++
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
  }' "$out"
