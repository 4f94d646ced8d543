mod hellos;
mod memberships;
mod notifications;
mod packets;
mod recordings;

use super::golden;
use crate::peer::hello::Hello;
use crate::peer::membership::{Membership, Reading};
use crate::peer::notification::Notification;
use crate::peer::packet::{FromLeader, FromLearner, PacketLimits, snapshot_end};
use proptest::prelude::*;

/// As a server reads that has everything switched on.
const ANY: Reading = Reading { is_multi: true, has_groups: true };

/// Numbers as attackers choose them.
fn number() -> impl Strategy<Value = i64> {
    prop_oneof![any::<i64>(), Just(i64::MIN), Just(-1), Just(0), Just(1 << 32), Just(i64::MAX)]
}

/// A line of a membership, which may be wrong or contradict another.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "server\\.[1-3][0-9]?=(a|b|127\\.1|\\[::1\\]):[0-9]{1,3}:[0-9]{1,3}\
         (:observer|:participant)?(\\|c:7:8)?(;(e:)?[0-9]{1,2})?",
        "group\\.[1-2]=[1-3](:[1-3])?",
        "weight\\.[1-3]=[0-9]",
        "version=[0-9a-f]{1,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..<_>::default()
    })]

    #[test]
    fn any_bytes_decode_or_fail(
        kind in 0..21_i32,
        bytes in prop::collection::vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..200),
    ) {
        let limits = PacketLimits::default();
        for start in [&kind.to_be_bytes()[..], &[]] {
            let packet = [start, &bytes[..]].concat();
            if let Ok(Some((_, length))) = FromLearner::decode(&packet, limits) {
                prop_assert!(length <= packet.len());
            }
            if let Ok(Some((_, length))) = FromLeader::decode(&packet, limits) {
                prop_assert!(length <= packet.len());
            }
        }
        let v1 = golden("ffffffffffff0000 0000000000000001 00000009");
        for start in [&v1[..], &v1[..8], &[]] {
            let _ = Hello::decode(&[start, &bytes[..]].concat());
        }
        let _ = Notification::decode(&bytes);
        let _ = snapshot_end(&bytes);
        let _ = Membership::parse(&bytes, ANY);
    }

    #[test]
    fn what_is_printed_is_read_as_the_same(lines in prop::collection::vec(line(), 0..6)) {
        if let Ok(membership) = Membership::parse(lines.join("\n").as_bytes(), ANY) {
            let printed = membership.to_string();
            prop_assert_eq!(Membership::parse(printed.as_bytes(), ANY), Ok(membership));
        }
    }
}
