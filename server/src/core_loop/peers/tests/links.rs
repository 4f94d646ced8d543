//! Election links.

use super::{CONNECT_MS, Solo, accept, connect, is_closed, listener, reach, read, reserved, write};
use crate::core_loop::peers::complaints::Complaint;
use crate::core_loop::peers::limits::{CALLED_BACK_MS, OUTSIDERS_MAX, RETRY_MS_MAX};
use model::peer::hello::{Hello, HelloForm};
use model::peer::notification::Notification;
use model::server::ServerId;
use net::listener::{Endpoint, ListenOptions, Listener};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Server `me`, which knows server `other` at this port.
fn knowing(me: i64, other: i64, port: u16) -> Solo {
    Solo::new(me, BTreeMap::from([(ServerId(other), reach(port, 1))]))
}

fn hello(server: ServerId, port: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    let addresses = vec![super::address(port)];
    Hello::Addressed { form: HelloForm::V1, server, addresses }.encode(&mut bytes);
    bytes
}

/// Reads a hello, which must be of this server and say where it listens.
fn assert_greets(stream: &TcpStream, solo: &Solo) {
    let me = solo.ensemble.me;
    let expected = hello(me, solo.election.port());
    assert_eq!(read(stream, expected.len()), expected);
}

/// The round of the next notification.
fn round(stream: &TcpStream) -> i64 {
    let length = i32::from_be_bytes(read(stream, 4).try_into().unwrap());
    let message = read(stream, length as usize);
    Notification::decode(&message).unwrap().round
}

/// Turns until the link is there.
fn opened(solo: &mut Solo, with: i64) {
    let expected = format!("ElectionLinkOpened(ServerId({with}))");
    solo.until(|it| it.recorder.told.contains(&expected));
    solo.recorder.told.clear();
    assert_eq!(solo.peers.elections.linked_servers(), [ServerId(with)]);
}

fn listening() -> (TcpListener, u16) {
    let listener = listener();
    let port = listener.address.port();
    (listener.into(), port)
}

#[test]
fn a_greater_number_connects_and_keeps_its_link() {
    let (theirs, port) = listening();
    let mut solo = knowing(2, 1, port);
    (5..=7).for_each(|round| solo.notify(1, round));
    opened(&mut solo, 1);
    let stream = accept(&theirs);
    assert_greets(&stream, &solo);
    solo.settle();
    assert_eq!(round(&stream), 7, "only the newest waits");
    solo.notify(1, 8);
    solo.settle();
    assert_eq!(round(&stream), 8);
    write(&stream, &frame(3));
    assert_eq!(solo.told(1), ["1 in round 3"]);
    solo.end();
}

/// A notification with its length, as another server sends it.
fn frame(round: i64) -> Vec<u8> {
    let mut message = Vec::new();
    super::notice(round).encode(&super::ensemble(1, 3), &mut message);
    let mut frame = (message.len() as i32).to_be_bytes().to_vec();
    frame.extend(message);
    frame
}

#[test]
fn the_link_of_the_greater_number_survives() {
    let (theirs, port) = listening();
    let mut solo = knowing(1, 2, port);
    solo.notify(2, 5);
    // Ours announces this server, and is closed.
    solo.until(|it| it.peers.elections.counts().0 == 1);
    solo.until(|it| it.peers.elections.counts().0 == 0);
    let announced = accept(&theirs);
    assert_greets(&announced, &solo);
    solo.settle();
    assert!(is_closed(&announced));
    assert!(solo.recorder.told.is_empty());
    // It is not announced again before the other had time to connect back.
    assert_eq!(solo.peers.deadline_ms(), CALLED_BACK_MS);
    // Theirs is the link.
    let stream = connect(solo.election);
    let mut bytes = hello(ServerId(2), port);
    bytes.extend(frame(9));
    write(&stream, &bytes);
    solo.until(|it| it.recorder.told.len() == 2);
    assert_eq!(solo.recorder.told[1], "2 in round 9", "what follows the hello is read");
    solo.settle();
    assert_eq!(round(&stream), 5);
    solo.end();
}

