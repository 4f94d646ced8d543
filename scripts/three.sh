#!/bin/bash
# three.sh BINARY PORT FOLDER - runs three servers of one ensemble on this machine until it is interrupted. Server N has clients at
# PORT + N - 1 and its configuration and data in FOLDER/server-N; FOLDER/server-N/zoo.cfg is created if it does not exist.
set -eu
binary=$1 port=$2 folder=$3
for n in 1 2 3; do
  mkdir -p "$folder/server-$n"
  here=$(cd "$folder/server-$n" && pwd)
  [ -f "$here/myid" ] || echo $n > "$here/myid"
  [ -f "$here/zoo.cfg" ] || cat > "$here/zoo.cfg" <<CFG
tickTime=2000
initLimit=10
syncLimit=5
dataDir=$here
clientPort=$((port + n - 1))
clientPortAddress=127.0.0.1
admin.enableServer=false
4lw.commands.whitelist=*
server.1=127.0.0.1:2888:3888
server.2=127.0.0.1:2889:3889
server.3=127.0.0.1:2890:3890
CFG
done
trap 'kill 0' EXIT INT TERM
for n in 1 2 3; do
  "$binary" serve "$folder/server-$n/zoo.cfg" 2>&1 | sed -u "s/^/$n: /" &
done
wait
