#!/bin/bash
# kafka.sh SERVER_CMD [test] - two Kafka 3.9 brokers in ZooKeeper mode on one server: topics written and read,
# configuration, ACLs, a new controller, a restart of the server. Needs java and mvn, a gigabyte and a half of memory
# and a few minutes. Results: $SUITES/java/kafka/work.
export SUITE_FLAGS=-Dorg.slf4j.simpleLogger.defaultLogLevel=off
exec "$(dirname "$(readlink -f "$0")")/java/run.sh" kafka "${1:?SERVER_CMD}" "${@:2}"
