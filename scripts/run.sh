#!/bin/bash
# run.sh BINARY PORT FOLDER - runs a standalone server on 127.0.0.1 with FOLDER/zoo.cfg, which is created if it does not exist.
set -eu
binary=$1 port=$2 folder=$3
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
[ -f "$folder/zoo.cfg" ] || cat > "$folder/zoo.cfg" <<CFG
tickTime=2000
dataDir=$folder
clientPort=$port
clientPortAddress=127.0.0.1
4lw.commands.whitelist=*
CFG
exec "$binary" serve "$folder/zoo.cfg"
