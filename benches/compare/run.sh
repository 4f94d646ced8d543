#!/bin/bash
# run.sh [rows] [workloads] [memory] [tails] [options] - measures Apache ZooKeeper and our server in turn, on the same disk.
#
#   rows        single operations, on both servers and on the limits: servers without a tree (`bare`), for the rows that
#               they support
#   workloads   the workloads of `ringkeeper bench --list`, each on new servers
#   memory      1.3 million nodes: resident memory, and the time from a restart to the first answered get
#   tails       our server under a steady load, with and without disturbances (snapshots, expiring sessions and others)
#
# The default is all of them. A round measures one server after the other, so that other work on the machine affects all
# alike. Results are OUT/compare.html, OUT/compare.txt and the JSON files in OUT/results. The exit status is 0 only if every
# measurement succeeded.
#
#   --out DIR          directory for data and results (default: benches/out; not on a file system in memory)
#   --servers LIST     default "stock ours bare"; may also name etcd (its binary: ETCD_SERVER)
#   --rounds N         number of rounds (default 2)
#   --seconds N        duration of each measurement (default 8)
#   --warmup N         warm-up in seconds before each measurement (default 3); 5 more before a server's first
#   --rows REGEX       only rows whose name matches
#   --workloads REGEX  only workloads whose name matches
#   --nodes N          size of the rows' keyspace (default 10000)
#   --memory-nodes N   size of the tree of `memory` (default 1300000)
#   --tails REGEX      only disturbances whose name matches; the others are compared with the first, `quiet`
#   --tail-rate N      rate of the steady load, in requests a second (default 30000)
#   --pin              the server on CPU 0, the generator on CPU 1 (default: neither)
#   --quiet N          before each measurement, wait up to N seconds until the machine has no other work
#   --nice N           niceness of the servers and the generator, for a machine that has other work; rows with little in
#                      flight (one request, sessions) then wait for a processor, and their figures are meaningless
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
      [ $# -gt 1 ] || { echo "run.sh: $1 needs a value" >&2; exit 2; }
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
  tmpfs | ramfs) 
    echo "run.sh: $out is on a file system in memory; choose a directory on a disk with --out" >&2
    exit 1
    ;;
esac
command -v python3 > /dev/null || die "finding python3, which writes the report,"
fetch_servers
rm -rf "$results"
mkdir -p "$results/rows" "$results/workloads" "$results/memory" "$results/tails"
describe_machine > "$results/machine.txt"
cat "$results/machine.txt" >&2
for part in "${parts[@]}"; do
  "measure_$part"
  # After each part, so that an interrupted run leaves its results.
  python3 -B "$here/report.py" "$out" > "$out/compare.txt" || die "report.py"
done
cat "$out/compare.txt"
echo "run.sh: results: $out/compare.html" >&2
failures=$(find "$results" -name '*.failed' | wc -l)
[ "$failures" = 0 ] || die "$failures measurements"
