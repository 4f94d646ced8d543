#!/bin/bash
# check.sh - checks format, lints and documentation; runs all three even if one fails.
set -u
cd "$(dirname "$0")/.." || exit 2
failed=0
step() {
  echo "== $*"
  "$@" || failed=1
}
step cargo fmt --all --check
step cargo clippy --locked --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" step cargo doc --locked --workspace --no-deps --quiet
exit $failed
