//! A snapshot that comes over a link.
//!
//! A leader of ours sends a tree that does not change. A stock leader's tree changes while it is
//! sent: a node is in it as of some moment between the snapshot's zxid and its end. What is
//! committed meanwhile comes behind it, and NEWLEADER behind all of that; so whatever has left a
//! trace in the tree is committed on this link before NEWLEADER. It is applied here, by the rules
//! for fuzzy snapshots (`convert::import`), and the tree is exact then. What is proposed and not
//! committed by then is left to agreement, with NEWLEADER.
//!
//! Source: ZooKeeper 3.9.5, `LearnerHandler.run`, `Leader.startForwarding`.

use super::super::peers::{Inbox, Lent};
use convert::error::Fault;
use convert::import::Rebuilt;
use convert::stock::log::parse_txn;
use convert::stock::snapshot::SnapshotReader;
use convert::stock::stream::StreamError;
use engine::tree::TreeSeed;
use model::jute::JuteError;
use model::peer::packet::{FromLeader, Measure, PacketError, PacketKind, PacketLimits, Progress};
use model::session::ExtendedTypes;
use model::txn::{DIGEST_VERSION, TxnDigest};
use model::zxid::Zxid;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::TcpStream;
use std::time::Duration;

/// What the tree is made of, and for whom.
#[derive(Clone, Copy, Debug)]
pub(in crate::core_loop) struct Expected {
    /// The seed of the tree.
    pub(in crate::core_loop) seed: TreeSeed,
    /// Which owners of nodes mean a time to live.
    pub(in crate::core_loop) types: ExtendedTypes,
    /// The last txn that is in it as a whole.
    pub(in crate::core_loop) zxid: Zxid,
    /// Whether it changes while it comes.
    pub(in crate::core_loop) is_fuzzy: bool,
}

/// A tree that has come.
pub(in crate::core_loop) struct Arrived {
    pub(in crate::core_loop) rebuilt: Box<Rebuilt>,
    /// The txn that it is as of.
    pub(in crate::core_loop) through: Zxid,
    /// Bytes of the snapshot.
    pub(in crate::core_loop) bytes: u64,
    /// Txns behind the snapshot that were applied.
    pub(in crate::core_loop) txns: u64,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::core_loop) enum ArrivalError {
    /// The link, or what came.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// The link, behind the snapshot.
    #[error("behind the snapshot: {0}")]
    Io(#[from] io::Error),
    /// What came behind it is not a packet.
    #[error("behind the snapshot: {0}")]
    Packet(#[from] PacketError),
    /// A packet that has no place there.
    #[error("{0} came between the snapshot and NEWLEADER")]
    OutOfPlace(PacketKind),
    /// A txn that does not continue the one before.
    #[error("the txn {found} came behind {last}")]
    Gap {
        /// The one before.
        last: Zxid,
        /// The one that came.
        found: Zxid,
    },
    /// A commit of something that was not proposed.
    #[error("{0} was committed out of order")]
    NotProposed(Zxid),
    /// More proposals than may wait.
    #[error("proposals of more than {PROPOSED_BYTES_MAX} bytes came without their commits")]
    TooMuch,
    /// Bytes that are not a txn.
    #[error("{zxid} is not a txn: {error}")]
    Txn {
        /// Which one.
        zxid: Zxid,
        /// Why.
        error: JuteError,
    },
    /// A txn that fits no tree.
    #[error("{zxid} fits no tree: {fault}")]
    Unfit {
        /// Which one.
        zxid: Zxid,
        /// Why.
        fault: Fault,
    },
    /// The tree is not the leader's.
    #[error(
        "the tree that has come is not the leader's: its digest is {found:#x} after {zxid}, the \
         leader's was {expected:#x}"
    )]
    Digest {
        /// After which txn.
        zxid: Zxid,
        /// The leader's.
        expected: u64,
        /// The tree's.
        found: u64,
    },
}

/// Bytes that are read at once behind a snapshot.
const READ_BYTES: usize = 1 << 16;

/// Bytes of proposals that may wait for their commits: a stock leader has a thousand under way by
/// default, each of `jute.maxbuffer` at most, and rarely more than a few KiB.
const PROPOSED_BYTES_MAX: usize = 64 << 20;

/// Counts what is read.
struct Counted<R>(R, u64);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(into)?;
        self.1 += count as u64;
        Ok(count)
    }
}

