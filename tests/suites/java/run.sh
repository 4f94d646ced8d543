#!/bin/bash
# run.sh MODULE SERVER_CMD [test] - builds a module and runs its tests against servers that SERVER_CMD starts
# (SUITE_MAIN: a main class other than the test runner, SUITE_FLAGS: more JVM flags). Last line: the tally.
# Work files below $SUITES/java/MODULE/work.
set -u
here=$(dirname "$(readlink -f "$0")")
module=$1
export SERVER_CMD=$2
shift 2
case ${SERVER_CMD%% *} in */*) SERVER_CMD=$(cd "$(dirname "${SERVER_CMD%% *}")" && pwd)/$(basename "${SERVER_CMD%% *}")${SERVER_CMD#"${SERVER_CMD%% *}"} ;; esac
export SUITES=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}
path=$("$here/build.sh" "$module") || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
work=$SUITES/java/$module/work
mkdir -p "$work"
if [ $# = 0 ]; then
  cd "${path%%:*}" || exit 1
  # Every class with a method marked @Test.
  mapfile -t tests < <(grep -rl 'Lorg/junit/jupiter/api/Test;' --include='*.class' . | sed 's|^\./||; s|\.class$||; s|/|.|g' | grep -v '\$' | sort)
  set -- "${tests[@]}"
fi
# shellcheck disable=SC2086
exec java -Xmx"${SUITE_HEAP:-256m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 ${SUITE_FLAGS:-} -Dwork="$work" -cp "$path" "${SUITE_MAIN:-running.Run}" "$@"
