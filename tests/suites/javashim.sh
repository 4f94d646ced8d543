#!/bin/bash
# Put first on PATH under the name `java`. A test harness that launches
# `java ... QuorumPeerMain zoo.cfg` gets `$SERVER_CMD zoo.cfg` instead, with the harness's -D
# flags handed over in JVMFLAGS (-Dfile.encoding, -Dlog4j*, -Djava.awt* dropped).
# Anything else goes to the real java.
real=${REAL_JAVA:-/usr/bin/java}
flags="" main=""
for a; do case $a in
  -Dlog4j*|-Dfile.encoding*|-Djava.awt*|-Dzookeeper.log.dir*|-Dzookeeper.root.logger*) ;;
  -D*) flags="$flags $a";; *QuorumPeerMain|*ZooKeeperServerMain) main=1;; esac; last=$a; done
if [ -n "$main" ]; then export JVMFLAGS="$JVMFLAGS$flags"; exec $SERVER_CMD "$last"; fi
exec "$real" "$@"
