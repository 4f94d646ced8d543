#!/bin/bash
# go-zookeeper.sh SERVER_CMD [go test arguments] - the tests inside go-zookeeper/zk, with the single servers and the clusters of three
# that they start. How they wait for a server is replaced: go/_own/serving_test.go says why. Last line: the tally.
set -u
here=$(dirname "$(readlink -f "$0")")
server=${1:?SERVER_CMD}
shift
case ${server%% *} in */*) server=$(readlink -f "${server%% *}")${server#"${server%% *}"} ;; esac
export SERVER_CMD=$server
work=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}/go-zookeeper
failed() { echo "go-zookeeper.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
mkdir -p "$work/tmp"
cd "$here/go" || exit 2
go mod download || failed "Go could not fetch the client"
zk=$(go list -m -f '{{.Dir}}' github.com/go-zookeeper/zk) || failed "no folder of the client"
rm -rf "$work/zk"
cp -r "$zk" "$work/zk" && chmod -R u+w "$work/zk" && cp _own/serving_test.go "$work/zk" && cd "$work/zk" || failed "no copy of the client"
sed -i 's/FLWSrvr(serverAddrs,/allServe(serverAddrs,/' server_help_test.go
grep -q allServe server_help_test.go || failed "the client's tests wait for a server in another way now"
out=$work/out.txt
# Its tests check ZK_VERSION themselves.
ZK_VERSION=3.9.5 ZOOKEEPER_BIN_PATH=$here/go/_own TMPDIR=$work/tmp go test -count=1 -timeout=900s -v "$@" . > "$out" 2>&1
status=$?
grep -aE '^(--- FAIL|panic:|# )' "$out"
awk -v status=$status '
  /^--- PASS/ { passed++ }
  /^--- FAIL/ { failed++ }
  /^--- SKIP/ { skipped++ }
  END {
    if (failed == 0 && (status != 0 || passed == 0)) failed++
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
  }' "$out"
