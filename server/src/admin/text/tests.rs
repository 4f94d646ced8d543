//! Texts that `ZooKeeper` 3.9.5 printed, and the reports that must give the same texts.

use super::conf::{Conf, DirectorySizes, EnsembleConf, Environment};
use super::connections::Detail;
use super::dump::{Connected, Sessions};
use super::{Date, Mean, Peer, Version, conf, connections, dump, monitor, server, watches};
use crate::admin::inquiry::{
    ConnectionReport, EnsembleReport, EphemeralReport, LastMaxMin, LeadingReport, Mode,
    OrderingReport, Progress, SessionExpiry, ShardReport, Spread, WatchCounts, WatchReport,
};
use crate::admin::metrics::{Counter, Measure, Metrics, QuotaSums, ServerMeasure};
use crate::admin::totals::{Totals, WordCounts};
use crate::admin::values::{Process, values};
use crate::membership::Shown;
use engine::meter::Tally;
use engine::zab::Configuration;
use model::op::Op;
use model::peer::membership::{Member, Membership};
use model::server::ServerId;
use model::session::SessionId;
use model::zxid::Zxid;
use std::path::Path;
use std::sync::Arc;

const BUILT: Version = Version { built_ms: 1_770_841_080_000, has_old_date: false };

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn spread(count: u64, sum: u64, min: u64, max: u64) -> Spread {
    Spread { count, sum, min, max }
}

fn busy() -> ConnectionReport {
    ConnectionReport {
        peer: "127.0.0.1:58044".parse().unwrap(),
        is_reading: true,
        is_writing: false,
        session: SessionId(0x0100_0028_85d6_0000),
        queued: 0,
        received: 6,
        sent: 6,
        last_op: Some(Op::GetChildren),
        established_ms: 1_795_240_917_165,
        heard_ms: 2_711_062,
        timeout_ms: 30_000,
        last_cxid: 5,
        last_zxid: Zxid(7),
        last_response_ms: 2_711_062,
        last_latency_ms: 11,
        latency: spread(6, 192, 0, 81),
    }
}

fn reset() -> ConnectionReport {
    ConnectionReport {
        received: 0,
        sent: 0,
        last_op: None,
        last_cxid: -1,
        last_zxid: Zxid(-1),
        last_response_ms: 0,
        last_latency_ms: 0,
        latency: spread(0, 0, u64::MAX, 0),
        ..busy()
    }
}

fn totals() -> Totals {
    let shard = ShardReport {
        connections: 2,
        received: 34,
        sent: 35,
        busy_permille: 250,
        latency: spread(12, 271, 1, 81),
        response_bytes: Some(LastMaxMin { last: 20, max: 89, min: 16 }),
        data_watches: WatchCounts { connections: 2, paths: 3, watches: 4 },
        child_watch_count: 1,
        ..ShardReport::default()
    };
    let ordering = OrderingReport {
        is_serving: true,
        zxid: Zxid(7),
        node_count: 10,
        data_bytes: 74,
        ephemeral_count: 4,
        session_count: 2,
        ..OrderingReport::default()
    };
    Totals::of(&[shard], ordering, WordCounts { open: 1, received: 1, sent: 0 })
}

/// A server of three.
fn in_ensemble(leading: Option<LeadingReport>) -> EnsembleReport {
    EnsembleReport {
        progress: Progress::Broadcast,
        leader: Some(ServerId(2)),
        quorum_size: 3,
        requests: 7,
        logged: 5,
        master: None,
        observers: None,
        leading,
    }
}

#[test]
fn connections_of_cons() {
    let full = |report| text(|out| connections::connection(out, &report, Detail::Full));
    assert_eq!(
        full(busy()),
        " /127.0.0.1:58044[1](queued=0,recved=6,sent=6,sid=0x100002885d60000,lop=GETC,\
         est=1795240917165,to=30000,lcxid=0x5,lzxid=0x7,lresp=2711062,llat=11,minlat=0,avglat=32,\
         maxlat=81)\n"
    );
    assert_eq!(
        full(reset()),
        " /127.0.0.1:58044[1](queued=0,recved=0,sent=0,sid=0x100002885d60000,lop=NA,\
         est=1795240917165,to=30000,lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=0,avglat=0,\
         maxlat=0)\n"
    );
    let opening = ConnectionReport { session: SessionId(0), is_writing: true, ..busy() };
    assert_eq!(full(opening), " /127.0.0.1:58044[5](queued=0,recved=6,sent=6)\n");
}

