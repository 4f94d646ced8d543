#!/bin/bash
# Put first on PATH under the name `java`. A test harness that launches `java ... QuorumPeerMain zoo.cfg` gets
# `$SERVER_CMD zoo.cfg` instead, with the harness's -D flags in JVMFLAGS (those for logs and display dropped). Lines for
# TLS and SASL are removed from zoo.cfg: the tests of both are left out, and the others should not need a key. `java
# -jar ...zk-test-cluster... N`, of the crates zookeeper and zookeeper-async, becomes one-server.sh, for any N. Anything
# else goes to the real java.
flags="" main=""
for a; do
  case $a in
    -Dlog4j* | -Dfile.encoding* | -Djava.awt* | -Djava.security.* | -Dzookeeper.log.dir* | -Dzookeeper.root.logger*) ;;
    -D*) flags="$flags $a" ;;
    *QuorumPeerMain | *ZooKeeperServerMain) main=1 ;;
  esac
  last=$a
done
if [ "${1:-}" = -jar ] && [[ ${2:-} = *zk-test-cluster* ]]; then
  exec "$(dirname "$(readlink -f "$0")")/one-server.sh"
fi
[ -n "$main" ] || exec "${REAL_JAVA:-/usr/bin/java}" "$@"
sed -i -E '/^(secureClientPort|ssl\.|authProvider\.|serverCnxnFactory)/d' "$last"
export JVMFLAGS="${JVMFLAGS:-}$flags"
exec $SERVER_CMD "$last"