/// Reads a snapshot. What came behind it and was not needed is left in `lent.unread`.
pub(super) fn receive(
    expected: Expected,
    lent: &mut Lent,
    socket: &TcpStream,
    silence: Duration,
) -> Result<Arrived, ArrivalError> {
    socket.set_read_timeout(Some(silence)).map_err(StreamError::Io)?;
    let before = std::mem::take(&mut lent.unread);
    let mut unread = &before[..];
    let mut source = Counted((&mut unread).chain(socket), 0);
    let Expected { seed, types, zxid, is_fuzzy } = expected;
    let mut rebuilt = Box::new(Rebuilt::new(seed, types));
    let mut rest = rebuilt.receive(SnapshotReader::sent(&mut source))?;
    let bytes = source.1 - rest.len() as u64;
    rest.extend_from_slice(unread);
    let mut behind = Behind::new(&mut rebuilt, zxid);
    if is_fuzzy {
        rest = behind.read(rest, socket, lent.packets)?;
    }
    let (through, txns) = (behind.through, behind.txns);
    lent.unread = rest;
    socket.set_read_timeout(None)?;
    Ok(Arrived { rebuilt, through, bytes, txns })
}

/// What comes between a snapshot and NEWLEADER.
struct Behind<'t> {
    tree: &'t mut Rebuilt,
    through: Zxid,
    /// The last txn that came.
    last: Zxid,
    /// What is not committed yet.
    proposed: VecDeque<(Zxid, Box<[u8]>)>,
    proposed_bytes: usize,
    /// The leader's, after the last txn that was applied.
    digest: Option<TxnDigest>,
    txns: u64,
}

impl<'t> Behind<'t> {
    fn new(tree: &'t mut Rebuilt, through: Zxid) -> Self {
        let (last, proposed) = (through, VecDeque::new());
        Self { tree, through, last, proposed, proposed_bytes: 0, digest: None, txns: 0 }
    }

