#!/bin/bash
# recipes.sh SERVER_CMD [pytest arguments] - tests/suites/python: kazoo's recipes used as an application would, by several
# clients, threads and processes, over restarts of the server, and read-only servers. Last line: the tally. Work files below $SUITES.
set -u
here=$(dirname "$(readlink -f "$0")")
export SERVER_CMD=${1:?SERVER_CMD}
shift
suites=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
work=$suites/recipes
venv=$work/venv
mkdir -p "$work/tmp"
failed() { echo "recipes.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

if [ ! -f "$venv/ready" ]; then
  echo "creating a Python environment for the recipes"
  rm -rf "$venv"
  python3 -m venv "$venv" &&
    "$venv/bin/pip" -q install kazoo==2.11.0 pytest==8.4.2 pytest-timeout==2.4.0 || failed "kazoo could not be installed"
  touch "$venv/ready"
fi
cd "$here/python" || failed "no $here/python"
rm -f "$work/junit.xml"
TMPDIR=$work/tmp PYTHONDONTWRITEBYTECODE=1 "$venv/bin/python" -m pytest -p no:cacheprovider --rootdir=. --timeout=240 \
  -q -ra --tb=short --durations=5 --junitxml="$work/junit.xml" "$@" > "$work/out.txt" 2>&1
grep -E '^(FAILED|ERROR)' "$work/out.txt"
"$venv/bin/python" -B "$here/tally.py" "$work/junit.xml" "$work/failed" || failed "see $work/out.txt"
[ "$(cat "$work/failed")" = 0 ]
