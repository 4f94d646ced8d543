#!/bin/bash
# c.sh SERVER_CMD [test] - tests/suites/c: the C client (Debian's libzookeeper-mt-dev) used as an application would, calls
# synchronous and asynchronous, over restarts of the server. Last line: the tally. Work files below $SUITES.
set -u
here=$(dirname "$(readlink -f "$0")")
export SERVER_CMD=${1:?SERVER_CMD}
shift
work=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}/c
failed() { echo "c.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
mkdir -p "$work"
cc -std=c11 -O1 -g -Wall -Wextra -D_DEFAULT_SOURCE -DTHREADED -o "$work/suite" "$here"/c/*.c -lzookeeper_mt -lpthread ||
  failed "the suite does not compile (it needs Debian's libzookeeper-mt-dev)"
SUITE_FOLDER=$(mktemp -d "$work/server-XXXXXX") || failed "no folder below $work"
export SUITE_FOLDER
trap 'rm -rf "$SUITE_FOLDER"' EXIT
mkdir "$SUITE_FOLDER/data"
timeout 600 "$work/suite" "$@" > "$work/out.txt" 2>&1
status=$?
grep -vE '^ok |^[0-9]+ passed' "$work/out.txt"
awk -v status=$status '
  /^ok / { passed++ }
  /^not ok / { failed++ }
  END {
    if (failed == 0 && (status != 0 || passed == 0)) failed++
    printf "%d passed, %d failed, 0 skipped\n", passed, failed
    exit failed > 0
  }' "$work/out.txt"
