#!/bin/bash
# c-zookeeper.sh SERVER_CMD [test, as TestReconfigServer] - the C client's own tests (CppUnit), built from the sources inside npm's
# package zookeeper: version 3.8, whose tests of servers are those of 3.9.5. They start a server on port 22181 and clusters on
# fixed ports. Without TLS and SASL. Last line: the tally. Work files below $SUITES.
set -u
here=$(dirname "$(readlink -f "$0")")
server=${1:?SERVER_CMD}
shift
case ${server%% *} in */*) server=$(readlink -f "${server%% *}")${server#"${server%% *}"} ;; esac
export SERVER_CMD=$server
work=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}/c-zookeeper
failed() { echo "c-zookeeper.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
mkdir -p "$work"
cd "$work" || failed "no $work"
source=$work/zookeeper-client-c
if [ ! -f ready ]; then
  echo "building the C client and its tests"
  rm -rf "$source" build package
  npm pack --silent zookeeper@7.3.0 > /dev/null && tar xzf zookeeper-7.3.0.tgz package/deps/zookeeper-client-c.tar.gz &&
    tar xzf package/deps/zookeeper-client-c.tar.gz 2>/dev/null || failed "npm could not fetch the sources"
  cmake -S "$source" -B build -DWANT_CPPUNIT=ON -DWITH_OPENSSL=OFF -DWITH_CYRUS_SASL=OFF -DCMAKE_BUILD_TYPE=Debug \
    -DCMAKE_C_FLAGS=-w -DCMAKE_CXX_FLAGS=-w > build.txt 2>&1 && cmake --build build --target zktest >> build.txt 2>&1 ||
    { tail -20 build.txt; failed "the tests do not compile (they need cmake, g++ and Debian's libcppunit-dev)"; }
  touch ready
fi
# The path of this script is in the compiled tests.
ln -sf "$here/c-zookeeper/zkServer.sh" "$source/tests/zkServer.sh"
export ZKROOT=$work/root SUITE_FOLDER=$work/servers
rm -rf "$ZKROOT" "$SUITE_FOLDER"
mkdir -p "$ZKROOT/bin" "$SUITE_FOLDER"
ln -sf "$here/c-zookeeper/zkServer.sh" "$ZKROOT/bin/zkServer.sh"
end() {
  for pid in "$SUITE_FOLDER"/*.pid; do
    [ -s "$pid" ] && kill -9 "$(cat "$pid")" 2>/dev/null
  done
}
trap end EXIT
timeout 1500 build/zktest "$@" > out.txt 2>&1
status=$?
grep -aE ' : (assertion|error)|^[^ ]+\.(cc|h):[0-9]+: |Assertion .* failed' out.txt
# CppUnit ends with `OK (N)`, or with `Failures !!!` and `Run: N   Failure total: F`.
awk -v status=$status '
  match($0, /^OK \([0-9]+\)/) { ran = substr($0, 5, RLENGTH - 5) }
  /^Run: [0-9]+ +Failure total: [0-9]+/ { ran = $2; failed = $5 }
  END {
    if (failed == 0 && (status != 0 || ran == 0)) { failed = 1; ran++ }
    printf "%d passed, %d failed, 0 skipped\n", ran - failed, failed
    exit failed > 0
  }' out.txt
