//! Threads that send and receive over real sockets.

use super::*;
use engine::batch::Batch;
use engine::pipeline::Head;
use engine::settings::Settings;
use engine::tree::TreeSeed;
use model::acl::AclList;
use model::op::Op;
use model::session::{ExtendedTypes, SessionId};
use model::txn::{CreateTxn, NodeKind, Txn, TxnHeader};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

const LINK: LinkId = LinkId(3);
const LONG: Duration = Duration::from_secs(60);
const SEED: TreeSeed = TreeSeed([3, 4]);

/// Both ends of a connection.
fn connection() -> (Lent, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    (Lent::of_test(LINK, ours.into()), theirs)
}

/// A tree of some nodes, one of them of a session.
fn head() -> Head {
    let mut head = Head::new(Arc::new(Settings::default()), SEED);
    let mut batch = Batch::default();
    let mut zxid = Zxid(5 << 32);
    let mut apply = |op, txn: &Txn<'_>| {
        zxid = zxid.next();
        let header = TxnHeader { session: SessionId(77), cxid: 0, zxid, time_ms: 5, op };
        head.apply(&header, op, txn, &mut batch).unwrap();
    };
    apply(Op::CreateSession, &Txn::CreateSession { timeout_ms: 4_000 });
    for number in 0..4_000 {
        let path = format!("/n{number}");
        let kind = if number == 9 { NodeKind::Ephemeral } else { NodeKind::Persistent };
        let (path, data) = (path.as_bytes(), Some(&[7; 700][..]));
        let create = CreateTxn { path, data, acl: AclList::READ_ONLY, kind, parent_cversion: 1 };
        apply(Op::Create, &Txn::Create(create));
    }
    let version = head.seal();
    head.tree.publish(version);
    head
}

fn of_receiving() -> Purpose {
    let (types, zxid) = (ExtendedTypes::default(), Zxid(5 << 32));
    Purpose::Receive(Expected { seed: SEED, types, zxid, is_fuzzy: false })
}

fn begin(lent: Lent, purpose: Purpose, silence: Duration) -> (Transfers, Arc<LoopInbox>) {
    let (mut transfers, inbox) = (Transfers::default(), Arc::new(LoopInbox::default()));
    transfers.ask(LINK, purpose);
    assert!(transfers.begin(lent, silence, &inbox).unwrap().is_none());
    (transfers, inbox)
}

/// What the thread reports; every test waits for nothing else.
fn done(inbox: &LoopInbox) -> Transferred {
    loop {
        match inbox.take().pop() {
            Some(LoopMessage::Transferred(transferred)) => return *transferred,
            Some(_) => panic!("another message"),
            None => std::thread::yield_now(),
        }
    }
}

#[test]
fn a_tree_goes_over_a_link() {
    let mut head = head();
    let (lent, theirs) = connection();
    let (_, sending) = begin(lent, Purpose::Send(head.tree.pin().unwrap()), LONG);
    let their_side = Lent::of_test(LINK, theirs.into());
    let (_, receiving) = begin(their_side, of_receiving(), LONG);
    let sent = done(&sending);
    assert!(!head.tree.is_shared(), "the pin is dropped");
    let Outcome::Sent(zxid, Ok(length)) = sent.outcome else { panic!("not sent") };
    assert_eq!(zxid, head.tree.meta().zxid);
    let received = done(&receiving);
    let Outcome::Received(Ok(arrived)) = received.outcome else { panic!("not received") };
    let Arrived { rebuilt, through, bytes, txns } = arrived;
    assert_eq!((through, txns), (Zxid(5 << 32), 0));
    assert_eq!((bytes, &received.lent.unread[..]), (length, &[][..]));
    assert_eq!(rebuilt.tree.digest(), head.tree.digest());
    assert_eq!(rebuilt.tree.node_count(), head.tree.node_count());
    assert_eq!(rebuilt.sessions, [(SessionId(77), 4_000)].into());
    // The link can be used as before.
    let (mut ours, mut theirs) = (TcpStream::from(sent.lent.socket), Vec::new());
    ours.write_all(b"a packet").unwrap();
    drop(ours);
    TcpStream::from(received.lent.socket).read_to_end(&mut theirs).unwrap();
    assert_eq!(theirs, b"a packet");
    head.tree.reclaim(usize::MAX);
}

#[test]
fn what_was_read_before_and_is_read_behind_is_not_lost() {
    let head = head();
    let mut snapshot = Vec::new();
    export::send(head.tree.pin().unwrap().view(), &mut snapshot).unwrap();
    let whole = snapshot.len();
    snapshot.extend_from_slice(&[9; 50]);
    // Nothing, a part, the snapshot, and more than that came with the packet before.
    for before in [0, 1, whole / 2, whole, whole + 20, whole + 50] {
        let (mut lent, mut theirs) = connection();
        lent.unread = snapshot[..before].to_vec();
        let (_, inbox) = begin(lent, of_receiving(), LONG);
        theirs.write_all(&snapshot[before..]).unwrap();
        drop(theirs);
        let Transferred { lent, outcome, .. } = done(&inbox);
        let Outcome::Received(Ok(Arrived { bytes, .. })) = outcome else { panic!("{before}") };
        assert_eq!(bytes, whole as u64);
        let mut rest = lent.unread;
        TcpStream::from(lent.socket).read_to_end(&mut rest).unwrap();
        assert_eq!(rest, [9; 50], "{before}");
    }
}

#[test]
fn whatever_comes_ends_in_a_link_that_is_shut_down() {
    for bytes in [&b""[..], b"\0\0\0\0\0\0\0\0\0\0\0\x09", &[0xff; 3_000], &[0x7f; 64]] {
        let (lent, mut theirs) = connection();
        let (_, inbox) = begin(lent, of_receiving(), LONG);
        theirs.write_all(bytes).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let Transferred { lent, outcome, .. } = done(&inbox);
        assert!(matches!(outcome, Outcome::Received(Err(_))));
        let mut rest = Vec::new();
        assert!(TcpStream::from(lent.socket).read_to_end(&mut rest).is_ok());
        assert!(theirs.read_to_end(&mut rest).is_ok_and(|count| count == 0) || rest.is_empty());
    }
}

#[test]
fn a_silent_side_and_a_link_that_is_closed_end_the_thread() {
    let head = head();
    let brief = Duration::from_millis(1);
    for is_sent in [true, false] {
        let purpose = || {
            if is_sent { Purpose::Send(head.tree.pin().unwrap()) } else { of_receiving() }
        };
        let is_failed = |inbox: &LoopInbox| {
            let outcome = done(inbox).outcome;
            matches!(outcome, Outcome::Sent(_, Err(_)) | Outcome::Received(Err(_)))
        };
        let (lent, silent) = connection();
        assert!(is_failed(&begin(full(lent), purpose(), brief).1));
        let (lent, other) = connection();
        let (mut transfers, inbox) = begin(full(lent), purpose(), LONG);
        transfers.end(LINK);
        assert!(is_failed(&inbox) && !head.tree.is_shared());
        drop((silent, other));
    }
    // One that ended before is not needed.
    let mut transfers = Transfers::default();
    transfers.ask(LINK, of_receiving());
    transfers.end(LINK);
    let inbox = Arc::new(LoopInbox::default());
    assert!(transfers.begin(connection().0, LONG, &inbox).unwrap().is_some());
}

/// A link into which nothing more can be written before the other side reads.
fn full(lent: Lent) -> Lent {
    let mut socket = TcpStream::from(lent.socket.try_clone().unwrap());
    socket.set_nonblocking(true).unwrap();
    while socket.write(&[0; 1 << 10]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    lent
}
