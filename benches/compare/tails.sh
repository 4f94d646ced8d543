# shellcheck shell=bash disable=SC2154 # Names without a value are run.sh's.
# Sourced by run.sh: how disturbances affect a steady load.
#
# Our server only. The load is an open loop, so a stall makes everything late that was due meanwhile: gets and sets
# of 64 connections at a fixed rate. Each disturbance is measured with the load, and the load without it in the same
# round, on the same tree.

# name, the disturbance.
all_tails() {
  cat <<TAILS
quiet              nothing
snapshot           snapshots of the tree are written
segments           segments of the log are prepared and recycled
listing            nodes with 100,000 children are listed, ten a second
ephemerals         100,000 ephemeral nodes expire at once
deletes            a million nodes are created and deleted, as fast as one client can
TAILS
}

measure_tails() {
  local round name what server_words
  all_tails > "$results/tails/list"
  for round in $(seq "$rounds"); do
    while read -r name what <&3; do
      tail_beside "$name" "$memory_nodes"
    done 3< <(awk -v rows="$tails" '$1 ~ rows' "$results/tails/list")
  done
}

# Server settings that a disturbance needs in addition.
words_for() {
  case $1 in
    snapshot) echo "--set snapCount=20000" ;;
    segments) echo "--set snapCount=20000 --set ring.log.segmentMb=16 --set autopurge.purgeInterval=1 --set autopurge.snapRetainCount=3" ;;
    *) echo "--set snapCount=2000000000" ;;
  esac
}

tail_beside() { # NAME NODES
  local folder=$out/ours name=$1
  rm -rf "$folder"
  server_words=$(words_for "$name")
  start ours "$folder"
  server_words=''
  bench --op ready --nodes 0 --seconds 120 > /dev/null 2> "$folder/bench.log" || die "starting ours" "$folder/log"
  # With a rate the tree has a different shape than without.
  prepare ours "$folder" --op mixed --rate "$tail_rate" --nodes "$2"
  case $name in
    listing) prepare ours "$folder" --workload "$here/tails/listing.toml" --root /listing ;;
    ephemerals) prepare ours "$folder" --workload "$here/tails/ephemerals.toml" --root /ephemerals ;;
  esac
  sleep 2
  disturb "$name" "$folder" &
  local disturber=$!
  measure "tails/$name.ours.$round" --op mixed --rate "$tail_rate" --connections 64 --nodes "$2" --skip-prepare
  kill "$disturber" 2> /dev/null
  wait "$disturber" 2> /dev/null
  stop_and_forget "$folder"
}

# Runs until it is killed, or for the duration of the measurement.
disturb() { # NAME FOLDER
  local for_seconds=$((seconds + warmup)) words=(--workload "$here/tails/$1.toml" --root "/$1")
  trap 'kill $(jobs -p) 2> /dev/null' TERM
  case $1 in
    listing | deletes) bench "${words[@]}" --seconds "$for_seconds" --warmup 0 > "$2/beside.txt" 2>&1 & wait ;;
    ephemerals)
      # A killed client does not close its sessions: they expire in the middle of the measurement.
      bench "${words[@]}" --seconds 600 --warmup 0 > "$2/beside.txt" 2>&1 &
      sleep $((warmup + seconds / 4))
      kill -9 $!
      wait
      ;;
  esac
}
