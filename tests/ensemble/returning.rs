//! A server that was away gets what it lacks, in the way that fits where it was: from the leader's
//! memory, from the leader's log, as a snapshot, after a cut of its own log.
//!
//! Each way is seen to be taken, in the leader's log; then all servers show the same tree, with
//! everything that was acknowledged. `RINGKEEPER_ENSEMBLE_AWAY` is the number of txns that a server
//! misses where the leader has to read its log.

use super::{Ensemble, PATIENCE, moved};
use harness::client::create_body;
use harness::{Acl, Body, Client, opcode};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

/// Nodes that are set over and over.
const KEYS: u64 = 50;

/// Requests in one write.
const TOGETHER: u64 = 500;

/// A client whose changes are known one by one.
struct Changes {
    client: Client,
    made: u64,
}

fn key(number: u64) -> String {
    format!("/changed/key-{}", number % KEYS)
}

fn child(number: u64) -> String {
    format!("/changed/child-{number}")
}

impl Changes {
    fn new(address: SocketAddr) -> Self {
        let mut client = Client::connect(address);
        client.make("/changed");
        (0..KEYS).for_each(|number| client.make(&key(number)));
        Self { client, made: 0 }
    }

    /// Of eight changes, five set a key, two create a child and one deletes the first of those.
    fn request(number: u64) -> (i32, Body) {
        match number % 8 {
            3 | 5 => (opcode::CREATE, create_body(&child(number), b"child", &Acl::open(), 0)),
            6 => (opcode::DELETE, Body::new().string(&child(number - 3)).int(-1)),
            _ => {
                let data = number.to_string();
                let body = Body::new().string(&key(number)).buffer(data.as_bytes()).int(-1);
                (opcode::SET_DATA, body)
            }
        }
    }

    /// So many more changes, all of them acknowledged.
    fn make(&mut self, count: u64) {
        let end = self.made + count;
        while self.made < end {
            let next = end.min(self.made + TOGETHER);
            let requests: Vec<_> = (self.made..next).map(Self::request).collect();
            let first = self.client.post_all(&requests);
            for at in 0..requests.len() {
                let xid = first + i32::try_from(at).unwrap();
                assert_eq!(self.client.reply(xid).err, 0);
            }
            self.made = next;
        }
    }

    /// Continues at a server, with the same session.
    fn move_to(&mut self, address: SocketAddr) {
        self.client = moved(&self.client, address);
    }

    /// Everything acknowledged is there.
    fn assert_there(&mut self) {
        self.client.sync("/").unwrap();
        for first in 0..KEYS {
            let set = |number: &u64| number % KEYS == first && !matches!(number % 8, 3 | 5 | 6);
            let newest = (0..self.made).rev().find(set);
            let expected = newest.map_or_else(String::new, |number| number.to_string());
            let data = self.client.get(&key(first), false).unwrap().0;
            assert_eq!(data.as_deref(), Some(expected.as_bytes()), "{}", key(first));
        }
        let created = (0..self.made).filter(|number| matches!(number % 8, 3 | 5)).count();
        let deleted = (0..self.made).filter(|number| number % 8 == 6).count();
        let stat = self.client.exists("/changed", false).unwrap();
        let children = usize::try_from(stat.num_children).unwrap();
        assert_eq!(children, KEYS as usize + created - deleted);
    }
}

/// What a leader's log says of a server that has returned.
#[derive(Debug)]
struct Sent {
    line: String,
}

impl Sent {
    /// How it began.
    fn has_begun_with(&self, word: &str) -> bool {
        self.line.starts_with(word)
    }

    fn number_before(&self, word: &str) -> Option<u64> {
        self.line.split_once(word)?.0.rsplit(' ').next()?.parse().ok()
    }

    fn txns(&self) -> u64 {
        self.number_before(" txns").unwrap_or_else(|| panic!("no txns in {}", self.line))
    }

    fn is_from_log(&self) -> bool {
        self.line.contains("the log was read")
    }
}

impl Ensemble {
    /// A server that follows, and has everything that was acknowledged.
    fn follower(&self) -> usize {
        let follower = (self.leader() + 1) % 3;
        let mut client = Client::connect(self.address(follower));
        client.sync("/").unwrap();
        // Its session ends here and not while the server is away.
        client.close();
        let mut leading = Client::connect(self.address(self.leader()));
        leading.sync("/").unwrap();
        leading.close();
        follower
    }

    /// Starts a server that was away, and returns what its leader has logged about it.
    fn let_return(&mut self, at: usize) -> Sent {
        let leader = self.leader();
        let before = self.servers[leader].log().len();
        self.servers[at].launch();
        self.await_service();
        assert_eq!(self.leader(), leader, "another server leads");
        let log = self.servers[leader].log();
        let opening = format!("server {} was sent what it lacked: ", at + 1);
        let line = log[before..].lines().rev().find_map(|line| line.split_once(&opening));
        let (_, line) = line.unwrap_or_else(|| panic!("the leader does not say:\n{log}"));
        Sent { line: line.to_owned() }
    }

    /// Restarts all servers but one: their memory then holds what has come since.
    fn restart_others(&mut self, but: usize) {
        let others = [(but + 1) % 3, (but + 2) % 3];
        for at in others {
            self.servers[at].kill();
        }
        for at in others {
            self.servers[at].launch();
        }
        self.await_service();
    }

