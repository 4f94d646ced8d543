//! Bad input between servers: a server of ours, and peers that a test plays.
//!
//! `leaders`: what a follower must not take from its leader; `learners`: what a leader must not
//! take from those that join it; `others`: a server of another ensemble at a configured address.
//!
//! In each case the reason is in the log, with the peer; nothing of what was sent is kept: the tree
//! is what it was, with all Stats, also after a restart; and memory follows what was sent, not what
//! was announced.

mod leaders;
mod learners;
mod others;

use harness::server::next_free_port;
use harness::{Acl, Body, Client, ReplyReader, Server};
use std::fs;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::vitals::{resident_kib, wait_for};
use crate::ensemble::Node;

/// Types of packets.
const PROPOSAL: i32 = 2;
const ACK: i32 = 3;
const COMMIT: i32 = 4;
const NEW_LEADER: i32 = 10;
const FOLLOWER_INFO: i32 = 11;
const UP_TO_DATE: i32 = 12;
const DIFF: i32 = 13;
const TRUNC: i32 = 14;
const SNAP: i32 = 15;
const OBSERVER_INFO: i32 = 16;
const LEADER_INFO: i32 = 17;
const ACK_EPOCH: i32 = 18;

/// What learners and leaders speak since 3.4.
const PROTOCOL: i32 = 0x1_0000;

/// How long a test waits for what a peer says.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What a server may have more of after all that was sent to it, in KiB.
const GROWTH_MAX_KIB: u64 = 64 * 1024;

/// A packet without identities.
fn packet(kind: i32, zxid: i64, data: Option<&[u8]>) -> Vec<u8> {
    Body::new().int(kind).long(zxid).buffer(data).int(-1).0
}

/// What a learner says of itself since 3.5.
fn introduction(number: i64, protocol: i32) -> Vec<u8> {
    Body::new().long(number).int(protocol).long(0).0
}

/// A txn that creates a node, as of this zxid.
fn create_txn(zxid: i64, path: &str) -> Vec<u8> {
    let header = Body::new().long(7).int(1).long(zxid).long(1_700_000_000_000).int(1);
    header.string(path).buffer(&b"sent"[..]).acls(&Acl::open()).boolean(false).int(1).0
}

/// A link between a leader and a learner, seen from the test.
struct Link(TcpStream);

impl Link {
    fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(SILENCE_MAX)).unwrap();
        Self(stream)
    }

    fn send(&mut self, bytes: &[u8]) {
        // It may have been closed for what was sent before.
        self.0.write_all(bytes).ok();
    }

    fn packet(&mut self, kind: i32, zxid: i64, data: Option<&[u8]>) {
        self.send(&packet(kind, zxid, data));
    }

    /// The next packet without identities: type, zxid, data.
    fn read(&mut self) -> io::Result<(i32, i64, Option<Vec<u8>>)> {
        let mut head = [0; 16];
        self.0.read_exact(&mut head)?;
        let mut head = ReplyReader::new(&head);
        let (kind, zxid, length) = (head.int(), head.long(), head.int());
        let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
        self.0.read_exact(&mut data)?;
        self.0.read_exact(&mut [0; 4])?;
        Ok((kind, zxid, (length >= 0).then_some(data)))
    }

    /// The next packet, which must be of this type.
    fn expect(&mut self, kind: i32) -> (i64, Option<Vec<u8>>) {
        let (found, zxid, data) = self.read().expect("the server answers");
        assert_eq!(found, kind);
        (zxid, data)
    }

    /// Waits until the server has closed the link.
    fn await_end(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.0.read(&mut buffer) {
                Ok(0) => return,
                Ok(_) => (),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return,
                Err(error) => panic!("the server keeps the link: {error}"),
            }
        }
    }
}

/// A server of ours with data, and what it had.
struct Harmed {
    server: Server,
    nodes: Vec<Node>,
    kib: u64,
}

impl Harmed {
    /// A server that has been alone so far, with some nodes; it does not run.
    fn prepare() -> Self {
        let mut server = Server::config().start();
        let mut client = Client::connect(server.address());
        for number in 0..20 {
            client.create(&format!("/own-{number}"), b"own", &Acl::open(), 0).unwrap();
        }
        client.close();
        let nodes = nodes(&server);
        let kib = resident_kib(&server);
        server.stop();
        fs::write(server.folder().join("data/myid"), "1\n").unwrap();
        Self { server, nodes, kib }
    }

    /// Waits until the server has logged this behind what it had logged.
    fn await_line(&self, logged: usize, part: &str) {
        wait_for(part, || self.server.log()[logged..].contains(part));
    }

