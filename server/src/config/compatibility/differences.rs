//! What differs from ZooKeeper, and why.

/// Part, what ZooKeeper does, what this server does, and why.
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
        "the command `monitor` while no clients are served",
        "500, with a stack trace",
        "\"not currently serving requests\", as the other commands",
        "a probe should not have to read traces",
    ],
    [
        "`learner_handler_qp_size`, `learner_handler_qp_time_ms`",
        "packets that wait behind each packet; how long one packet in a thousand has waited",
        "packets that wait behind each send; how long its first packet has waited",
        "packets leave together",
    ],
    [
        "`prep_processor_request_queued` on a leader",
        "counts the reads of its own clients",
        "counts what is ordered: writes, syncs, sessions, and what learners pass on",
        "reads do not pass the ordering role",
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
        "a server's quorum port is taken",
        "is tried when the server begins to lead; if it fails, the next election begins",
        "is tried at the start and then every second; until then the server follows",
        "the log says so before a leader is needed",
    ],
    [
        "a server's election port is taken",
        "is tried while the server runs",
        "is tried before the server loads its data",
        "a server without it takes no part in elections that others begin",
    ],
    [
        "fastleader.minNotificationInterval or maxNotificationInterval below 1",
        "repeats votes without a pause",
        "means 1",
        "a loop without a pause takes a whole core",
    ],
    [
        "leader.maxConcurrentSnapSyncs or maxConcurrentDiffSyncs below 1 in an ensemble, a number \
         above 254 with extendedTypesEnabled, a cnxTimeout that is no number",
        "starts, and then cannot lead, serve or vote",
        "does not start",
        "an operator should notice before the others depend on it",
    ],
    [
        "the file initialize in dataLogDir",
        "is removed when it is read, and a snapshot of nothing is written",
        "is moved beside the log, where it counts until there are data",
        "an empty tree needs no file",
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
        "POST to a command that has none, an unknown address",
        "500 with a stack trace, 404 with a page",
        "405, 404 with a line",
        "no client depends on it",
    ],
    [
        "`shed_connections` (from 3.10 on): which connections, and when",
        "each with the probability that was requested, at once, whatever they are doing; a local \
         session is lost",
        "so many of those that have been idle longest, 200 a second, none with a request under \
         way and none with a local session; `connections_shed` is how many that will be",
        "no request fails, no session is lost, other servers are not flooded",
    ],
    ["the commands `snapshot` and `restore`", "for superusers", "503", "not built yet"],
    [
        "`initial_configuration`, `system_properties`: passwords, `superDigest`",
        "shown",
        "not shown",
        "the admin server authenticates those only who move clients",
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
    [
        "a configuration of more than 48 KiB in `reconfig`",
        "is proposed; one of half a MiB does not fit into the packets of elections",
        "BADARGUMENTS",
        "the ensemble could not elect a leader any more",
    ],
    [
        "a client without a session on a read-only server (`readonlymode.enabled`), unless \
         `localSessionsEnabled`",
        "gets an answer that it cannot read, in place of a session",
        "gets a session",
        "it is what the mode is for",
    ],
    [
        "a session that a read-only server does not know",
        "continues there if the password is right; with `localSessionsEnabled` it does not exist",
        "continues there if the password is right, unless it was made there and has ended",
        "it may be of the ensemble, made after this server lost its leader",
    ],
    [
        "what a read-only server shows",
        "all of its log, with what no quorum has acknowledged",
        "what it knows to be committed; nothing after an import, before it had a leader",
        "what was read must not disappear again",
    ],
    [
        "a write on a read-only server, right behind reads",
        "may be refused before they are answered: its client then breaks the connection",
        "is refused behind them",
        "requests are answered in their order",
    ],
];
