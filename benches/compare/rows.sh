# shellcheck shell=bash disable=SC2154 # Names without a value are run.sh's.
# Sourced by run.sh: what is measured, and the rounds.
#
# Each measurement leaves NAME.SERVER.ROUND.json below $results, as the generator wrote it; a failed one also leaves
# NAME.SERVER.ROUND.failed, with the reason. The lists of names keep the order for the report.

# name, arguments.
all_rows() {
  cat <<ROWS
get-64x1           --op get --connections 64 --pipeline 1
get-64x16          --op get --connections 64 --pipeline 16
get-1k-64x4        --op get --connections 64 --pipeline 4 --size 1024 --root /bench1k
get-linear-64x1    --op get-linear --connections 64 --pipeline 1
get-linear-64x16   --op get-linear --connections 64 --pipeline 16
set-1x1            --op set --connections 1 --pipeline 1
set-64x1           --op set --connections 64 --pipeline 1
set-64x16          --op set --connections 64 --pipeline 16
mixed-64x4         --op mixed --write-percent 30 --connections 64 --pipeline 4
session            --op session
watch-1000         --op watch --connections 1000
create-64x16       --op create --connections 64 --pipeline 16
ROWS
}

# rows_of SERVER - the rows that it supports. Only etcd has linearizable gets: a get of ZooKeeper's protocol may be
# behind, like etcd's serializable ones, and is compared with those.
rows_of() {
  all_rows | awk -v rows="$rows" '$1 ~ rows' | case $1 in
    bare-get) grep -E '^get-64' ;;
    bare-get-1k) grep -E '^get-1k' ;;
    bare-set) grep -E '^(set|mixed|create|session|watch)' ;;
    etcd) grep -E '^(get|set)' ;;
    *) grep -v '^get-linear' ;;
  esac
}

measure_rows() {
  local round server kind
  all_rows > "$results/rows/list"
  for round in $(seq "$rounds"); do
    for server in $servers; do
      case $server in
        bare) for kind in bare-get bare-get-1k bare-set; do rows_on "$kind" bare; done ;;
        *) rows_on "$server" "$server" ;;
      esac
    done
  done
}

rows_on() { # SERVER ITS-NAME-IN-RESULTS
  local folder=$out/$1 name words
  [ -n "$(rows_of "$1")" ] || return 0
  start_new "$1" "$folder"
  while read -r name words <&3; do
    # shellcheck disable=SC2086
    case $1 in
      etcd) measure "rows/$name.$2.$round" $words --nodes "$nodes" ;;
      *) measure "rows/$name.$2.$round" $words --nodes "$nodes" --skip-prepare ;;
    esac
  done 3< <(rows_of "$1")
  stop_and_forget "$folder"
}

measure() { # PART/NAME.SERVER.ROUND ARGUMENTS
  local file=$results/$1
  sync
  be_quiet
  echo "$1" >&2
  bench "${@:2}" --pid "$pid" --seconds "$seconds" --warmup "$warmup" --json "$file.json" > "$file.txt" 2> "$file.log" \
    || { tail -1 "$file.log" | cut -c 1-300 > "$file.failed"; cat "$file.failed" >&2; }
  rm -f "$file.log"
}

# Each on a server without data: in a closed loop the faster server would otherwise have a fuller tree in the next one.
measure_workloads() {
  local round server name
  $BENCH --list | sed 's/ .*//' | grep -E "$workloads" > "$results/workloads/list"
  for round in $(seq "$rounds"); do
    while read -r name <&3; do
      for server in $servers; do
        case $server in stock | ours) ;; *) continue ;; esac
        start_new "$server" "$out/$server"
        measure "workloads/$name.$server.$round" --workload "$name" --root /workload
        stop_and_forget "$out/$server"
      done
    done 3< "$results/workloads/list"
  done
}

# Both trees are created first, then the servers are restarted in turn.
measure_memory() {
  local round server folder
  for server in $servers; do
    folder=$out/$server
    case $server in stock | ours) ;; *) continue ;; esac
    echo "memory: $memory_nodes nodes on $server" >&2
    rm -rf "$folder"
    start "$server" "$folder"
    bench --op ready --nodes 0 --seconds 120 > /dev/null 2> "$folder/bench.log" || die "starting $server" "$folder/log"
    prepare "$server" "$folder" --nodes "$memory_nodes"
    sleep 3
    printf '{ "nodes": %d, "rss_bytes": %d }\n' "$memory_nodes" "$(resident)" > "$results/memory/made.$server.1.json"
    stop
  done
  for round in $(seq "$rounds"); do
    for server in $servers; do
      case $server in stock | ours) restart "$server" "$out/$server" ;; esac
    done
  done
  for server in stock ours; do rm -rf "${out:?}/$server"; done
}

restart() { # SERVER FOLDER
  local file=$results/memory/restart.$1.$round
  echo "memory: restart $round of $1" >&2
  sync
  be_quiet
  start "$1" "$2"
  bench --op ready --nodes "$memory_nodes" --seconds 300 --json "$2/ready.json" > /dev/null 2> "$2/bench.log" \
    || die "restarting $1" "$2/log"
  printf '{ "nodes": %d, "rss_bytes": %d, "ready_us": %s }\n' "$memory_nodes" "$(resident)" \
    "$(sed -n 's/^  "ready_us_p50": \([0-9.]*\),*$/\1/p' "$2/ready.json")" > "$file.json"
  stop
}
