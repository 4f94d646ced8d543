//! What stock servers said to each other (`recorded/README.md`) is decoded to its end, and encoded
//! to the same bytes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::ANY;
use crate::jute::JuteReader;
use crate::limits::ELECTION_FRAME_BYTES_MAX;
use crate::op::Op;
use crate::peer::hello::{Hello, HelloForm};
use crate::peer::membership::Membership;
use crate::peer::notification::{Notification, ServerState, Vote};
use crate::peer::packet::{
    FromLeader, FromLearner, LearnerInfo, Measure, PROTOCOL_VERSION, PacketError, PacketKind,
    PacketLimits, Progress, snapshot_end,
};
use crate::request::Request;
use crate::server::ServerId;
use crate::txn::{Txn, TxnDigest, TxnHeader};

/// One direction of a link: the kind of link, the server that opened it, whether that one speaks.
struct Recording {
    name: String,
    opener: ServerId,
    is_opener: bool,
    bytes: Vec<u8>,
}

/// The recordings of one kind of link.
fn recordings(link: &str) -> Vec<Recording> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/peer/recorded");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        // NUMBER-LINK-OPENER-to-ACCEPTOR.SIDE
        let parts: Vec<_> = name.split(['-', '.']).collect();
        if let [_, kind, opener, "to", _, side] = parts[..]
            && kind == link
        {
            let opener = ServerId(opener.parse().unwrap());
            let is_opener = side == "opener";
            found.push(Recording { opener, is_opener, bytes: fs::read(&path).unwrap(), name });
        }
    }
    assert!(!found.is_empty(), "no recordings of {link} links");
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// The text of a membership is printed as it came.
fn assert_membership(text: &[u8]) -> Membership {
    let membership = Membership::parse(text, ANY).unwrap();
    assert_eq!(membership.to_string().as_bytes(), text);
    membership
}

#[test]
fn election_links() {
    let (mut hellos, mut states, mut has_observer) = (0, BTreeSet::new(), false);
    for recording in recordings("election") {
        let mut rest = &recording.bytes[..];
        let mut again = Vec::new();
        if recording.is_opener {
            let (hello, length) = Hello::decode(rest).unwrap().unwrap();
            assert_eq!(hello.server(), recording.opener, "{}", recording.name);
            assert!(matches!(&hello, Hello::Addressed { form: HelloForm::V1, addresses, .. }
                if addresses.len() == 1));
            hello.encode(&mut again);
            rest = &rest[length..];
            hellos += 1;
        }
        while let Some((length, behind)) = rest.split_first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            assert!((1..=ELECTION_FRAME_BYTES_MAX).contains(&length));
            let (frame, behind) = behind.split_at(length);
            let notification = Notification::decode(frame).unwrap();
            let members = assert_membership(notification.config.unwrap());
            assert_eq!((members.participants().count(), members.observers().count()), (3, 1));
            states.insert(notification.state.code());
            has_observer |= notification.vote == Vote::NONE;
            again.extend((length as u32).to_be_bytes());
            notification.encode(&mut again);
            rest = behind;
        }
        assert!(rest.is_empty(), "{}: a rest of {} bytes", recording.name, rest.len());
        assert_eq!(again, recording.bytes, "{}", recording.name);
    }
    assert!(hellos > 0 && has_observer);
    let all = [ServerState::Looking, ServerState::Following, ServerState::Leading];
    for state in all {
        assert!(states.contains(&state.code()), "nobody was {state:?}: {states:?}");
    }
}

