#!/bin/bash
# solr.sh SERVER_CMD [test] - Solr 9's client, reader of states and tools for configurations on one server. Needs java and mvn.
# Results of each test: $SUITES/java/solr/work/results.
exec "$(dirname "$(readlink -f "$0")")/java/run.sh" solr "${1:?SERVER_CMD}" "${@:2}"
