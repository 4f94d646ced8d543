//! Where a configuration key counts and what each spelling means, as far as clients can see.
//!
//! Each row is a server of its own. What is not visible from outside was recorded from
//! `ZooKeeper`'s own classes: see `tests/keys`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use harness::client::create_body;
use harness::{Acl, Body, Client, Handshake, Server, is_reference, opcode};

/// Lines of zoo.cfg separated by `|`, those that begin with `-` removed; system properties
/// separated by blanks; what is then observed.
type Row = (&'static str, &'static str, Seen);

/// What a client sees of a configuration.
#[derive(Clone, Copy, Debug)]
enum Seen {
    /// A server that starts.
    Starts(bool),
    /// Access lists are not enforced.
    Open(bool),
    /// The four-letter word is answered.
    Word(&'static str, bool),
    /// A line of the word `conf`.
    Conf(&'static str),
    /// The timeout granted to a session that requests the first.
    Timeout(i32, i32),
    /// A node with a time to live can be created.
    Ttl(bool),
    /// A node of this many bytes can be created.
    Bytes(usize, bool),
    /// A client that has not authenticated is served.
    Strangers(bool),
    /// Credentials of the scheme digest are accepted.
    Digest(bool),
    /// A client with this password may do everything.
    Super(&'static [u8], bool),
    /// A hard quota refuses a node.
    Quota(bool),
    /// This many connections are accepted, and no more; at least four where unset.
    Connections(Option<usize>),
}

use Seen::{
    Bytes, Conf, Connections, Digest, Open, Quota, Starts, Strangers, Super, Timeout, Ttl, Word,
};

/// Who may do what.
const ACCESS: &[Row] = &[
    ("skipACL=yes", "", Open(true)),
    ("skipACL= yes ", "", Open(true)),
    ("skipACL=YES", "", Open(false)),
    ("skipACL=Yes", "", Open(false)),
    ("skipACL=true", "", Open(false)),
    ("skipACL=1", "", Open(false)),
    ("skipACL=\"yes\"", "", Open(false)),
    ("skipACL=", "", Open(false)),
    ("skipacl=yes", "", Open(false)),
    ("zookeeper.skipACL=yes", "", Open(false)),
    ("zookeeper.zookeeper.skipACL=yes", "", Open(false)),
    ("", "zookeeper.skipACL=yes", Open(true)),
    ("", "zookeeper.skipACL=Yes", Open(false)),
    ("", "zookeeper.skipACL=\"yes\"", Open(false)),
    ("", "zookeeper.skipACL='yes'", Open(false)),
    ("", "zookeeper.skipACL=y\\es", Open(false)),
    ("", "zookeeper.skipACL", Open(false)),
    ("", "skipACL=yes", Open(false)),
    ("", "zookeeper.zookeeper.skipACL=yes", Open(false)),
    ("", "zookeeper.skipACL=yes zookeeper.skipACL=no", Open(false)),
    ("", "zookeeper.skipACL=no zookeeper.skipACL=yes", Open(true)),
    ("skipACL=no", "zookeeper.skipACL=yes", Open(false)),
    ("skipACL=YES", "zookeeper.skipACL=yes", Open(false)),
    ("skipACL=yes", "zookeeper.skipACL=no", Open(true)),
    ("zookeeper.skipACL=no", "zookeeper.skipACL=yes", Open(true)),
    ("enforce.auth.enabled=true|enforce.auth.schemes=digest", "", Strangers(false)),
    ("enforce.auth.enabled=TRUE|enforce.auth.schemes= digest ", "", Strangers(false)),
    ("enforce.auth.enabled=yes|enforce.auth.schemes=digest", "", Strangers(true)),
    ("enforce.auth.enabled=1|enforce.auth.schemes=nope", "", Strangers(true)),
    ("zookeeper.enforce.auth.enabled=true|enforce.auth.schemes=digest", "", Strangers(true)),
    ("enforce.auth.schemes=digest", "zookeeper.enforce.auth.enabled=true", Strangers(false)),
    ("enforce.auth.schemes=digest", "enforce.auth.enabled=true", Strangers(true)),
    ("enforce.auth.enabled=true|enforce.auth.schemes=digest,", "", Strangers(false)),
    ("enforce.auth.enabled=true|enforce.auth.schemes=,digest", "", Starts(false)),
    ("enforce.auth.enabled=true|enforce.auth.schemes=Digest", "", Starts(false)),
    ("enforce.auth.enabled=true|enforce.auth.schemes=", "", Starts(false)),
    ("enforce.auth.enabled=true|enforce.auth.schemes=,", "", Starts(false)),
    ("enforce.auth.enabled=true", "", Starts(false)),
    ("enforce.auth.enabled=true", "zookeeper.enforce.auth.schemes=ip", Strangers(true)),
    ("sessionRequireClientSASLAuth=true", "", Starts(false)),
    ("sessionRequireClientSASLAuth=yes", "", Strangers(true)),
    ("DigestAuthenticationProvider.enabled=false", "", Digest(false)),
    ("DigestAuthenticationProvider.enabled=yes", "", Digest(false)),
    ("DigestAuthenticationProvider.enabled=True", "", Digest(true)),
    ("zookeeper.DigestAuthenticationProvider.enabled=false", "", Digest(true)),
    ("", "zookeeper.DigestAuthenticationProvider.enabled=no", Digest(false)),
    ("", "DigestAuthenticationProvider.enabled=false", Digest(true)),
    (SUPER, "", Super(b"super:admin", true)),
    (SUPER, "", Super(b"super:Admin", false)),
    (SUPER_AMISS, "", Super(b"super:admin", false)),
    (SUPER_256, "", Super(b"super:admin", true)),
    ("DigestAuthenticationProvider.digestAlg=nope", "", Starts(false)),
    ("DigestAuthenticationProvider.digestAlg=", "", Starts(false)),
    ("zookeeper.DigestAuthenticationProvider.digestAlg=nope", "", Starts(true)),
    ("quorum.auth.serverRequireSasl=true", "", Starts(false)),
    ("quorum.auth.learnerRequireSasl=true", "", Starts(false)),
    ("quorum.auth.enableSasl=true|quorum.auth.serverRequireSasl=true", "", Starts(false)),
    ("zookeeper.quorum.auth.serverRequireSasl=true", "", Starts(true)),
];

const SUPER: &str = "DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";
const SUPER_AMISS: &str =
    "zookeeper.DigestAuthenticationProvider.superDigest=super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";
const SUPER_256: &str = "DigestAuthenticationProvider.digestAlg=sha-256|\
    DigestAuthenticationProvider.superDigest=super:wtZw1Um4mq1rRKbXqxHs8ueodBP35/JhtBP/nwJ62WY=";

/// What is answered, and the limits.
const LIMITS: &[Row] = &[
    ("4lw.commands.whitelist=", "", Word("mntr", false)),
    ("4lw.commands.whitelist=mntr", "", Word("mntr", true)),
    ("4lw.commands.whitelist= stat , mntr ", "", Word("mntr", true)),
    ("4lw.commands.whitelist=Mntr", "", Word("mntr", false)),
    ("4lw.commands.whitelist=stat mntr", "", Word("mntr", false)),
    ("4lw.commands.whitelist=stat,*,nope", "", Word("mntr", true)),
    ("4lw.commands.whitelist=\"*\"", "", Word("mntr", false)),
    ("4lw.commands.whitelist=|zookeeper.4lw.commands.whitelist=*", "", Word("mntr", false)),
    ("-4lw.commands.whitelist", "zookeeper.4lw.commands.whitelist=mntr", Word("mntr", true)),
    ("-4lw.commands.whitelist", "zookeeper.4lw.commands.whitelist=\"*\"", Word("mntr", false)),
    ("-4lw.commands.whitelist", "4lw.commands.whitelist=*", Word("mntr", false)),
    ("4lw.commands.whitelist=stat", "zookeeper.4lw.commands.whitelist=*", Word("mntr", false)),
    ("4lw.commands.whitelist=|readonlymode.enabled=true", "", Word("isro", false)),
    ("4lw.commands.whitelist=", "readonlymode.enabled=true", Word("isro", true)),
    ("4lw.commands.whitelist=", "readonlymode.enabled=TRUE", Word("isro", false)),
    ("4lw.commands.whitelist=", "readonlymode.enabled=yes", Word("isro", false)),
    ("4lw.commands.whitelist=", "zookeeper.readonlymode.enabled=true", Word("isro", false)),
    ("", "", Bytes(1_000_000, true)),
    ("", "", Bytes(1_500_000, false)),
    ("jute.maxbuffer=4000000", "", Bytes(1_500_000, false)),
    ("zookeeper.jute.maxbuffer=4000000", "", Bytes(1_500_000, false)),
    ("", "zookeeper.jute.maxbuffer=4000000", Bytes(1_500_000, false)),
    ("", "jute.maxbuffer=4000000", Bytes(1_500_000, true)),
    ("", "jute.maxbuffer=0x400000", Bytes(1_500_000, true)),
    ("", "jute.maxbuffer=4m", Bytes(1_000_000, true)),
    ("", "jute.maxbuffer=4m", Bytes(1_500_000, false)),
    ("", "jute.maxbuffer=020000", Bytes(7_000, true)),
    ("", "jute.maxbuffer=020000", Bytes(9_000, false)),
    ("maxClientCnxns=2", "", Connections(Some(2))),
    ("maxClientCnxns=-2", "", Connections(None)),
    ("maxCnxns=2", "", Connections(Some(2))),
    ("maxCnxns=0x2", "", Connections(Some(2))),
    ("maxCnxns=-1", "", Connections(None)),
    ("maxCnxns=two", "", Connections(None)),
    ("zookeeper.maxCnxns=2", "", Connections(None)),
    ("", "zookeeper.maxCnxns=2", Connections(Some(2))),
    ("", "maxCnxns=2", Connections(None)),
    ("zookeeper.maxClientCnxns=2", "zookeeper.maxClientCnxns=2", Connections(None)),
    ("extendedTypesEnabled=true", "", Ttl(true)),
    ("extendedTypesEnabled=TRUE", "", Ttl(true)),
    ("extendedTypesEnabled=yes", "", Ttl(false)),
    ("extendedTypesEnabled=1", "", Ttl(false)),
    ("-extendedTypesEnabled", "zookeeper.extendedTypesEnabled=true", Ttl(true)),
    ("-extendedTypesEnabled", "extendedTypesEnabled=true", Ttl(false)),
    ("-extendedTypesEnabled|zookeeper.extendedTypesEnabled=true", "", Ttl(false)),
    ("enforceQuota=true", "", Quota(true)),
    ("enforceQuota=yes", "", Quota(false)),
    ("enforceQuota=on", "zookeeper.enforceQuota=true", Quota(false)),
    ("zookeeper.enforceQuota=true", "", Quota(false)),
    ("", "zookeeper.enforceQuota=true", Quota(true)),
];

/// Numbers of the file, which `ZooKeeper` reads strictly.
const NUMBERS: &[Row] = &[
    ("tickTime=700", "", Conf("tickTime=700")),
    ("tickTime=+700", "", Conf("tickTime=700")),
    ("tickTime=010", "", Conf("tickTime=10")),
    ("tickTime=7200000|-maxSessionTimeout", "", Conf("tickTime=7200000")),
    ("-tickTime", "zookeeper.tickTime=700", Conf("tickTime=3000")),
    ("-tickTime|zookeeper.tickTime=700", "tickTime=700", Conf("tickTime=3000")),
    ("tickTime=0", "", Starts(false)),
    ("tickTime=", "", Starts(false)),
    ("tickTime=0x10", "", Starts(false)),
    ("tickTime=2s", "", Starts(false)),
    ("tickTime=2000.0", "", Starts(false)),
    ("tickTime=99999999999", "", Starts(false)),
    ("tickTime=-5|-maxSessionTimeout", "", Starts(false)),
    ("tickTime=107374183|-maxSessionTimeout", "", Starts(false)),
    ("tickTime=2000|-maxSessionTimeout", "", Timeout(1, 4_000)),
    ("tickTime=2000|-maxSessionTimeout", "", Timeout(90_000, 40_000)),
    ("minSessionTimeout=-1", "", Timeout(1, 1_000)),
    ("minSessionTimeout=30", "", Timeout(1, 30)),
    ("minSessionTimeout=40001", "", Starts(false)),
    ("minSessionTimeout=x", "", Starts(false)),
    ("maxSessionTimeout=5000", "", Timeout(9_000, 5_000)),
    ("maxSessionTimeout=999", "", Starts(false)),
    ("maxSessionTimeout=5000", "zookeeper.maxSessionTimeout=7000", Timeout(9_000, 5_000)),
    ("maxClientCnxns=7", "", Conf("maxClientCnxns=7")),
    ("-maxClientCnxns", "", Conf("maxClientCnxns=60")),
    ("maxClientCnxns=many", "", Starts(false)),
    ("clientPortListenBacklog=7", "", Conf("clientPortListenBacklog=7")),
    ("clientPortListenBacklog=x", "", Starts(false)),
    ("initLimit=x", "", Starts(false)),
    ("syncLimit=5s", "", Starts(false)),
    ("connectToLearnerMasterLimit=", "", Starts(false)),
    ("electionAlg=3", "", Starts(true)),
    ("electionAlg=2", "", Starts(false)),
    ("observerMasterPort=-70000", "", Starts(true)),
    ("observerMasterPort=x", "", Starts(false)),
    ("quorum.cnxn.threads.size=x", "", Starts(false)),
    ("autopurge.snapRetainCount=1", "", Starts(true)),
    ("autopurge.snapRetainCount=x", "", Starts(false)),
    ("autopurge.purgeInterval=-1", "", Starts(true)),
    ("autopurge.purgeInterval=1d", "", Starts(false)),
    ("multiAddress.reachabilityCheckTimeoutMs=x", "", Starts(false)),
    ("", "zookeeper.multiAddress.reachabilityCheckTimeoutMs=x", Starts(false)),
    ("jvm.pause.sleep.time.ms=x", "", Starts(false)),
];

/// What starts with an odd value, and what does not.
const STARTS: &[Row] = &[
    ("forceSync=false", "", Starts(true)),
    ("leaderServes=true", "", Starts(true)),
    ("localSessionsEnabled=TRUE", "", Starts(true)),
    ("localSessionsEnabled=yes", "", Starts(false)),
    ("localSessionsUpgradingEnabled=1", "", Starts(false)),
    ("quorumListenOnAllIPs=", "", Starts(false)),
    ("syncEnabled=on", "", Starts(false)),
    ("standaloneEnabled=yes", "", Starts(false)),
    ("reconfigEnabled=False", "", Starts(true)),
    ("reconfigEnabled=no", "", Starts(false)),
    ("sslQuorum=no", "", Starts(false)),
    ("portUnification=no", "", Starts(false)),
    ("jvm.pause.monitor=0", "", Starts(false)),
    ("multiAddress.enabled=no", "", Starts(false)),
    ("", "zookeeper.multiAddress.enabled=no", Starts(true)),
    ("peerType=observer", "", Starts(true)),
    ("peerType=Participant", "", Starts(true)),
    ("peerType=leader", "", Starts(false)),
    ("snapCount=1k", "", Starts(true)),
    ("snapCount=-5", "", Starts(true)),
    ("preAllocSize=64MB", "", Starts(true)),
    ("preAllocSize=-1", "", Starts(true)),
    ("globalOutstandingLimit=0", "", Starts(true)),
    ("globalOutstandingLimit=x", "", Starts(true)),
    ("largeRequestMaxBytes=0", "", Starts(true)),
    ("connection_throttle_tokens=", "", Starts(true)),
    ("connection_throttle_drop_increase=2.0", "", Starts(true)),
    ("connection_throttle_drop_increase=x", "", Starts(false)),
    ("connection_throttle_decrease_ratio=", "", Starts(false)),
    ("fsync.warningthresholdms=-1", "", Starts(true)),
    ("nio.sessionlessCnxnTimeout=0", "", Starts(false)),
    ("nio.numSelectorThreads=0", "", Starts(false)),
    ("nio.numSelectorThreads=x", "", Starts(true)),
    ("nio.numWorkerThreads=-1", "", Starts(true)),
    ("intBufferStartingSizeBytes=1", "", Starts(false)),
    ("watchManagerName=x", "", Starts(false)),
    ("serverCnxnFactory=x", "", Starts(false)),
    ("pathStats.sampleRate=x", "", Starts(false)),
    ("snapshot.compression.method=zip", "", Starts(true)),
    ("authProvider.1=no.such.Class", "", Starts(true)),
    ("metricsProvider.className=Prometheus", "", Starts(false)),
    ("metricsProvider.httpPort=x", "", Starts(true)),
    ("admin.serverPort=70000", "", Starts(true)),
    ("admin.commandURL=commands", "", Starts(true)),
    ("admin.enableServer=true|admin.serverPort=70000", "", Starts(false)),
    ("admin.enableServer=no|admin.serverPort=70000", "", Starts(false)),
    ("admin.enableServer=true|admin.serverPort=0|admin.commandURL=c", "", Starts(false)),
    ("admin.enableServer=true|admin.serverPort=0|admin.commandURL=/c", "", Starts(true)),
    ("", "znode.container.checkIntervalMs=0", Starts(false)),
    ("", "znode.container.checkIntervalMs=x", Starts(true)),
    ("znode.container.checkIntervalMs=0", "", Starts(true)),
    ("", "znode.container.maxPerMinute=0", Starts(true)),
    ("datadir.autocreate=FALSE", "", Starts(false)),
    ("datadir.autocreate=yes", "", Starts(false)),
    ("datadir.autocreate=TRUE", "", Starts(true)),
    ("no.such.key=\\u00e9", "", Starts(true)),
    ("no.such.key=\\u00", "", Starts(false)),
];

#[test]
fn keys_of_access_count_where_and_how_zookeeper_reads_them() {
    check(ACCESS);
}

#[test]
fn keys_of_limits_count_where_and_how_zookeeper_reads_them() {
    check(LIMITS);
}

#[test]
fn numbers_are_read_as_zookeeper_reads_them() {
    check(NUMBERS);
}

#[test]
fn servers_start_where_zookeeper_does() {
    check(STARTS);
}

/// Checks every row, two servers at a time, and reports all that differ.
fn check(rows: &[Row]) {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut wrong = Vec::new();
        while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(look(row).err().map(|seen| format!("{row:?}: {seen}")));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let threads = [scope.spawn(work), scope.spawn(work)];
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} rows are otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

/// `Err` with what was observed instead.
fn look(&(lines, properties, seen): &Row) -> Result<(), String> {
    let mut config = Server::config();
    for line in lines.split('|').filter(|line| !line.is_empty()) {
        config = match (line.strip_prefix('-'), line.split_once('=')) {
            (Some(key), _) => config.without(key),
            (None, Some((key, value))) => config.set(key, value),
            (None, None) => panic!("{line} is no line"),
        };
    }
    for property in properties.split(' ').filter(|property| !property.is_empty()) {
        config = config.property(property);
    }
    let server = match (config.try_start(), seen) {
        (Ok(_), Starts(true)) | (Err(_), Starts(false)) => return Ok(()),
        // Stock reads some values only once it serves.
        (Ok(mut server), Starts(false)) if is_reference() => {
            server.wait_end();
            return Ok(());
        }
        (Ok(_), Starts(false)) => return Err("it starts".to_owned()),
        (Err(log), _) => return Err(format!("it does not start:\n{log}")),
        (Ok(server), _) => server,
    };
    let is = |expected: bool, found: bool| {
        if expected == found { Ok(()) } else { Err(found.to_string()) }
    };
    match seen {
        Starts(_) => Ok(()),
        Open(open) => is(open, may_delete_what_is_shut(&server, None)),
        Super(password, may) => is(may, may_delete_what_is_shut(&server, Some(password))),
        Word(word, answered) => is(answered, !server.word(word).contains("whitelist")),
        Conf(line) => {
            let conf = server.word("conf");
            if conf.lines().any(|it| it == line) { Ok(()) } else { Err(conf) }
        }
        Timeout(timeout_ms, granted) => {
            let handshake = Handshake { timeout_ms, ..Handshake::default() };
            let client = Client::open(server.address(), &handshake).expect("answered");
            let found = client.welcome().timeout_ms;
            if found == granted { Ok(()) } else { Err(found.to_string()) }
        }
        Ttl(possible) => {
            let mut client = Client::connect(server.address());
            is(possible, client.create_ttl("/ttl", b"", 5, 60_000).is_ok())
        }
        Bytes(count, possible) => is(possible, takes(&server, count)),
        Strangers(served) => {
            let mut client = Client::connect(server.address());
            let exists = Body::new().string("/").boolean(false);
            is(served, client.call(opcode::EXISTS, &exists).err == 0)
        }
        Digest(taken) => {
            let mut client = Client::connect(server.address());
            is(taken, client.add_auth("digest", b"alice:secret").is_ok())
        }
        Quota(refuses) => is(refuses, refuses_beyond_quota(&server)),
        Connections(count) => {
            // One that is cut off at once is recognised by its end.
            let clients: Vec<_> = (0..4)
                .map_while(|_| Client::open(server.address(), &Handshake::default()))
                .collect();
            is(true, clients.len() == count.unwrap_or(4)).map_err(|_| clients.len().to_string())
        }
    }
}

/// Whether a node whose ACL denies every change can be changed, with these credentials or none.
fn may_delete_what_is_shut(server: &Server, credentials: Option<&[u8]>) -> bool {
    let mut client = Client::connect(server.address());
    client.create("/shut", b"", &[Acl::new(1, "world", "anyone")], 0).unwrap();
    if let Some(credentials) = credentials {
        client.add_auth("digest", credentials).unwrap();
    }
    client.set("/shut", b"x", -1).is_ok()
}

/// Whether a request as long as this is served: one that is too long ends the connection.
fn takes(server: &Server, count: usize) -> bool {
    let mut client = Client::connect(server.address());
    let body = create_body("/long", &vec![b'x'; count], &Acl::open(), 0);
    let sent = client.try_post(opcode::CREATE, &body);
    sent.and_then(|xid| client.try_reply(xid)).is_some_and(|reply| reply.err == 0)
}

fn refuses_beyond_quota(server: &Server) -> bool {
    let mut client = Client::connect(server.address());
    client.make("/limited");
    client.make("/zookeeper/quota/limited");
    let at = |name: &str| format!("/zookeeper/quota/limited/zookeeper_{name}");
    let limits = b"count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1";
    client.create(&at("limits"), limits, &Acl::open(), 0).unwrap();
    client.create(&at("stats"), b"count=1,bytes=0", &Acl::open(), 0).unwrap();
    client.create("/limited/a", b"", &Acl::open(), 0).is_err()
}
