use crate::acl::address::Network;
use crate::acl::identity::{Identities, Scheme, digest_id};
use crate::acl::{AclIndex, AclTable, OPEN, fix_up};
use crate::settings::{DigestAlgorithm, Settings};
use model::acl::{AclEntry, AclList, perms};
use model::error::ErrorCode;
use model::jute::{self, Reader};

fn list(entries: &[(i32, Option<&str>, Option<&str>)]) -> Vec<u8> {
    let mut out = Vec::new();
    jute::put_length(&mut out, entries.len());
    for (perms, scheme, id) in entries {
        let (scheme, id) = (scheme.map(str::as_bytes), id.map(str::as_bytes));
        AclEntry { perms: *perms, scheme, id }.encode(&mut out);
    }
    out
}

fn read(bytes: &[u8]) -> AclList<'_> {
    AclList::decode(&mut Reader::new(bytes)).unwrap()
}

/// The first one is ZooKeeper's own example of a super digest.
#[test]
fn digests() {
    let of =
        |auth: &str, algorithm| String::from_utf8(digest_id(auth.as_bytes(), algorithm)).unwrap();
    assert_eq!(of("super:test", DigestAlgorithm::Sha1), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    let lengths = [
        (DigestAlgorithm::Sha256, 44),
        (DigestAlgorithm::Sha512, 88),
        (DigestAlgorithm::Sha3_256, 44),
    ];
    for (algorithm, length) in lengths {
        assert_eq!(of("u:p", algorithm).len(), 2 + length);
    }
}

#[test]
fn networks() {
    let holds = |network: &str, address: &str| {
        Network::parse(network.as_bytes()).unwrap().holds(address.as_bytes())
    };
    assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
    assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.0"));
    assert!(holds("0.0.0.0/0", "1.2.3.4") && !holds("0.0.0.0/0", "::1"));
    assert!(holds("::1", "0:0:0:0:0:0:0:1") && holds("::/0", "fe80::1"));
    assert!(holds("2001:db8::/32", "2001:db8:1::1") && !holds("2001:db8::/32", "2001:db9::"));
    assert!(!holds("10.0.0.1", "no address"));
    let bad =
        ["", "10.0.0", "10.0.0.256", "10.0.0.1/33", "::1/129", "10.0.0.1/x", "::ffff:1.2.3.4"];
    for text in bad {
        assert!(Network::parse(text.as_bytes()).is_none(), "{text}");
    }
    assert!(Network::parse(b"\xff").is_none());
}

#[test]
fn schemes_are_switched_on_and_off() {
    let on = Settings::default();
    let off = Settings { digest: None, ..Settings::default() };
    assert_eq!(Scheme::of_name(b"digest", &on), Some(Scheme::Digest));
    assert_eq!(Scheme::of_name(b"digest", &off), None);
    assert_eq!(Scheme::of_name(b"ip", &off), Some(Scheme::Ip));
    assert_eq!(Scheme::of_name(b"other", &on), None);
    for (id, is_valid) in
        [("a:b", true), ("a", false), ("a:b:c", false), ("a:", false), (":b", true)]
    {
        assert_eq!(Scheme::Digest.is_valid(id.as_bytes()), is_valid, "{id}");
    }
    let mut who = Identities::of_address("10.0.0.1".parse().unwrap());
    assert!(!who.authenticate(b"digest", b"u:p", &off));
    assert!(!who.authenticate(b"other", b"u:p", &on));
    assert!(who.authenticate(b"ip", b"", &on));
    assert!(who.authenticate(b"digest", b"u:p", &on) && who.authenticate(b"digest", b"u:p", &on));
    assert!(who.authenticate(b"digest", b"v:p", &on));
    assert_eq!(who.ids().len(), 3, "the same credentials count once");
    assert!(who.has_scheme(b"digest") && !who.has_scheme(b"super") && !who.is_super());
}

#[test]
fn lists_are_fixed_up() {
    let settings = Settings::default();
    let mut who = Identities::of_address("10.0.0.1".parse().unwrap());
    let mut out = Vec::new();
    let mut fixed = |wished: &[u8], who: &Identities| {
        fix_up(&read(wished), who, &settings, &mut out).map(|()| out.clone())
    };
    let auth = list(&[(3, Some("auth"), Some(""))]);
    assert_eq!(fixed(&auth, &who), Err(ErrorCode::InvalidAcl), "an address is no proof");
    assert!(who.authenticate(b"digest", b"super:test", &settings));
    let digest = list(&[(3, Some("digest"), Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU="))]);
    assert_eq!(fixed(&auth, &who), Ok(digest));
    let open = (31, Some("world"), Some("anyone"));
    assert_eq!(fixed(&list(&[open, open]), &who), Ok(list(&[open])));
    for bad in [
        list(&[]),
        list(&[(1, None, Some("anyone"))]),
        list(&[(1, Some("world"), Some("me"))]),
        list(&[(1, Some("digest"), Some("a:b:c"))]),
        list(&[open, (1, Some("ip"), Some("10.0.0.1/99"))]),
    ] {
        assert_eq!(fixed(&bad, &who), Err(ErrorCode::InvalidAcl));
    }
    let null = list(&[(1, Some("world"), None)]);
    assert_eq!(fixed(&null, &who), Err(ErrorCode::MarshallingError), "stock stumbles over it");
}

#[test]
fn permissions_are_granted_by_any_entry() {
    let settings = Settings::default();
    let (mut table, mut index) = (AclTable::default(), AclIndex::new([1, 2]));
    let bytes = list(&[
        (perms::READ, Some("ip"), Some("10.0.0.0/24")),
        (perms::WRITE, Some("world"), Some("anyone")),
    ]);
    let number = index.intern(&mut table, &read(&bytes));
    index.retain(number);
    let near = Identities::of_address("10.0.0.9".parse().unwrap());
    let far = Identities::of_address("10.0.1.9".parse().unwrap());
    let may = |who: &Identities, wanted| table.may(number, wanted, who, &settings);
    assert!(may(&near, perms::READ) && may(&near, perms::WRITE) && !may(&near, perms::ADMIN));
    assert!(!may(&far, perms::READ) && may(&far, perms::READ | perms::WRITE));
    let skipping = Settings { skip_acl: true, ..Settings::default() };
    assert!(table.may(number, perms::ADMIN, &far, &skipping));
    let digest = digest_id(b"root:pw", DigestAlgorithm::Sha1);
    let settings = Settings { super_digest: Some(digest), ..Settings::default() };
    let mut root = Identities::default();
    assert!(root.authenticate(b"digest", b"root:pw", &settings) && root.is_super());
    assert!(table.may(number, perms::ADMIN, &root, &settings));
    assert!(table.may(OPEN, perms::ADMIN, &Identities::default(), &settings));
}

/// A number outlives its last node by one version at least, however often that happens.
#[test]
fn numbers_stay_for_the_events_of_their_batch() {
    let (mut table, mut index) = (AclTable::default(), AclIndex::new([1, 2]));
    let bytes = list(&[(perms::READ, Some("ip"), Some("10.0.0.1"))]);
    let number = index.intern(&mut table, &read(&bytes));
    for _ in 0..5 {
        assert_eq!(index.intern(&mut table, &read(&bytes)), number);
        index.retain(number);
        index.release(number);
        index.sealed(&mut table);
        assert_eq!(table.list(number), read(&bytes));
    }
    index.sealed(&mut table);
    assert_eq!(table.iter().count(), 0);
    let other = list(&[(perms::READ, Some("ip"), Some("10.0.0.2"))]);
    assert_eq!(index.intern(&mut table, &read(&other)), number, "numbers are used again");
}
