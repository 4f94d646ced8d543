#!/bin/bash
# run.sh [rows] [workloads] [memory] [tails] [options] - Apache ZooKeeper and our server beside each other, on the same disk, in turn.
#
#   rows        single operations, and beside both servers the limits: servers without a tree (`bare`), where they have
#               an answer to the row
#   workloads   what `ringkeeper bench --list` has, each on servers that are new
#   memory      1.3 million nodes: resident memory, and the time of a restart until the first get is answered
#   tails       our server under a steady load, with and without snapshots, expiring sessions and more beside it
#
# All of them unless told otherwise. A round is one server after the other, so that what else the machine does meets all of
# them. Results are OUT/compare.html, OUT/compare.txt and the JSON files in OUT/results. The exit status is 0 only if every
# measurement ended well.
#
#   --out DIR          where data and results go (default: benches/out; never a file system in memory)
#   --servers LIST     default "stock ours bare"; etcd, too, if it is named (its binary: ETCD_SERVER)
#   --rounds N         how often (default 2)
#   --seconds N        of each measurement (default 8)
#   --warmup N         before each (default 3); before a server's first, 5 more
#   --rows REGEX       only rows whose name matches
#   --workloads REGEX  only workloads whose name matches
#   --nodes N          of the rows' keyspace (default 10000)
#   --memory-nodes N   of the tree of `memory` (default 1300000)
#   --tails REGEX      only disturbances whose name matches; the first, `quiet`, is what others are compared with
#   --tail-rate N      requests a second of the load beside them (default 30000)
#   --pin              the server on CPU 0, the generator on CPU 1 (default: neither)
#   --quiet N          before each measurement, wait up to N seconds until the machine has no other work
#   --nice N           for the servers and the generator: spares a machine that has other work; what waits for little
#                      (one request in flight, sessions) then waits for its turn on a processor, and says nothing
#
# RINGKEEPER: the binary (default: target/release/ringkeeper). BARE: target/release/bare.
# BENCH: the generator's command (default: "$RINGKEEPER bench").
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$top/target}
RINGKEEPER=${RINGKEEPER:-$target/release/ringkeeper}
BARE=${BARE:-$target/release/bare}
BENCH=${BENCH:-$RINGKEEPER bench}
export SUITES=${SUITES:-$target/suites} STOCK_HEAP=${STOCK_HEAP:-2g} STOCK_GC=${STOCK_GC:-G1}

parts=() out=$top/benches/out servers="stock ours bare" rounds=2 seconds=8 warmup=3 rows=. workloads=.
tails=. tail_rate=30000 nodes=10000 memory_nodes=1300000 pin='' nice='' quiet=0
while [ $# -gt 0 ]; do
  case $1 in
    rows | workloads | memory | tails) parts+=("$1"); shift ;;
    --pin) pin=yes; shift ;;
    --out | --servers | --rounds | --seconds | --warmup | --rows | --workloads | --nodes | --memory-nodes | --tails | --tail-rate | --quiet | --nice)
      [ $# -gt 1 ] || { echo "run.sh: $1 wants a value" >&2; exit 2; }
      name=${1#--}
      printf -v "${name//-/_}" %s "$2"
      shift 2
      ;;
    *) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
  esac
done
[ ${#parts[@]} -gt 0 ] || parts=(rows workloads memory tails)
on_server=${nice:+nice -n $nice} on_bench=${nice:+nice -n $nice}
[ -z "$pin" ] || on_server="$on_server taskset -c 0" on_bench="$on_bench taskset -c 1"
mkdir -p "$out" || exit 1
out=$(cd "$out" && pwd)
results=$out/results

. "$here/machine.sh"
. "$here/servers.sh"
. "$here/rows.sh"
. "$here/tails.sh"

case $(stat -f -c %T "$out") in
  tmpfs | ramfs) die "$out lies in memory; a log there says nothing" ;;
esac
command -v python3 > /dev/null || die "finding python3, which makes the report,"
bring_servers
rm -rf "$results"
mkdir -p "$results/rows" "$results/workloads" "$results/memory" "$results/tails"
describe_machine > "$results/machine.txt"
cat "$results/machine.txt" >&2
for part in "${parts[@]}"; do
  "measure_$part"
  # After each part, so that a run that is cut short has left what it found.
  python3 -B "$here/report.py" "$out" > "$out/compare.txt" || die "report.py"
done
cat "$out/compare.txt"
echo "run.sh: $out/compare.html shows it" >&2
failures=$(find "$results" -name '*.failed' | wc -l)
[ "$failures" = 0 ] || die "$failures measurements"
