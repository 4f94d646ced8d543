# shellcheck shell=bash disable=SC2154 # Names without a value are run.sh's.
# Sourced by run.sh: the servers, one at a time.
#
# stock: Apache ZooKeeper. ours: Ringkeeper. bare-get, bare-get-1k, bare-set: the limits. etcd: another kind of server,
# with another protocol; its generator is the Go program in etcd/.

pid='' port='' serving=''
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

die() { # WHAT [LOG]
  echo "run.sh: $1 failed" >&2
  [ -z "${2:-}" ] || tail -5 "$2" >&2
  exit 1
}

has_server() { case " $servers " in *" $1 "*) ;; *) return 1 ;; esac }

# Build or fetch everything before anything is measured.
fetch_servers() {
  ! has_server stock || stock_version > /dev/null || die "fetching ZooKeeper"
  ! has_server etcd || fetch_etcd
}

stock_version() { STOCK_MAIN=org.apache.zookeeper.version.VersionInfoMain "$top/tests/suites/stock-server.sh"; }

# Debian's package is unpacked and not installed: it would start a server of its own.
fetch_etcd() {
  local folder=$SUITES/etcd
  mkdir -p "$folder"
  etcd=${ETCD_SERVER:-$(command -v etcd || echo "$folder/usr/bin/etcd")}
  if [ ! -x "$etcd" ]; then
    (cd "$folder" && apt-get download -q etcd-server && dpkg-deb -x etcd-server_*.deb .) >&2 \
      || die "fetching Debian's etcd-server (apt-get update may help)"
  fi
  (cd "$here/etcd" && go build -o "$folder/load" .) >&2 || die "building etcd/ (it needs Go)"
  etcd_load=$folder/load
}

describe_servers() {
  local revision
  revision=$(git -C "$top" describe --always --dirty 2>/dev/null)
  ! has_server ours || fact Ringkeeper "$("$RINGKEEPER" --version | cut -d' ' -f2)${revision:+ ($revision)}"
  ! has_server stock || {
    fact ZooKeeper "$(stock_version | sed 's/^Apache ZooKeeper, version //'), heap $STOCK_HEAP, $STOCK_GC"
    fact Java "$("${JAVA:-java}" -version 2>&1 | sed -n '2p')"
  }
  ! has_server etcd || fact etcd "$("$etcd" --version | sed -n 's/^etcd Version: //p'), $(go version | cut -d' ' -f3) for its client"
}

free_port() { # a free one
  for port in $(shuf -i 20000-29999 -n 50); do
    (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
  done
  die "finding a free port"
}

# start SERVER FOLDER - leaves $pid and $port.
# shellcheck disable=SC2086
start() {
  local folder=$2 peer
  serving=$1
  mkdir -p "$folder"
  case $serving in
    stock | ours)
      [ -f "$folder/zoo.cfg" ] || { free_port; cat > "$folder/zoo.cfg" <<CFG
tickTime=2000
dataDir=$folder/data
clientPort=$port
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
4lw.commands.whitelist=*
CFG
      }
      port=$(sed -n 's/^clientPort=//p' "$folder/zoo.cfg") ;;
    etcd) free_port; peer=$port; until [ "$port" != "$peer" ]; do free_port; done ;;
    *) free_port ;;
  esac
  case $serving in
    stock) $on_server "$top/tests/suites/stock-server.sh" "$folder/zoo.cfg" >> "$folder/log" 2>&1 & ;;
    ours) $on_server "$RINGKEEPER" serve "$folder/zoo.cfg" ${server_words:-} >> "$folder/log" 2>&1 & ;;
    bare-get) $on_server "$BARE" get "$port" >> "$folder/log" 2>&1 & ;;
    bare-get-1k) $on_server "$BARE" get "$port" 1024 >> "$folder/log" 2>&1 & ;;
    bare-set) $on_server "$BARE" set "$port" "$folder/file" >> "$folder/log" 2>&1 & ;;
    # It keeps every version, so a long run would exceed its quota of 2 GB.
    etcd) $on_server "$etcd" --name compare --data-dir "$folder/data" --logger zap --log-level error \
      --quota-backend-bytes 8589934592 \
      --listen-client-urls "http://127.0.0.1:$port" --advertise-client-urls "http://127.0.0.1:$port" \
      --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
      --initial-cluster "compare=http://127.0.0.1:$peer" >> "$folder/log" 2>&1 & ;;
    *) die "starting the unknown server $serving" ;;
  esac
  pid=$!
}

stop() {
  [ -n "$pid" ] || return 0
  kill "$pid" 2>/dev/null
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -9 "$pid" 2>/dev/null
  wait "$pid" 2>/dev/null
  pid=''
}

# The generator that speaks to the server that was started.
# shellcheck disable=SC2086
bench() {
  case $serving in
    etcd) $on_bench "$etcd_load" -server "127.0.0.1:$port" "$@" ;;
    *) $on_bench $BENCH --server "127.0.0.1:$port" "$@" ;;
  esac
}

# start_new SERVER FOLDER - without data, ready, warmed.
start_new() {
  rm -rf "$2"
  start "$1" "$2"
  bench --op ready --nodes 0 --seconds 120 > /dev/null 2> "$2/bench.log" || die "starting $1" "$2/log"
  case $1 in bare-*) return ;; esac
  prepare "$1" "$2" --nodes "$nodes"
  # The second keyspace is warmed up too: measuring a JVM that is still compiling is meaningless.
  prepare "$1" "$2" --nodes "$nodes" --size 1024 --root /bench1k
  [ "$1" != etcd ] || return 0
  bench --op mixed --skip-prepare --nodes "$nodes" --seconds 5 > /dev/null 2> "$2/bench.log" || die "warming $1" "$2/bench.log"
}

prepare() { # SERVER FOLDER ARGUMENTS
  bench --prepare-only "${@:3}" > /dev/null 2> "$2/bench.log" || die "preparing $1" "$2/bench.log"
}

stop_and_forget() { # FOLDER
  stop
  rm -rf "$1"
}

resident() { awk '/^VmRSS:/ { print $2 * 1024 }' "/proc/$pid/status"; }
