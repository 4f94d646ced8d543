#!/bin/bash
# hostile.sh - runs all floods of hostile clients against our server; lines with figures begin with "hostile:".
set -u
cd "$(dirname "$0")/.." || exit 2
hard=$(ulimit -Hn)
if [ "$hard" != unlimited ] && [ "$hard" -lt 12000 ]; then
  echo "the hard limit on open files is $hard, but 12000 is needed: raise it in /etc/security/limits.conf, or run as root" >&2
  echo "after 'ulimit -Hn 12000'" >&2
  exit 1
fi
ulimit -Sn "$hard"
cargo build --locked --profile ci -p ringkeeper || exit 1
export RINGKEEPER_HOSTILE=full
exec cargo test --locked -p ringkeeper-tests --test all -- hostile::floods hostile::crowds --test-threads=1 --nocapture
