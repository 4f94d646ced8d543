#!/bin/bash
# install.sh build | suites [python] [go] [node] [c] [cppunit] [java] [perf] - installs what building (or these client suites) needs
# and the machine lacks. Quiet and quick if nothing is missing.
set -u

command -v cargo >/dev/null || {
  echo "cargo is missing. Rust 1.90 or newer is needed: 'apt-get install rustup && rustup default stable'," >&2
  echo "or see https://rustup.rs" >&2
  exit 1
}

want=()
has_library() { command -v pkg-config >/dev/null && pkg-config --exists "$1"; }
command -v cc >/dev/null && command -v make >/dev/null || want+=(build-essential)
command -v pkg-config >/dev/null || want+=(pkg-config)
has_library hwloc || want+=(libhwloc-dev)
has_library libudev || want+=(libudev-dev)
for need in "${@:2}"; do
  case $need in
    python)
      python3 -c 'import venv, ensurepip' 2>/dev/null || want+=(python3-venv)
      python3 -c 'import sysconfig, sys, os; sys.exit(not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")))' \
        2>/dev/null || want+=(python3-dev)
      ;;
    go) command -v go >/dev/null || want+=(golang-go) ;;
    # Debian packages the headers of Node.js separately; other distributions include them.
    node)
      command -v npm >/dev/null || want+=(nodejs npm libnode-dev)
      command -v python3 >/dev/null || want+=(python3)
      ;;
    c) [ -f /usr/include/zookeeper/zookeeper.h ] || want+=(libzookeeper-mt-dev) ;;
    cppunit)
      command -v npm >/dev/null || want+=(nodejs npm)
      command -v cmake >/dev/null || want+=(cmake)
      [ -f /usr/include/cppunit/TestRunner.h ] || want+=(libcppunit-dev)
      ;;
    java)
      command -v javac >/dev/null || want+=(default-jdk-headless)
      command -v mvn >/dev/null || want+=(maven)
      ;;
    perf)
      command -v perf >/dev/null || want+=(linux-perf)
      command -v addr2line >/dev/null || want+=(binutils)
      ;;
    *) echo "install.sh: unknown need $need" >&2; exit 2 ;;
  esac
done
[ ${#want[@]} = 0 ] && exit 0

if [ "$(id -u)" = 0 ]; then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo)
else
  as_root=(none)
fi
if [ "${as_root[*]}" = none ] || ! command -v apt-get >/dev/null; then
  echo "missing: ${want[*]} (names of Debian packages). Install them, then try again." >&2
  exit 1
fi
echo "installing ${want[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get install -y -q "${want[@]}" >/dev/null 2>&1 && exit 0
"${as_root[@]}" apt-get update -q >/dev/null && "${as_root[@]}" apt-get install -y -q "${want[@]}" >/dev/null
