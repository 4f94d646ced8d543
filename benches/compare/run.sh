#!/bin/bash
# run.sh [speed|memory|limits] [options] - ZooKeeper 3.9.5 and our server beside each other, on the same disk, in turn.
#
#   speed    (default) every row, stock, ours, stock, ours, ...: rates, ratios, CPU per operation
#   memory   1.3 million nodes: resident memory, and the time of a restart until the first get is answered
#   limits   the same rows against the bare servers of `bare`, where they have an answer to them
#
#   --out DIR        where data and results go (default: benches/out; never a file system in memory)
#   --servers LIST   default "stock ours"
#   --rounds N       how often (default 2)
#   --seconds N      of each row (default 8, after 3 of warm-up)
#   --rows REGEX     only rows whose name matches
#   --nodes N        of the keyspace (default: 10000; memory: 1300000)
#   --pin            the server on CPU 0, the generator on CPU 1 (default: neither)
#   --quiet N        before each row, wait up to N seconds until the machine has no other work
#   --nice N         for the servers and the generator: a way to measure on a machine that has other work
#
# RINGKEEPER: the binary (default: target/release/ringkeeper). BARE: target/release/bare.
# BENCH: the generator's command (default: "$RINGKEEPER bench").
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
RINGKEEPER=${RINGKEEPER:-$top/target/release/ringkeeper}
BARE=${BARE:-$top/target/release/bare}
BENCH=${BENCH:-$RINGKEEPER bench}
export SUITES=${SUITES:-/tmp/suites} STOCK_HEAP=${STOCK_HEAP:-2g} STOCK_GC=${STOCK_GC:-G1}

what=speed out=$top/benches/out servers="stock ours" rounds=2 seconds=8 rows=. nodes= pin= nice= quiet=0
case ${1:-} in speed | memory | limits) what=$1; shift ;; esac
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$2; shift 2 ;;
    --servers) servers=$2; shift 2 ;;
    --rounds) rounds=$2; shift 2 ;;
    --seconds) seconds=$2; shift 2 ;;
    --rows) rows=$2; shift 2 ;;
    --nodes) nodes=$2; shift 2 ;;
    --pin) pin=yes; shift ;;
    --quiet) quiet=$2; shift 2 ;;
    --nice) nice="nice -n $2"; shift 2 ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
  esac
done
on_server=$nice on_bench=$nice
[ -z "$pin" ] || on_server="$nice taskset -c 0" on_bench="$nice taskset -c 1"
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
case $(stat -f -c %T "$out") in
  tmpfs | ramfs) echo "run.sh: $out lies in memory; a log there says nothing" >&2; exit 1 ;;
esac
results=$out/results-$what
rm -rf "$results"
mkdir -p "$results"

# name, prepared with, arguments. The bare servers have no answers to some.
all_rows() {
  cat <<ROWS
get-64x1      --op get --connections 64 --pipeline 1
get-64x16     --op get --connections 64 --pipeline 16
get-1k-64x4   --op get --connections 64 --pipeline 4 --size 1024 --root /bench1k
set-1x1       --op set --connections 1 --pipeline 1
set-64x1      --op set --connections 64 --pipeline 1
set-64x16     --op set --connections 64 --pipeline 16
mixed-64x4    --op mixed --write-percent 30 --connections 64 --pipeline 4
session       --op session
watch-1000    --op watch --connections 1000
create-64x16  --op create --connections 64 --pipeline 16
ROWS
}
chosen_rows() { all_rows | grep -E "^[^ ]*($rows)[^ ]* "; }

pid= port=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null' EXIT
trap 'exit 130' INT TERM

