//! A server without data joins an ensemble that holds many nodes, while writes continue: `make
//! joining NODES=n RATE=n`.
//!
//! Its figures are for a reader; what is checked is that it ends, that every write is acknowledged,
//! and that all three servers then hold the same tree.

use super::steady::{Steady, Took};
use super::{Ensemble, PATIENCE, number};
use harness::client::create_body;
use harness::{Acl, Client, Server, opcode};
use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

/// Nodes of one parent, and requests in one write.
const TOGETHER: usize = 500;

/// Connections that share the load.
const CONNECTIONS: u32 = 4;

/// How long the load runs undisturbed, before and after.
const QUIET: Duration = Duration::from_secs(10);

/// A copy of many nodes takes its time.
const JOINED_MAX: Duration = Duration::from_secs(600);

/// Creates nodes of 100 bytes.
fn fill(address: SocketAddr, nodes: usize) {
    let fillers: Vec<_> = (0..4)
        .map(|filler| {
            thread::spawn(move || {
                let mut client = Client::connect(address);
                for parent in (filler..nodes / TOGETHER).step_by(4) {
                    let path = format!("/parent-{parent:05}");
                    client.make(&path);
                    let create = |at| {
                        let path = format!("{path}/node-{at:05}");
                        (opcode::CREATE, create_body(&path, &[7; 100], &Acl::open(), 0))
                    };
                    let requests: Vec<_> = (0..TOGETHER).map(create).collect();
                    let first = client.post_all(&requests);
                    for at in 0..TOGETHER as i32 {
                        assert_eq!(client.reply(first + at).err, 0);
                    }
                }
                client.close();
            })
        })
        .collect();
    for filler in fillers {
        filler.join().unwrap();
    }
}

/// Resident memory of a server, in MiB.
fn resident_mib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Times of the load between two moments.
fn report(name: &str, all: &[Took], from: Instant, to: Instant) {
    let within = all.iter().filter(|took| (from..to).contains(&took.due));
    let mut times: Vec<_> = within.map(|took| took.time).collect();
    times.sort();
    let Some(longest) = times.last() else { return };
    let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
    let share = |percent: usize| ms(&times[(times.len() - 1) * percent / 100]);
    eprintln!(
        "joining: {name:<22} {:6.1} s, {:7} sets, p50 {:8.2} ms, p99 {:8.2} ms, max {:8.2} ms",
        (to - from).as_secs_f64(),
        times.len(),
        share(50),
        share(99),
        ms(longest)
    );
}

/// The moments of a server's way into its ensemble, and what it took.
struct Joined {
    launched: Instant,
    /// The snapshot has come over the link.
    received: Instant,
    /// Its clients are served.
    serving: Instant,
    leader_mib_most: u64,
    learner_mib_most: u64,
}

/// Launches a server and watches it until it follows.
fn join(ensemble: &mut Ensemble, leader: usize, learner: usize) -> Joined {
    let launched = Instant::now();
    ensemble.servers[learner].launch();
    let (mut received, mut leader_mib_most, mut learner_mib_most) = (None, 0, 0);
    loop {
        thread::sleep(Duration::from_millis(50));
        let log = ensemble.servers[learner].log();
        leader_mib_most = leader_mib_most.max(resident_mib(&ensemble.servers[leader]));
        learner_mib_most = learner_mib_most.max(resident_mib(&ensemble.servers[learner]));
        if log.contains("the snapshot has come") {
            received.get_or_insert_with(Instant::now);
        }
        if let Some(received) = received
            && log.contains("following server")
        {
            let serving = Instant::now();
            return Joined { launched, received, serving, leader_mib_most, learner_mib_most };
        }
        assert!(launched.elapsed() < JOINED_MAX, "not joined after {JOINED_MAX:?}:\n{log}");
    }
}

/// All servers have the same digest of the same txn, one of the newest.
fn assert_one_digest(ensemble: &Ensemble) {
    // Servers keep the digest of every 128th txn.
    let mut client = Client::connect(ensemble.address(0));
    let least = client.zxid();
    client.make("/last");
    for _ in 0..300 {
        client.set("/last", b"", -1).unwrap();
    }
    client.close();
    let end = Instant::now() + PATIENCE;
    loop {
        let digests = ensemble.servers.iter().map(|server| {
            let mut client = Client::connect(server.address());
            client.sync("/").unwrap();
            client.close();
            let text = server.word("hash");
            let lines = text.lines().filter_map(|line| line.split_once(": "));
            let lines = lines.map(|(zxid, digest)| (zxid.to_owned(), digest.to_owned()));
            lines.collect::<Vec<_>>()
        });
        let digests: Vec<_> = digests.collect();
        ensemble.assert_digests();
        let is_new = |zxid: &str| {
            i64::from_str_radix(zxid.trim_start_matches("0x"), 16).is_ok_and(|zxid| zxid > least)
        };
        let shared = digests[0].iter().rev().find(|line| {
            is_new(&line.0) && digests[1..].iter().all(|others| others.contains(line))
        });
        if let Some((zxid, digest)) = shared {
            return eprintln!("joining: all three servers have the digest {digest} at {zxid}");
        }
        assert!(Instant::now() < end, "no digest of a new txn is shared: {digests:?}");
    }
}

#[test]
#[ignore = "a campaign of minutes: make joining"]
fn a_server_without_data_joins_many_nodes_under_load() {
    let nodes = number("RINGKEEPER_ENSEMBLE_NODES").unwrap_or(1_000_000) as usize;
    let rate = number("RINGKEEPER_ENSEMBLE_RATE").unwrap_or(5_000) as u32;
    // Only two of the three are started: the last one is without data.
    // Times are those of ZooKeeper's sample configuration.
    let configure = |config: harness::Config| {
        config.set("tickTime", "2000").set("initLimit", "10").set("syncLimit", "5")
    };
    let mut ensemble = Ensemble::start_some(3, 2, configure);
    let (leader, learner) = (ensemble.leader(), 2);
    let began = Instant::now();
    fill(ensemble.address(leader), nodes);
    eprintln!("joining: {nodes} nodes after {:.1} s", began.elapsed().as_secs_f64());
    let before = [0, 1].map(|at| resident_mib(&ensemble.servers[at]));
    let load = Steady::start(ensemble.address(leader), CONNECTIONS, rate / CONNECTIONS);
    // The first second finds caches cold.
    thread::sleep(Duration::from_secs(2));
    let quiet = Instant::now();
    thread::sleep(QUIET);
    let joined = join(&mut ensemble, leader, learner);
    thread::sleep(QUIET);
    let end = Instant::now();
    let all = load.stop();
    assert_eq!(ensemble.leader(), leader, "another server leads");
    report("before", &all, quiet, joined.launched);
    report("while the snapshot goes", &all, joined.launched, joined.received);
    report("until it serves clients", &all, joined.received, joined.serving);
    report("afterwards", &all, joined.serving, end);
    let Joined { leader_mib_most, learner_mib_most, .. } = joined;
    eprintln!(
        "joining: resident {} MiB at the leader before and {leader_mib_most} at most meanwhile; \
         {learner_mib_most} at most at the learner",
        before[leader]
    );
    for at in [leader, learner] {
        let log = ensemble.servers[at].log();
        let words = ["snapshot", "was sent what", "core loop", "WARN", "following"];
        let lines = log.lines().filter(|line| words.iter().any(|word| line.contains(word)));
        lines.for_each(|line| eprintln!("joining: server {}: {line}", at + 1));
    }
    assert_one_digest(&ensemble);
}
