#!/bin/bash
# kazoo.sh SERVER_CMD [pytest arguments] - kazoo's own test suite (the wheel ships kazoo.tests) against one server, or
# against kazoo's own ensemble of KAZOO_SERVERS. SERVER_CMD zoo.cfg runs in the foreground and exits on SIGTERM. What is left out, and why: kazoo-deselected.txt.
# Last line: the tally. Work files below $SUITES (default: a folder in the temporary directory).
set -u
here=$(dirname "$(readlink -f "$0")")
export SERVER_CMD=${1:?SERVER_CMD}
shift
suites=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
venv=${KAZOO_VENV:-$suites/kazoo-venv}
export KAZOO_SERVERS=${KAZOO_SERVERS:-1}
work=$suites/kazoo
[ "$KAZOO_SERVERS" = 1 ] || work=$suites/kazoo-$KAZOO_SERVERS
mkdir -p "$work/bin"
failed() { echo "kazoo.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }

if [ ! -f "$venv/ready" ] && ! "$venv/bin/python" -c 'import kazoo.tests, pytest_timeout' 2>/dev/null; then
  echo "creating a Python environment for kazoo"
  rm -rf "$venv"
  python3 -m venv "$venv" && "$venv/bin/pip" -q install 'kazoo[test,gevent,eventlet,sasl]==2.11.0' \
    'pyOpenSSL<26.2.0' pytest==8.4.2 pytest-cov==7.0.0 pytest-timeout==2.4.0 'setuptools<81' ||
    failed "kazoo could not be installed"
  touch "$venv/ready"
fi
tests=$("$venv/bin/python" -c 'import kazoo.tests, os; print(os.path.dirname(kazoo.tests.__file__))') ||
  failed "kazoo.tests cannot be imported"

# kazoo's harness writes zoo.cfg and calls `java ... QuorumPeerMain zoo.cfg`: the stand-in runs SERVER_CMD instead.
ln -sf "$here/javashim.sh" "$work/bin/java"
export PATH=$work/bin:$PATH PYTHONPATH=$here
unset CI   # set, kazoo's test_build compares the machines of kazoo's own CI
export ZOOKEEPER_VERSION=3.8.0 ZOOKEEPER_PATH=$work ZOOKEEPER_CLASSPATH=- ZOOKEEPER_CLUSTER_SIZE=$KAZOO_SERVERS
export ZOOKEEPER_PORT_OFFSET=${KAZOO_PORTS:-$((20000 + $$ % 250 * 40))}

# With a server that never answers, every test runs into its timeout; this many failures are enough.
cd "$work" && "$venv/bin/python" -m pytest -p no:cacheprovider -p kazoo_deselected -o log_cli=false --timeout=120 \
  --maxfail="${KAZOO_MAXFAIL:-25}" -q -ra --tb=short --junitxml="$work/junit.xml" "$@" "$tests" > "$work/out.txt" 2>&1
grep -E '^(FAILED|ERROR)' "$work/out.txt" | sed "s|[^ ]*/kazoo/tests/||"
"$venv/bin/python" -B "$here/tally.py" "$work/junit.xml" "$work/failed" || failed "no result; see $work/out.txt"
[ "$(cat "$work/failed")" = 0 ]
