//! Learner links.

use super::{
    INTRODUCTION_MS, Solo, accept, connect, is_closed, listener, reach, read, reserved, write,
};
use crate::core_loop::peers::Reach;
use crate::core_loop::peers::complaints::Complaint;
use crate::core_loop::peers::limits::{BIND_RETRY_MS, HELD_BYTES_MAX};
use engine::zab::{Attempt, CloseReason, Effect, LinkId, Message};
use model::peer::packet::{FromLeader, FromLearner, LearnerInfo, PROTOCOL_VERSION, PacketError};
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use net::listener::{Endpoint, ListenOptions, Listener};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

/// Server 1, which knows server 2 at this port.
fn knowing(quorum: u16) -> Solo {
    Solo::new(1, BTreeMap::from([(ServerId(2), reach(1, quorum))]))
}

/// What a follower begins with.
pub(super) fn introduction() -> Vec<u8> {
    let (server, protocol) = (ServerId(3), PROTOCOL_VERSION);
    let learner = LearnerInfo::Config { server, protocol, version: 0, trailing: &[1, 2] };
    encoded(FromLearner::FollowerInfo { accepted: Zxid(0), learner })
}

fn encoded(packet: FromLearner<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    bytes
}

fn acks(count: i64) -> Vec<u8> {
    (1..=count).flat_map(|zxid| encoded(FromLearner::Ack { zxid: Zxid(zxid) })).collect()
}

/// A learner that is introduced as link 0.
pub(super) fn introduced(solo: &mut Solo) -> TcpStream {
    let stream = connect(solo.quorum);
    write(&stream, &introduction());
    assert_eq!(solo.told(2), ["Accepted(LinkId(0))", "0 says FollowerInfo"]);
    // It need not be in the configuration.
    let complaints = solo.complaints();
    assert!(complaints.iter().all(|it| matches!(it, Complaint::Unlisted(_))), "{complaints:?}");
    stream
}

fn listening() -> (TcpListener, u16) {
    let listener = listener();
    let port = listener.address.port();
    (listener.into(), port)
}

#[test]
fn a_learner_is_one_once_it_is_introduced() {
    let mut solo = knowing(1);
    let stream = connect(solo.quorum);
    let bytes = introduction();
    for (count, byte) in (1..).zip(&bytes[..bytes.len() - 1]) {
        write(&stream, &[*byte]);
        solo.until(|it| it.peers.learners.inbox_bytes() == count);
        assert!(solo.recorder.told.is_empty());
    }
    let rest = [&bytes[bytes.len() - 1..], &acks(2)].concat();
    write(&stream, &rest);
    let told = ["Accepted(LinkId(0))", "0 says FollowerInfo", "0 says Ack", "0 says Ack"];
    assert_eq!(solo.told(4), told);
    // It may be silent for as long as agreement likes.
    solo.pass(100 * INTRODUCTION_MS);
    assert!(!is_closed(&stream));
    stream.set_nonblocking(false).unwrap();
    drop(stream);
    assert_eq!(solo.told(1), ["Closed(LinkId(0))"]);
    solo.end();
}

#[test]
fn what_is_sent_arrives_in_order_until_the_link_is_closed() {
    let mut solo = knowing(1);
    let stream = introduced(&mut solo);
    let epoch = Epoch(4);
    let messages = [
        Message::LeaderInfo(epoch),
        Message::Diff(Zxid(5)),
        Message::NewLeader(epoch, super::ensemble(1, 3).current),
        Message::UpToDate,
    ];
    let mut expected = Vec::new();
    for message in messages {
        message.encode(&solo.ensemble, &mut expected);
        solo.perform(Effect::Send(LinkId(0), message));
    }
    // Of another link, which is unknown.
    solo.perform(Effect::Send(LinkId(9), Message::UpToDate));
    let sends_before = solo.ring.queue().in_flight();
    solo.turn();
    assert_eq!(solo.ring.queue().in_flight(), sends_before + 1, "one send a turn");
    assert_eq!(read(&stream, expected.len()), expected);
    // What comes after the close is not handed in.
    solo.perform(Effect::Close(LinkId(0), CloseReason::Silent));
    solo.perform(Effect::Close(LinkId(0), CloseReason::Silent));
    write(&stream, &acks(1));
    solo.settle();
    assert!(is_closed(&stream) && solo.recorder.told.is_empty());
    assert_eq!(solo.peers.learners.counts(), (0, 0));
    solo.end();
}

