#!/bin/bash
# zkServer.sh start-foreground ZOO_CFG - runs $SERVER_CMD in its place, with SERVER_JVMFLAGS as stock's script takes them.
export JVMFLAGS="${JVMFLAGS:-} ${SERVER_JVMFLAGS:-}"
exec $SERVER_CMD "$2"
