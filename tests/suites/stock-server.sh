#!/bin/bash
# stock-server.sh ZOO_CFG - runs Apache ZooKeeper in the foreground on a zoo.cfg; exits on SIGTERM. The reference SERVER_CMD:
# swap in any other executable with the same contract. STOCK_VERSION picks the release (default 3.9.5; 3.8.4, 3.7.2, 3.6.4 work too);
# Maven fetches its jars once into $SUITES/stock/VERSION. JVMFLAGS: extra -D flags. JAVA: the Java binary. STOCK_MAIN: another main class (the rest of
# the arguments are its own), as in STOCK_MAIN=org.apache.zookeeper.ZooKeeperMain stock-server.sh -server 127.0.0.1:2181 ls /
# STOCK_HEAP: the JVM's heap (default 512m). Benchmarks use STOCK_HEAP=2g with the default collector (G1: STOCK_GC=G1).
set -e
V=${STOCK_VERSION:-3.9.5}; D=${SUITES:-${TMPDIR:-/tmp}/ringkeeper-suites}/stock/$V
case $V in 3.[67].*) LOGGER="ch.qos.reload4j reload4j";; *) LOGGER="ch.qos.logback logback-classic";; esac
if [ ! -f "$D/ok" ]; then
  mkdir -p "$D"; exec 9> "$D/lock"; flock 9
  if [ ! -f "$D/ok" ]; then
    cat > "$D/pom.xml" <<X
<project><modelVersion>4.0.0</modelVersion>
<groupId>compare</groupId><artifactId>stock</artifactId><version>1</version><packaging>pom</packaging>
<dependencyManagement><dependencies><dependency><groupId>org.apache.zookeeper</groupId><artifactId>parent</artifactId>
<version>$V</version><type>pom</type><scope>import</scope></dependency></dependencies></dependencyManagement>
<dependencies>
<dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId><version>$V</version></dependency>
$(while read -r g a; do echo "<dependency><groupId>$g</groupId><artifactId>$a</artifactId></dependency>"; done <<L
commons-cli commons-cli
org.xerial.snappy snappy-java
io.dropwizard.metrics metrics-core
org.eclipse.jetty jetty-server
org.eclipse.jetty jetty-servlet
com.fasterxml.jackson.core jackson-databind
$LOGGER
L
)
</dependencies></project>
X
    mvn -q -B -f "$D/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$D/lib" >&2 || {
      echo "stock-server.sh: Maven could not fetch ZooKeeper $V (see above)" >&2; exit 1; }
    printf '%s\n' '<configuration><appender name="C" class="ch.qos.logback.core.ConsoleAppender"><encoder>' \
      '<pattern>%d %p %c{1} %m%n</pattern></encoder></appender><root level="WARN"><appender-ref ref="C"/></root></configuration>' > "$D/logback.xml"
    printf '%s\n' 'log4j.rootLogger=WARN,C' 'log4j.appender.C=org.apache.log4j.ConsoleAppender' \
      'log4j.appender.C.layout=org.apache.log4j.PatternLayout' 'log4j.appender.C.layout.ConversionPattern=%d %p %c{1} %m%n' > "$D/log4j.properties"
    touch "$D/ok"
  fi
  exec 9>&-
fi
GC=-XX:+Use${STOCK_GC:-Serial}GC
[ -x "${REAL_JAVA:=${JAVA:-/usr/bin/java}}" ] || REAL_JAVA=java   # not the stand-in that a suite may put first on PATH
exec "$REAL_JAVA" -Xmx"${STOCK_HEAP:-512m}" "$GC" -cp "${ZK_CP_FIRST:+$ZK_CP_FIRST:}$D:$D/lib/*" -Dfile.encoding=UTF-8 \
  -Dlogback.configurationFile="$D/logback.xml" -Dlog4j.configuration="file:$D/log4j.properties" -Dzookeeper.jmx.log4j.disable=true \
  $JVMFLAGS "${STOCK_MAIN:-org.apache.zookeeper.server.quorum.QuorumPeerMain}" "$@"
