#!/bin/bash
# kazoo-ensemble.sh SERVER_CMD [pytest arguments] - kazoo's own test suite against the ensemble of three that it starts, with the
# tests that need one: reconfiguration, a server without its quorum that serves read-only clients, lists of hosts.
export KAZOO_SERVERS=3
exec "$(dirname "$(readlink -f "$0")")/kazoo.sh" "$@"
