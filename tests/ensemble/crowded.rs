//! How learners catch up: only so many at once, and by a snapshot where that is asked for.
//!
//! With `RINGKEEPER_TEST_SERVER_CMD` the servers are ZooKeeper's, to see that it does the same.

use super::{Ensemble, PATIENCE, Seat};
use harness::{Client, Config, Server};
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

const OBSERVER_INFO: i32 = 16;
const ACK_EPOCH: i32 = 18;
const DIFF: i32 = 13;
const SNAP: i32 = 15;

fn await_log(server: &Server, part: &str) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let log = server.log();
        if log.contains(part) {
            return log;
        }
        assert!(Instant::now() < end, "{part} is not in\n{log}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A packet of the learner link.
fn packet(kind: i32, zxid: i64, data: &[u8]) -> Vec<u8> {
    let length = i32::try_from(data.len()).expect("short data");
    let none = -1_i32;
    [&kind.to_be_bytes()[..], &zxid.to_be_bytes(), &length.to_be_bytes(), data, &none.to_be_bytes()]
        .concat()
}

fn told<T: Debug>(done: std::io::Result<T>) -> T {
    done.expect("the leader talks to an observer")
}

/// An observer of the test's, which is sent what it lacks and never accepts it.
fn unfinished(leader: SocketAddr) -> TcpStream {
    let mut link = told(TcpStream::connect(leader));
    told(link.set_read_timeout(Some(PATIENCE)));
    let info = [&77_i64.to_be_bytes()[..], &0x1_0000_i32.to_be_bytes(), &0_i64.to_be_bytes()];
    told(link.write_all(&packet(OBSERVER_INFO, 0, &info.concat())));
    // LEADERINFO, with four bytes of its own and perhaps more behind.
    let mut head = [0; 16];
    told(link.read_exact(&mut head));
    let length = i32::from_be_bytes([head[12], head[13], head[14], head[15]]);
    let mut rest = vec![0; usize::try_from(length).expect("data") + 4];
    told(link.read_exact(&mut rest));
    told(link.write_all(&packet(ACK_EPOCH, 0, &(-1_i32).to_be_bytes())));
    let mut kind = [0; 4];
    told(link.read_exact(&mut kind));
    assert!([DIFF, SNAP].contains(&i32::from_be_bytes(kind)), "{kind:?}");
    link
}

/// Two voters, and an observer that does not run yet.
fn ensemble(configure: impl Fn(Config) -> Config) -> Ensemble {
    let seats = [Seat::Observer, Seat::Voter, Seat::Voter];
    let mut ensemble =
        Ensemble::prepare(&seats, |_, config| configure(config.set("initLimit", "200")));
    ensemble.servers[1..].iter_mut().for_each(Server::launch);
    ensemble.await_service();
    let mut client = Client::connect(ensemble.address(2));
    client.make("/before");
    client.close();
    ensemble
}

#[test]
fn an_observer_is_sent_away_while_another_one_catches_up() {
    let mut ensemble = ensemble(|config| {
        let config = config.property("zookeeper.leader.maxConcurrentDiffSyncs=1");
        config.property("zookeeper.leader.maxConcurrentSnapSyncs=1")
    });
    let leader = ensemble.leader();
    let other = unfinished(SocketAddr::from(([127, 0, 0, 1], ensemble.ports[leader].0)));
    ensemble.servers[0].launch();
    let crowded = if harness::is_reference() {
        "sync would make 2 concurrently in progress; maximum is 1"
    } else {
        "as many learners as leader.maxConcurrentDiffSyncs allows are being sent txns"
    };
    await_log(&ensemble.servers[leader], crowded);
    let not_serving = "This ZooKeeper instance is not currently serving requests";
    assert!(ensemble.servers[0].word("srvr").contains(not_serving));
    drop(other);
    ensemble.await_service();
    ensemble.assert_equal();
}

#[test]
fn a_snapshot_is_sent_where_that_is_asked_for() {
    let mut ensemble = ensemble(|config| config.property("zookeeper.forceSnapshotSync=true"));
    ensemble.servers[0].launch();
    ensemble.await_service();
    let sent = if harness::is_reference() { "Forcing snapshot sync" } else { "lacked: SNAP at" };
    await_log(&ensemble.servers[ensemble.leader()], sent);
    ensemble.assert_equal();
}