    /// Something is done until the server has a line for it, with all of these parts and one of
    /// the names of who has done it: there is one line a second for each kind.
    fn says_of(&self, names: &[String], parts: &[&str], mut act: impl FnMut()) {
        let logged = self.server.log().len();
        wait_for(&format!("{parts:?}"), || {
            act();
            let log = self.server.log();
            // The last line may be half written.
            let mut lines = log[logged..].split_inclusive('\n').filter(|line| line.ends_with('\n'));
            let is_said = |line: &str| parts.iter().all(|part| line.contains(part));
            let line = lines.find(|line| is_said(line));
            let is_named = |line: &str| names.iter().any(|name| line.contains(name));
            assert!(line.is_none_or(is_named), "none of {names:?} is in {line:?}");
            line.is_some()
        });
        self.assert_small();
    }

    /// Its memory is as it was, about.
    fn assert_small(&self) {
        let grown = resident_kib(&self.server).saturating_sub(self.kib);
        assert!(grown < GROWTH_MAX_KIB, "{grown} KiB more than before");
    }

    /// It lives, and alone again it shows what it had.
    fn assert_unharmed(mut self) {
        let log = self.server.log();
        assert!(!log.contains("panicked"), "{log}");
        let status = self.server.stop();
        assert!(matches!(status.code(), Some(0 | 143)), "{status}: {log}");
        self.server.configure(Server::config());
        self.server.start_again();
        assert_eq!(nodes(&self.server), self.nodes);
    }
}

/// All nodes of a server that is not part of an ensemble, with their Stats.
fn nodes(server: &Server) -> Vec<Node> {
    let mut client = Client::connect(server.address());
    let nodes = crate::ensemble::nodes(&mut client, "/");
    client.close();
    nodes
}

/// A leader that the test plays: server 2, in an ensemble with one of ours.
struct Leader {
    election: TcpStream,
    quorum: TcpListener,
    round: i64,
    epoch: i64,
}

impl Leader {
    /// Starts the server, and is connected to it.
    fn over(harmed: &mut Harmed) -> Self {
        let own = (next_free_port(), next_free_port());
        let quorum = TcpListener::bind("127.0.0.1:0").unwrap();
        quorum.set_nonblocking(true).unwrap();
        let port = quorum.local_addr().unwrap().port();
        let address = format!("127.0.0.1:{}", next_free_port());
        let (_, election) = address.split_once(':').unwrap();
        let config = Server::config().set("initLimit", "120").set("syncLimit", "120");
        let config = config
            .set("server.1", &format!("127.0.0.1:{}:{}", own.0, own.1))
            .set("server.2", &format!("127.0.0.1:{port}:{election}"));
        harmed.server.configure(config);
        harmed.server.launch();
        let mut connected = None;
        wait_for("the election port is open", || {
            connected = TcpStream::connect(("127.0.0.1", own.1)).ok();
            connected.is_some()
        });
        let mut election = connected.unwrap();
        let hello = Body::new().long(-65_536).long(2).string(&address);
        election.write_all(&hello.0).unwrap();
        Self { election, quorum, round: 0, epoch: 100 }
    }

    /// Is elected, and gets a link on which the server has promised a new epoch; and the server's
    /// last txn.
    fn elected(&mut self) -> (Link, i64) {
        self.round += 1_000;
        self.epoch += 1;
        let vote = Body::new().int(0).long(2).long(self.zxid(0)).long(self.round);
        let vote = Body::new().buffer(&vote.long(self.epoch).int(1).0[..]);
        let mut connected = None;
        wait_for("the server follows", || {
            // One that has not lost its last leader yet only answers.
            self.election.write_all(&vote.0).unwrap();
            connected = self.quorum.accept().ok();
            connected.is_some()
        });
        let (stream, _) = connected.unwrap();
        stream.set_nonblocking(false).unwrap();
        let mut link = Link::new(stream);
        link.expect(FOLLOWER_INFO);
        link.packet(LEADER_INFO, self.zxid(0), Some(&PROTOCOL.to_be_bytes()));
        let (last, _) = link.expect(ACK_EPOCH);
        (link, last)
    }

    /// How the server names it.
    fn names(&self) -> [String; 2] {
        [self.quorum.local_addr().unwrap().to_string(), "leader=2".to_owned()]
    }

    /// A zxid of its epoch.
    fn zxid(&self, counter: i64) -> i64 {
        (self.epoch << 32) + counter
    }

    /// The same, and the server has accepted its history.
    fn accepted(&mut self) -> (Link, i64) {
        let (mut link, last) = self.elected();
        link.packet(DIFF, last, None);
        link.packet(NEW_LEADER, self.zxid(0), None);
        link.expect(ACK);
        link.packet(UP_TO_DATE, -1, None);
        (link, last)
    }
}
