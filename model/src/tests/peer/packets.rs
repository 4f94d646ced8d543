use super::{golden, number};
use crate::peer::packet::{
    FromLeader, FromLearner, Identities, Identity, IdentityList, LearnerInfo, Measure, PacketError,
    PacketKind, PacketLimits, Progress, Touched, TouchedList, put_snapshot_end, snapshot_end,
};
use crate::server::ServerId;
use crate::session::SessionId;
use crate::zxid::Zxid;
use proptest::prelude::*;

const LIMITS: PacketLimits = PacketLimits::new(1000, 1024);
const NONE: &str = "ffffffff ffffffff";

fn assert_learner(text: &str, expected: FromLearner<'_>) {
    let bytes = golden(text);
    assert_eq!(FromLearner::decode(&bytes, LIMITS), Ok(Some((expected, bytes.len()))));
    let mut again = Vec::new();
    expected.encode(&mut again);
    assert_eq!(again, bytes, "{expected:?}");
}

fn assert_leader(text: &str, expected: FromLeader<'_>) {
    let bytes = golden(text);
    assert_eq!(FromLeader::decode(&bytes, LIMITS), Ok(Some((expected, bytes.len()))));
    let mut again = Vec::new();
    expected.encode(&mut again);
    assert_eq!(again, bytes, "{expected:?}");
}

#[test]
fn learners_introduce_themselves_in_five_ways() {
    let server = ServerId(2);
    let (protocol, version) = (0x1_0000, 0x3_0000_0004);
    let trailing = b"xy";
    for (data, learner) in [
        ("ffffffff", LearnerInfo::Anonymous),
        ("00000000", LearnerInfo::Cut),
        ("00000008 0000000000000002", LearnerInfo::Id { server }),
        ("0000000c 0000000000000002 00010000", LearnerInfo::Protocol { server, protocol }),
        (
            "00000016 0000000000000002 00010000 0000000300000004 'xy'",
            LearnerInfo::Config { server, protocol, version, trailing },
        ),
    ] {
        let accepted = Zxid(0x5_0000_0000);
        let rest = format!("0000000500000000 {data} ffffffff");
        let follower = FromLearner::FollowerInfo { accepted, learner };
        assert_learner(&format!("0000000b {rest}"), follower);
        let observer = FromLearner::ObserverInfo { accepted, learner };
        assert_learner(&format!("00000010 {rest}"), observer);
    }
    let bytes = golden("0000000b 0000000000000000 00000007 00000000000000 ffffffff");
    let accepted = Zxid::ZERO;
    let cut = FromLearner::FollowerInfo { accepted, learner: LearnerInfo::Cut };
    assert_eq!(FromLearner::decode(&bytes, LIMITS), Ok(Some((cut, bytes.len()))));
    let config = LearnerInfo::Config { server, protocol, version, trailing };
    let said = (config.server(), config.protocol(), config.config_version());
    assert_eq!(said, (Some(server), protocol, Some(version)));
    let id = LearnerInfo::Id { server };
    assert_eq!((id.server(), id.protocol(), id.config_version()), (Some(server), 1, None));
    assert_eq!(
        (LearnerInfo::Anonymous.server(), LearnerInfo::Cut.server()),
        (None, Some(ServerId(0)))
    );
}

