#!/bin/bash
# rust-crates.sh CRATE SERVER_CMD [filter] - the tests inside a published Rust client: zookeeper-client, zookeeper-async
# or zookeeper. zookeeper-client starts its servers with testcontainers, which tests/suites/testcontainers replaces. The
# other two run `java -jar zk-test-cluster`, which javashim.sh replaces. What is left out, and why:
# rust-crates-deselected.txt. Last line: the tally. Work files below $SUITES (default: a folder in the temporary
# directory).
set -u
here=$(dirname "$(readlink -f "$0")")
crate=${1:?CRATE}
export SERVER_CMD=${2:?SERVER_CMD}
shift 2
suites=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
work=$suites/rust-crates
export SUITE_FOLDER=$work/$crate-servers CARGO_TARGET_DIR=${RUST_CRATES_TARGET:-$work/target}
failed() { echo "rust-crates.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
case $crate in
  zookeeper-client) version=0.11.2 ;;
  zookeeper-async) version=5.0.0 ;;
  zookeeper) version=0.8.0 ;;
  *) failed "no such crate: $crate (known: zookeeper-client, zookeeper-async, zookeeper)" ;;
esac
mkdir -p "$work/bin" "$SUITE_FOLDER"
source=$work/$crate-$version

# cargo fetch downloads a crate only as a dependency; the tests run on a copy of it.
if [ ! -f "$source/ready" ]; then
  echo "fetching $crate $version"
  rm -rf "$source" "$work/fetch-$crate"
  mkdir -p "$work/fetch-$crate/src"
  : > "$work/fetch-$crate/src/lib.rs"
  printf '%s\n' '[package]' 'name = "fetch"' 'version = "0.0.0"' 'edition = "2021"' '[dependencies]' \
    "$crate = \"=$version\"" '[workspace]' > "$work/fetch-$crate/Cargo.toml"
  manifest=$(cd "$work/fetch-$crate" && cargo metadata -q --format-version 1 | python3 -c '
import json, sys
print(*(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == sys.argv[1]))' "$crate")
  [ -f "$manifest" ] || failed "$crate could not be fetched"
  cp -r "$(dirname "$manifest")" "$source"
  rm -f "$source/Cargo.lock"
  printf '\n[workspace]\n' >> "$source/Cargo.toml"
  [ $crate != zookeeper-client ] ||
    printf '\n[dev-dependencies.testcontainers]\npath = "%s/testcontainers"\n' "$here" >> "$source/Cargo.toml"
  touch "$source/ready"
fi

ln -sf "$here/javashim.sh" "$work/bin/java"
export PATH=$work/bin:$PATH RUSTFLAGS="--cap-lints allow" CARGO_PROFILE_DEV_LTO=off CARGO_PROFILE_DEV_DEBUG=0
cd "$source" || failed "no $source"
cargo test --tests --no-run > "$work/$crate.build" 2>&1 || { tail -30 "$work/$crate.build"; failed "$crate does not build"; }
skip=()
while read -r of name _; do
  [ "$of" = "$crate" ] && skip+=(--skip "$name")
done < "$here/rust-crates-deselected.txt"
# A test that hangs would block everything after it.
timeout "${RUST_CRATES_SECONDS:-900}" cargo test --tests --no-fail-fast -- --test-threads=4 ${skip[@]+"${skip[@]}"} "$@" \
  > "$work/$crate.txt" 2>&1
status=$?
grep -E '^test .*FAILED' "$work/$crate.txt"
[ $status != 124 ] || echo "$crate: stopped after ${RUST_CRATES_SECONDS:-900} s; see $work/$crate.txt"
awk -v status=$status '
  /^test result/ {
    for (i = 2; i <= NF; i++) {
      if ($i == "passed;") passed += $(i - 1)
      if ($i == "failed;") failed += $(i - 1)
      if ($i == "ignored;" || $(i - 1) ~ /^[0-9]+$/ && $i == "filtered") skipped += $(i - 1)
    }
  }
  END {
    if (status != 0 && failed == 0 || passed + failed == 0) failed++
    printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
    exit failed > 0
  }' "$work/$crate.txt"