/// Packets wait while agreement does not read a link; a peer that goes on is not read either.
#[test]
fn packets_wait_until_the_link_is_read() {
    let mut solo = knowing(1);
    solo.recorder.unread = vec![LinkId(0)];
    let stream = connect(solo.quorum);
    write(&stream, &introduction());
    assert_eq!(solo.told(1), ["Accepted(LinkId(0))"]);
    let count = 100_000;
    let bytes = acks(count);
    let writer = std::thread::spawn(move || {
        write(&stream, &bytes);
        stream
    });
    solo.until(|it| it.peers.learners.inbox_bytes() > HELD_BYTES_MAX);
    solo.settle();
    let held = solo.peers.learners.inbox_bytes();
    assert!(held < HELD_BYTES_MAX + (128 << 10), "{held} bytes are held");
    assert!(solo.recorder.told.is_empty());
    assert!(!solo.peers.is_busy(&solo.recorder));
    solo.recorder.unread.clear();
    assert!(solo.peers.is_busy(&solo.recorder));
    let told = solo.told(count as usize + 1);
    assert_eq!(told[0], "0 says FollowerInfo");
    assert!(told[1..].iter().all(|it| it == "0 says Ack"));
    assert!(!solo.peers.is_busy(&solo.recorder));
    // One that ends while it waits is over.
    solo.recorder.unread = vec![LinkId(0)];
    let stream = writer.join().unwrap();
    write(&stream, &acks(1));
    drop(stream);
    assert_eq!(solo.told(1), ["Closed(LinkId(0))"]);
    solo.end();
}

/// Some packets of a turn may be taken and others not.
#[test]
fn a_link_stops_between_two_packets() {
    let mut solo = knowing(1);
    let stream = introduced(&mut solo);
    solo.recorder.stops_at = Some(3);
    write(&stream, &acks(5));
    solo.until(|it| it.recorder.told.len() == 3);
    solo.settle();
    assert_eq!(solo.recorder.told.len(), 3);
    solo.recorder.stops_at = None;
    assert_eq!(solo.told(5), ["0 says Ack"; 5]);
    solo.end();
}

#[test]
fn bytes_that_are_no_packets_end_the_link() {
    let mut solo = knowing(1);
    let stream = introduced(&mut solo);
    // What a leader sends is passed over, as stock does.
    let mut bytes = Vec::new();
    FromLeader::UpToDate { zxid: Zxid(0) }.encode(&mut bytes);
    bytes.extend(acks(1));
    write(&stream, &bytes);
    assert_eq!(solo.told(1), ["0 says Ack"]);
    assert!(matches!(
        solo.complaints()[..],
        [Complaint::PassedOver(PacketError::Kind { found: 12, .. })]
    ));
    let mut bytes = acks(1);
    bytes.extend(1_i32.to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend(i32::MAX.to_be_bytes());
    write(&stream, &bytes);
    assert_eq!(solo.told(2), ["0 says Ack", "Closed(LinkId(0))"]);
    assert!(matches!(solo.complaints()[..], [Complaint::Packet(PacketError::Length { .. })]));
    solo.settle();
    assert!(is_closed(&stream));
    solo.end();
}

#[test]
fn a_leader_is_connected_to_once_an_attempt() {
    let (theirs, port) = listening();
    let (_held, nowhere) = reserved();
    let both = vec![super::address(nowhere.port()), super::address(port)];
    let others = BTreeMap::from([
        (ServerId(2), Reach { election: Vec::new(), quorum: both }),
        (ServerId(3), reach(1, nowhere.port())),
    ]);
    let mut solo = Solo::new(1, others);
    solo.perform(Effect::Connect(Attempt(1), ServerId(3)));
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(1))"]);
    solo.perform(Effect::Connect(Attempt(2), ServerId(9)));
    assert!(solo.peers.is_busy(&solo.recorder), "it must be told though nothing completes");
    assert_eq!(solo.peers.deadline_ms(), solo.now_ms);
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(2))"]);
    // The first address is nowhere, the second one does.
    solo.perform(Effect::Connect(Attempt(3), ServerId(2)));
    assert_eq!(solo.told(1), ["Connected(Attempt(3), LinkId(0))"]);
    let leader = accept(&theirs);
    let message = Message::Register { is_observer: false, promised: Epoch(1) };
    let mut expected = Vec::new();
    message.encode(&solo.ensemble, &mut expected);
    solo.perform(Effect::Send(LinkId(0), message));
    solo.settle();
    assert_eq!(read(&leader, expected.len()), expected);
    let mut bytes = Vec::new();
    FromLeader::LeaderInfo { zxid: Zxid(1 << 32), protocol: PROTOCOL_VERSION, trailing: &[] }
        .encode(&mut bytes);
    write(&leader, &bytes);
    assert_eq!(solo.told(1), ["leader 0 LeaderInfo"]);
    drop(leader);
    assert_eq!(solo.told(1), ["Closed(LinkId(0))"]);
    solo.end();
}