#[test]
fn what_learners_say() {
    let zxid = Zxid(0x5_0000_0007);
    let session = SessionId(0x1_0000_0000_0001);
    assert_learner(&format!("00000003 0000000500000007 {NONE}"), FromLearner::Ack { zxid });
    assert_learner(
        "00000012 0000000500000007 00000004 ffffffff ffffffff",
        FromLearner::AckEpoch { logged: zxid, epoch: -1 },
    );
    assert_learner(
        "00000005 0000000500000007 00000000 ffffffff",
        FromLearner::Ping { zxid, touched: Touched::default() },
    );
    let mut list = TouchedList::default();
    list.push(SessionId(9), 1);
    list.clear();
    list.push(session, 30_000);
    list.push(SessionId(-1), -1);
    assert_learner(
        "00000005 0000000500000007 00000018 0001000000000001 00007530 \
         ffffffffffffffff ffffffff ffffffff",
        FromLearner::Ping { zxid, touched: list.touched() },
    );
    let touched: Vec<_> = list.touched().iter().collect();
    assert_eq!(touched, [(session, 30_000), (SessionId(-1), -1)]);
    assert_eq!((list.touched().len(), list.touched().is_empty()), (2, false));
    assert_learner(
        "00000006 ffffffffffffffff 0000000c 0001000000000001 00007530 ffffffff",
        FromLearner::Revalidate { session, timeout_ms: 30_000 },
    );
    let head = "00000001 ffffffffffffffff 00000012 0001000000000001 00000007 00000003 'ab'";
    let (cxid, op, body) = (7, 3, &b"ab"[..]);
    let identities = Identities::NULL;
    let request = FromLearner::Request { session, cxid, op, body, identities };
    assert_learner(&format!("{head} ffffffff"), request);
    let mut list = IdentityList::default();
    let identities = list.identities();
    assert!(!identities.is_null() && identities.is_empty());
    let request = FromLearner::Request { session, cxid, op, body, identities };
    assert_learner(&format!("{head} 00000000"), request);
    let ids = [
        Identity { scheme: Some(b"ip"), id: Some(b"10.0.0.1") },
        Identity { scheme: None, id: Some(b"") },
    ];
    for id in ids {
        list.push(id);
    }
    let identities = list.identities();
    assert!(identities.iter().eq(ids) && identities.len() == 2);
    let request = FromLearner::Request { session, cxid, op, body, identities };
    assert_learner(
        &format!("{head} 00000002 00000002 'ip' 00000008 '10.0.0.1' ffffffff 00000000"),
        request,
    );
}

#[test]
fn what_leaders_say() {
    let zxid = Zxid(0x5_0000_0007);
    let session = SessionId(0x1_0000_0000_0001);
    let designated = ServerId(3);
    let txn = &b"txn"[..];
    for (kind, packet) in [
        (4, FromLeader::Commit { zxid }),
        (5, FromLeader::Ping { zxid }),
        (7, FromLeader::Sync { zxid }),
        (10, FromLeader::NewLeader { zxid, config: None }),
        (12, FromLeader::UpToDate { zxid }),
        (13, FromLeader::Diff { zxid }),
        (14, FromLeader::Trunc { zxid }),
        (15, FromLeader::Snap { zxid }),
    ] {
        assert_leader(&format!("{kind:08x} 0000000500000007 {NONE}"), packet);
    }
    for (text, packet) in [
        ("00000002 # 00000003 'txn'", FromLeader::Proposal { zxid, txn }),
        ("00000008 # 00000003 'txn'", FromLeader::Inform { zxid, txn }),
        ("0000000a # 00000003 'txn'", FromLeader::NewLeader { zxid, config: Some(txn) }),
        (
            "00000009 # 00000008 0000000000000003",
            FromLeader::CommitAndActivate { zxid, designated },
        ),
        (
            "00000013 # 0000000b 0000000000000003 'txn'",
            FromLeader::InformAndActivate { zxid, designated, txn },
        ),
        (
            "00000011 # 00000007 00010000 'txn'",
            FromLeader::LeaderInfo { zxid, protocol: 0x1_0000, trailing: txn },
        ),
    ] {
        assert_leader(&format!("{} ffffffff", text.replace('#', "0000000500000007")), packet);
    }
    for (valid, is_valid) in [("00", false), ("01", true)] {
        assert_leader(
            &format!("00000006 ffffffffffffffff 00000009 0001000000000001 {valid} ffffffff"),
            FromLeader::Revalidate { session, is_valid },
        );
    }
}

