#!/bin/bash
# zkmain-ensemble.sh SERVER_CMD - ZooKeeper's own shell on an ensemble of three: `config`, `reconfig`, and clients of different
# servers. See zkmain.sh, which also says how its output is recorded again.
export ZKMAIN_SERVERS=3
exec "$(dirname "$(readlink -f "$0")")/zkmain.sh" "$@"