/// Takes a stream apart with `take`, which gives a packet's type and its length, and fed byte by
/// byte it ends at the same places.
fn assert_whole(
    recording: &Recording,
    mut take: impl FnMut(&[u8], &mut Vec<u8>) -> Result<Option<(PacketKind, usize)>, PacketError>,
) -> BTreeSet<i32> {
    let (mut rest, mut again, mut kinds) = (&recording.bytes[..], Vec::new(), BTreeSet::new());
    while !rest.is_empty() {
        let taken = take(rest, &mut again).unwrap_or_else(|e| panic!("{}: {e}", recording.name));
        let (kind, length) = taken.unwrap_or_else(|| panic!("{}: a rest", recording.name));
        let mut measure = Measure::new(PacketLimits::default());
        let pieces = (0..length).map(|end| measure.advance(&rest[..end]).unwrap());
        assert!(pieces.into_iter().all(|piece| matches!(piece, Progress::Needs(_))));
        assert_eq!(measure.advance(&rest[..length]), Ok(Progress::Whole(length)));
        kinds.insert(kind.code());
        rest = &rest[length..];
        if kind == PacketKind::Snap {
            // The snapshot's own form is not what is tested here: its end is looked for.
            let is_end = |&at: &usize| matches!(snapshot_end(&rest[at..]), Ok(Some(_)));
            let end = (0..rest.len()).find(is_end).expect("a snapshot has an end") + 14;
            again.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
        }
    }
    assert_eq!(again, recording.bytes, "{}", recording.name);
    kinds
}

#[test]
fn learners() {
    let mut kinds = BTreeSet::new();
    let (mut has_touched, mut ops, mut has_identities) = (false, BTreeSet::new(), false);
    for recording in recordings("learner").into_iter().filter(|it| it.is_opener) {
        kinds.extend(assert_whole(&recording, |bytes, again| {
            let packet = FromLearner::decode(bytes, PacketLimits::default())?;
            let Some((packet, length)) = packet else { return Ok(None) };
            match packet {
                FromLearner::FollowerInfo { learner, .. }
                | FromLearner::ObserverInfo { learner, .. } => {
                    let (server, protocol) = (recording.opener, PROTOCOL_VERSION);
                    let expected =
                        LearnerInfo::Config { server, protocol, version: 0, trailing: &[] };
                    assert_eq!(learner, expected);
                }
                FromLearner::Ping { touched, .. } => has_touched |= !touched.is_empty(),
                FromLearner::Request { op, body, identities, .. } => {
                    let op = Op::of(op).expect("a client of today");
                    ops.insert(op.code());
                    if op != Op::CreateSession {
                        assert!(Request::decode(op, body).is_ok(), "{op:?}");
                    }
                    has_identities |= identities.iter().any(|id| id.scheme == Some(b"digest"));
                }
                _ => {}
            }
            packet.encode(again);
            Ok(Some((packet.kind(), length)))
        }));
    }
    assert_eq!(kinds, BTreeSet::from([1, 3, 5, 6, 11, 16, 18]), "all that learners say");
    assert!(has_touched && has_identities);
    for op in [Op::Create2, Op::Multi, Op::Sync, Op::CreateSession, Op::CloseSession] {
        let is_there = ops.contains(&op.code()) || (op == Op::Create2 && ops.contains(&1));
        assert!(is_there, "no {op:?} among {ops:?}");
    }
}

#[test]
fn leaders() {
    let mut kinds = BTreeSet::new();
    for recording in recordings("learner").into_iter().filter(|it| !it.is_opener) {
        kinds.extend(assert_whole(&recording, |bytes, again| {
            let packet = FromLeader::decode(bytes, PacketLimits::default())?;
            let Some((packet, length)) = packet else { return Ok(None) };
            match packet {
                FromLeader::LeaderInfo { protocol, trailing, .. } => {
                    assert_eq!((protocol, trailing), (PROTOCOL_VERSION, &[][..]));
                }
                FromLeader::NewLeader { config, .. } => drop(assert_membership(config.unwrap())),
                FromLeader::Proposal { zxid, txn } | FromLeader::Inform { zxid, txn } => {
                    let mut reader = JuteReader::new(txn);
                    let header = TxnHeader::decode(&mut reader).unwrap();
                    assert_eq!(header.zxid, zxid);
                    assert!(Txn::decode(header.op, &mut reader).is_ok());
                    assert!(TxnDigest::decode(&mut reader).unwrap().is_some());
                    assert!(reader.rest().is_empty());
                }
                _ => {}
            }
            packet.encode(again);
            Ok(Some((packet.kind(), length)))
        }));
    }
    // All but the two that activate a reconfiguration.
    assert_eq!(kinds, BTreeSet::from([2, 4, 5, 6, 7, 8, 10, 12, 13, 14, 15, 17]));
}