/// What ZooKeeper passes over is passed over: data of packets that have none, bytes behind the
/// last field, identities of other packets than requests, a count below -1.
#[test]
fn what_stock_does_not_look_at_is_passed_over() {
    let zxid = Zxid(1);
    for (text, expected) in [
        (
            "00000004 0000000000000001 00000002 'xy' 00000001 ffffffff ffffffff",
            FromLeader::Commit { zxid },
        ),
        (
            "00000009 0000000000000001 00000009 0000000000000003 'x' fffffffe",
            FromLeader::CommitAndActivate { zxid, designated: ServerId(3) },
        ),
        (
            "00000006 0000000000000001 0000000a 0000000000000003 07 'x' ffffffff",
            FromLeader::Revalidate { session: SessionId(3), is_valid: true },
        ),
    ] {
        let bytes = golden(text);
        assert_eq!(FromLeader::decode(&bytes, LIMITS), Ok(Some((expected, bytes.len()))));
    }
}

#[test]
fn what_a_direction_does_not_have_is_refused_with_its_type() {
    let mut learner_count = 0;
    for found in -1..22 {
        let text = format!("{found:08x} 0000000000000001 00000014 {} ffffffff", "00".repeat(20));
        let length = golden(&text).len();
        let error = PacketError::Kind { found, length };
        let bytes = golden(&text);
        let is_shared = [5, 6].contains(&found);
        match FromLearner::decode(&bytes, LIMITS) {
            Ok(packet) => {
                assert_eq!(packet.unwrap().0.kind().code(), found);
                assert!(is_shared || FromLeader::decode(&bytes, LIMITS) == Err(error));
                learner_count += 1;
            }
            Err(PacketError::Data { kind: PacketKind::Ping, .. }) => learner_count += 1,
            Err(refused) => {
                assert_eq!(refused, error);
                let known = PacketKind::of(found);
                match FromLeader::decode(&bytes, LIMITS) {
                    Ok(packet) => assert_eq!(packet.map(|it| it.0.kind()), known),
                    Err(refused) => assert!(known.is_none() && refused == error),
                }
            }
        }
    }
    assert_eq!(learner_count, 7);
    let told = [
        PacketError::Kind { found: 2, length: 20 }.to_string(),
        PacketError::Kind { found: 99, length: 20 }.to_string(),
        PacketError::Data { kind: PacketKind::CommitAndActivate, needed: 8, found: None }
            .to_string(),
    ];
    assert_eq!(
        told,
        [
            "PROPOSAL: the other side does not send it",
            "packet of type 99: the other side does not send it",
            "COMMITANDACTIVATE: null data, where at least 8 bytes are needed",
        ]
    );
}

#[test]
fn data_too_short_for_its_type_is_refused() {
    let short = |kind: i32, data: &str| format!("{kind:08x} 0000000000000001 {data} ffffffff");
    for (kind, needed) in [(1, 16), (6, 12), (18, 4)] {
        for (data, found) in [("ffffffff", None), ("00000003 000000", Some(3))] {
            let kind = PacketKind::of(kind).unwrap();
            let error = PacketError::Data { kind, needed, found };
            let bytes = golden(&short(kind.code(), data));
            assert_eq!(FromLearner::decode(&bytes, LIMITS), Err(error));
        }
    }
    for (kind, needed) in [(2, 0), (6, 9), (8, 0), (9, 8), (17, 4), (19, 8)] {
        let kind = PacketKind::of(kind).unwrap();
        let bytes = golden(&short(kind.code(), "ffffffff"));
        let error = PacketError::Data { kind, needed, found: None };
        assert_eq!(FromLeader::decode(&bytes, LIMITS), Err(error));
    }
    for (data, needed, found) in [
        ("ffffffff", 0, None),
        ("00000001 00", 12, Some(1)),
        ("0000000d 00000000000000000000000000", 24, Some(13)),
    ] {
        let error = PacketError::Data { kind: PacketKind::Ping, needed, found };
        assert_eq!(FromLearner::decode(&golden(&short(5, data)), LIMITS), Err(error));
    }
}

