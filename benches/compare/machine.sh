# shellcheck shell=bash disable=SC2154 # Names without a value are run.sh's.
# Sourced by run.sh: describes the machine, and whether it has other work.

# Lines of a name, a tab and a value.
describe_machine() {
  local source disk
  source=$(df --output=source "$out" | tail -1)
  # The whole device's name, if there is a device: of a partition it is the folder above it.
  disk=$(basename "$(readlink -f "/sys/class/block/$(basename "$source")" 2>/dev/null)" 2>/dev/null)
  [ -e "/sys/block/$disk" ] || disk=$(basename "$(dirname "$(readlink -f "/sys/class/block/$disk" 2>/dev/null)")" 2>/dev/null)
  fact 'started' "$(date -u +%FT%TZ)"
  fact 'processor' "$(nproc) x $(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)"
  fact 'memory' "$(awk '/^MemTotal:/ { printf "%.1f GiB", $2 / 1048576 }' /proc/meminfo)"
  fact 'kernel' "$(uname -sr)"
  fact 'disk' "$(describe_disk "$source" "$disk")"
  fact 'file system' "$(findmnt -no FSTYPE,OPTIONS -T "$out" | tr -s ' ')"
  fact 'load at start' "$(cut -d' ' -f1-3 /proc/loadavg)"
  fact 'placement' "${pin:+server on CPU 0, generator on CPU 1}$([ -n "$pin" ] || echo 'server and generator on all processors')"
  [ -z "$nice" ] || fact 'priority' "nice $nice"
  fact 'measured' "$rounds times, $seconds s after $warmup s of warm-up each"
  describe_servers
}

fact() { printf '%s\t%s\n' "$1" "$2"; }

describe_disk() { # SOURCE NAME
  local queue=/sys/block/$2/queue words=$1 kind=solid
  [ -r "$queue/rotational" ] || { echo "$1"; return; }
  [ "$(cat "$queue/rotational")" = 0 ] || kind='rotational'
  [ ! -r "/sys/block/$2/device/model" ] || words="$words, $(sed 's/ *$//' "/sys/block/$2/device/model")"
  echo "$words, $kind, cache: $(cat "$queue/write_cache" 2>/dev/null), FUA: $(cat "$queue/fua" 2>/dev/null)"
}

# Waits, for a bounded time, for a second in which the machine is nearly idle.
be_quiet() {
  local before after i
  for ((i = 0; i < quiet; i++)); do
    before=$(awk 'NR == 1 { print $5 + $6 }' /proc/stat)
    sleep 1
    after=$(awk 'NR == 1 { print $5 + $6 }' /proc/stat)
    [ $((after - before)) -lt $(($(nproc) * 85)) ] || return 0
  done
}
