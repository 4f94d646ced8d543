//! Whatever connects, and whatever it sends.

use super::{HELLO_MS, INTRODUCTION_MS, Solo, connect, is_closed, reach, write};
use crate::core_loop::peers::complaints::Complaint;
use crate::core_loop::peers::limits::STRANGERS_MAX;
use engine::zab::Attempt;
use engine::zab::Effect;
use model::server::ServerId;
use ring::Wait;
use std::collections::BTreeMap;
use std::net::TcpStream;

/// What becomes of a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is closed for this reason, as soon as it has sent enough.
    Closed(Complaint),
    /// It has not sent enough, and is closed when its time is over.
    Waits,
}

const NO_HELLO: Fate = Fate::Closed(Complaint::Hello);
const NO_LEARNER: Fate = Fate::Closed(Complaint::Introduction);

/// Bytes, and what they come to on the election port and on the quorum port.
fn strangers() -> Vec<(&'static str, Vec<u8>, Fate, Fate)> {
    let mut state = 7_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    let long_hello = |length: i32| {
        let mut bytes = (-65_536_i64).to_be_bytes().to_vec();
        bytes.extend(2_i64.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes
    };
    let mut half_hello = long_hello(14);
    half_hello.extend(b"127.0.0.1");
    let mut no_address = long_hello(4);
    no_address.extend(b"here");
    let own_hello = [1_i64.to_be_bytes().to_vec(), vec![0; 9]].concat();
    let introduction = |length: i32| {
        let mut bytes = 11_i32.to_be_bytes().to_vec();
        bytes.extend(0_i64.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes
    };
    vec![
        ("nothing", Vec::new(), Fate::Waits, Fate::Waits),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_vec(), NO_HELLO, NO_LEARNER),
        (
            "TLS",
            [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[9; 500]].concat(),
            NO_HELLO,
            NO_LEARNER,
        ),
        ("a word", b"ruok".to_vec(), Fate::Waits, NO_LEARNER),
        ("a client", [&[0, 0, 0, 45][..], &[0; 45]].concat(), NO_HELLO, NO_LEARNER),
        ("zeros", vec![0; 4_096], NO_HELLO, NO_LEARNER),
        ("ones", vec![0xff; 4_096], NO_HELLO, NO_LEARNER),
        ("noise", (0..4_096).map(|_| random()).collect(), NO_HELLO, NO_LEARNER),
        ("a hello of 2 GiB", long_hello(i32::MAX), NO_HELLO, NO_LEARNER),
        ("a hello of -2 GiB", long_hello(i32::MIN), NO_HELLO, NO_LEARNER),
        ("a hello of nothing", long_hello(0), NO_HELLO, NO_LEARNER),
        ("half a hello", half_hello, Fate::Waits, NO_LEARNER),
        ("a hello without address", no_address, NO_HELLO, NO_LEARNER),
        ("a hello of server 1", own_hello, NO_HELLO, NO_LEARNER),
        ("an introduction of 2 GiB", introduction(i32::MAX), NO_HELLO, NO_LEARNER),
        ("a long introduction", introduction(1_025), NO_HELLO, NO_LEARNER),
        ("half an introduction", introduction(1_024), NO_HELLO, Fate::Waits),
        ("an ACK first", [&3_i32.to_be_bytes()[..], &[0; 16]].concat(), NO_HELLO, NO_LEARNER),
    ]
}

fn solo() -> Solo {
    Solo::new(1, BTreeMap::from([(ServerId(2), reach(1, 1))]))
}

/// A link of each kind, and the streams at their other ends.
fn friends(solo: &mut Solo) -> [TcpStream; 2] {
    let election = connect(solo.election);
    write(&election, &2_i64.to_be_bytes());
    let learner = connect(solo.quorum);
    write(&learner, &[&11_i32.to_be_bytes()[..], &[0; 8], &[0xff; 8]].concat());
    solo.told(3);
    [election, learner]
}

#[test]
fn only_the_stranger_is_closed() {
    for (name, bytes, at_election, at_quorum) in strangers() {
        for is_election in [true, false] {
            let mut solo = solo();
            let friends = friends(&mut solo);
            let (port, fate, limit_ms) = if is_election {
                (solo.election, at_election, HELLO_MS)
            } else {
                (solo.quorum, at_quorum, INTRODUCTION_MS)
            };
            let stranger = connect(port);
            write(&stranger, &bytes);
            solo.until(|it| it.peers.elections.counts().0 + it.peers.learners.counts().0 >= 2);
            match fate {
                Fate::Closed(complaint) => {
                    solo.until(|it| it.complained().contains(&complaint));
                    assert_eq!(solo.complaints(), [complaint], "{name}");
                }
                Fate::Waits => {
                    solo.settle();
                    solo.pass(limit_ms - 1);
                    assert!(!is_closed(&stranger), "{name}");
                    stranger.set_nonblocking(false).unwrap();
                    solo.until(|it| it.strangers() == 1);
                    assert_eq!(solo.peers.deadline_ms(), limit_ms);
                    solo.pass(1);
                    assert_eq!(solo.complaints(), [Complaint::Silent], "{name}");
                }
            }
            solo.settle();
            assert!(is_closed(&stranger), "{name}");
            assert_eq!(solo.strangers(), 0, "{name}");
            assert!(solo.recorder.told.is_empty(), "{name}: {:?}", solo.recorder.told);
            assert!(!friends.iter().any(is_closed), "{name}: nobody else is closed");
            solo.end();
        }
    }
}

/// What is announced makes nothing grow: neither of strangers nor of links.
#[test]
fn what_is_announced_is_not_allocated() {
    let mut solo = solo();
    let mut bytes = 11_i32.to_be_bytes().to_vec();
    bytes.extend([0; 8]);
    bytes.extend(1_000_i32.to_be_bytes());
    let stranger = connect(solo.quorum);
    write(&stranger, &bytes);
    solo.until(|it| it.peers.learners.inbox_capacity() > 0);
    assert!(solo.peers.learners.inbox_capacity() < 100);
    drop(stranger);
    // A link may announce a packet of a megabyte.
    let [_election, learner] = friends(&mut solo);
    let request = [&1_i32.to_be_bytes()[..], &[0; 8], &1_000_000_i32.to_be_bytes()].concat();
    write(&learner, &request);
    solo.until(|it| it.peers.learners.inbox_capacity() > 0);
    assert!(solo.peers.learners.inbox_capacity() < 100);
    solo.end();
}

/// One that is silent takes no other's place.
#[test]
fn strangers_are_bounded_and_the_oldest_make_room() {
    let mut solo = solo();
    for port in [solo.election, solo.quorum] {
        let streams: Vec<_> = (0..STRANGERS_MAX + 2)
            .map(|_| {
                solo.now_ms += 1;
                let stream = connect(port);
                solo.until(Solo::accepted_just_now);
                stream
            })
            .collect();
        solo.settle();
        assert_eq!(solo.strangers(), STRANGERS_MAX);
        assert_eq!(solo.complaints(), [Complaint::Crowded; 2]);
        let closed: Vec<_> = streams.iter().map(is_closed).collect();
        assert_eq!(closed.iter().filter(|it| **it).count(), 2);
        assert!(closed[0] && closed[1]);
        drop(streams);
        solo.until(|it| it.strangers() == 0);
    }
    // They are let in all the same, and so is what this server connects itself.
    friends(&mut solo);
    solo.perform(Effect::Connect(Attempt(1), ServerId(7)));
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(1))"]);
    solo.end();
}

