#!/bin/bash
# suites.sh [all | quick | NAME...] - runs public clients, with their own tests and with ours, against one server each.
# SERVER_CMD: the command that runs a zoo.cfg (default: our server). quick: the suites of `make test`; the default is all.
# Each suite ends with its tally; a summary with a line per suite follows. Fails if a suite fails.
set -u

# name, quick or long, what install.sh must install (joined by commas), the command (in tests/suites; SERVER_CMD is appended).
list() {
  sed 's/ *#.*//; /^ *$/d' << 'LIST'
kazoo                  quick  python     kazoo.sh                        # the tests inside kazoo
kazoo-ensemble         long   python     kazoo-ensemble.sh               # the same on the ensemble of three that they start
recipes                quick  python     recipes.sh                      # kazoo's recipes, as an application uses them
go                     quick  go         go.sh                           # go-zookeeper/zk, as an application uses it
go-zookeeper           long   go         go-zookeeper.sh                 # the tests inside go-zookeeper/zk
c                      quick  c          c.sh                            # libzookeeper-mt, as an application uses it
c-zookeeper            long   cppunit    c-zookeeper.sh                  # the C client's own tests
node                   quick  node       node.sh                         # the tests inside npm's zookeeper
zkmain                 quick  java       zkmain.sh                       # ZooKeeper's shell, every command
zkmain-ensemble        quick  java       zkmain-ensemble.sh              # the same on three servers: config and reconfig
replacing              long   python,c,java replacing.sh                 # an ensemble is replaced under three makes of clients
solr                   quick  java       solr.sh                         # as Solr uses it
hbase                  long   java       hbase.sh                        # as HBase uses it
curator                long   java       curator.sh                      # Curator's recipes and the official client
curator-ensemble       long   java       curator-ensemble.sh             # Curator's own tests that start clusters
kafka                  long   java       kafka.sh                        # two brokers, a topic written and read
rust-zookeeper-client  long   python     rust-crates.sh zookeeper-client # the tests inside three crates
rust-zookeeper-async   long   python     rust-crates.sh zookeeper-async
rust-zookeeper         long   python     rust-crates.sh zookeeper
LIST
}

names=()
[ $# -gt 0 ] || set -- all
for word; do
  case $word in
    all) found=$(list | awk '{ print $1 }') ;;
    quick) found=$(list | awk '$2 == "quick" { print $1 }') ;;
    *) found=$(list | awk -v name="$word" '$1 == name { print $1 }') ;;
  esac
  [ -n "$found" ] || { echo "suites.sh: no suite $word; there are: all quick" $(list | awk '{ print $1 }') >&2; exit 2; }
  names+=($found)
done
needs=$(for name in "${names[@]}"; do list | awk -v name="$name" '$1 == name { print $3 }'; done | tr , '\n' | sort -u)

case ${SERVER_CMD:-} in [!/]*/*) SERVER_CMD=$PWD/$SERVER_CMD ;; esac
cd "$(dirname "$0")/.." || exit 2
scripts/install.sh suites $needs || exit 1
if [ -z "${SERVER_CMD:-}" ]; then
  cargo build --locked --profile ci -p ringkeeper || exit 1
  SERVER_CMD="${CARGO_TARGET_DIR:-$PWD/target}/ci/ringkeeper serve"
fi
export SUITES=${SUITES:-$PWD/target/suites}
mkdir -p "$SUITES"

failed=0
summary=()
for name in "${names[@]}"; do
  echo "== $name"
  read -r _ _ _ command <<< "$(list | awk -v name="$name" '$1 == name')"
  begin=$SECONDS
  tests/suites/$command "$SERVER_CMD" 2>&1 | tee "$SUITES/last-suite.txt"
  [ "${PIPESTATUS[0]}" = 0 ] || failed=1
  summary+=("$(printf '%-22s %s, %s s' "$name" "$(tail -1 "$SUITES/last-suite.txt")" $((SECONDS - begin)))")
done
printf '== all suites\n'
printf '%s\n' "${summary[@]}"
exit $failed