/// Both announce themselves and connect at the same time, as often as they like.
#[test]
fn two_servers_that_connect_at_once_have_one_link() {
    let (small_port, great_port) = (reserved(), reserved());
    let bound =
        |at: SocketAddr| Listener::bind(Endpoint::One(at), ListenOptions::default()).unwrap();
    let mut small = knowing(1, 2, great_port.1.port());
    let mut great = knowing(2, 1, small_port.1.port());
    small.ask(|peers, queue| peers.listen_for_elections(queue, bound(small_port.1)));
    great.ask(|peers, queue| peers.listen_for_elections(queue, bound(great_port.1)));
    for number in 1..=20 {
        small.notify(2, number);
        great.notify(1, number);
        for _ in 0..50 {
            small.turn();
            great.turn();
        }
        for solo in [&mut small, &mut great] {
            solo.now_ms += RETRY_MS_MAX;
        }
    }
    let is_done = |solo: &Solo, said: &str| solo.recorder.told.iter().any(|it| it == said);
    for _ in 0..100_000 {
        if is_done(&small, "2 in round 20") && is_done(&great, "1 in round 20") {
            break;
        }
        small.turn();
        great.turn();
    }
    assert!(is_done(&small, "2 in round 20") && is_done(&great, "1 in round 20"));
    assert_eq!(small.peers.elections.linked_servers(), [ServerId(2)]);
    assert_eq!(great.peers.elections.linked_servers(), [ServerId(1)]);
    small.end();
    great.end();
}

#[test]
fn a_new_link_replaces_the_one_before() {
    let mut solo = knowing(1, 2, 1);
    let first = connect(solo.election);
    write(&first, &hello(ServerId(2), 1));
    opened(&mut solo, 2);
    solo.notify(2, 5);
    solo.settle();
    assert_eq!(round(&first), 5);
    // The server may have missed it: it is sent again, and is news no more.
    let second = connect(solo.election);
    write(&second, &2_i64.to_be_bytes());
    opened(&mut solo, 2);
    solo.settle();
    assert!(is_closed(&first));
    assert_eq!(round(&second), 5);
    // What is newer takes its place.
    drop(second);
    solo.until(|it| it.peers.elections.linked_servers().is_empty());
    solo.notify(2, 6);
    let third = connect(solo.election);
    write(&third, &hello(ServerId(2), 1));
    opened(&mut solo, 2);
    solo.notify(2, 7);
    solo.settle();
    assert_eq!([round(&third), round(&third)], [6, 7]);
    solo.end();
}

/// Where it says it is counts before where the configuration says so.
#[test]
fn a_smaller_number_that_calls_is_connected_to() {
    let (theirs, port) = listening();
    let (_held, nowhere) = reserved();
    let mut solo = knowing(2, 1, nowhere.port());
    let caller = connect(solo.election);
    write(&caller, &hello(ServerId(1), port));
    opened(&mut solo, 1);
    assert!(is_closed(&caller));
    let link = accept(&theirs);
    assert_greets(&link, &solo);
    // It calls again: it has lost its link, whatever is known of that here.
    let caller = connect(solo.election);
    write(&caller, &hello(ServerId(1), port));
    opened(&mut solo, 1);
    assert!(is_closed(&caller) && is_closed(&link));
    assert_greets(&accept(&theirs), &solo);
    solo.end();
}

#[test]
fn servers_outside_the_configuration_have_links_while_they_last() {
    let (theirs, port) = listening();
    let mut solo = knowing(5, 1, 1);
    // Of a greater number: it is answered over its own link.
    let outsider = connect(solo.election);
    write(&outsider, &hello(ServerId(9), 1));
    opened(&mut solo, 9);
    solo.notify(9, 3);
    solo.settle();
    assert_eq!(round(&outsider), 3);
    drop(outsider);
    solo.until(|it| it.peers.elections.counts() == (0, 1));
    solo.notify(9, 4);
    let outsider = ServerId(9);
    assert_eq!(solo.complaints(), [Complaint::Unlisted(outsider), Complaint::Unknown(outsider)]);
    // An observer without a number gets one, and is connected to.
    let observer = connect(solo.election);
    write(&observer, &hello(ServerId::OBSERVER, port));
    opened(&mut solo, -1);
    let link = accept(&theirs);
    assert_greets(&link, &solo);
    solo.notify(-1, 5);
    solo.settle();
    assert_eq!(round(&link), 5);
    drop((link, theirs));
    solo.until(|it| it.peers.elections.counts() == (0, 1));
    // One that cannot be reached is forgotten.
    let observer = connect(solo.election);
    write(&observer, &hello(ServerId::OBSERVER, port));
    solo.settle();
    solo.until(|it| it.peers.elections.counts() == (0, 1));
    assert!(is_closed(&observer));
    solo.end();
}