#[test]
fn lengths_beyond_the_limits_are_refused_as_soon_as_they_are_there() {
    let bytes_max = 2024;
    assert_eq!(PacketLimits::default().field_bytes_max(), 2 * 0xf_ffff);
    assert_eq!(PacketLimits::new(1000, 0), LIMITS, "the extra size is 1024 at the least");
    assert_eq!(PacketLimits::new(usize::MAX, 5).field_bytes_max(), i32::MAX as usize);
    for found in [-2, i32::MIN, 2025, i32::MAX] {
        let error = PacketError::Length { kind: 2, found, bytes_max };
        let head = format!("00000002 0000000000000001 {found:08x}");
        let data = golden(&format!("{head} 00000000"));
        assert_eq!(FromLeader::decode(&data, LIMITS), Err(error));
        let string =
            golden(&format!("00000002 0000000000000001 ffffffff 00000001 {found:08x} 00000000"));
        let is_refused = match FromLeader::decode(&string, LIMITS).unwrap_err() {
            PacketError::Identities { count, .. } => found > 0 && count == 1,
            refused => refused == error,
        };
        assert!(is_refused, "{found}");
    }
    // Eight bytes for each are the least.
    for (count, is_right) in [(253, true), (254, false), (i32::MAX, false)] {
        let bytes = golden(&format!("00000001 0000000000000001 ffffffff {count:08x}"));
        let error = PacketError::Identities { kind: 1, count, bytes_max };
        let expected = if is_right { Ok(None) } else { Err(error) };
        assert_eq!(FromLearner::decode(&bytes, LIMITS), expected);
    }
    let long = golden("00000001 0000000000000001 ffffffff 00000001 00000000 000007e5");
    let error = PacketError::Identities { kind: 1, count: 1, bytes_max };
    assert_eq!(FromLearner::decode(&long, LIMITS), Err(error), "together they are too long");
    assert_eq!(LIMITS.packet_bytes_max(), 12 + 2 * 2028);
}

#[test]
fn a_snapshot_ends_with_a_signature() {
    let mut bytes = Vec::new();
    put_snapshot_end(&mut bytes);
    assert_eq!(bytes, golden("0000000a 'BenWasHere'"));
    for cut in 0..bytes.len() {
        assert_eq!(snapshot_end(&bytes[..cut]), Ok(None));
        let mut wrong = bytes.clone();
        wrong[cut] ^= 1;
        assert_eq!(snapshot_end(&wrong[..=cut]), Err(PacketError::Signature));
    }
    bytes.push(0);
    assert_eq!(snapshot_end(&bytes), Ok(Some(14)));
}

/// What packets are made of.
#[derive(Debug)]
struct Parts {
    numbers: [i64; 3],
    bytes: Vec<u8>,
    identities: Option<IdentityList>,
    touched: TouchedList,
}

fn parts() -> impl Strategy<Value = Parts> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..60);
    let identity = (prop::option::of(bytes()), prop::option::of(bytes()));
    let identities = prop::collection::vec(identity, 0..5).prop_map(|ids| {
        let mut list = IdentityList::default();
        for (scheme, id) in &ids {
            list.push(Identity { scheme: scheme.as_deref(), id: id.as_deref() });
        }
        list
    });
    let identities = prop::option::of(identities);
    let touched = prop::collection::vec((number(), any::<i32>()), 0..5);
    let numbers = [number(), number(), number()];
    (numbers, bytes(), identities, touched).prop_map(|(numbers, bytes, identities, touched)| {
        let mut list = TouchedList::default();
        for (session, timeout) in touched {
            list.push(SessionId(session), timeout);
        }
        Parts { numbers, bytes, identities, touched: list }
    })
}

