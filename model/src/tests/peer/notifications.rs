use super::{golden, number};
use crate::peer::notification::{Notification, NotificationError, ServerState, Vote};
use crate::server::ServerId;
use crate::zxid::Zxid;
use proptest::prelude::*;

const STATE_TO_ROUND: &str = "00000001 0000000000000003 0000000500000007 0000000000000009";

fn notification(epoch: i64, config: Option<&[u8]>) -> Notification<'_> {
    let vote = Vote { leader: ServerId(3), zxid: Zxid(0x5_0000_0007), epoch };
    Notification { state: ServerState::Following, vote, round: 9, config }
}

#[test]
fn all_forms_are_read() {
    for (tail, epoch, config) in [
        ("", 5, None),
        ("0000000000000006 00000001", 6, None),
        // In 40 bytes the version is not read.
        ("0000000000000006 00000002", 6, None),
        ("0000000000000006 00000001 ff", 6, None),
        ("0000000000000006 ffffffff 00000001", 6, None),
        ("0000000000000006 00000002 00000000", 6, Some(&b""[..])),
        ("0000000000000006 00000002 00000009 'version=0'", 6, Some(b"version=0")),
        ("0000000000000006 00000003 00000001 'v' ffff", 6, Some(b"v")),
    ] {
        let bytes = golden(&format!("{STATE_TO_ROUND} {tail}"));
        assert_eq!(Notification::decode(&bytes), Ok(notification(epoch, config)), "{tail}");
    }
    // An epoch that comes from a zxid keeps its sign.
    let bytes = golden("00000000 8000000000000000 8000000000000000 0000000000000001");
    assert_eq!(Notification::decode(&bytes).unwrap().vote.epoch, i64::MIN >> 32);
}

#[test]
fn what_stock_drops_is_dropped() {
    let whole = golden(&format!("{STATE_TO_ROUND} 0000000000000006 00000002 00000002 'v='"));
    for length in (0..28).chain(29..40).chain(41..44) {
        let error = Notification::decode(&whole[..length]).unwrap_err();
        let is_short = matches!(error, NotificationError::Short { found, .. } if found == length);
        assert!(is_short, "{length}: {error}");
    }
    for (length, tail, found) in
        [(-1, "", 0), (1, "", 0), (3, "'v='", 2), (i32::MAX, "'v='", 2), (i32::MIN, "", 0)]
    {
        let text = format!("{STATE_TO_ROUND} 0000000000000006 00000002 {length:08x} {tail}");
        let error = NotificationError::Config { length, found };
        assert_eq!(Notification::decode(&golden(&text)), Err(error));
    }
    for state in [-1, 4, i32::MAX, i32::MIN] {
        let bytes = [&state.to_be_bytes(), &whole[4..]].concat();
        assert_eq!(Notification::decode(&bytes), Err(NotificationError::State { found: state }));
    }
}

#[test]
fn version_2_is_written() {
    let mut out = vec![0xaa];
    notification(6, Some(b"version=0")).encode(&mut out);
    let tail = "0000000000000006 00000002 00000009 'version=0'";
    assert_eq!(out, golden(&format!("aa {STATE_TO_ROUND} {tail}")));
    let mut out = Vec::new();
    notification(6, None).encode(&mut out);
    assert_eq!(out, golden(&format!("{STATE_TO_ROUND} 0000000000000006 00000001")));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..<_>::default() })]

    #[test]
    fn notifications_survive(
        state in 0..4,
        numbers in [number(), number(), number(), number()],
        config in prop::option::of(prop::collection::vec(any::<u8>(), 0..99)),
        behind in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let [leader, zxid, epoch, round] = numbers;
        let vote = Vote { leader: ServerId(leader), zxid: Zxid(zxid), epoch };
        let state = ServerState::of(state).unwrap();
        let notification = Notification { state, vote, round, config: config.as_deref() };
        let mut bytes = Vec::new();
        notification.encode(&mut bytes);
        prop_assert_eq!(Notification::decode(&bytes), Ok(notification));
        bytes.extend(behind);
        prop_assert_eq!(Notification::decode(&bytes), Ok(notification));
    }
}
