#!/bin/bash
# hbase.sh SERVER_CMD [test] - HBase 2.6's retrying handle, its watchers and tools on one server. Needs java and mvn.
# Results of each test: the file results in $SUITES/java/hbase/work.
exec "$(dirname "$(readlink -f "$0")")/java/run.sh" hbase "${1:?SERVER_CMD}" "${@:2}"
