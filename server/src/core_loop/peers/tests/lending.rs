//! Links that something else has for a while.

use super::learners::{introduced, introduction};
use super::{Solo, connect, is_closed, reach, read, write};
use engine::zab::{CloseReason, Effect, LinkId, Message};
use model::server::ServerId;
use model::zxid::{Epoch, Zxid};
use std::collections::BTreeMap;
use std::net::TcpStream;

fn solo() -> Solo {
    Solo::new(1, BTreeMap::from([(ServerId(2), reach(1, 1))]))
}

fn encoded(solo: &Solo, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&solo.ensemble, &mut bytes);
    bytes
}

/// As for a snapshot that is sent: it stands between what is sent before and after.
#[test]
fn a_lent_link_is_written_to_between_packets() {
    let mut solo = solo();
    let stream = introduced(&mut solo);
    let (snap, new_leader) =
        (Message::Snap(Zxid(5)), Message::NewLeader(Epoch(1), super::ensemble(1, 3).current));
    let before = encoded(&solo, &snap);
    solo.perform(Effect::Send(LinkId(0), snap));
    solo.ask(|peers, queue| peers.lend(queue, LinkId(0)));
    solo.until(|it| it.peers.learners.has_lent());
    let lent = solo.ask(|peers, _| peers.take_lent()).pop().expect("it is lent");
    assert_eq!((lent.link, &lent.unread[..]), (LinkId(0), &[][..]));
    // Nothing is sent meanwhile, and what comes is not handed in.
    solo.perform(Effect::Send(LinkId(0), Message::UpToDate));
    write(&stream, &introduction());
    solo.settle();
    assert!(solo.recorder.told.is_empty());
    let written = TcpStream::from(lent.socket.try_clone().unwrap());
    write(&written, b"a snapshot");
    drop(written);
    solo.ask(|peers, queue| peers.take_back(queue, lent));
    let after = encoded(&solo, &new_leader);
    solo.perform(Effect::Send(LinkId(0), new_leader));
    assert_eq!(solo.told(1), ["0 says FollowerInfo"]);
    let expected = [before, b"a snapshot".to_vec(), after].concat();
    assert_eq!(read(&stream, expected.len()), expected);
    solo.end();
}

/// As for a snapshot that is received: its beginning has come with a packet.
#[test]
fn a_lent_link_takes_what_was_not_read_along() {
    let mut solo = solo();
    let stream = introduced(&mut solo);
    solo.recorder.unread = vec![LinkId(0)];
    write(&stream, b"a snapshot, ");
    solo.until(|it| it.peers.learners.inbox_bytes() == 12);
    solo.ask(|peers, queue| peers.lend(queue, LinkId(0)));
    solo.until(|it| it.peers.learners.has_lent());
    let mut lent = solo.ask(|peers, _| peers.take_lent()).pop().expect("it is lent");
    assert_eq!(lent.unread, b"a snapshot, ");
    write(&stream, b"its rest");
    let socket = TcpStream::from(lent.socket.try_clone().unwrap());
    assert_eq!(read(&socket, 8), b"its rest");
    // More was read than the snapshot is long.
    lent.unread = introduction();
    solo.recorder.unread.clear();
    solo.ask(|peers, queue| peers.take_back(queue, lent));
    assert_eq!(solo.told(1), ["0 says FollowerInfo"]);
    write(&stream, &introduction());
    assert_eq!(solo.told(1), ["0 says FollowerInfo"]);
    solo.end();
}

/// Whatever comes while it is being lent: in front of the rest, or left in the socket.
#[test]
fn nothing_is_lost_between_the_link_and_the_borrower() {
    let bytes: Vec<u8> = (0..4 << 20).map(|at: u32| (at >> 8 ^ at) as u8).collect();
    let expected = bytes.clone();
    let mut solo = solo();
    let stream = introduced(&mut solo);
    solo.recorder.unread = vec![LinkId(0)];
    let writer = std::thread::spawn(move || {
        write(&stream, &bytes);
        stream
    });
    solo.until(|it| it.peers.learners.inbox_bytes() > 0);
    solo.ask(|peers, queue| peers.lend(queue, LinkId(0)));
    solo.until(|it| it.peers.learners.has_lent());
    let lent = solo.ask(|peers, _| peers.take_lent()).pop().expect("it is lent");
    let socket = super::patient(TcpStream::from(lent.socket));
    let mut found = lent.unread;
    found.extend(read(&socket, expected.len() - found.len()));
    assert!(found == expected);
    drop(writer.join().unwrap());
    solo.end();
}

#[test]
fn a_link_that_is_closed_while_it_is_lent_is_not_taken_back() {
    let mut solo = solo();
    let stream = introduced(&mut solo);
    solo.ask(|peers, queue| peers.lend(queue, LinkId(0)));
    solo.until(|it| it.peers.learners.has_lent());
    let lent = solo.ask(|peers, _| peers.take_lent()).pop().expect("it is lent");
    solo.perform(Effect::Close(LinkId(0), CloseReason::Silent));
    solo.ask(|peers, queue| peers.take_back(queue, lent));
    solo.settle();
    assert!(is_closed(&stream) && solo.recorder.told.is_empty());
    // One that is closed on its way out is closed there.
    let stream = connect(solo.quorum);
    write(&stream, &introduction());
    solo.told(2);
    solo.ask(|peers, queue| peers.lend(queue, LinkId(1)));
    solo.perform(Effect::Close(LinkId(1), CloseReason::Silent));
    solo.settle();
    assert!(is_closed(&stream) && !solo.peers.learners.has_lent());
    assert_eq!(solo.peers.learners.counts(), (0, 0));
    solo.end();
}
