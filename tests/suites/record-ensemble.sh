#!/bin/bash
# record-ensemble.sh OUT - makes the recordings that the tests of model::peer decode: stock servers (stock-server.sh) elect,
# synchronize and serve while a relay keeps every direction of every link; OUT gets a file for each. PORTS: the first of 500
# ports of the loopback address (default 34000). Needs Java, Maven, Python; kazoo comes by pip into $SUITES.
set -eu
here=$(dirname "$(readlink -f "$0")")
out=$(readlink -f "${1:?OUT}")
suites=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
python=$suites/record-venv/bin/python
if ! "$python" -c 'import kazoo' 2>/dev/null; then
  rm -rf "$suites/record-venv"
  python3 -m venv "$suites/record-venv" && "$suites/record-venv/bin/pip" -q install kazoo==2.11.0
fi
mkdir -p "$out"
exec "$python" -B "$here/record_ensemble.py" "$out" "${PORTS:-34000}"
