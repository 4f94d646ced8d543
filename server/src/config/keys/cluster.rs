//! Addresses, sessions, ensemble.

use super::{
    ANY_INT, Form, Key, NATURAL, NATURAL_OR_UNSET, PORT, POSITIVE, flag, one_of, text, whole,
};

const ENSEMBLE: &str = "only servers of an ensemble use it, and ensembles are not built yet";

pub(super) static KEYS: &[Key] = &[
    whole(
        "clientPort",
        PORT,
        "",
        "The port for clients; 0 lets the kernel choose one. Without a \
        configuration file it is 2181.",
    )
    .file_only(),
    Key::new(
        "clientPortAddress",
        Form::MaybeEmpty,
        "",
        "The address for clients: a name or a number; unset and 0.0.0.0 mean every \
        address, an empty value the loopback address. A name's first IPv4 address is taken, unless \
        -Djava.net.preferIPv6Addresses or preferIPv4Stack says otherwise, here and for every other \
        address. Without a configuration file it is 127.0.0.1.",
    )
    .file_only(),
    whole("secureClientPort", PORT, "", "The port for clients that use TLS.")
        .file_only()
        .refused("TLS is not built yet: remove the line, and end TLS in a proxy in front"),
    text("secureClientPortAddress", "", "The address for clients that use TLS.")
        .file_only()
        .refused("TLS is not built yet: remove the line"),
    text(
        "dataDir",
        "",
        "The directory of the snapshots; must be set in a configuration file, \
        without one it is ./data.",
    )
    .file_only(),
    text(
        "dataLogDir",
        "",
        "The directory of the log, best on a device of its own; unset means \
        dataDir.",
    )
    .file_only(),
    whole(
        "tickTime",
        (1, 3_600_000),
        "3000",
        "The length of a tick in ms, the unit of session \
        expiry.",
    )
    .file_only(),
    whole(
        "minSessionTimeout",
        NATURAL_OR_UNSET,
        "-1",
        "The shortest session timeout granted, in \
        ms; -1 means 2 ticks.",
    )
    .file_only(),
    whole(
        "maxSessionTimeout",
        NATURAL_OR_UNSET,
        "-1",
        "The longest session timeout granted, in \
        ms; -1 means 20 ticks.",
    )
    .file_only(),
    whole(
        "maxClientCnxns",
        NATURAL_OR_UNSET,
        "60",
        "Connections allowed from one address; 0 means \
        no limit.",
    )
    .file_only(),
    whole("maxCnxns", NATURAL, "0", "Connections allowed in all; 0 means no limit."),
    whole(
        "clientPortListenBacklog",
        NATURAL_OR_UNSET,
        "-1",
        "Connections that may wait to be \
        accepted; -1 leaves it to the server.",
    )
    .file_only(),
    flag("clientTcpKeepAlive", "false", "Whether connections of clients use TCP keep-alive."),
    flag(
        "localSessionsEnabled",
        "false",
        "Whether sessions are kept to the server they are \
        connected to until they need more.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    flag(
        "localSessionsUpgradingEnabled",
        "false",
        "Whether a local session becomes a global one \
        when it creates an ephemeral node.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    flag(
        "closeSessionTxn.enabled",
        "true",
        "Whether the txn that closes a session lists the nodes \
        it deletes.",
    ),
    flag("extendedTypesEnabled", "false", "Whether nodes with a time to live may be created."),
    flag(
        "emulate353TTLNodes",
        "false",
        "Whether owners are read as ZooKeeper 3.5.3 wrote them for \
        nodes with a time to live.",
    ),
    whole(
        "znode.container.checkIntervalMs",
        POSITIVE,
        "60000",
        "How often empty containers and \
        nodes past their time are looked for, in ms.",
    )
    .bare(),
    whole(
        "znode.container.maxPerMinute",
        POSITIVE,
        "10000",
        "How many of them are deleted a \
        minute at most.",
    )
    .bare(),
    whole(
        "znode.container.maxNeverUsedIntervalMs",
        NATURAL,
        "0",
        "After how many ms a container \
        that never had a child is deleted; 0 means never.",
    )
    .bare(),
    flag(
        "readonlymode.enabled",
        "false",
        "Whether a server without a quorum serves reads; here it \
        allows isro among the four-letter words.",
    )
    .bare(),
    text(
        "server.*",
        "",
        "The servers of an ensemble; one line alone means a single server. A port for clients in \
         the line counts if dataDir/myid has its number.",
    )
    .file_only(),
    text(
        "group*",
        "",
        "group.N: a group of servers with a quorum of its own; for a single server only checked.",
    )
    .file_only(),
    text(
        "weight*",
        "",
        "weight.N: the weight of a server's vote; for a single server only checked.",
    )
    .file_only(),
    text(
        "dynamicConfigFile",
        "",
        "The file with the server.N, group.N and weight.N lines; a single server only reads it.",
    )
    .file_only(),
    flag(
        "standaloneEnabled",
        "true",
        "Whether one server.N line means a server without an \
        ensemble.",
    )
    .file_only(),
    flag(
        "reconfigEnabled",
        "false",
        "Whether clients may change the ensemble; a server that stands alone cannot.",
    )
    .file_only(),
    whole(
        "initLimit",
        NATURAL,
        "",
        "Ticks that a server may take to catch up with its \
        leader.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    whole("syncLimit", NATURAL, "", "Ticks that a server may lag behind its leader.")
        .file_only()
        .not_yet(ENSEMBLE),
    whole(
        "connectToLearnerMasterLimit",
        NATURAL,
        "0",
        "Ticks to reach the leader in; 0 means \
        initLimit.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    whole("electionAlg", (3, 3), "3", "The kind of election; there is one.")
        .file_only()
        .not_yet(ENSEMBLE),
    one_of(
        "peerType",
        &["participant", "observer"],
        "participant",
        "Whether this server \
        votes.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    flag(
        "quorumListenOnAllIPs",
        "false",
        "Whether other servers are heard on every \
        address.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    whole(
        "observerMasterPort",
        PORT,
        "0",
        "The port on which a follower serves \
        observers.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    whole(
        "observerMaster.sizeLimit",
        ANY_INT,
        "33554432",
        "Bytes that a follower keeps for its \
        observers.",
    )
    .not_yet(ENSEMBLE),
    flag("syncEnabled", "true", "Whether an observer keeps a log.").file_only().not_yet(ENSEMBLE),
    flag("observer.syncEnabled", "true", "Whether an observer keeps a log.").not_yet(ENSEMBLE),
    whole(
        "observer.reconnectDelayMs",
        NATURAL,
        "0",
        "Longest pause before an observer \
        reconnects.",
    )
    .not_yet(ENSEMBLE),
    whole(
        "observer.election.DelayMs",
        NATURAL,
        "200",
        "Longest pause of an observer before an \
        election.",
    )
    .not_yet(ENSEMBLE),
    text("oraclePath", "", "The file that decides between two servers.")
        .file_only()
        .not_yet(ENSEMBLE),
    flag("multiAddress.enabled", "false", "Whether servers have several addresses.")
        .not_yet(ENSEMBLE),
    flag(
        "multiAddress.reachabilityCheckEnabled",
        "true",
        "Whether the addresses of a server are \
        tried first.",
    )
    .not_yet(ENSEMBLE),
    whole("multiAddress.reachabilityCheckTimeoutMs", NATURAL, "1000", "How long they are tried.")
        .not_yet(ENSEMBLE),
    Key::new("leaderServes", Form::YesNo, "yes", "Whether a leader serves clients.")
        .not_yet(ENSEMBLE),
    whole("cnxTimeout", NATURAL, "5000", "How long a connection for an election may take, in ms.")
        .not_yet(ENSEMBLE),
    whole(
        "quorumCnxnTimeoutMs",
        NATURAL_OR_UNSET,
        "-1",
        "How long such a connection may be \
        silent.",
    )
    .not_yet(ENSEMBLE),
    whole(
        "quorum.cnxn.threads.size",
        NATURAL,
        "20",
        "Threads that accept such \
        connections.",
    )
    .file_only()
    .not_yet(ENSEMBLE),
    whole("electionPortBindRetry", NATURAL, "3", "How often the election port is tried.")
        .not_yet(ENSEMBLE),
    flag("tcpKeepAlive", "false", "Whether connections of elections use TCP keep-alive.")
        .not_yet(ENSEMBLE),
    whole("fastleader.minNotificationInterval", NATURAL, "200", "Shortest pause between votes.")
        .not_yet(ENSEMBLE),
    whole("fastleader.maxNotificationInterval", NATURAL, "60000", "Longest pause between votes.")
        .not_yet(ENSEMBLE),
    whole(
        "leader.maxTimeToWaitForEpoch",
        NATURAL_OR_UNSET,
        "-1",
        "How long a leader waits for \
        followers.",
    )
    .not_yet(ENSEMBLE),
    whole(
        "leader.maxConcurrentSnapSyncs",
        NATURAL,
        "10",
        "Servers that are sent a snapshot at a \
        time.",
    )
    .not_yet(ENSEMBLE),
    whole("leader.maxConcurrentDiffSyncs", NATURAL, "100", "Servers that are sent txns at a time.")
        .not_yet(ENSEMBLE),
    whole(
        "leader.ackLoggingFrequency",
        ANY_INT,
        "1000",
        "How often a leader notes the delay of \
        acknowledgements.",
    )
    .not_yet(ENSEMBLE),
    flag("leader.closeSocketAsync", "false", "Whether a leader closes sockets on another thread.")
        .not_yet(ENSEMBLE),
    flag(
        "learner.closeSocketAsync",
        "false",
        "Whether a follower closes sockets on another \
        thread.",
    )
    .not_yet(ENSEMBLE),
    flag("learner.asyncSending", "false", "Whether a follower sends on another thread.")
        .not_yet(ENSEMBLE),
    whole(
        "leaderConnectDelayDuringRetryMs",
        NATURAL,
        "100",
        "Pause between attempts to reach the \
        leader.",
    )
    .not_yet(ENSEMBLE),
    flag("follower.nodelay", "true", "Whether a follower's sockets send at once.")
        .bare()
        .not_yet(ENSEMBLE),
    flag("leader.nodelay", "true", "Whether a leader's sockets send at once.")
        .bare()
        .not_yet(ENSEMBLE),
    flag(
        "follower.skipLearnerRequestToNextProcessor",
        "false",
        "Whether a follower passes over \
        requests of its observers.",
    )
    .not_yet(ENSEMBLE),
    flag(
        "forward_learner_requests_to_commit_processor_disabled",
        "false",
        "Whether a leader keeps \
        requests of learners from its commit stage.",
    )
    .not_yet(ENSEMBLE),
    flag("forceSnapshotSync", "false", "Whether a learner always gets a snapshot.")
        .not_yet(ENSEMBLE),
];