#[test]
fn connections_of_stat() {
    let brief = text(|out| {
        connections::connection(out, &busy(), Detail::Brief);
        connections::asker(out, "127.0.0.1:55544".parse().unwrap());
    });
    assert_eq!(
        brief,
        " /127.0.0.1:58044[1](queued=0,recved=6,sent=6)\n \
         /127.0.0.1:55544[0](queued=0,recved=1,sent=0)\n"
    );
}

#[test]
fn srvr() {
    let numbers = text(|out| server::numbers(out, &totals()));
    assert_eq!(
        numbers,
        "Latency min/avg/max: 1/22.5833/81\nReceived: 35\nSent: 35\nConnections: 3\n\
         Outstanding: 0\nZxid: 0x7\nMode: standalone\nNode count: 10\n"
    );
    let fresh = text(|out| server::numbers(out, &Totals::default()));
    assert!(fresh.starts_with("Latency min/avg/max: 0/0.0/0\nReceived: 0\n"), "{fresh}");
    let ours = env!("CARGO_PKG_VERSION");
    assert_eq!(
        text(|out| server::head(out, BUILT, Mode::Standalone)),
        format!("Zookeeper version: 3.9.5-ringkeeper-{ours}, built on 2026-02-11 20:18 UTC\n")
    );
    let old = Version { has_old_date: true, ..BUILT };
    assert_eq!(
        text(|out| server::head(out, old, Mode::Standalone)),
        format!("Zookeeper version: 3.9.5-ringkeeper-{ours}, built on 02/11/2026 20:18 GMT\n")
    );
    assert!(
        text(|out| server::head(out, BUILT, Mode::ReadOnly))
            .ends_with("UTC\nREAD-ONLY mode; serving only read-only clients\n")
    );
}

#[test]
fn srvr_of_a_leader_whose_disk_is_full() {
    let mut totals = totals();
    totals.ordering.mode = Mode::Leader;
    let proposal_bytes = Some(LastMaxMin { last: 48, max: 90, min: 32 });
    let leading = Some(LeadingReport { proposal_bytes, ..LeadingReport::default() });
    totals.ordering.ensemble = Some(in_ensemble(leading));
    totals.ordering.writes_refused = Some("the disk\nis full".into());
    let numbers = text(|out| server::numbers(out, &totals));
    assert!(
        numbers.ends_with(
            "Mode: leader\nNode count: 10\nProposal sizes last/min/max: 48/32/90\n\
             Writes refused: the disk is full\n"
        ),
        "{numbers}"
    );
}

#[test]
fn mntr() {
    let process = Process { uptime_ms: 55_781, descriptors: 55, descriptors_max: 20_000 };
    let shown = text(|out| monitor::monitor(out, BUILT, &values(&totals(), process)));
    let (version, rest) = shown.split_once('\n').unwrap();
    assert_eq!(version, format!("zk_version\t{BUILT}"));
    let gauges = "zk_server_state\tstandalone\nzk_ephemerals_count\t4\n\
         zk_num_alive_connections\t3\n\
         zk_avg_latency\t22.5833\nzk_outstanding_requests\t0\nzk_znode_count\t10\n\
         zk_global_sessions\t2\nzk_non_mtls_remote_conn_count\t0\n\
         zk_last_client_response_size\t20\nzk_packets_sent\t35\nzk_packets_received\t35\n\
         zk_max_client_response_size\t89\nzk_connection_drop_probability\t0.0\n\
         zk_watch_count\t5\nzk_auth_failed_count\t0\nzk_min_latency\t1\n\
         zk_max_file_descriptor_count\t20000\nzk_approximate_data_size\t74\n\
         zk_open_file_descriptor_count\t55\nzk_local_sessions\t0\nzk_uptime\t55781\n\
         zk_max_latency\t81\nzk_outstanding_tls_handshake\t0\nzk_min_client_response_size\t16\n\
         zk_non_mtls_local_conn_count\t0\nzk_watch_bytes\t0\n";
    assert!(rest.starts_with(gauges), "{rest}");
    let ours = "\nzk_p999_write_commitproc_time_ms\t0\nzk_writes_refused\t0\n\
         zk_shard_0_connections\t2\nzk_shard_0_packets_received\t34\n\
         zk_shard_0_outstanding_requests\t0\nzk_shard_0_busy_permille\t250\n";
    assert!(rest.ends_with(ours), "{rest}");
    // Stock's 51 counters, 42 measures in five lines and 23 in nine, and what surrounds them.
    assert_eq!(rest.lines().count(), 25 + 51 + 42 * 5 + 23 * 9 + 5);
}