free_port() { # one that nobody listens on
  for port in $(shuf -i 20000-29999 -n 50); do
    (: < "/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
  done
  echo "run.sh: no free port" >&2; exit 1
}

# start SERVER FOLDER - leaves $pid and $port.
start() {
  local server=$1 folder=$2
  mkdir -p "$folder"
  case $server in
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
    bare-*) free_port ;;
  esac
  case $server in
    stock) $on_server "$here/stock-server.sh" "$folder/zoo.cfg" >> "$folder/log" 2>&1 & ;;
    ours) $on_server "$RINGKEEPER" serve "$folder/zoo.cfg" >> "$folder/log" 2>&1 & ;;
    bare-get) $on_server "$BARE" get "$port" >> "$folder/log" 2>&1 & ;;
    bare-get-1k) $on_server "$BARE" get "$port" 1024 >> "$folder/log" 2>&1 & ;;
    bare-set) $on_server "$BARE" set "$port" "$folder/file" >> "$folder/log" 2>&1 & ;;
    *) echo "run.sh: no server $server" >&2; exit 2 ;;
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
  pid=
}

bench() { $on_bench $BENCH --server "127.0.0.1:$port" "$@"; }
ready() { bench --op ready --nodes 0 --seconds 120 > /dev/null || { tail -5 "$1/log" >&2; exit 1; }; }
die() { echo "run.sh: $1 failed" >&2; [ -z "${2:-}" ] || tail -5 "$2" >&2; exit 1; }

# Waits, not for ever, for a second in which the machine was nearly idle.
be_quiet() {
  local before after i
  for ((i = 0; i < quiet; i++)); do
    before=$(awk 'NR == 1 { print $5 + $6 }' /proc/stat)
    sleep 1
    after=$(awk 'NR == 1 { print $5 + $6 }' /proc/stat)
    [ $((after - before)) -lt $(($(nproc) * 85)) ] || return 0
  done
}

# measure SERVER ROUND - every row chosen, on a server that is ready; results as ROW.SERVER.ROUND.json.
measure() {
  local server=$1 round=$2 name args
  while read -r name args; do
    sync
    be_quiet
    echo "$server, round $round: $name" >&2
    # shellcheck disable=SC2086
    bench $args --nodes "${nodes:-10000}" --pid "$pid" --skip-prepare --seconds "$seconds" --warmup 3 \
      --json "$results/$name.$server.$round.json" > "$results/$name.$server.$round.txt" 2> "$results/last.log" \
      || die "$name on $server" "$results/last.log"
  done
}

speed() {
  local round server folder
  for round in $(seq "$rounds"); do
    for server in $servers; do
      folder=$out/$server
      rm -rf "$folder"
      start "$server" "$folder"
      ready "$folder"
      # The second keyspace warms too: a virtual machine that compiles while it is measured says nothing.
      bench --prepare-only --nodes "${nodes:-10000}" > /dev/null 2>&1 || die "preparing $server"
      bench --prepare-only --nodes "${nodes:-10000}" --size 1024 --root /bench1k > /dev/null 2>&1 || die "preparing $server"
      bench --op mixed --skip-prepare --nodes "${nodes:-10000}" --seconds 5 > /dev/null 2>&1 || die "warming $server"
      chosen_rows | measure "$server" "$round" || exit 1
      stop
      rm -rf "$folder"
    done
  done
  table
}

limits() {
  local round
  for round in $(seq "$rounds"); do
    limit bare-get 'get-64' "$round"
    limit bare-get-1k 'get-1k' "$round"
    limit bare-set 'set|create|session' "$round"
  done
  servers=bare table
}

limit() { # SERVER REGEX ROUND
  local server=$1 folder=$out/$1
  rm -rf "$folder"
  start "$server" "$folder"
  ready "$folder"
  chosen_rows | grep -E "^[^ ]*($2)" | measure bare "$3" || exit 1
  stop
  rm -rf "$folder"
}

field() { sed -n "s/^  \"$2\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" "$1"; }

