//! Addresses, sessions, ensemble.

use super::reading::Reading::{
    AnyText, Int, IntOrDefault, LongOrDefault, OffIf, OnIf, OnIfTrue, OneOf, Text, TrueOrFalse,
};
use super::{INT_MAX, Key};

const OBSERVERS_LOG: &str = "an observer keeps a log always: it then returns without a snapshot";
const OBSERVERS_LAG: &str = "an observer gets what it lacks from the memory that a follower has \
    anyway, or from its log: none is too far behind";
const OBSERVERS_COME: &str = "an observer looks for its leader at once";
const ACKS: &str = "of use to the metric ack_latency, which is not measured yet";
const NO_THREADS: &str = "connections between servers are opened and accepted without threads";
const NEVER_WAITS: &str = "sending to another server and closing its connection never wait";
const NO_STAGES: &str = "a request of a learner goes to the leader's log alone: there are no \
     stages of processing that it could be kept from";

pub(super) static KEYS: &[Key] = &[
    Key::new("clientPort", Int, "")
        .within(0, 65_535)
        .says(
            "The port for clients; 0 lets the kernel choose one. Without a configuration file it \
            is 2181.",
        )
        .file_only(),
    Key::new("clientPortAddress", AnyText, "")
        .says(
            "The address for clients: a name or a number; unset and 0.0.0.0 mean every address, \
            an empty value the loopback address. A name's first IPv4 address is taken, unless \
            -Djava.net.preferIPv6Addresses or preferIPv4Stack says otherwise, here and for every \
            other address. Without a configuration file it is 127.0.0.1.",
        )
        .file_only(),
    Key::new("secureClientPort", Int, "")
        .within(0, 65_535)
        .says("The port for clients that use TLS.")
        .file_only()
        .refused("TLS is not built yet: remove the line, and end TLS in a proxy in front"),
    Key::new("secureClientPortAddress", Text, "")
        .says("The address for clients that use TLS.")
        .file_only()
        .refused("TLS is not built yet: remove the line"),
    Key::new("dataDir", Text, "")
        .says(
            "The directory of the snapshots; must be set in a configuration file, without one it \
            is ./data.",
        )
        .file_only(),
    Key::new("dataLogDir", Text, "")
        .says("The directory of the log, best on a device of its own; unset means dataDir.")
        .file_only(),
    Key::new("tickTime", Int, "3000")
        .within(1, INT_MAX)
        .says("The length of a tick in ms, the unit of session expiry.")
        .file_only(),
    Key::new("minSessionTimeout", Int, "-1")
        .says("The shortest session timeout granted, in ms; -1 means 2 ticks.")
        .file_only(),
    Key::new("maxSessionTimeout", Int, "-1")
        .says("The longest session timeout granted, in ms; -1 means 20 ticks.")
        .file_only(),
    Key::new("maxClientCnxns", Int, "60")
        .says("Connections allowed from one address; 0 means no limit.")
        .file_only(),
    Key::new("maxCnxns", IntOrDefault, "0")
        .or_default_below(0)
        .says("Connections allowed in total; 0 means no limit."),
    Key::new("clientPortListenBacklog", Int, "-1")
        .says("Connections that may wait to be accepted; -1 leaves it to the server.")
        .file_only(),
    Key::new("clientTcpKeepAlive", OnIfTrue, "false")
        .says("Whether connections of clients use TCP keep-alive."),
    Key::new("localSessionsEnabled", TrueOrFalse, "false")
        .says(
            "Whether the sessions of a server of an ensemble are local: only this server knows \
            them, and its clients cannot take them elsewhere. A single server has none.",
        )
        .file_only(),
    Key::new("localSessionsUpgradingEnabled", TrueOrFalse, "false")
        .says(
            "Whether a local session becomes a global one when it creates an ephemeral node; \
            otherwise that is answered EPHEMERALONLOCALSESSION.",
        )
        .file_only(),
    Key::new("closeSessionTxn.enabled", OnIfTrue, "true")
        .says("Whether the txn that closes a session lists the nodes it deletes."),
    Key::new("extendedTypesEnabled", OnIfTrue, "false")
        .says("Whether nodes with a time to live may be created."),
    Key::new("emulate353TTLNodes", OnIfTrue, "false").says(
        "Whether owners are read as ZooKeeper 3.5.3 wrote them for nodes with a time to \
            live.",
    ),
    Key::new("znode.container.checkIntervalMs", IntOrDefault, "60000")
        .within(1, INT_MAX)
        .says("How often empty containers and expired nodes are looked for, in ms.")
        .bare(),
    Key::new("znode.container.maxPerMinute", IntOrDefault, "10000")
        .says("How many of them are deleted per minute at most.")
        .bare(),
    Key::new("znode.container.maxNeverUsedIntervalMs", LongOrDefault, "0")
        .limited(0, u32::MAX as i64)
        .says("After how many ms a container that never had a child is deleted; 0 means never.")
        .bare(),
    Key::new("readonlymode.enabled", OnIf("true"), "false")
        .says(
            "Whether a server that has looked for a leader for 2 s, or for a tick if that is \
            longer, serves read-only clients until there is one; it also allows isro among the \
            four-letter words.",
        )
        .bare(),
    Key::new("server.*", AnyText, "")
        .says(
            "The servers of an ensemble; one line alone means a single server. dataDir/myid says \
            which of them this one is; a port for clients counts in that server's line only.",
        )
        .file_only(),
    Key::new("group*", AnyText, "")
        .says(
            "group.N: a group of servers with a quorum of its own: more than half of the groups \
            decide.",
        )
        .file_only(),
    Key::new("weight*", AnyText, "")
        .says("weight.N: the weight of a server's vote within its group.")
        .file_only(),
    Key::new("dynamicConfigFile", AnyText, "")
        .says(
            "The file with the server.N, group.N and weight.N lines; with reconfigEnabled servers \
             write files of their own, and name them here.",
        )
        .file_only(),
    Key::new("standaloneEnabled", TrueOrFalse, "true")
        .says(
            "Whether one server.N line means a server without an ensemble, not an ensemble \
            of one.",
        )
        .file_only(),
    Key::new("reconfigEnabled", TrueOrFalse, "false")
        .says("Whether clients may change the ensemble while its servers run.")
        .file_only(),
    Key::new("initLimit", Int, "")
        .says("Ticks that a server may take to catch up with its leader.")
        .file_only(),
    Key::new("syncLimit", Int, "")
        .says("Ticks that a server may lag behind its leader.")
        .file_only(),
    Key::new("connectToLearnerMasterLimit", Int, "0")
        .says("Ticks to reach the leader in; 0 and less mean initLimit.")
        .file_only(),
    Key::new("electionAlg", Int, "3")
        .within(3, 3)
        .says("The kind of election; there is one.")
        .file_only()
        .no_effect("there is one kind"),
    Key::new("peerType", OneOf(&["participant", "observer"]), "participant")
        .says("Whether this server votes; its server.N line counts if that says otherwise.")
        .file_only(),
    Key::new("quorumListenOnAllIPs", TrueOrFalse, "false")
        .says("Whether to listen for other servers on every address.")
        .file_only(),
    Key::new("observerMasterPort", Int, "0")
        .says(
            "The port on which a follower serves observers, and on which an observer asks the \
             voters in turn, in place of the leader; 0 for none.",
        )
        .file_only(),
    Key::new("observerMaster.sizeLimit", IntOrDefault, "33554432")
        .says("Bytes that a follower keeps for its observers.")
        .no_effect(OBSERVERS_LAG),
    Key::new("syncEnabled", TrueOrFalse, "true")
        .says("Whether an observer keeps a log.")
        .file_only()
        .no_effect(OBSERVERS_LOG),
    Key::new("observer.syncEnabled", OnIfTrue, "true")
        .says("Whether an observer keeps a log.")
        .no_effect(OBSERVERS_LOG),
    Key::new("observer.reconnectDelayMs", LongOrDefault, "0")
        .says("Longest pause before an observer reconnects.")
        .no_effect(OBSERVERS_COME),
    Key::new("observer.election.DelayMs", LongOrDefault, "200")
        .says("Longest pause of an observer before an election.")
        .no_effect(OBSERVERS_COME),
    Key::new("oraclePath", AnyText, "")
        .says(
            "The file that lets this server decide alone, of two that vote, while its first \
             character is 1; with three or more it is not read. Groups and weights do not count \
             beside it.",
        )
        .file_only(),
    Key::new("multiAddress.enabled", OnIfTrue, "false").in_file(TrueOrFalse).says(
        "Whether this server says to the others that it has several addresses in its server.N \
             line. Such lines are read with the Java system property alone, as in \
             ZooKeeper; servers before 3.6 do not understand what is said then.",
    ),
    Key::new("multiAddress.reachabilityCheckEnabled", OnIfTrue, "true").in_file(TrueOrFalse).says(
        "Whether each of a server's several addresses is tried for a short time first: \
             ZooKeeper pings them, Ringkeeper connects to them, one after the other.",
    ),
    Key::new("multiAddress.reachabilityCheckTimeoutMs", Int, "1000").says(
        "How long that is, in ms; an election link to such a server is also given up when what \
             was sent is not acknowledged for so long.",
    ),
    Key::new("leaderServes", OffIf("no"), "yes").says("Whether a leader serves clients."),
    Key::new("cnxTimeout", AnyText, "5000").says(
        "How long connecting for an election may take, in ms; 0 means as long as the \
            system tries.",
    ),
    Key::new("quorumCnxnTimeoutMs", IntOrDefault, "-1").says(
        "How long such a connection may take to introduce itself, in ms; 0 and less \
            mean syncLimit.",
    ),
    Key::new("quorum.cnxn.threads.size", Int, "20")
        .says("Threads that accept such connections.")
        .file_only()
        .no_effect(NO_THREADS),
    Key::new("electionPortBindRetry", IntOrDefault, "3").says(
        "How often binding the election port is tried, once a second; 0 means until it \
            succeeds.",
    ),
    Key::new("tcpKeepAlive", OnIfTrue, "false")
        .says("Whether connections for elections use TCP keep-alive."),
    Key::new("fastleader.minNotificationInterval", IntOrDefault, "200")
        .says("How long an election waits at first before it repeats its vote, in ms."),
    Key::new("fastleader.maxNotificationInterval", IntOrDefault, "60000")
        .says("How long it waits at most; the pause is doubled each time."),
    Key::new("leader.maxTimeToWaitForEpoch", IntOrDefault, "-1").says(
        "After how many ms without an epoch a leader gives up when a server that \
            elected it looks for a leader again; less than 0 means never.",
    ),
    Key::new("leader.maxConcurrentSnapSyncs", IntOrDefault, "10").says(
        "Learners that are sent a snapshot at the same time; an observer that comes then is sent \
             away and comes back, a server that votes never is.",
    ),
    Key::new("leader.maxConcurrentDiffSyncs", IntOrDefault, "100")
        .says("The same of learners that are sent txns."),
    Key::new("leader.ackLoggingFrequency", IntOrDefault, "1000")
        .says("Of how many txns one counts for ack_latency; 0 and less mean none.")
        .not_yet(ACKS),
    Key::new("leader.closeSocketAsync", OnIfTrue, "false")
        .says("Whether a leader closes sockets on another thread.")
        .no_effect(NEVER_WAITS),
    Key::new("learner.closeSocketAsync", OnIfTrue, "false")
        .says("Whether a follower closes sockets on another thread.")
        .no_effect(NEVER_WAITS),
    Key::new("learner.asyncSending", OnIfTrue, "false")
        .says("Whether a follower sends on another thread.")
        .no_effect(NEVER_WAITS),
    Key::new("leaderConnectDelayDuringRetryMs", IntOrDefault, "100")
        .says("Pause between attempts to reach the leader, in ms."),
    Key::new("follower.nodelay", OnIf("true"), "true")
        .says("Whether a follower's sockets send at once.")
        .bare(),
    Key::new("leader.nodelay", OnIf("true"), "true")
        .says("Whether a leader's sockets send at once.")
        .bare(),
    Key::new("follower.skipLearnerRequestToNextProcessor", OnIfTrue, "false")
        .says("Whether a follower skips requests of its observers.")
        .no_effect(NO_STAGES),
    Key::new("forward_learner_requests_to_commit_processor_disabled", OnIfTrue, "false")
        .says("Whether a leader keeps requests of learners from its commit stage.")
        .no_effect(NO_STAGES),
    Key::new("forceSnapshotSync", OnIfTrue, "false")
        .says("Whether a leader sends every learner a snapshot, whatever it has: for tests."),
];
