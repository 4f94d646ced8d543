//! Four-letter words, admin server, metrics, logging.

use super::{ANY_INT, Form, Key, NATURAL, PORT, POSITIVE, flag, one_of, text, whole};

const JVM: &str = "there is no Java machine that could pause";
const AUDIT: &str = "the audit log is not built yet";
const LOGGING: &str = "logging is set by ring.log.level and ring.log.format";
const CLIENT: &str = "ZooKeeper's clients read it, its servers do not";
const SNAPSHOTS: &str = "taking and restoring snapshots by command is not built yet";
const NO_TLS: &str = "TLS is not built yet: remove the line";

/// What `metricsProvider.className` may be.
pub(super) const METRICS_CLASSES: &[&str] = &[
    "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider",
    "org.apache.zookeeper.metrics.impl.NullMetricsProvider",
    "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider",
];

pub(super) static KEYS: &[Key] = &[
    text(
        "4lw.commands.whitelist",
        "srvr",
        "The four-letter words that are answered, separated by \
        commas; * means all. srvr always is.",
    ),
    flag("admin.enableServer", "true", "Whether the admin server is there."),
    Key::new(
        "admin.serverAddress",
        Form::MaybeEmpty,
        "0.0.0.0",
        "Its address, read as clientPortAddress is.",
    ),
    whole("admin.serverPort", PORT, "8080", "Its port."),
    whole(
        "admin.idleTimeout",
        POSITIVE,
        "30000",
        "How long a connection to it may be silent, in \
        ms.",
    ),
    text("admin.commandURL", "/commands", "Where its commands are found."),
    whole(
        "admin.rateLimiterIntervalInMS",
        NATURAL,
        "300000",
        "The shortest time between two \
        snapshots or restores by command.",
    )
    .not_yet(SNAPSHOTS),
    flag("admin.snapshot.enabled", "true", "Whether a snapshot may be asked for.")
        .not_yet(SNAPSHOTS),
    flag("admin.restore.enabled", "true", "Whether a snapshot may be restored.").not_yet(SNAPSHOTS),
    whole("admin.httpVersion", ANY_INT, "11", "The version of HTTP.")
        .no_effect("HTTP/1.1 is spoken, and 1.0 understood"),
    flag("admin.portUnification", "false", "Whether its port takes TLS too.").not_yet(NO_TLS),
    flag("admin.forceHttps", "false", "Whether its port takes TLS only.").refused(NO_TLS),
    flag("admin.needClientAuth", "false", "Whether a caller must show a certificate.")
        .refused(NO_TLS),
    one_of(
        "metricsProvider.className",
        METRICS_CLASSES,
        METRICS_CLASSES[0],
        "With the Prometheus \
        provider, metrics are served over HTTP.",
    )
    .file_only(),
    Key::new(
        "metricsProvider.httpHost",
        Form::MaybeEmpty,
        "0.0.0.0",
        "The address for metrics, read as clientPortAddress is.",
    )
    .file_only(),
    whole("metricsProvider.httpPort", PORT, "7000", "The port for metrics.").file_only(),
    flag(
        "metricsProvider.exportJvmInfo",
        "true",
        "Whether the Java machine is measured \
        too.",
    )
    .file_only()
    .no_effect("there is no Java machine"),
    whole("metricsProvider.numWorkerThreads", NATURAL, "1", "Threads that count.")
        .file_only()
        .no_effect("every core loop counts for itself"),
    whole(
        "metricsProvider.maxQueueSize",
        NATURAL,
        "1000000",
        "Events that wait for \
        those.",
    )
    .file_only()
    .no_effect("every core loop counts for itself"),
    whole(
        "metricsProvider.workerShutdownTimeoutMs",
        NATURAL,
        "1000",
        "How long those may take to \
        stop.",
    )
    .file_only()
    .no_effect("every core loop counts for itself"),
    text("metricsProvider.*", "", "A setting of another provider.")
        .file_only()
        .no_effect("the providers built in do not read it"),
    flag("audit.enable", "false", "Whether changes are logged with who made them.").not_yet(AUDIT),
    text("audit.impl.class", "", "The Java class that writes them.").not_yet(AUDIT),
    flag(
        "jvm.pause.monitor",
        "false",
        "Whether pauses of the Java machine are \
        logged.",
    )
    .file_only()
    .no_effect(JVM),
    whole("jvm.pause.info-threshold.ms", NATURAL, "1000", "The pause worth a note.")
        .file_only()
        .no_effect(JVM),
    whole("jvm.pause.warn-threshold.ms", NATURAL, "10000", "The pause worth a warning.")
        .file_only()
        .no_effect(JVM),
    whole("jvm.pause.sleep.time.ms", NATURAL, "500", "How often it is measured.")
        .file_only()
        .no_effect(JVM),
    flag("messageTracker.Enabled", "false", "Whether messages between servers are remembered.")
        .not_yet("only servers of an ensemble use it, and ensembles are not built yet"),
    whole("messageTracker.BufferSize", NATURAL, "10", "How many of them.")
        .not_yet("only servers of an ensemble use it, and ensembles are not built yet"),
    flag("jmx.log4j.disable", "false", "Whether Log4j is kept out of JMX.")
        .no_effect("there is no JMX"),
    text("jmx.log4j.mbean", "", "The name of Log4j in JMX.").no_effect("there is no JMX"),
    whole("controllerPort", PORT, "", "The port of a test controller.")
        .no_effect("it is for tests of ZooKeeper itself"),
    text("log.dir", "", "Where logs are written.").no_effect(LOGGING),
    text("log.file", "", "The file of the log.").no_effect(LOGGING),
    text("log.threshold", "", "What is logged.").no_effect(LOGGING),
    text("root.logger", "", "What is logged, and where.").no_effect(LOGGING),
    text("console.threshold", "", "What is logged to the console.").no_effect(LOGGING),
    text("sasl.client", "", "Whether a client uses SASL.").no_effect(CLIENT),
    text("sasl.client.*", "", "How a client uses SASL.").no_effect(CLIENT),
    text("sasl.clientconfig", "", "A client's section of the login file.").no_effect(CLIENT),
    text("server.principal", "", "The principal that a client expects.").no_effect(CLIENT),
    text("server.realm", "", "The realm that a client expects.").no_effect(CLIENT),
    text("disableAutoWatchReset", "", "Whether a client forgets its watches.").no_effect(CLIENT),
    text("client.secure", "", "Whether a client uses TLS.").no_effect(CLIENT),
    text("clientCnxnSocket", "", "The Java class of a client's socket.").no_effect(CLIENT),
    text("request.timeout", "", "How long a client waits for a reply.").no_effect(CLIENT),
];
