//! What no other table of the server knows.

/// What a key's state means.
pub(super) const STATES: [(&str, &str); 4] = [
    ("same", "it does what it does in ZooKeeper."),
    ("ignored", "it is accepted and noted at start; there is nothing here that it could steer."),
    ("not yet", "what it steers is not built; it is noted at start, and the server runs without."),
    ("refused", "any value but the default keeps the server from starting."),
];

/// What differs, and why.
pub(super) const DIFFERENCES: [[&str; 4]; 32] = [
    [
        "a re-attach with a wrong password",
        "closes the session's connection first, then looks at the password",
        "leaves that connection alone",
        "nobody drives out an owner by the id alone",
    ],
    [
        "createSession (-10) from a client",
        "runs it as its own, and answers as to a connect request",
        "UNIMPLEMENTED, and the connection ends",
        "it is the server's own operation",
    ],
    [
        "deleteContainer (20) from a client",
        "deletes without a look at ACLs",
        "UNIMPLEMENTED, and the connection ends",
        "it is the server's own operation",
    ],
    [
        "createTTL with flags of another kind and a negative ttl, outside a multi",
        "logs it, ends when it cannot apply it, and does not start on that log",
        "BADARGUMENTS",
        "no request may end a server",
    ],
    [
        "a write sent right behind a setACL, before its reply",
        "checked against the old ACL or the new one, as time has it",
        "checked against the new one",
        "requests take effect in their order",
    ],
    [
        "a sequential create behind the name 2147483647, sent before earlier replies",
        "goes on at -2147483648 or answers NODEEXISTS, as time has it",
        "NODEEXISTS; within one multi both go on",
        "requests take effect in their order",
    ],
    [
        "characters above U+FFFF, as in ids of ACLs (no path of a node can have them)",
        "come back as two surrogates of three bytes each",
        "come back as UTF-8, in four bytes",
        "what was sent is what comes back",
    ],
    [
        "names in getChildren and getEphemerals; a closing session's ephemerals: order",
        "of its hash tables",
        "another",
        "it carries no meaning",
    ],
    ["sasl", "as configured", "AUTHFAILED", "not built yet"],
    [
        "an expired or closed session's many ephemerals",
        "one txn, however large",
        "above 10,000: several txns of 1,000, then the close",
        "a txn must fit a segment",
    ],
    [
        "no room on disk",
        "the server ends",
        "SYSTEMERROR for writes, reads go on; `srvr` says so, `mntr` has `zk_writes_refused`",
        "a full disk is mended without a restart",
    ],
    [
        "the version in `srvr`, `stat`, `mntr`, `envi`",
        "3.9.5 and a commit",
        "3.9.5, then `-ringkeeper-` and ours",
        "whose server it is should be known",
    ],
    [
        "`envi`, `environment`: lines of the Java machine",
        "its version, vendor, class path",
        "`<NA>`",
        "there is none",
    ],
    [
        "`dirs`, `conf`: sizes",
        "of files that grow",
        "of segments of a fixed size, prepared ahead",
        "an append allocates nothing",
    ],
    [
        "`cons`, `stat`, `wchc`, `wchp`, `mntr` by parts of the tree: order",
        "of its hash tables",
        "of connections, paths and names",
        "it carries no meaning",
    ],
    [
        "`node_..._watch_count`",
        "one measurement an event",
        "one for each shard that has watchers of it",
        "shards tell their own connections; the sums are the same",
    ],
    [
        "`read_per_namespace`, `write_per_namespace`",
        "any number of parts",
        "the first 1,000, whose names have at most 256 bytes",
        "clients choose the names",
    ],
    [
        "`approximate_data_size` where there are quotas",
        "counts the nodes of their usage as long as they were written by a client",
        "as long as they are",
        "it is the size of the tree",
    ],
    [
        "`approximate_data_size` after a restart, with data in the root",
        "counts the root's data twice",
        "counts it once",
        "it is the size of the tree",
    ],
    [
        "the usage of a quota after a restart",
        "may count nodes twice that were made while the snapshot was written",
        "what is there",
        "a snapshot here is of one zxid",
    ],
    [
        "a change below a quota whose usage a client made unreadable",
        "ends when it applies it",
        "goes on from what can be read",
        "no request may end a server",
    ],
    [
        "a session moves to a new connection while an older one of it is being cleaned up",
        "may forget to close the connection before the new one",
        "closes it",
        "one session has one connection",
    ],
    [
        "the admin server's default port is taken",
        "the server ends",
        "it starts with a warning, unless admin.serverPort is written",
        "clients are served whatever else runs",
    ],
    [
        "an answer to a word or a command that is not taken",
        "is kept while its connection is",
        "given up after 5 s in which its peer took nothing (1 s while others wait for the memory), \
         and after 30 s in all (10 s)",
        "unread answers hold 256 MiB at most",
    ],
    [
        "answers to words and commands above 32 MiB",
        "whole",
        "cut there; a word says so at its end",
        "as above",
    ],
    [
        "very many words at once",
        "each holds a thread or waits for one",
        "4,096 are answered and 1,024 wait, of those with a large answer 1,024 wait up to 60 s; \
         one more is closed unanswered. Short answers do not wait for large ones",
        "memory and descriptors are bounded",
    ],
    [
        "connections to the admin server and the page of metrics",
        "kept for more requests; a request takes one of 200 threads",
        "closed behind one answer. 256 on a port; for one more, the one that has said nothing for \
         longest is closed. 64 large answers wait, one more is 503",
        "silent peers keep no probe waiting",
    ],
    [
        "POST to a command, an unknown address",
        "500 with a stack trace, 404 with a page",
        "405, 404 with a line",
        "nothing depends on it",
    ],
    [
        "the commands `snapshot` and `restore`",
        "for those who may do everything",
        "503",
        "not built yet",
    ],
    [
        "`initial_configuration`, `system_properties`: passwords, `superDigest`",
        "shown",
        "not shown",
        "the admin server asks nobody who he is",
    ],
    [
        "`system_properties`",
        "those of the Java machine",
        "what was configured, and those that tell of the machine",
        "there is no Java machine",
    ],
    [
        "the page for Prometheus: `jvm_...`, quantiles of `..._per_namespace`",
        "there",
        "not there",
        "there is no Java machine; quantiles by names that clients choose cost memory",
    ],
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
    (16, "reconfig", "not yet: RECONFIGDISABLED"),
    (17, "checkWatches", "same"),
    (18, "removeWatches", "same"),
    (19, "createContainer", "same"),
    (20, "deleteContainer", "UNIMPLEMENTED: the server's own"),
    (21, "createTTL", "same"),
    (22, "multiRead", "same"),
    (100, "auth", "same: digest, ip"),
    (101, "setWatches", "same"),
    (102, "sasl", "not yet: AUTHFAILED"),
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
    ("gtmk", "same: the mask is kept, there is no trace whose classes it would choose"),
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
pub(super) const COMMANDS: [(&str, &str); 28] = [
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
    ("observer_connection_stat_reset", "same: nothing to reset"),
    ("observers", "same: none"),
    ("restore", "not yet: 503"),
    ("ruok", "same"),
    ("server_stats", "same"),
    ("set_trace_mask", "same"),
    ("snapshot", "not yet: 503"),
    ("stat_reset", "same"),
    ("stats", "same"),
    ("system_properties", "what was configured, without secrets"),
    ("voting_view", "same: empty"),
    ("watch_summary", "same"),
    ("watches", "same"),
    ("watches_by_path", "same"),
    ("zabstate", "same: not of an ensemble"),
];

/// Properties that ZooKeeper reads of Java itself.
pub(super) const JAVA: [(&str, &str); 4] = [
    ("java.security.auth.login.config", "SASL is not built yet"),
    ("jdk.tls.rejectClientInitiatedRenegotiation", "TLS is not built yet"),
    ("sun.security.jgss.native", "SASL is not built yet"),
    ("java.*, os.*, user.*", "they tell of the Java machine"),
];
