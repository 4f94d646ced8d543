//! Four-letter words, admin server, metrics, logging.

use super::Key;
use super::reading::Reading::{
    AnyText, Int, IntOrDefault, Long, OffIf, OnIfTrue, OneOfExactly, TrueOrFalse,
};

const JVM: &str = "there is no Java machine that could pause";
const AUDIT: &str = "the audit log is not built yet";
const LOGGING: &str = "logging is set by ring.log.level and ring.log.format";
const CLIENT: &str = "ZooKeeper's clients read it, its servers do not";
const SNAPSHOTS: &str = "taking and restoring snapshots by command is not built yet";
const NO_TLS: &str = "TLS is not built yet: remove the line";

/// What `metricsProvider.className` may be.
const METRICS_CLASSES: &[&str] = &[
    "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
    "org.apache.zookeeper.metrics.impl.NullMetricsProvider",
    super::PROMETHEUS,
];

pub(super) static KEYS: &[Key] = &[
    Key::new("4lw.commands.whitelist", AnyText, "srvr").says(
        "The four-letter words that are answered, separated by commas; * means all. srvr \
            always is.",
    ),
    Key::new("admin.enableServer", OffIf("false"), "true")
        .says("Whether there is an admin server."),
    Key::new("admin.serverAddress", AnyText, "0.0.0.0")
        .says("Its address, read as clientPortAddress is."),
    Key::new("admin.serverPort", IntOrDefault, "8080")
        .within(0, 65_535)
        .of_admin_server()
        .says("Its port."),
    Key::new("admin.idleTimeout", IntOrDefault, "30000")
        .says("How long a connection to it may be silent, in ms."),
    Key::new("admin.commandURL", AnyText, "/commands").says("The path of its commands."),
    Key::new("admin.rateLimiterIntervalInMS", AnyText, "300000")
        .says("The shortest time between two snapshots or restores by command.")
        .not_yet(SNAPSHOTS),
    Key::new("admin.snapshot.enabled", OnIfTrue, "true")
        .says("Whether a snapshot may be requested.")
        .not_yet(SNAPSHOTS),
    Key::new("admin.restore.enabled", OnIfTrue, "true")
        .says("Whether a snapshot may be restored.")
        .not_yet(SNAPSHOTS),
    Key::new("admin.httpVersion", IntOrDefault, "11")
        .says("The version of HTTP.")
        .no_effect("HTTP/1.1 and 1.0 are always supported"),
    Key::new("admin.portUnification", OnIfTrue, "false")
        .says("Whether its port accepts TLS too.")
        .not_yet(NO_TLS),
    Key::new("admin.forceHttps", OnIfTrue, "false")
        .says("Whether its port accepts TLS only.")
        .refused(NO_TLS),
    Key::new("admin.needClientAuth", OnIfTrue, "false")
        .says("Whether a caller must present a certificate.")
        .refused(NO_TLS),
    Key::new("metricsProvider.className", OneOfExactly(METRICS_CLASSES), METRICS_CLASSES[0])
        .says("With the Prometheus provider, metrics are served over HTTP.")
        .file_only(),
    Key::new("metricsProvider.httpHost", AnyText, "0.0.0.0")
        .says("The address for metrics, read as clientPortAddress is.")
        .file_only(),
    Key::new("metricsProvider.httpPort", Int, "7000")
        .within(0, 65_535)
        .of_prometheus()
        .says("The port for metrics.")
        .file_only(),
    Key::new("metricsProvider.exportJvmInfo", OnIfTrue, "true")
        .says("Whether the Java machine is measured too.")
        .file_only()
        .no_effect("there is no Java machine"),
    Key::new("metricsProvider.numWorkerThreads", Int, "1")
        .of_prometheus()
        .says("Threads that count.")
        .file_only()
        .no_effect("every core loop counts for itself"),
    Key::new("metricsProvider.maxQueueSize", Int, "1000000")
        .of_prometheus()
        .says("Events that wait for those threads.")
        .file_only()
        .no_effect("every core loop counts for itself"),
    Key::new("metricsProvider.workerShutdownTimeoutMs", Int, "1000")
        .of_prometheus()
        .says("How long those threads may take to stop.")
        .file_only()
        .no_effect("every core loop counts for itself"),
    Key::new("metricsProvider.*", AnyText, "")
        .says("A setting of another provider.")
        .file_only()
        .no_effect("the providers built in do not read it"),
    Key::new("audit.enable", OnIfTrue, "false")
        .says("Whether changes are logged with their authors.")
        .not_yet(AUDIT),
    Key::new("audit.impl.class", AnyText, "")
        .says("The Java class that writes them.")
        .not_yet(AUDIT),
    Key::new("jvm.pause.monitor", TrueOrFalse, "false")
        .says("Whether pauses of the Java machine are logged.")
        .file_only()
        .no_effect(JVM),
    Key::new("jvm.pause.info-threshold.ms", Long, "1000")
        .says("The pause that is worth a note.")
        .file_only()
        .no_effect(JVM),
    Key::new("jvm.pause.warn-threshold.ms", Long, "10000")
        .says("The pause that is worth a warning.")
        .file_only()
        .no_effect(JVM),
    Key::new("jvm.pause.sleep.time.ms", Long, "500")
        .says("How often it is measured.")
        .file_only()
        .no_effect(JVM),
    Key::new("messageTracker.Enabled", OnIfTrue, "false")
        .says("Whether messages between servers are remembered.")
        .not_yet("statistics of this kind are not built yet"),
    Key::new("messageTracker.BufferSize", IntOrDefault, "10")
        .says("How many of them.")
        .not_yet("statistics of this kind are not built yet"),
    Key::new("jmx.log4j.disable", OnIfTrue, "false")
        .says("Whether Log4j is kept out of JMX.")
        .no_effect("there is no JMX"),
    Key::new("jmx.log4j.mbean", AnyText, "")
        .says("The name of Log4j in JMX.")
        .no_effect("there is no JMX"),
    Key::new("controllerPort", IntOrDefault, "")
        .says("The port of a test controller.")
        .no_effect("it is for tests of ZooKeeper itself"),
    Key::new("log.dir", AnyText, "").says("Where logs are written.").no_effect(LOGGING),
    Key::new("log.file", AnyText, "").says("The file of the log.").no_effect(LOGGING),
    Key::new("log.threshold", AnyText, "").says("What is logged.").no_effect(LOGGING),
    Key::new("root.logger", AnyText, "").says("What is logged, and where.").no_effect(LOGGING),
    Key::new("console.threshold", AnyText, "")
        .says("What is logged to the console.")
        .no_effect(LOGGING),
    Key::new("sasl.client", AnyText, "").says("Whether a client uses SASL.").no_effect(CLIENT),
    Key::new("sasl.client.*", AnyText, "").says("How a client uses SASL.").no_effect(CLIENT),
    Key::new("sasl.clientconfig", AnyText, "")
        .says("A client's section of the login file.")
        .no_effect(CLIENT),
    Key::new("server.principal", AnyText, "")
        .says("The principal that a client expects.")
        .prefixed_only()
        .no_effect(CLIENT),
    Key::new("server.realm", AnyText, "")
        .says("The realm that a client expects.")
        .prefixed_only()
        .no_effect(CLIENT),
    Key::new("disableAutoWatchReset", AnyText, "")
        .says("Whether a client forgets its watches.")
        .no_effect(CLIENT),
    Key::new("client.secure", AnyText, "").says("Whether a client uses TLS.").no_effect(CLIENT),
    Key::new("clientCnxnSocket", AnyText, "")
        .says("The Java class of a client's socket.")
        .no_effect(CLIENT),
    Key::new("request.timeout", AnyText, "")
        .says("How long a client waits for a reply.")
        .no_effect(CLIENT),
];