#[test]
fn mntr_shows_what_was_counted() {
    let mut tally = Tally::default();
    for ms in [1, 2, 3, 4, 9, 70, 81] {
        tally.add(ms);
    }
    let mut of_shard = Metrics::default();
    of_shard.count(Counter::ConnectionRequestCount, 2);
    of_shard.tally(Measure::Updatelatency, &tally);
    of_shard.read.add(b"/a/b", 80);
    let mut other = Metrics::default();
    other.count(Counter::ConnectionRequestCount, 1);
    other.count(Counter::BytesReceivedCount, 580);
    let mut flushes = Tally::default();
    for ms in [0, 0, 0, 1, 1, 1, 3] {
        flushes.add(ms);
    }
    other.tally(Measure::Fsynctime, &flushes);
    other
        .quotas
        .insert("a".to_owned(), QuotaSums { bytes_max: -1, count_max: 5, bytes: 7, count: 2 });
    other.over_quota.add(b"/a/c", 1);
    other.merge(&of_shard);
    let writes_refused = Some("the disk\nis full".into());
    let ordering = OrderingReport { writes_refused, ..OrderingReport::default() };
    let words = WordCounts { open: 1, received: 1, sent: 0 };
    let totals = Totals::of(&[ShardReport::default()], ordering, words);
    let totals = totals.with_metrics(other, words);
    let shown = text(|out| monitor::monitor(out, BUILT, &values(&totals, Process::default())));
    for part in [
        "zk_writes_refused\t1\n",
        "zk_bytes_received_count\t584\n",
        "zk_connection_request_count\t3\n",
        "zk_avg_fsynctime\t0.8571\nzk_min_fsynctime\t0\nzk_max_fsynctime\t3\n\
         zk_cnt_fsynctime\t7\nzk_sum_fsynctime\t6\n",
        "zk_avg_updatelatency\t24.2857\nzk_min_updatelatency\t1\nzk_max_updatelatency\t81\n\
         zk_cnt_updatelatency\t7\nzk_sum_updatelatency\t170\nzk_p50_updatelatency\t4\n\
         zk_p95_updatelatency\t81\nzk_p99_updatelatency\t81\nzk_p999_updatelatency\t81\n",
        "zk_a_quota_count_limit_per_namespace\t5\n",
        "zk_a_quota_exceeded_error_per_namespace\t1\n",
        "zk_cnt_a_read_per_namespace\t1\nzk_sum_a_read_per_namespace\t80\n",
        "zk_last_client_response_size\t-1\n",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

fn written() -> Conf {
    Conf {
        client_port: 22_981,
        data_dir: "/srv/zk/data/version-2".into(),
        data_log_dir: "/srv/zk/log/version-2".into(),
        tick_ms: 2000,
        per_address_max: 60,
        timeout_min_ms: 4000,
        timeout_max_ms: 40_000,
        backlog: -1,
        ensemble: None,
    }
}

#[test]
fn conf_and_dirs() {
    let written = written();
    let sizes = DirectorySizes { data_bytes: 478, log_bytes: 67_108_880 };
    assert_eq!(
        text(|out| conf::conf(out, &written, sizes, Mode::Standalone)),
        "clientPort=22981\nsecureClientPort=-1\ndataDir=/srv/zk/data/version-2\n\
         dataDirSize=478\ndataLogDir=/srv/zk/log/version-2\ndataLogSize=67108880\n\
         tickTime=2000\nmaxClientCnxns=60\nminSessionTimeout=4000\nmaxSessionTimeout=40000\n\
         clientPortListenBacklog=-1\nserverId=0\n"
    );
    let dirs = text(|out| conf::dirs(out, sizes));
    assert_eq!(dirs, "datadir_size: 478\nlogdir_size: 67108880\n");
}

#[test]
fn envi() {
    let environment = Environment {
        host_name: "localhost".into(),
        temporary_dir: "/tmp".into(),
        os_name: "Linux".into(),
        os_arch: "amd64".into(),
        os_version: "6.18.44".into(),
        user_name: "root".into(),
        user_home: "/root".into(),
        memory_free_mib: 318,
        memory_max_mib: 494,
        memory_total_mib: 365,
        ..Environment::default()
    };
    assert_eq!(
        text(|out| conf::environment(out, BUILT, &environment)),
        format!(
            "Environment:\nzookeeper.version={BUILT}\nhost.name=localhost\n\
             java.version=<NA>\njava.vendor=<NA>\njava.home=<NA>\njava.class.path=<NA>\n\
             java.library.path=<NA>\njava.io.tmpdir=/tmp\njava.compiler=<NA>\n\
             os.name=Linux\nos.arch=amd64\nos.version=6.18.44\nuser.name=root\nuser.home=/root\n\
             user.dir=<NA>\nos.memory.free=318MB\nos.memory.max=494MB\nos.memory.total=365MB\n"
        )
    );
}

/// The same state as in the golden files of stock's leader and follower: every name, in order.
#[test]
fn mntr_has_the_names_of_stocks_leader_and_follower() {
    let golden = |name: &str| {
        let folder = "../tests/conformance/surface/golden";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        let is_of_all = |name: &&str| name.starts_with("zk_") && !name.contains("namespace");
        lines.map(|(name, _)| name).filter(is_of_all).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut metrics = Metrics::default();
    let servers = [ServerId(1), ServerId(3)];
    let leaders = [ServerMeasure::LearnerHandlerQpSize, ServerMeasure::LearnerHandlerQpTimeMs];
    for (measure, server) in leaders.into_iter().flat_map(|it| servers.map(|id| (it, id))) {
        metrics.tally_of_server(measure, server, &Tally::default());
    }
    for (name, mode, leading, metrics) in [
        ("leader.txt", Mode::Leader, Some(LeadingReport::default()), metrics),
        ("follower.txt", Mode::Follower, None, Metrics::default()),
    ] {
        let mut totals = totals().with_metrics(metrics, WordCounts::default());
        totals.ordering.mode = mode;
        totals.ordering.ensemble = Some(in_ensemble(leading));
        let values = values(&totals, Process::default());
        let shown = text(|out| monitor::monitor(out, BUILT, &values));
        let names = shown.lines().map(|line| line.split_once('\t').unwrap().0);
        let is_ours = |name: &str| name.contains("writes_refused") || name.contains("_shard_");
        let names: Vec<_> = names.filter(|name| !is_ours(name)).collect();
        assert_eq!(names, golden(name), "{name}");
    }
}

#[test]
fn conf_of_an_ensemble() {
    let members = [(1, "zoo1:2888:3888"), (2, "zoo2:2889:3889")];
    let members = members.map(|(id, line)| (ServerId(id), Member::read(line, false).unwrap()));
    let membership = Membership::majority(members.into(), 0);
    let ensemble = EnsembleConf {
        me: ServerId(2),
        servers: Shown::new(Arc::new(Configuration::new(membership))),
        init_limit: 10,
        sync_limit: 5,
        client_address: "127.0.0.1:22981".parse().unwrap(),
    };
    let written = Conf { ensemble: Some(ensemble), ..written() };
    let sizes = DirectorySizes::default();
    let of_reader = text(|out| conf::conf(out, &written, sizes, Mode::ReadOnly));
    assert!(of_reader.ends_with("quorumPort=2889\npeerType=0\n"), "{of_reader}");
    let shown = text(|out| conf::conf(out, &written, sizes, Mode::Follower));
    assert!(
        shown.ends_with(
            "clientPortListenBacklog=-1\nserverId=2\ninitLimit=10\nsyncLimit=5\n\
             electionAlg=3\nelectionPort=3889\nquorumPort=2889\npeerType=0\nmembership: \n\
             server.1=zoo1:2888:3888:participant\nserver.2=zoo2:2889:3889:participant\n\
             version=0"
        ),
        "{shown}"
    );
}

fn path(path: &str) -> Arc<[u8]> {
    path.as_bytes().into()
}

const A: SessionId = SessionId(0x0100_0028_85d6_0000);
const B: SessionId = SessionId(0x0100_0028_85d6_0001);

#[test]
fn dump_of_two_sessions() {
    // Sat Nov 21 06:02:28 UTC 2026.
    let wall_ms = 1_795_240_948_000;
    let expires_ms = 2_742_000;
    let expiring = |session| SessionExpiry { expires_ms, session, timeout_ms: 30_000 };
    let elsewhere = |session| SessionExpiry { expires_ms: 0, ..expiring(session) };
    let live = Sessions {
        sessions: [B, A].map(expiring).into(),
        local: None,
        is_tracking: true,
        wall_offset_ms: wall_ms - expires_ms as i64,
    };
    let owned = [
        EphemeralReport { session: A, paths: vec![path("/a/e1"), path("/e2")] },
        EphemeralReport { session: B, paths: vec![path("/f")] },
        EphemeralReport { session: B, paths: vec![path("/s-0000000003")] },
    ];
    let asker = Connected {
        peer: "127.0.0.1:55490".parse().unwrap(),
        session: SessionId(0),
        patience_ms: 0,
        heard_ms: expires_ms - 22_000,
    };
    let connected = [asker, Connected::from(&busy())];
    let shown = text(|out| {
        dump::sessions(out, &live);
        dump::ephemerals_head(out, 2);
        dump::ephemerals(out, &owned[0], false);
        dump::ephemerals(out, &owned[1], false);
        dump::ephemerals(out, &owned[2], true);
        dump::connections(out, &connected, &live, 10_000);
    });
    assert_eq!(
        shown,
        "SessionTracker dump:\nSession Sets (1)/(2):\n2 expire at Sat Nov 21 06:02:28 UTC 2026:\n\
         \t0x100002885d60001\n\t0x100002885d60000\nephemeral nodes dump:\n\
         Sessions with Ephemerals (2):\n0x100002885d60000:\n\t/a/e1\n\t/e2\n\
         0x100002885d60001:\n\t/f\n\t/s-0000000003\nConnections dump:\n\
         Connections Sets (2)/(2):\n1 expire at Sat Nov 21 06:02:26 UTC 2026:\n\
         \tip: /127.0.0.1:55490 sessionId: 0x0\n1 expire at Sat Nov 21 06:02:36 UTC 2026:\n\
         \tip: /127.0.0.1:58044 sessionId: 0x100002885d60000\n"
    );
    let empty = text(|out| {
        dump::sessions(out, &Sessions { is_tracking: true, ..Sessions::default() });
        dump::ephemerals_head(out, 0);
    });
    let of_learner = text(|out| {
        let sessions = [A, B].map(elsewhere).into();
        dump::sessions(out, &Sessions { sessions, ..Sessions::default() });
    });
    assert_eq!(
        of_learner,
        "SessionTracker dump:\nGlobal Sessions(2):\n0x100002885d60000\t30000ms\n\
         0x100002885d60001\t30000ms\n"
    );
    assert_eq!(
        empty,
        "SessionTracker dump:\nSession Sets (0)/(0):\nephemeral nodes dump:\n\
         Sessions with Ephemerals (0):\n"
    );
}

#[test]
fn watches_three_ways() {
    let counts = WatchCounts { connections: 2, paths: 3, watches: 4 };
    assert_eq!(
        text(|out| watches::summary(out, counts)),
        "2 connections watching 3 paths\nTotal watches:4\n"
    );
    let report = |paths: &[&str]| WatchReport {
        slot: 1,
        session: B,
        paths: paths.iter().copied().map(path).collect(),
    };
    let by_session = text(|out| {
        watches::by_session(out, &report(&["/no", "/a"]), false);
        watches::by_session(out, &report(&["/f"]), true);
    });
    assert_eq!(by_session, "0x100002885d60001\n\t/no\n\t/a\n\t/f\n");
    let by_path = text(|out| watches::by_path(out, vec![(path("/a"), A), (path("/a"), B)]));
    assert_eq!(by_path, "/a\n\t0x100002885d60000\n\t0x100002885d60001\n");
}

#[test]
fn means_are_rounded_as_java_does() {
    let mean = |sum, count| Mean(spread(count, sum, 0, 0)).to_string();
    assert_eq!(mean(0, 0), "0.0");
    assert_eq!(mean(5, 5), "1.0");
    assert_eq!(mean(271, 12), "22.5833");
    assert_eq!(mean(1, 8), "0.125");
    assert_eq!(mean(2, 3), "0.6667");
    assert_eq!(mean(99_999, 100_000), "1.0");
    assert_eq!(mean(1, 10_000), "0.0001");
    assert_eq!(mean(u64::MAX, 1), "18446744073709551615.0");
}

#[test]
fn dates_and_addresses() {
    assert_eq!(Date(0).to_string(), "Thu Jan 01 00:00:00 UTC 1970");
    assert_eq!(Date(-1).to_string(), "Wed Dec 31 23:59:59 UTC 1969");
    assert_eq!(Date(951_782_400_000).to_string(), "Tue Feb 29 00:00:00 UTC 2000");
    assert_eq!(Date(1_772_323_199_999).to_string(), "Sat Feb 28 23:59:59 UTC 2026");
    let peer = |address: &str| Peer(address.parse().unwrap()).to_string();
    assert_eq!(peer("127.0.0.1:1"), "/127.0.0.1:1");
    assert_eq!(peer("[::1]:2181"), "/[0:0:0:0:0:0:0:1]:2181");
    assert_eq!(peer("[::ffff:10.1.2.3]:7"), "/10.1.2.3:7");
}
