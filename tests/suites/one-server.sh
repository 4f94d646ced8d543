#!/bin/bash
# one-server.sh - a server by $SERVER_CMD on a free port, under $SUITE_FOLDER. Prints `127.0.0.1:PORT`, then obeys
# letters on standard input: k kills the server (SIGKILL) and restarts it on its data, q or the end of input stops it.
# This is the contract of the test cluster in the crates zookeeper and zookeeper-async, where k takes a server from an
# ensemble: to a client both are a broken connection, and a session that continues elsewhere.
set -u
folder=$(mktemp -d "${SUITE_FOLDER:-${TMPDIR:-/tmp}}/server-XXXXXX")
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
server=
mkdir "$folder/data"
printf '%s\n' tickTime=2000 "dataDir=$folder/data" "clientPort=$port" clientPortAddress=127.0.0.1 maxClientCnxns=0 \
  admin.enableServer=false '4lw.commands.whitelist=*' extendedTypesEnabled=true > "$folder/zoo.cfg"
export JVMFLAGS=-Dznode.container.checkIntervalMs=500

serves() {
  exec 3<> "/dev/tcp/127.0.0.1/$port" && printf srvr >&3 && timeout 2 cat <&3 | grep -q '^Mode'
} 2>/dev/null
start() {
  $SERVER_CMD "$folder/zoo.cfg" >> "$folder/log" 2>&1 < /dev/null &
  server=$!
  for _ in $(seq 1200); do
    kill -0 "$server" 2>/dev/null || { cat "$folder/log" >&2; exit 1; }
    serves && return
    sleep 0.05
  done
  echo "one-server.sh: no server on port $port after a minute; see $folder/log" >&2
  exit 1
}
end() { kill -9 "$server" 2>/dev/null; wait "$server" 2>/dev/null; }
trap 'end; rm -rf "$folder"' EXIT

start
echo "127.0.0.1:$port"
while IFS= read -r -n1 letter; do
  case $letter in
    k) end; start; echo "Server killed" ;;
    q) exit 0 ;;
  esac
done