# The rounds of a row: mean, best, the spread from the lowest to the highest in percent of the mean; CPU-us per
# operation of the server and of the generator; the share of the machine that others used.
table() {
  local name rest server file
  chosen_rows | while read -r name rest; do
    for server in $servers; do
      for file in "$results/$name.$server".*.json; do
        [ -f "$file" ] || continue
        unit=$(field "$file" unit)
        # A round of watchers is timed as a whole; its operations are events.
        key=$(grep -o '^  "[a-z]*_us_p50"' "$file" | head -1 | tr -d ' "')
        echo "$name $server $unit $(field "$file" ops_per_s) $(field "$file" server_cpu_us_per_op)" \
          "$(field "$file" generator_cpu_us_per_op) $(field "$file" "$key") $(field "$file" "${key%p50}p99")" \
          "$(field "$file" "${key%p50}p999") $(field "$file" others_share)"
      done
    done
  done | awk -v servers="$servers" '
    { row = $1 SUBSEP $2; if (!($1 in seen)) { seen[$1] = 1; names[++count] = $1 }
      n[row]++; unit[row] = $3; rate[row] += $4; cpu[row] += $5; own[row] += $6; p50[row] += $7; p99[row] += $8; p999[row] += $9; others[row] += $10
      if (n[row] == 1 || $4 < low[row]) low[row] = $4
      if ($4 > high[row]) high[row] = $4 }
    END {
      kinds = split(servers, kind, " ")
      printf "%-13s %-6s %10s %10s %7s %9s %9s %9s %9s %9s %7s\n", "row", "server", "mean/s", "best/s", "spread", "CPU-us", "p50 us", "p99 us", "p999 us", "bench-us", "others"
      for (i = 1; i <= count; i++) {
        for (k = 1; k <= kinds; k++) {
          row = names[i] SUBSEP kind[k]
          if (!n[row]) continue
          mean = rate[row] / n[row]
          printf "%-13s %-6s %10.0f %10.0f %6.0f%% %9.2f %9.0f %9.0f %9.0f %9.2f %6.0f%%\n", names[i], kind[k], mean, high[row], (high[row] - low[row]) * 100 / mean,
            cpu[row] / n[row], p50[row] / n[row], p99[row] / n[row], p999[row] / n[row], own[row] / n[row], others[row] * 100 / n[row]
        }
        a = names[i] SUBSEP "stock"; b = names[i] SUBSEP "ours"
        if (n[a] && n[b])
          printf "%-13s %-6s %9.2fx (%.2f to %.2f), best %.2fx, CPU 1/%.1f, p50 %.2fx, p999 %.2fx\n", names[i], "ratio", (rate[b] / n[b]) / (rate[a] / n[a]),
            low[b] / high[a], high[b] / low[a], high[b] / high[a], (cpu[a] / n[a]) / (cpu[b] / n[b]),
            (p50[b] / n[b]) / (p50[a] / n[a]), (p999[b] / n[b]) / (p999[a] / n[a])
      }
    }' | tee "$results/table.txt"
}

# Not in a pipeline: the server's process must stay known to this shell.
memory() { memory_rows > >(tee "$results/table.txt"); }

memory_rows() {
  local server folder round kib ms
  : "${nodes:=1300000}"
  for server in $servers; do
    folder=$out/$server
    rm -rf "$folder"
    start "$server" "$folder"
    ready "$folder"
    echo "$server: making $nodes nodes" >&2
    bench --prepare-only --nodes "$nodes" > /dev/null 2> "$results/last.log" || die "preparing $server" "$results/last.log"
    sleep 3
    kib=$(resident)
    echo "$server: $((kib / 1024)) MiB resident with $nodes nodes of 100 bytes, $((kib * 1024 / nodes)) bytes a node"
    for round in $(seq "$rounds"); do
      stop
      sync
      start "$server" "$folder"
      bench --op ready --nodes "$nodes" --seconds 300 --json "$results/restart.$server.$round.json" > /dev/null \
        || die "restarting $server" "$folder/log"
      ms=$(field "$results/restart.$server.$round.json" ready_us_p50)
      kib=$(resident)
      echo "$server: restart $round, first get after $(awk "BEGIN { printf \"%.3f\", $ms / 1e6 }") s, $((kib / 1024)) MiB resident"
    done
    stop
    rm -rf "$folder"
  done
}

resident() { awk '/^VmRSS:/ { print $2 }' "/proc/$pid/status"; }

echo "$(date -u +%FT%TZ) $(uname -r), $(nproc) CPUs, load $(cut -d' ' -f1-3 /proc/loadavg), $(df --output=source "$out" | tail -1)${pin:+, pinned}" | tee "$results/machine.txt" >&2
$what