    fn assert_whole(&self, changes: &mut Changes, at: usize) {
        changes.move_to(self.address(at));
        changes.assert_there();
        self.assert_digests();
        self.assert_equal();
    }
}

#[test]
fn a_server_back_soon_gets_what_it_missed_from_memory() {
    let mut ensemble = Ensemble::start(3, |config| config);
    let mut changes = Changes::new(ensemble.address(ensemble.leader()));
    let follower = ensemble.follower();
    ensemble.servers[follower].kill();
    changes.make(100);
    let sent = ensemble.let_return(follower);
    assert!(sent.has_begun_with("DIFF"), "{sent:?}");
    assert!(!sent.is_from_log(), "{sent:?}");
    // Sessions that end are txns too.
    assert!((100..150).contains(&sent.txns()), "{sent:?}");
    ensemble.assert_whole(&mut changes, follower);
}

#[test]
fn a_server_back_late_gets_what_it_missed_from_the_log() {
    let away = super::number("RINGKEEPER_ENSEMBLE_AWAY").unwrap_or(3_000);
    let mut ensemble = Ensemble::start(3, |config| config.set("snapCount", "1000"));
    let mut changes = Changes::new(ensemble.address(ensemble.leader()));
    let follower = ensemble.follower();
    ensemble.servers[follower].kill();
    changes.make(away);
    ensemble.restart_others(follower);
    changes.move_to(ensemble.address(ensemble.leader()));
    changes.make(100);
    let sent = ensemble.let_return(follower);
    assert!(sent.has_begun_with("DIFF"), "{sent:?}");
    assert!(sent.is_from_log(), "{sent:?}");
    assert!(sent.txns() >= away + 100, "{sent:?}");
    ensemble.assert_whole(&mut changes, follower);
}

#[test]
fn a_server_that_lost_its_disk_gets_a_snapshot() {
    // So little log would be sent as it is.
    let mut ensemble = Ensemble::start(3, |config| config.set("snapshotSizeFactor", "0"));
    let mut changes = Changes::new(ensemble.address(ensemble.leader()));
    changes.make(1_000);
    let follower = ensemble.follower();
    ensemble.servers[follower].kill();
    let data = ensemble.servers[follower].folder().join("data");
    fs::remove_dir_all(&data).unwrap();
    fs::create_dir(&data).unwrap();
    fs::write(data.join("myid"), format!("{}\n", follower + 1)).unwrap();
    ensemble.restart_others(follower);
    changes.move_to(ensemble.address(ensemble.leader()));
    changes.make(100);
    let sent = ensemble.let_return(follower);
    assert!(sent.has_begun_with("SNAP"), "{sent:?}");
    assert!(ensemble.servers[follower].log().contains("the snapshot has come"));
    ensemble.assert_whole(&mut changes, follower);
    // What it was sent is on its own disk.
    ensemble.servers[follower].restart();
    ensemble.assert_whole(&mut changes, follower);
}

/// Whether a file below a folder contains these bytes.
pub(crate) fn holds(folder: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return holds(&path, bytes);
        }
        let content = fs::read(&path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

#[test]
fn a_tail_that_no_quorum_held_is_cut() {
    let mut ensemble = Ensemble::start(3, |config| config);
    let old = ensemble.leader();
    let mut changes = Changes::new(ensemble.address(old));
    changes.make(100);
    let follower = ensemble.follower();
    let others = [follower, 3 - old - follower];
    changes.move_to(ensemble.address(old));
    for at in others {
        ensemble.servers[at].pause();
    }
    // What the leader proposes now is in its own log, and in sockets that are not read.
    let requests: Vec<_> = (0..20)
        .map(|number| {
            let path = format!("/never-{number}");
            (opcode::CREATE, create_body(&path, b"never acknowledged", &Acl::open(), 0))
        })
        .collect();
    let first = changes.client.post_all(&requests);
    let data = ensemble.servers[old].folder().join("data");
    let end = Instant::now() + PATIENCE;
    while !holds(&data, b"/never-19") {
        assert!(Instant::now() < end, "the leader has not logged the last one");
        thread::sleep(Duration::from_millis(10));
    }
    ensemble.servers[old].kill();
    assert!(changes.client.try_reply(first).is_none(), "acknowledged without a quorum");
    // A server that is killed while it is paused has not read its sockets.
    for at in others {
        ensemble.servers[at].kill();
        ensemble.servers[at].launch();
    }
    ensemble.await_service();
    changes.move_to(ensemble.address(follower));
    changes.make(100);
    let sent = ensemble.let_return(old);
    assert!(sent.has_begun_with("TRUNC"), "{sent:?}");
    assert!(sent.txns() >= 100, "{sent:?}");
    assert!(ensemble.servers[old].log().contains("the log is cut behind"));
    ensemble.assert_whole(&mut changes, old);
    let names = changes.client.children("/", false).unwrap();
    assert!(names.iter().all(|name| !name.starts_with("never")), "{names:?}");
    // It stays cut.
    ensemble.servers[old].restart();
    ensemble.assert_whole(&mut changes, old);
}
