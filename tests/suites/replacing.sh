#!/bin/bash
# replacing.sh SERVER_CMD [kazoo] [c] [curator] - three servers of ZooKeeper are replaced one by one by SERVER_CMD's, and back, as
# docs/migrating.md says, under clients by kazoo, the C client and Curator (default: all three). Checks that nothing acknowledged is
# lost, no lock held twice, no session lost, each watch fired once, and prints how long no write was acknowledged at each exchange.
# SERVER_CMD is `ringkeeper serve`: its program converts the data. Last line: the tally. Work files below $SUITES.
set -u
here=$(dirname "$(readlink -f "$0")")
server=${1:?SERVER_CMD}
shift
[ $# -gt 0 ] || set -- kazoo c curator
export SUITES=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
work=$SUITES/replacing
venv=$SUITES/recipes/venv
mkdir -p "$work"
failed() { echo "replacing.sh: $1" >&2; echo "0 passed, 1 failed, 0 skipped"; exit 1; }
if [ ! -f "$venv/ready" ]; then
  rm -rf "$venv"
  python3 -m venv "$venv" &&
    "$venv/bin/pip" -q install kazoo==2.11.0 pytest==8.4.2 pytest-timeout==2.4.0 || failed "kazoo could not be installed"
  touch "$venv/ready"
fi
loads=()
for load; do
  case $load in
    kazoo) loads+=("kazoo=$venv/bin/python -B $here/replacing/load_kazoo.py") ;;
    c)
      cc -std=c11 -O1 -g -Wall -Wextra -D_DEFAULT_SOURCE -DTHREADED -o "$work/load-c" "$here/replacing/load.c" -lzookeeper_mt -lpthread ||
        failed "the C client's load does not compile (it needs Debian's libzookeeper-mt-dev)"
      loads+=("c=$work/load-c")
      ;;
    curator)
      path=$("$here/java/build.sh" curator) || failed "Curator's load could not be built"
      loads+=("curator=java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp $path recipes.Load")
      ;;
    *) failed "no load $load; there are: kazoo c curator" ;;
  esac
done
exec "$venv/bin/python" -B "$here/replacing/drive.py" "$work/run" "$server" "${STOCK_CMD:-$here/stock-server.sh}" "${server%% *}" "${loads[@]}"
