#!/bin/bash
# solr.sh SERVER_CMD [test] - Solr 9's client, reader of states and tools for configurations on one server. Needs java and mvn.
# Results of each test: the file results in $SUITES/java/solr/work.
exec "$(dirname "$(readlink -f "$0")")/java/run.sh" solr "${1:?SERVER_CMD}" "${@:2}"
