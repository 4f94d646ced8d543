#!/bin/bash
# fuzz.sh MINUTES - sends malformed packets for MINUTES: a third of the time each to the engine in process, to a server, and
# to the decoders under cargo-fuzz (skipped, with a message, if there is no nightly toolchain). SEED: the first seed.
set -u
cd "$(dirname "$0")/.." || exit 2
minutes=${1:-10}
seed=${SEED:-$(date +%s)}
third=$((minutes * 20))
status=0
cargo build --locked --profile ci -p ringkeeper || exit 1

echo "== the engine, from seed $seed"
timeout "$third" env RINGKEEPER_FUZZ_SEEDS="$seed..$((seed + 100000000))" \
  cargo test --locked -p ringkeeper-engine --lib -- hostile_packets --nocapture
# 124: the time is up and nothing was found.
[ $? = 124 ] || status=1

echo "== a server, from seed $seed"
RINGKEEPER_FUZZ_SECONDS=$third RINGKEEPER_FUZZ_SEED=$seed \
  cargo test --locked -p ringkeeper-tests --test all -- hostile::fuzz --nocapture || status=1

if ! rustup run nightly rustc --version >/dev/null 2>&1; then
  echo "== the decoders: skipped, there is no nightly toolchain (rustup toolchain install nightly)"
  exit $status
fi
cargo fuzz --version >/dev/null 2>&1 || cargo install --locked cargo-fuzz || exit 1
targets=(requests txns frames notifications hellos packets)
for target in "${targets[@]}"; do
  echo "== the decoder of $target"
  (cd tests && cargo +nightly fuzz run --fuzz-dir fuzz -s none "$target" -- -max_total_time=$((third / ${#targets[@]})) -max_len=4096) || status=1
done
exit $status