/// It would be a server with two homes.
#[test]
fn nobody_else_has_this_servers_number() {
    let mut solo = solo();
    let mut hello = Vec::new();
    let addresses = vec![super::address(1)];
    let form = model::peer::hello::HelloForm::V2;
    model::peer::hello::Hello::Addressed { form, server: ServerId(1), addresses }
        .encode(&mut hello);
    let stranger = connect(solo.election);
    write(&stranger, &hello);
    solo.until(|it| it.complained().contains(&Complaint::OurId));
    solo.settle();
    assert!(is_closed(&stranger) && solo.recorder.told.is_empty());
    solo.end();
}

/// Who was accepted before the end is not kept by it.
#[test]
fn a_connection_that_comes_at_the_end_is_closed() {
    for is_election in [true, false] {
        let mut solo = solo();
        solo.settle();
        let stream = connect(if is_election { solo.election } else { solo.quorum });
        // It is accepted by now, and reported after the stop.
        solo.ring.turn(Wait::No).unwrap();
        solo.end();
        assert!(is_closed(&stream));
    }
}

impl Solo {
    fn complained(&self) -> Vec<Complaint> {
        let elections = &self.peers.elections.complaints.made;
        elections.iter().chain(&self.peers.learners.complaints.made).copied().collect()
    }

    /// Connections that have not said who they are.
    fn strangers(&self) -> usize {
        self.peers.elections.strangers().len() + self.peers.learners.strangers().len()
    }

    /// Whether a connection has come at this time.
    fn accepted_just_now(&self) -> bool {
        let of_elections = self.peers.elections.strangers();
        let of_learners = self.peers.learners.strangers();
        of_elections.contains(&(self.now_ms + HELLO_MS))
            || of_learners.contains(&(self.now_ms + INTRODUCTION_MS))
    }
}
