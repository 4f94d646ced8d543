#!/bin/bash
# suites.sh [all | quick | NAME...] - tests of clients and with clients that nobody here wrote, against one server each.
# SERVER_CMD: what runs a zoo.cfg (default: our server). quick: those that `make test` runs; all is the default.
# Each suite ends with its tally; after the last one stands a line for each. Fails if one of them does.
set -u

# name, quick or long, what install.sh is to bring, what runs it (from tests/suites, then SERVER_CMD).
list() {
  sed 's/ *#.*//; /^ *$/d' << 'LIST'
kazoo                  quick  python     kazoo.sh                        # the tests inside kazoo
recipes                quick  python     recipes.sh                      # kazoo's recipes, as an application uses them
go                     quick  go         go.sh                           # go-zookeeper/zk, as an application uses it
c                      quick  c          c.sh                            # libzookeeper-mt, as an application uses it
node                   quick  node       node.sh                         # the tests inside npm's zookeeper
zkmain                 quick  java       zkmain.sh                       # ZooKeeper's shell, every command
solr                   quick  java       solr.sh                         # Solr's way of using it
hbase                  long   java       hbase.sh                        # HBase's
curator                long   java       curator.sh                      # Curator's recipes and the official client
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
needs=$(for name in "${names[@]}"; do list | awk -v name="$name" '$1 == name { print $3 }'; done | sort -u)

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
