use super::golden;
use crate::limits::TTL_MS_MAX;
use crate::session::{ExtendedTypes, OWNER_CONTAINER, Owner, SessionId, password};

/// Computed with Java 17: `new Random(id ^ 0xB3415C00L).nextBytes(passwd)`.
#[test]
fn passwords_are_javas() {
    let known = [
        (1, "054cc74a37327db215e702e20c73f005"),
        (0x0100_0000_0000_0000, "f22acd4a97e69d6d20a49bb638eadb38"),
        (0x0101_8f3a_5b2c_0001, "4946402c2bd98812f934e8bf2075bd0a"),
        (-1, "20f62cb5648dc2d771471c8a2486a9ee"),
        (i64::MIN + 1, "054cc74a37327db215e702e20c73f005"),
        (i64::MAX, "20f62cb5648dc2d771471c8a2486a9ee"),
        (0xB341_5C00, "60b420bb3851d9d47acb933dbe70399b"),
    ];
    for (id, expected) in known {
        assert_eq!(password(SessionId(id)).to_vec(), golden(expected), "{id:#x}");
    }
}

/// Computed with Java: `((ms << 24) >>> 8) | (id << 56)`.
#[test]
fn first_ids_are_stocks() {
    let first = |server, ms| SessionId::first(server, ms).0 as u64;
    assert_eq!(first(1, 1_763_708_400_123), 0x019a_a536_71fb_0000);
    assert_eq!(first(0x80, 1_763_708_400_123), 0x809a_a536_71fb_0000);
    assert_eq!(first(0xfe, 1_763_708_400_123), 0xfe9a_a536_71fb_0000);
    assert_eq!(first(1, 0), 0x0100_0000_0000_0000);
    // The one id that means a container is left out.
    assert_eq!(first(0x80, 0), 0x8000_0000_0000_0001);
}

#[test]
fn owners_are_read_as_switched_on() {
    let off = ExtendedTypes::default();
    let on = ExtendedTypes { enabled: true, emulate_353: false };
    let old = ExtendedTypes { enabled: true, emulate_353: true };
    let session = |raw| Owner::Session(SessionId(raw));
    let ttl = |ms: i64| (0xff << 56) | ms;
    for types in [off, on, old] {
        assert_eq!(Owner::of_raw(0, types), Owner::None);
        assert_eq!(Owner::of_raw(OWNER_CONTAINER, types), Owner::Container);
        assert_eq!(Owner::of_raw(0x0100_0000_0000_0005, types), session(0x0100_0000_0000_0005));
    }
    assert_eq!(Owner::of_raw(ttl(5), off), session(ttl(5)));
    assert_eq!(Owner::of_raw(ttl(5), on), Owner::Ttl(5));
    assert_eq!(Owner::of_raw(ttl(TTL_MS_MAX), on), Owner::Ttl(TTL_MS_MAX));
    // The sixteen bits between say which extension it is; only 0 is one.
    assert_eq!(Owner::of_raw(ttl(1 << 40), on), session(ttl(1 << 40)));
    assert_eq!(Owner::of_raw(i64::MIN | 7, on), session(i64::MIN | 7));
    assert_eq!(Owner::of_raw(i64::MIN | 7, off), session(i64::MIN | 7));
    assert_eq!(Owner::of_raw(i64::MIN | 7, old), Owner::Ttl(7));
    for types in [on, old] {
        for ms in [1, 5000, TTL_MS_MAX] {
            assert_eq!(Owner::of_raw(Owner::ttl_raw(ms, types), types), Owner::Ttl(ms));
        }
    }
    assert_eq!(Owner::ttl_raw(1, on) as u64, 0xff00_0000_0000_0001);
    assert_eq!(Owner::ttl_raw(1, old) as u64, 0x8000_0000_0000_0001);
}

#[test]
fn zxids_count_within_epochs() {
    use crate::zxid::{Epoch, Zxid};
    let zxid = Zxid::of_epoch(Epoch(5)).next();
    assert_eq!((zxid.0, zxid.epoch(), zxid.counter()), (0x5_0000_0001, Epoch(5), 1));
    assert_eq!(Zxid(0xffff_ffff).next(), Zxid(0x1_0000_0000));
    assert_eq!(zxid.to_string(), "0x500000001");
}