#[test]
fn an_attempt_that_takes_too_long_fails() {
    // Room for two that are not accepted; the next connect waits.
    let endpoint = Endpoint::One(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let options = ListenOptions { backlog: 1, ..ListenOptions::default() };
    let crowded = Listener::bind(endpoint, options).unwrap();
    let _crowd = [connect(crowded.address), connect(crowded.address)];
    let mut solo = knowing(crowded.address.port());
    solo.perform(Effect::Connect(Attempt(1), ServerId(2)));
    solo.settle();
    solo.pass(INTRODUCTION_MS - 1);
    assert!(solo.recorder.told.is_empty());
    assert_eq!(solo.peers.deadline_ms(), INTRODUCTION_MS);
    solo.pass(1);
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(1))"]);
    // A later attempt takes the place of an earlier one.
    solo.perform(Effect::Connect(Attempt(2), ServerId(2)));
    solo.settle();
    solo.perform(Effect::Connect(Attempt(3), ServerId(2)));
    assert_eq!(solo.told(1), ["ConnectFailed(Attempt(2))"]);
    assert_eq!(solo.peers.learners.counts().0, 1);
    solo.end();
}

#[test]
fn observers_come_in_by_a_door_of_their_own_while_it_is_open() {
    let mut solo = knowing(1);
    let (held, place) = reserved();
    drop(held);
    let endpoint = Endpoint::of(place);
    let options = ListenOptions::default();
    solo.peers.will_serve_observers_at(vec![endpoint], options);
    solo.pass(1);
    assert!(TcpStream::connect(place).is_err(), "agreement has not asked for it");
    solo.perform(Effect::OpenToObservers(true));
    solo.settle();
    let observer = connect(place);
    let (server, protocol) = (ServerId(2), PROTOCOL_VERSION);
    let learner = LearnerInfo::Config { server, protocol, version: 0, trailing: &[] };
    write(&observer, &encoded(FromLearner::ObserverInfo { accepted: Zxid(0), learner }));
    assert_eq!(solo.told(2), ["ObserverAccepted(LinkId(0))", "0 says ObserverInfo"]);
    solo.perform(Effect::OpenToObservers(false));
    solo.settle();
    assert!(TcpStream::connect(place).is_err(), "it is closed");
    assert!(!is_closed(&observer), "what is there stays until agreement closes it");
    // Another process has the port: it is tried again.
    let other = TcpListener::bind(place).unwrap();
    solo.perform(Effect::OpenToObservers(true));
    solo.settle();
    drop(other);
    solo.pass(BIND_RETRY_MS);
    drop(connect(place));
    solo.end();
}

#[test]
fn an_observer_master_is_asked_at_its_own_port() {
    let (theirs, port) = listening();
    // Its quorum port is another one, where nobody listens.
    let (_held, nowhere) = reserved();
    let mut solo = knowing(nowhere.port());
    solo.peers.learners.serve_at(port);
    solo.perform(Effect::ConnectToMaster(Attempt(1), ServerId(2)));
    assert_eq!(solo.told(1), ["Connected(Attempt(1), LinkId(0))"]);
    drop(accept(&theirs));
    solo.end();
}
