//! The tables that exist for the page of compatibility only.

/// What a key's state means.
pub(super) const STATES: [(&str, &str); 4] = [
    (
        "same",
        "it is read in the same places and in the same way as in ZooKeeper, and does the same.",
    ),
    ("ignored", "it is accepted and noted at start; there is nothing here that it could affect."),
    (
        "not yet",
        "what it configures is not built; it is noted at start, and the server runs without it.",
    ),
    ("refused", "with any value but the default the server does not start."),
];

/// Every operation with its number.
pub(super) const OPERATIONS: [(i32, &str, &str); 29] = [
    (1, "create", "same"),
    (2, "delete", "same"),
    (3, "exists", "same"),
    (4, "getData", "same"),
    (5, "setData", "same"),
    (6, "getACL", "same"),
    (7, "setACL", "same"),
    (8, "getChildren", "same"),
    (9, "sync", "same"),
    (11, "ping", "same"),
    (12, "getChildren2", "same"),
    (13, "check", "same: in a multi only"),
    (14, "multi", "same"),
    (15, "create2", "same"),
    (16, "reconfig", "same"),
    (17, "checkWatches", "same"),
    (18, "removeWatches", "same"),
    (19, "createContainer", "same"),
    (20, "deleteContainer", "UNIMPLEMENTED: the server's own"),
    (21, "createTTL", "same"),
    (22, "multiRead", "same"),
    (100, "auth", "same: digest, ip, ensemble, key; sasl and x509 in ACLs only"),
    (101, "setWatches", "same"),
    (102, "sasl", "not yet: as if it were not configured"),
    (103, "getEphemerals", "same"),
    (104, "getAllChildrenNumber", "same"),
    (105, "setWatches2", "same"),
    (106, "addWatch", "same"),
    (107, "whoAmI", "same"),
];

/// Every four-letter word.
pub(super) const WORDS: [(&str, &str); 18] = [
    ("conf", "same"),
    ("cons", "same"),
    ("crst", "same"),
    ("dirs", "same"),
    ("dump", "same"),
    ("envi", "same"),
    ("gtmk", "same: the mask is kept, there is no trace whose classes it would select"),
    ("hash", "same"),
    ("isro", "same"),
    ("mntr", "same"),
    ("ruok", "same"),
    ("srst", "same"),
    ("srvr", "same"),
    ("stat", "same"),
    ("stmk", "same: as gtmk"),
    ("wchc", "same"),
    ("wchp", "same"),
    ("wchs", "same"),
];

/// Every command of the admin server.
pub(super) const COMMANDS: [(&str, &str); 30] = [
    ("admission", "ours: bounds for a time how many connections are admitted"),
    ("configuration", "same"),
    ("connection_stat_reset", "same"),
    ("connections", "same"),
    ("dirs", "same"),
    ("dump", "same"),
    ("environment", "same"),
    ("get_trace_mask", "same"),
    ("hash", "same"),
    ("initial_configuration", "same, without secrets"),
    ("is_read_only", "same"),
    ("last_snapshot", "same"),
    ("leader", "same"),
    ("monitor", "same"),
    ("observer_connection_stat_reset", "same"),
    ("observers", "same; packets about sessions that go together are counted as one"),
    ("restore", "not yet: 503"),
    ("ruok", "same"),
    ("server_stats", "same"),
    ("set_trace_mask", "same"),
    (
        "shed_connections",
        "as from 3.10 on, but no connection is closed while it is busy, and no more than 200 in a \
         second; also `count`, `per_second`, `patience_ms`",
    ),
    ("snapshot", "not yet: 503"),
    ("stat_reset", "same"),
    ("stats", "same"),
    ("system_properties", "what was configured, without secrets"),
    ("voting_view", "same"),
    ("watch_summary", "same"),
    ("watches", "same"),
    ("watches_by_path", "same"),
    ("zabstate", "same"),
];

/// Properties that ZooKeeper reads of Java itself.
pub(super) const JAVA: [(&str, &str); 4] = [
    ("java.security.auth.login.config", "SASL is not built yet"),
    ("jdk.tls.rejectClientInitiatedRenegotiation", "TLS is not built yet"),
    ("sun.security.jgss.native", "SASL is not built yet"),
    ("java.*, os.*, user.*", "they are about the Java machine"),
];
