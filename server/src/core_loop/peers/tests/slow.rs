//! Peers that do not read.

use super::learners::{introduced, introduction};
use super::{Solo, connect, reach, read, write};
use crate::core_loop::peers::complaints::Complaint;
use crate::core_loop::peers::limits::ROOM_BYTES;
use engine::in_log::InLog;
use engine::zab::{Effect, LinkId, Message, Part};
use model::server::ServerId;
use model::zxid::Zxid;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The bound of these tests: more than the buffers of a socket hold.
const UNSENT_BYTES_MAX: usize = 32 << 20;

fn solo() -> Solo {
    let mut solo = Solo::new(1, BTreeMap::from([(ServerId(2), reach(1, 1))]));
    solo.peers.learners.unsent_bytes_max = UNSENT_BYTES_MAX;
    solo
}

/// A proposal of a megabyte.
fn megabyte() -> Message {
    let mut txns = InLog::default();
    txns.push(Zxid(1), &vec![5; 1 << 20]);
    Message::Proposals(Part { txns: Arc::new(txns), range: 0..1 })
}

#[test]
fn a_peer_that_does_not_read_is_disconnected() {
    let mut solo = solo();
    let stream = introduced(&mut solo);
    let message = megabyte();
    assert!(solo.peers.has_room(LinkId(0)));
    let mut count = 0;
    while solo.complaints().is_empty() {
        solo.perform(Effect::Send(LinkId(0), message.clone()));
        solo.turn();
        count += 1;
        assert!(count < 100, "so much is held: {}", solo.peers.learners.unsent_bytes());
        assert!(solo.peers.learners.unsent_bytes() <= UNSENT_BYTES_MAX);
    }
    assert!(count > 32, "what is within the bound waits");
    assert_eq!(solo.told(1), ["Closed(LinkId(0))"]);
    assert!(!solo.peers.has_room(LinkId(0)));
    solo.until(|it| it.peers.learners.unsent_bytes() == 0);
    drop(stream);
    solo.end();
}

#[test]
fn a_message_that_can_never_be_sent_is_not_built() {
    let mut solo = solo();
    let _stream = introduced(&mut solo);
    let message = Message::Acks { first: Zxid(1), last: Zxid(u32::MAX.into()) };
    solo.perform(Effect::Send(LinkId(0), message));
    assert_eq!(solo.complaints(), [Complaint::Unread { byte_count: 0 }]);
    assert_eq!(solo.told(1), ["Closed(LinkId(0))"]);
    solo.end();
}

/// All links together are bounded, too: the one with the most is closed.
#[test]
fn many_peers_that_do_not_read_lose_one() {
    let mut solo = solo();
    let first = introduced(&mut solo);
    let second = connect(solo.quorum);
    write(&second, &introduction());
    solo.told(2);
    assert_eq!(solo.complaints(), [Complaint::Unlisted(ServerId(3))]);
    solo.peers.learners.unsent_total_bytes_max = 20 << 20;
    let message = megabyte();
    for link in [0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] {
        solo.perform(Effect::Send(LinkId(link), message.clone()));
    }
    let complaints = solo.complaints();
    assert!(matches!(complaints[..], [Complaint::UnreadOfAll { .. }]), "{complaints:?}");
    assert_eq!(solo.told(1), ["Closed(LinkId(0))"]);
    // The other one gets everything.
    solo.settle();
    let mut expected = Vec::new();
    message.encode(&solo.ensemble, &mut expected);
    let expected = expected.repeat(5);
    let byte_count = expected.len();
    let reader = std::thread::spawn(move || read(&second, byte_count));
    solo.until(|it| it.peers.learners.unsent_bytes() == 0);
    assert!(reader.join().unwrap() == expected);
    drop(first);
    solo.end();
}

/// More of the log is to be read only for links that have room.
#[test]
fn a_link_has_room_again_when_its_peer_reads() {
    let mut solo = solo();
    let stream = introduced(&mut solo);
    let message = megabyte();
    let mut count = 0;
    while solo.peers.has_room(LinkId(0)) {
        solo.perform(Effect::Send(LinkId(0), message.clone()));
        solo.settle();
        count += 1;
    }
    assert!(solo.peers.learners.unsent_bytes() >= ROOM_BYTES);
    let reader = std::thread::spawn(move || read(&stream, count * ((1 << 20) + 20)));
    solo.until(|it| it.peers.has_room(LinkId(0)));
    solo.until(|it| it.peers.learners.unsent_bytes() == 0);
    reader.join().unwrap();
    solo.end();
}