    /// Reads on behind `come` until NEWLEADER. Returns the packets that are left to agreement.
    fn read(
        &mut self,
        come: Vec<u8>,
        mut source: impl Read,
        limits: PacketLimits,
    ) -> Result<Vec<u8>, ArrivalError> {
        let mut inbox = Inbox::from(come);
        let mut measure = Measure::new(limits);
        let mut piece = vec![0; READ_BYTES];
        let (mut length, mut is_over) = (0, false);
        loop {
            inbox.feed(&piece[..length], |front| {
                if is_over {
                    return Ok(None);
                }
                let Progress::Whole(length) = measure.advance(front)? else { return Ok(None) };
                measure = Measure::new(limits);
                let packet = FromLeader::decode(&front[..length], limits)?;
                let (packet, _) = packet.expect("the packet was measured");
                is_over = packet.kind() == PacketKind::NewLeader;
                if is_over {
                    return Ok(None);
                }
                self.handle(&packet)?;
                Ok::<_, ArrivalError>(Some(length))
            })?;
            if is_over {
                break;
            }
            length = source.read(&mut piece)?;
            if length == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
        self.finish()?;
        let mut left = Vec::new();
        for (zxid, txn) in self.proposed.drain(..) {
            FromLeader::Proposal { zxid, txn: &txn }.encode(&mut left);
        }
        left.extend_from_slice(&inbox.into_bytes());
        Ok(left)
    }

    fn handle(&mut self, packet: &FromLeader<'_>) -> Result<(), ArrivalError> {
        match *packet {
            FromLeader::Proposal { zxid, txn } => {
                if self.is_new(zxid)? {
                    self.proposed.push_back((zxid, txn.into()));
                    self.proposed_bytes += txn.len();
                }
                if self.proposed_bytes > PROPOSED_BYTES_MAX {
                    return Err(ArrivalError::TooMuch);
                }
                Ok(())
            }
            FromLeader::Commit { zxid } | FromLeader::CommitAndActivate { zxid, .. } => {
                if zxid <= self.through {
                    return Ok(());
                }
                match self.proposed.pop_front() {
                    Some((first, txn)) if first == zxid => {
                        self.proposed_bytes -= txn.len();
                        self.apply(zxid, &txn)
                    }
                    _ => Err(ArrivalError::NotProposed(zxid)),
                }
            }
            FromLeader::Inform { zxid, txn } | FromLeader::InformAndActivate { zxid, txn, .. } => {
                if self.is_new(zxid)? {
                    self.apply(zxid, txn)
                } else {
                    Ok(())
                }
            }
            _ => Err(ArrivalError::OutOfPlace(packet.kind())),
        }
    }

    /// Whether the snapshot lacks this txn, or a part of it.
    fn is_new(&mut self, zxid: Zxid) -> Result<bool, ArrivalError> {
        if zxid <= self.through {
            return Ok(false);
        }
        let last = self.last;
        if zxid != last.next() && zxid.epoch() <= last.epoch() {
            return Err(ArrivalError::Gap { last, found: zxid });
        }
        self.last = zxid;
        Ok(true)
    }

    fn apply(&mut self, zxid: Zxid, bytes: &[u8]) -> Result<(), ArrivalError> {
        let (header, txn, digest) =
            parse_txn(bytes).map_err(|error| ArrivalError::Txn { zxid, error })?;
        self.tree.apply(&header, &txn).map_err(|fault| ArrivalError::Unfit { zxid, fault })?;
        (self.through, self.digest) = (zxid, digest);
        self.txns += 1;
        Ok(())
    }

    /// The tree is as of `through` now.
    fn finish(&mut self) -> Result<(), ArrivalError> {
        let found = self.tree.tree.digest();
        match self.digest {
            Some(TxnDigest { version: DIGEST_VERSION, tree }) if tree as u64 != found => {
                let (zxid, expected) = (self.through, tree as u64);
                Err(ArrivalError::Digest { zxid, expected, found })
            }
            _ => {
                // The leader counts usage beside its txns.
                self.tree.count_quotas();
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::batch::Batch;
    use engine::pipeline::Head;
    use engine::settings::Settings;
    use model::acl::AclList;
    use model::jute;
    use model::op::Op;
    use model::session::SessionId;
    use model::txn::{CreateTxn, NodeKind, Txn, TxnHeader};
    use std::sync::Arc;

    const SEED: TreeSeed = TreeSeed([1, 2]);
    const START: Zxid = Zxid((3 << 32) + 40);

    /// A history: each txn with its bytes, and the tree's digest as its author writes it.
    struct Told {
        head: Head,
        batch: Batch,
        zxid: Zxid,
        txns: Vec<(Zxid, Vec<u8>)>,
    }

    impl Told {
        fn new() -> Self {
            let head = Head::new(Arc::new(Settings::default()), SEED);
            Self { head, batch: Batch::default(), zxid: START, txns: Vec::new() }
        }

        fn txn(&mut self, op: Op, txn: &Txn<'_>) {
            self.zxid = self.zxid.next();
            let (zxid, session) = (self.zxid, SessionId(7));
            let header = TxnHeader { session, cxid: 0, zxid, time_ms: 5, op };
            self.head.apply(&header, op, txn, &mut self.batch).unwrap();
            let mut bytes = Vec::new();
            header.encode(&mut bytes);
            txn.encode(&mut bytes);
            jute::put_int(&mut bytes, DIGEST_VERSION);
            jute::put_long(&mut bytes, self.head.tree.digest() as i64);
            self.txns.push((zxid, bytes));
        }

        fn create(&mut self, path: &[u8], parent_cversion: i32) {
            let (data, acl, kind) = (Some(&b"d"[..]), AclList::READ_ONLY, NodeKind::Persistent);
            let create = CreateTxn { path, data, acl, kind, parent_cversion };
            self.txn(Op::Create, &Txn::Create(create));
        }
    }

    fn rebuilt() -> Rebuilt {
        Rebuilt::empty(SEED, ExtendedTypes::default())
    }

    fn new_leader() -> Vec<u8> {
        let mut out = Vec::new();
        FromLeader::NewLeader { zxid: Zxid(3 << 32), config: None }.encode(&mut out);
        out
    }

    #[test]
    fn a_tree_that_has_seen_some_of_the_txns_becomes_exact() {
        let mut told = Told::new();
        told.create(b"/a", 1);
        told.create(b"/a/b", 1);
        told.txn(Op::Delete, &Txn::Delete { path: b"/a/b" });
        told.create(b"/a/c", 3);
        let digest = told.head.tree.digest();
        told.create(b"/late", 2);
        // Any part of the committed txns may be in the tree already.
        for seen in 0..4 {
            let mut tree = rebuilt();
            for (_, bytes) in &told.txns[..seen] {
                let (header, txn, _) = parse_txn(bytes).unwrap();
                tree.apply(&header, &txn).unwrap();
            }
            let mut come = Vec::new();
            FromLeader::Proposal { zxid: START, txn: b"old" }.encode(&mut come);
            FromLeader::Commit { zxid: START }.encode(&mut come);
            for (index, (zxid, txn)) in told.txns.iter().enumerate() {
                FromLeader::Proposal { zxid: *zxid, txn }.encode(&mut come);
                if index == 2 {
                    FromLeader::Commit { zxid: told.txns[0].0 }.encode(&mut come);
                }
            }
            for (zxid, _) in &told.txns[1..4] {
                FromLeader::Commit { zxid: *zxid }.encode(&mut come);
            }
            come.extend(new_leader());
            come.extend_from_slice(b"rest");
            let mut behind = Behind::new(&mut tree, START);
            let read = &come[30..];
            let left = behind.read(come[..30].to_vec(), read, PacketLimits::default()).unwrap();
            assert_eq!((behind.through, behind.txns), (told.txns[3].0, 4));
            assert_eq!(tree.tree.digest(), digest);
            let mut expected = Vec::new();
            let (zxid, txn) = &told.txns[4];
            FromLeader::Proposal { zxid: *zxid, txn }.encode(&mut expected);
            expected.extend(new_leader());
            expected.extend_from_slice(b"rest");
            assert_eq!(left, expected);
        }
    }

    #[test]
    fn observers_are_informed() {
        let mut told = Told::new();
        told.create(b"/a", 1);
        let mut come = Vec::new();
        let (zxid, txn) = &told.txns[0];
        FromLeader::Inform { zxid: *zxid, txn }.encode(&mut come);
        come.extend(new_leader());
        let mut tree = rebuilt();
        let mut behind = Behind::new(&mut tree, START);
        let left = behind.read(come, io::empty(), PacketLimits::default()).unwrap();
        assert_eq!((behind.through, left), (*zxid, new_leader()));
        assert_eq!(tree.tree.digest(), told.head.tree.digest());
    }

    /// What reading these packets, and then the end of the link, leads to.
    fn refused(packets: &[FromLeader<'_>]) -> String {
        let mut come = Vec::new();
        for packet in packets {
            packet.encode(&mut come);
        }
        let mut tree = rebuilt();
        let mut behind = Behind::new(&mut tree, START);
        let read = behind.read(come, io::empty(), PacketLimits::default());
        read.unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        let mut told = Told::new();
        told.create(b"/a", 1);
        told.create(b"/b", 2);
        let (one, two) = (&told.txns[0], &told.txns[1]);
        let proposal = |it: &'_ (Zxid, Vec<u8>)| (it.0, it.1.clone());
        let ((first, first_txn), (second, second_txn)) = (proposal(one), proposal(two));
        let propose = |zxid, txn| FromLeader::Proposal { zxid, txn };
        let commit = |zxid| FromLeader::Commit { zxid };
        let said = refused(&[propose(first, &first_txn), commit(second)]);
        assert_eq!(said, "0x30000002a was committed out of order");
        let said = refused(&[propose(second, &second_txn)]);
        assert_eq!(said, "the txn 0x30000002a came behind 0x300000028");
        let said = refused(&[FromLeader::UpToDate { zxid: Zxid(-1) }]);
        assert_eq!(said, "UPTODATE came between the snapshot and NEWLEADER");
        let said = refused(&[propose(first, b"?"), commit(first)]);
        assert!(said.starts_with("0x300000029 is not a txn: "), "{said}");
        let said = refused(&[propose(first, &first_txn)]);
        assert!(said.starts_with("behind the snapshot: "), "{said}");
        // A txn whose author had another tree.
        let mut other = Told::new();
        other.create(b"/other", 1);
        other.create(b"/b", 2);
        let new_leader = FromLeader::NewLeader { zxid: Zxid(3 << 32), config: None };
        let txns = [&told.txns[0], &other.txns[1]];
        let packets = txns.iter().flat_map(|(zxid, txn)| [propose(*zxid, txn), commit(*zxid)]);
        let said = refused(&packets.chain([new_leader]).collect::<Vec<_>>());
        assert!(said.starts_with("the tree that has come is not the leader's: "), "{said}");
    }
}