impl Parts {
    fn of_learner(&self) -> Vec<FromLearner<'_>> {
        let [a, b, c] = self.numbers;
        let (zxid, session, server) = (Zxid(a), SessionId(b), ServerId(c));
        let (protocol, trailing) = (b as i32, &self.bytes[..]);
        let learners = [
            LearnerInfo::Anonymous,
            LearnerInfo::Cut,
            LearnerInfo::Id { server },
            LearnerInfo::Protocol { server, protocol },
            LearnerInfo::Config { server, protocol, version: b, trailing },
        ];
        let identities = self.identities.as_ref();
        let identities = identities.map_or(Identities::NULL, IdentityList::identities);
        let (cxid, op) = (a as i32, c as i32);
        let mut packets = vec![
            FromLearner::AckEpoch { logged: zxid, epoch: b as i32 },
            FromLearner::Ack { zxid },
            FromLearner::Ping { zxid, touched: self.touched.touched() },
            FromLearner::Revalidate { session, timeout_ms: c as i32 },
            FromLearner::Request { session, cxid, op, body: &self.bytes, identities },
        ];
        for learner in learners {
            packets.push(FromLearner::FollowerInfo { accepted: zxid, learner });
            packets.push(FromLearner::ObserverInfo { accepted: zxid, learner });
        }
        packets
    }

    fn of_leader(&self) -> Vec<FromLeader<'_>> {
        let [a, b, c] = self.numbers;
        let (zxid, session, designated) = (Zxid(a), SessionId(b), ServerId(c));
        let txn = &self.bytes[..];
        vec![
            FromLeader::LeaderInfo { zxid, protocol: b as i32, trailing: txn },
            FromLeader::Diff { zxid },
            FromLeader::Trunc { zxid },
            FromLeader::Snap { zxid },
            FromLeader::NewLeader { zxid, config: None },
            FromLeader::NewLeader { zxid, config: Some(txn) },
            FromLeader::UpToDate { zxid },
            FromLeader::Proposal { zxid, txn },
            FromLeader::Commit { zxid },
            FromLeader::CommitAndActivate { zxid, designated },
            FromLeader::Inform { zxid, txn },
            FromLeader::InformAndActivate { zxid, designated, txn },
            FromLeader::Ping { zxid },
            FromLeader::Revalidate { session, is_valid: c > 0 },
            FromLeader::Sync { zxid },
        ]
    }
}

/// Feeds a packet byte by byte. What was looked at is spoilt, and not missed.
fn assert_measures(bytes: &[u8]) -> Result<(), TestCaseError> {
    let mut measure = Measure::new(LIMITS);
    let mut fed = Vec::new();
    let mut needed = 20;
    for &byte in bytes {
        let progress = measure.advance(&fed).unwrap();
        let Progress::Needs(least) = progress else { panic!("{progress:?} of {bytes:?}") };
        prop_assert!(needed <= least && least > fed.len() && least <= bytes.len());
        if least > needed {
            // Something was read, so all before this place has been.
            fed[4..].fill(0x7f);
        }
        needed = least;
        fed.push(byte);
    }
    fed.extend([0x7f; 9]);
    prop_assert_eq!(measure.advance(&fed), Ok(Progress::Whole(bytes.len())));
    prop_assert_eq!(measure.advance(&fed), Ok(Progress::Whole(bytes.len())));
    Ok(())
}

/// Packets of a direction, one behind the other, are measured and decoded to what they were.
macro_rules! assert_stream {
    ($direction:ident, $packets:expr) => {
        let mut stream = Vec::new();
        for packet in $packets {
            let begin = stream.len();
            packet.encode(&mut stream);
            assert_measures(&stream[begin..])?;
        }
        let mut rest = &stream[..];
        for packet in $packets {
            let (decoded, length) = $direction::decode(rest, LIMITS).unwrap().unwrap();
            prop_assert_eq!(decoded, packet);
            prop_assert_eq!($direction::decode(&rest[..length - 1], LIMITS), Ok(None));
            rest = &rest[length..];
        }
        prop_assert!(rest.is_empty());
    };
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..<_>::default() })]

    #[test]
    fn packets_survive(parts in parts()) {
        assert_stream!(FromLearner, parts.of_learner());
        assert_stream!(FromLeader, parts.of_leader());
    }
}
