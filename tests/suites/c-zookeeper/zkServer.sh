#!/bin/bash
# zkServer.sh start|startClean|startCleanReadOnly|stop [...] - the single server of the C client's tests, on port 22181.
# zkServer.sh start|stop|status FILE.conf - one of the servers of its clusters.
# In place of ZooKeeper's two scripts of that name; runs $SERVER_CMD, with what it needs below $SUITE_FOLDER.
set -u
word=$1
folder=$SUITE_FOLDER
is_there() { kill -0 "$1" 2>/dev/null; }
# stop PID_FILE SIGNAL - and waits until it is gone.
stop() {
  [ -s "$1" ] || return 0
  local pid
  pid=$(cat "$1")
  rm -f "$1"
  kill "$2" "$pid" 2>/dev/null || return 0
  for _ in $(seq 600); do is_there "$pid" || return 0; sleep 0.05; done
  echo "zkServer.sh: process $pid does not end" >&2
  return 1
}
# run NAME CONFIG - in the background, free of this script.
run() {
  setsid $SERVER_CMD "$2" >> "$folder/$1.log" 2>&1 < /dev/null &
  echo $! > "$folder/$1.pid"
}
# says PORT WORD - the answer to four letters.
says() {
  { exec 3<> "/dev/tcp/127.0.0.1/$1" && printf '%s' "$2" >&3 && timeout 2 cat <&3; } 2>/dev/null
}
# port_of CONFIG N - the client port of server N: a server moves it to its dynamic file.
port_of() {
  local dynamic
  dynamic=$(sed -n 's/^dynamicConfigFile=//p' "$1")
  sed -n "s/^server\.$2=.*[;:]\([0-9]*\)$/\1/p" "$1" ${dynamic:+"$dynamic"} | tail -1
}
# await PORT TEXT - until srvr has it.
await() {
  for _ in $(seq 1200); do
    says "$1" srvr | grep -q "$2" && return 0
    sleep 0.05
  done
  echo "zkServer.sh: no '$2' on port $1; see $folder" >&2
  return 1
}

case ${2:-} in
  *.conf)
    name=$(basename "$2" .conf)
    case $word in
      start) JVMFLAGS="${JVMFLAGS:-} ${SERVER_JVMFLAGS:-} -Dzookeeper.4lw.commands.whitelist=*" run "member-$name" "$2" ;;
      stop) stop "$folder/member-$name.pid" -KILL ;;
      status) says "$(port_of "$2" "$name")" srvr ;;
    esac
    exit
    ;;
esac

stop "$folder/single.pid" -KILL || exit 1
[ "$word" != stop ] || exit 0
case $word in startClean*) rm -rf "$folder/data" ;; esac
mkdir -p "$folder/data"
printf '%s\n' tickTime=500 initLimit=10 syncLimit=5 "dataDir=$folder/data" "maxClientCnxns=${ZKMAXCNXNS:-100}" localSessionsEnabled=true \
  clientPort=22181 admin.enableServer=false '4lw.commands.whitelist=*' > "$folder/zoo.cfg"
export JVMFLAGS="${EXTRA_JVM_ARGS:-} -Dzookeeper.extendedTypesEnabled=true -Dznode.container.checkIntervalMs=100"
mode=Mode:
if [ "$word" = startCleanReadOnly ]; then
  # One of three servers, whose others are not there.
  printf '%s\n' server.{1,2,3}=localhost:2288X:3388X | awk '{ gsub("X", NR); print }' >> "$folder/zoo.cfg"
  echo 1 > "$folder/data/myid"
  JVMFLAGS="$JVMFLAGS -Dreadonlymode.enabled=true"
  mode='Mode: read-only'
else
  rm -f "$folder/data/myid"
fi
run single "$folder/zoo.cfg"
await 22181 "$mode"
