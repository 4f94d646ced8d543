#!/bin/bash
# curator-ensemble.sh SERVER_CMD [all | test, as org.apache.curator.framework.imps.TestReconfiguration] - Curator's own tests that
# start clusters, or all of its framework and recipes, with SERVER_CMD in place of the servers inside the JVM that they would start
# (java/curator-own), but those in curator-deselected.txt. Needs java and mvn. Last line: the tally. Results: the file results in $SUITES/java/curator-own/work.
set -u
here=$(dirname "$(readlink -f "$0")")
server=${1:?SERVER_CMD}
shift
f=org.apache.curator.framework
if [ $# = 0 ]; then
  set -- $f.imps.TestFrameworkEdges $f.imps.TestReadOnly $f.imps.TestReconfiguration $f.imps.TestWithCluster \
    $f.recipes.cache.TestCuratorCacheConsistency $f.recipes.cache.TestCuratorCacheEdges $f.recipes.cache.TestPathChildrenCacheInCluster \
    $f.recipes.leader.TestLeaderLatchCluster $f.recipes.leader.TestLeaderSelectorCluster \
    $f.recipes.locks.TestInterProcessSemaphoreCluster $f.recipes.queue.TestLongNetworkPartition
elif [ "$1" = all ]; then
  path=$("$here/java/build.sh" curator-own) || { echo "0 passed, 1 failed, 0 skipped"; exit 1; }
  mapfile -t names < <(tr : '\n' <<< "$path" | grep -e '-tests\.jar$' | xargs -n1 jar tf | grep -o 'org/apache/curator/.*/Test[A-Za-z0-9]*\.class' |
    sed 's/\.class$//; s|/|.|g' | sort)
  set -- "${names[@]}"
fi
# A test that is named is run.
[ $# -lt 5 ] || deselected="-Ddeselected=$here/curator-deselected.txt"
export SUITE_FLAGS="${deselected:-} -Dtest.timeout=600s --add-opens=java.base/java.lang=ALL-UNNAMED" SUITE_HEAP=1g
exec "$here/java/run.sh" curator-own "$server" "$@"
