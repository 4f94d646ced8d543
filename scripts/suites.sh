#!/bin/bash
# suites.sh [NAME...] - the tests of clients that nobody here wrote, all of them or those named; `quick` stands for those
# that `make test` runs. SERVER_CMD: what runs a zoo.cfg (default: our server). Each suite ends with its tally.
set -u
cd "$(dirname "$0")/.." || exit 2

# A suite a line, tests/suites/NAME.sh: its name, whether it is quick (under about a minute), what install.sh brings for it.
suites() {
  cat <<'LIST'
kazoo quick python
zkmain quick java
curator slow java
solr quick java
hbase quick java
kafka slow java
LIST
}
if [ $# = 0 ]; then
  names=$(suites | cut -d' ' -f1)
elif [ "$*" = quick ]; then
  names=$(suites | awk '$2 == "quick" { print $1 }')
else
  names=$*
fi
for name in $names; do
  suites | grep -q "^$name " || { echo "suites.sh: no suite $name; there are: $(suites | cut -d' ' -f1 | xargs)" >&2; exit 2; }
done
kinds=$(for name in $names; do suites | awk -v name="$name" '$1 == name { print $3 }'; done | sort -u)
# shellcheck disable=SC2086
scripts/install.sh $kinds || exit 1

if [ -z "${SERVER_CMD:-}" ]; then
  cargo build --locked --profile ci -p ringkeeper || exit 1
  SERVER_CMD="$PWD/target/ci/ringkeeper serve"
fi
export SUITES=${SUITES:-$PWD/target/suites}
status=0
for name in $names; do
  echo "== $name"
  "tests/suites/$name.sh" "$SERVER_CMD" || status=1
done
exit $status