#[test]
fn servers_outside_the_configuration_are_bounded() {
    let mut solo = knowing(1, 2, 1);
    let mut streams = Vec::new();
    for id in 0..=OUTSIDERS_MAX as i64 {
        let stream = connect(solo.election);
        write(&stream, &hello(ServerId(10 + id), 1));
        streams.push(stream);
        solo.settle();
    }
    solo.until(|it| it.peers.elections.counts().0 == OUTSIDERS_MAX);
    let complaints = solo.complaints();
    assert_eq!(complaints.len(), OUTSIDERS_MAX + 1);
    assert!(complaints.contains(&Complaint::Outsiders));
    assert!(complaints.contains(&Complaint::Unlisted(ServerId(10))));
    // Those of the configuration have their places.
    let member = connect(solo.election);
    write(&member, &hello(ServerId(2), 1));
    solo.until(|it| it.peers.elections.counts().0 == OUTSIDERS_MAX + 1);
    solo.end();
}

/// What failed is tried again by itself, later and later, while there is something to say.
#[test]
fn a_server_that_comes_late_is_reached() {
    let (_held, at) = reserved();
    let mut solo = knowing(2, 1, at.port());
    solo.notify(1, 5);
    let mut rests = Vec::new();
    for _ in 0..8 {
        solo.settle();
        solo.until(|it| it.peers.elections.counts().0 == 0);
        let deadline_ms = solo.peers.deadline_ms();
        rests.push(deadline_ms - solo.now_ms);
        solo.now_ms = deadline_ms;
    }
    assert_eq!(rests, [100, 200, 400, 800, 1_600, 3_200, RETRY_MS_MAX, RETRY_MS_MAX]);
    let theirs: TcpListener =
        Listener::bind(Endpoint::One(at), ListenOptions::default()).unwrap().into();
    opened(&mut solo, 1);
    let stream = accept(&theirs);
    assert_greets(&stream, &solo);
    solo.settle();
    assert_eq!(round(&stream), 5);
    // Nothing is to be said: nobody is connected to.
    drop((stream, theirs));
    solo.until(|it| it.peers.elections.counts().0 == 0);
    assert_eq!(solo.peers.deadline_ms(), u64::MAX);
    solo.end();
}

#[test]
fn a_connect_that_takes_too_long_is_given_up() {
    // Room for two that are not accepted; the next connect waits.
    let endpoint = Endpoint::One(SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0)));
    let options = ListenOptions { backlog: 1, ..ListenOptions::default() };
    let theirs = Listener::bind(endpoint, options).unwrap();
    let _crowd = [connect(theirs.address), connect(theirs.address)];
    let mut solo = knowing(2, 1, theirs.address.port());
    solo.notify(1, 5);
    solo.settle();
    assert_eq!(solo.peers.elections.counts().0, 1);
    solo.pass(CONNECT_MS - 1);
    assert_eq!(solo.peers.elections.counts().0, 1);
    solo.pass(1);
    assert_eq!(solo.peers.elections.counts().0, 0);
    assert!(solo.peers.deadline_ms() > solo.now_ms, "another attempt is made later");
    solo.end();
}

/// A message that is none is dropped, a length that is none ends the link.
#[test]
fn bad_messages_of_a_link() {
    let mut solo = knowing(1, 2, 1);
    let stream = connect(solo.election);
    write(&stream, &hello(ServerId(2), 1));
    opened(&mut solo, 2);
    write(&stream, &[0, 0, 0, 5, 1, 2, 3, 4, 5]);
    write(&stream, &frame(4));
    assert_eq!(solo.told(1), ["2 in round 4"]);
    assert!(matches!(solo.complaints()[..], [Complaint::Notification(_)]));
    for length in [0, -1, (512 << 10) + 1, i32::MAX] {
        let stream = connect(solo.election);
        write(&stream, &hello(ServerId(2), 1));
        opened(&mut solo, 2);
        write(&stream, &i32::to_be_bytes(length));
        solo.until(|it| it.peers.elections.linked_servers().is_empty());
        solo.settle();
        assert!(is_closed(&stream));
        assert_eq!(solo.complaints(), [Complaint::Frame { length }]);
    }
    solo.end();
}
