#!/bin/bash
# curator.sh SERVER_CMD [test, as recipes.Locks or recipes.Locks#aMutexIsFair] - Curator's recipes and the official Java
# client against one server. Needs java and mvn. Results: the file results in $SUITES/java/curator/work.
exec "$(dirname "$(readlink -f "$0")")/java/run.sh" curator "${1:?SERVER_CMD}" "${@:2}"
