#!/bin/bash
# node.sh SERVER_CMD [ava arguments] - the integration tests inside the npm package zookeeper, the C client in Node.js.
# npm compiles it (node-gyp: python3, make, a C++ compiler, Node's headers). Last line: the tally. Work files below $SUITES.
set -u
here=$(dirname "$(readlink -f "$0")")
export SERVER_CMD=${1:?SERVER_CMD}
shift
suites=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
work=$suites/node
export SUITE_FOLDER=$work/servers
mkdir -p "$work" "$SUITE_FOLDER"
failed() { echo "node.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
cd "$work" || failed "no $work"

# ava ignores tests in node_modules: test a copy of the package.
if [ ! -f ready ]; then
  echo "creating a folder of Node.js modules"
  rm -rf node_modules package package.json package-lock.json
  [ ! -f /usr/include/node/node.h ] || export npm_config_nodedir=/usr
  echo '{ "private": true }' > package.json
  npm install --no-audit --no-fund --foreground-scripts zookeeper@7.3.0 ava@4.0.1 sinon@12.0.1 > npm.txt 2>&1 &&
    [ -e node_modules/zookeeper/build/Release/zookeeper.node ] || { tail -20 npm.txt; failed "npm could not install zookeeper"; }
  cp -r node_modules/zookeeper package && ln -s ../node_modules package/node_modules && touch ready
fi

coproc server { exec "$here/one-server.sh"; }
read -r -t 90 address <&"${server[0]}" || failed "no server"
(cd package && timeout 300 node_modules/.bin/ava --tap './tests/integration/*.js' "$@" -- "$address") > out.txt 2>&1
status=$?
echo q >&"${server[1]}"
grep '^not ok' out.txt
awk -v status=$status '
  /^ok .*# (SKIP|TODO)/ { skipped++; next }
  /^ok / { passed++ }
  /^not ok / { failed++ }
  END {
    if (failed == 0 && (status != 0 || passed == 0)) failed++
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
  }' out.txt
