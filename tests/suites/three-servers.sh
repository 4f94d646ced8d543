#!/bin/bash
# three-servers.sh ZOO_CFG - runs an ensemble of three in the foreground, as a SERVER_CMD for suites: clients of the zoo.cfg's port are
# those of server 1, which follows as a rule. SERVER: the command of one server (default: the one built here). Servers 2 and 3 live below the
# dataDir of server 1, and end with it however it ends.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
server=${SERVER:-$here/../../target/ci/ringkeeper serve}
config=$1
value() { sed -n "s/^ *$1 *= *//p" "$config" | tail -1; }
data=$(value dataDir)
mkdir -p "$data"
# The ports are kept, so that servers find each other again after a restart.
ports=$data/three-servers.ports
[ -s "$ports" ] || python3 - 8 > "$ports" <<'PY'
import socket, sys
held = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in held:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in held))
PY
read -r q1 e1 q2 e2 q3 e3 c2 c3 < "$ports"
lines="
initLimit=20
syncLimit=10
server.1=127.0.0.1:$q1:$e1
server.2=127.0.0.1:$q2:$e2
server.3=127.0.0.1:$q3:$e3"
own='^ *(initLimit|syncLimit|server\.[0-9]+) *='
echo 1 > "$data/myid"
{ grep -vE "$own" "$config"; echo "$lines"; } > "$data/server-1.cfg"
for n in 2 3; do
  [ $n = 2 ] && port=$c2 || port=$c3
  mkdir -p "$data/server-$n"
  echo $n > "$data/server-$n/myid"
  {
    grep -vE "$own|^ *(clientPort|secureClientPort|dataDir|dataLogDir|admin\.[a-zA-Z]+|metricsProvider\.[a-zA-Z]+) *=" "$config"
    printf 'clientPort=%s\ndataDir=%s\nadmin.enableServer=false\n%s\n' "$port" "$data/server-$n" "$lines"
  } > "$data/server-$n.cfg"
  setpriv --pdeathsig KILL $server "$data/server-$n.cfg" > "$data/server-$n.log" 2>&1 &
done
exec $server "$data/server-1.cfg"
