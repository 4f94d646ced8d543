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

/// What differs, and why.
pub(super) const DIFFERENCES: &[[&str; 4]] = &[
    [
        "a re-attach with a wrong password",
        "closes the session's connection first, then checks the password",
        "leaves that connection alone",
        "knowing an id must not be enough to disconnect a session",
    ],
    [
        "createSession (-10) from a client",
        "runs it as its own, and answers as to a connect request",
        "UNIMPLEMENTED, and the connection ends",
        "it is the server's own operation",
    ],
    [
        "deleteContainer (20) from a client",
        "deletes without checking ACLs",
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
        "createContainer with the flag of an ephemeral, and a create below it before its reply",
        "NOCHILDRENFOREPHEMERALS or done, depending on timing",
        "done",
        "the node is a container, not an ephemeral",
    ],
    [
        "a write sent right after a setACL, before its reply",
        "checked against the old ACL or the new one, depending on timing",
        "checked against the new one",
        "requests take effect in their order",
    ],
    [
        "a sequential create after the name 2147483647, sent before earlier replies",
        "continues at -2147483648 or answers NODEEXISTS, depending on timing",
        "NODEEXISTS; within one multi both continue",
        "requests take effect in their order",
    ],
    [
        "characters above U+FFFF, as in ids of ACLs (no path of a node can have them)",
        "are returned as two surrogates of three bytes each",
        "are returned as UTF-8, in four bytes",
        "what was sent is returned unchanged",
    ],
    [
        "names in getChildren and getEphemerals; a closing session's ephemerals: order",
        "of its hash tables",
        "another",
        "it carries no meaning",
    ],
    [
        "a quota whose limits or usage are ephemeral nodes, when their session ends",
        "the session's other nodes leave its usage if a hash table has them first",
        "they do if their paths come first",
        "that order carries no meaning",
    ],
    [
        "sasl, where it is configured",
        "as configured",
        "as if it were not configured: the client gets no token, and gives up",
        "not built yet",
    ],
    [
        "`enforce.auth.schemes` of `sasl` or `x509` alone",
        "starts; clients of these schemes are admitted",
        "does not start",
        "no client could be admitted until SASL and TLS are built",
    ],
    [
        "a node whose ACL is in no file, after an import",
        "MARSHALLINGERROR to every request for it",
        "closed to all but a superuser; `import` names it",
        "an operator can open it again with a setACL",
    ],
    [
        "`preAllocSize` above 8 GiB",
        "overflows",
        "segments have 8 GiB at most",
        "a segment is one file, prepared in advance",
    ],
    [
        "an ACL of the scheme `key` with a null id",
        "accepts it, and ends when it writes the node",
        "MARSHALLINGERROR",
        "no request may end a server",
    ],
    [
        "the txn that ends a session of very many ephemerals",
        "lists them all; above twice `jute.maxbuffer` no server reads it back from its log",
        "lists them up to 1 MiB; a longer list is left out, \
         as with `closeSessionTxn.enabled=false`, and the digest with it",
        "every server can read it, and deletes the same nodes",
    ],
    [
        "a multi against a quota (`enforceQuota`)",
        "each of its parts is checked against what was used before the multi, so together they may \
         exceed the quota",
        "each part is checked against what the parts before it leave",
        "a quota must not be bypassed by a larger request",
    ],
    [
        "the reply to one multiRead",
        "any length that memory holds",
        "64 MiB, and the part that exceeds it; then SYSTEMERROR for the whole request",
        "a small request must not choose how much memory it costs",
    ],
    [
        "identities of one connection (`addauth`)",
        "any number",
        "1,000; the next is AUTHFAILED, and the connection ends",
        "each of them is compared at every access check",
    ],
    [
        "a client that does not read events from its socket",
        "its events accumulate in memory",
        "above 16 MiB of unread replies and events its connection is closed; the session stays",
        "one client must not exhaust the server's memory",
    ],
    [
        "sessions whose timeout passed while the server itself was stalled",
        "may expire, even if their requests wait in its sockets",
        "expire unless something from them waits there: it is read first",
        "a stall of the server does not mean that its clients are silent",
    ],
    [
        "a four-letter word while there are `maxClientCnxns` or `maxCnxns` connections",
        "closed without an answer",
        "answered, as long as these are few; anything else is closed as soon as its first bytes \
         show it, or when it is silent for a second or two",
        "monitoring must not fail because there are many clients, or many requests of its own",
    ],
    [
        "a connection that its client closes on its own side only (half-close)",
        "is closed at once; replies that are not sent yet are lost",
        "is answered to the end of what was received, then closed",
        "every request received is answered",
    ],
    [
        "requests sent right before a reset of the connection (SO_LINGER 0, a killed client)",
        "those that were read before the reset arrived count",
        "the same; but a connection is read some microseconds later here, so that of one that is \
         opened, written to and reset in one go nothing may count",
        "what the kernel has discarded cannot be read",
    ],
    [
        "digits of other scripts in numbers of the configuration, such as U+0662",
        "read as digits",
        "not read as a number",
        "no configuration was found that has them",
    ],
    [
        "no room on disk",
        "the server ends",
        "SYSTEMERROR for writes, reads continue; `srvr` says so, `mntr` has `zk_writes_refused`",
        "a full disk can be fixed without a restart",
    ],
    [
        "the version in `srvr`, `stat`, `mntr`, `envi`",
        "3.9.5 and a commit",
        "3.9.5, then `-ringkeeper-` and ours",
        "operators should see which server it is",
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
        "of segments prepared in advance, which the next start cuts to size",
        "an append allocates nothing",
    ],
    [
        "a start",
        "writes a snapshot",
        "writes none before `snapCount` txns, replayed ones included, are in none",
        "the log has them",
    ],
    [
        "`cons`, `stat`, `wchc`, `wchp`, `mntr` by parts of the tree: order",
        "of its hash tables",
        "of connections, paths and names",
        "it carries no meaning",
    ],
    [
        "`node_..._watch_count`",
        "one measurement per event",
        "one per shard that has watchers for it",
        "each shard notifies its own connections; the sums are the same",
    ],
    [
        "`read_per_namespace`, `write_per_namespace`",
        "any number of parts",
        "the first 1,000, whose names have at most 256 bytes",
        "clients choose the names",
    ],
    [
        "`approximate_data_size` where there are quotas",
        "counts the nodes that hold their usage with the length that a client wrote",
        "counts them with their actual length",
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
        "may count nodes twice that were created while the snapshot was written",
        "counts what is there",
        "a snapshot here is exact at one zxid",
    ],
    [
        "a change below a quota whose usage a client made unreadable",
        "ends when it applies it",
        "continues from what can be read",
        "no request may end a server",
    ],
    [
        "a session moves to a new connection while an older connection of it is being cleaned up",
        "may forget to close the connection before the new one",
        "closes it",
        "one session has one connection",
    ],
    [
        "a client closes or resets its socket while replies are in flight",
        "reads what it sent until a reply cannot be sent",
        "applies every whole request that was received",
        "a request that was received counts",
    ],
    [
        "requests before one that ends the connection",
        "applied; answered after the last answer, before it or never, depending on timing",
        "applied and answered in order, then the last answer",
        "replies are in the order of the requests",
    ],
    [
        "a session moves to a new connection while the old one's requests arrive",
        "applies those that it has read",
        "applies those that it has received, all before the new connection is answered",
        "requests of a session take effect in their order",
    ],
    [
        "the admin server's default port is taken",
        "the server ends",
        "it starts with a warning, unless admin.serverPort or admin.serverAddress is written",
        "clients are served regardless of what else runs",
    ],
    [
        "an answer to a word or a command that is not read",
        "is kept while its connection is",
        "dropped after 5 s in which its peer read nothing (1 s while others wait for the memory), \
         and after 30 s in total (10 s)",
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
        "each occupies a thread or waits for one",
        "4,096 are answered and 1,024 wait, of those with a large answer 1,024 wait up to 60 s; \
         more are closed unanswered. Short answers do not wait for large ones",
        "memory and descriptors are bounded",
    ],
    [
        "connections to the admin server and the page of metrics",
        "kept for more requests; a request takes one of 200 threads",
        "closed after one answer. 256 per port; for another one, the connection that has been \
         silent longest is closed. 64 large answers wait, more get 503",
        "silent peers do not delay probes",
    ],
    [
        "no port for clients: neither clientPort nor the server.N line that myid names has one",
        "the server runs and serves no clients",
        "it does not start, and says which is missing",
        "an operator should notice",
    ],
    [
        "`metricsProvider.httpHost` is a number for which there is a host name",
        "listens on the first address of that name, which may be a different one",
        "listens on that number",
        "it is what was written",
    ],
    [
        "POST to a command, an unknown address",
        "500 with a stack trace, 404 with a page",
        "405, 404 with a line",
        "no client depends on it",
    ],
    ["the commands `snapshot` and `restore`", "for superusers", "503", "not built yet"],
    [
        "`initial_configuration`, `system_properties`: passwords, `superDigest`",
        "shown",
        "not shown",
        "the admin server does not authenticate its callers",
    ],
    [
        "`system_properties`",
        "those of the Java machine",
        "what was configured, and those about the machine",
        "there is no Java machine",
    ],
    [
        "the page for Prometheus: `jvm_...`, quantiles of `..._per_namespace`",
        "there",
        "not there",
        "there is no Java machine; quantiles by names that clients choose cost memory",
    ],
    [
        "JVMFLAGS with a word that is not a flag",
        "Java takes it for the program to run, or for a file with flags",
        "an error at the start",
        "there is no Java machine",
    ],
    [
        "`connection_throttle_tokens` below 0; `..._fill_time`, `..._fill_count` not above 0; \
         `nio.sessionlessCnxnTimeout` or `tickTime` below 0",
        "starts if its arithmetic allows, and serves no clients",
        "an error at the start",
        "no client could open a session",
    ],
    [
        "an empty `dataDir` or `dataLogDir`",
        "the directory `/version-2`",
        "an error at the start",
        "it cannot be intended",
    ],
    [
        "a name of a file with characters outside ASCII in `zoo.cfg`",
        "made from the bytes as ISO-8859-1, in the encoding of its locale",
        "made from them in UTF-8",
        "it is the same in a locale of UTF-8",
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
    (16, "reconfig", "same: as a standalone server"),
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
    ("java.*, os.*, user.*", "they are about the Java machine"),
];
