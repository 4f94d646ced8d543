#!/bin/bash
# keys.sh - records again how ZooKeeper 3.9.5 reads configuration keys, from its own classes, and compares ours with it.
# Each row of tests/keys/readings.tsv is a pair: its first three fields say where the key is set (file or flag), its name and
# its value; this script writes the others. To compare more pairs, add rows with three fields and run it. A thousand pairs
# take a few minutes: they all run in one JVM, each with classes of its own.
set -eu
cd "$(dirname "$0")/.."
scripts/install.sh suites java
export SUITES=${SUITES:-$PWD/target/suites}
STOCK_MAIN=org.apache.zookeeper.Version tests/suites/stock-server.sh --full > /dev/null
lib=$SUITES/stock/3.9.5/lib
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/classes" "$work/cwd"
echo '<configuration><root level="OFF"/></configuration>' > "$work/logback.xml"
javac -cp "$lib/*" -d "$work/classes" tests/keys/*.java
cut -f1-3 tests/keys/readings.tsv > "$work/pairs"
# Relative paths among the values resolve to here.
(cd "$work/cwd" && java -Xmx1g -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dfile.encoding=UTF-8 \
  -Dlogback.configurationFile="$work/logback.xml" -cp "$work/classes" Readings "$lib" "$work/classes") \
  < "$work/pairs" > "$work/readings"
[ "$(wc -l < "$work/readings")" = "$(wc -l < "$work/pairs")" ] || { echo "keys.sh: not every pair was read" >&2; exit 1; }
cp "$work/readings" tests/keys/readings.tsv
git --no-pager diff --stat -- tests/keys/readings.tsv
cargo build --locked --profile ci -p ringkeeper
cargo test --locked -p ringkeeper-tests --test all -- --nocapture every_pair_of_key_and_value
