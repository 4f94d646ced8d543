use crate::acl::address::Network;
use crate::acl::identity::{Identities, Verdict};
use crate::acl::names::{is_distinguished, is_principal};
use crate::acl::scheme::{DigestAlgorithm, Ensemble, Scheme, Schemes, digest_id, is_key};
use crate::acl::{AclIndex, AclTable, OPEN, fix_up};
use crate::settings::Settings;
use model::acl::{AclEntry, AclList, perms};
use model::error::ErrorCode;
use model::jute::{self, JuteReader};

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
    AclList::decode(&mut JuteReader::new(bytes)).unwrap()
}

/// The first one is ZooKeeper's own example of a super digest.
#[test]
fn digests() {
    let of =
        |auth: &str, algorithm| String::from_utf8(digest_id(auth.as_bytes(), algorithm)).unwrap();
    assert_eq!(of("super:test", DigestAlgorithm::Sha1), "super:D/InIHSb7yEEbrWz8b9l71RjZJU=");
    let lengths = [16, 16, 20, 28, 32, 48, 64, 28, 32, 28, 32, 48, 64];
    for (name, length) in DigestAlgorithm::names().zip(lengths) {
        let algorithm = DigestAlgorithm::of_name(name).unwrap();
        let base64_length = usize::div_ceil(length, 3) * 4;
        assert_eq!(of("u:p", algorithm).len(), 2 + base64_length, "{name}");
    }
    // base64(MD2("alice:secret")), by Java; the others are compared from outside.
    assert_eq!(of("alice:secret", DigestAlgorithm::Md2), "alice:b6+XpBIVsqV/jZzBbe0u2Q==");
}

/// The names and aliases that Java 17 has.
#[test]
fn digests_have_the_names_of_java() {
    let of = DigestAlgorithm::of_name;
    for (name, algorithm) in [
        ("SHA", DigestAlgorithm::Sha1),
        ("SHA1", DigestAlgorithm::Sha1),
        ("sha-1", DigestAlgorithm::Sha1),
        ("OID.1.3.14.3.2.26", DigestAlgorithm::Sha1),
        ("SHA512/224", DigestAlgorithm::Sha512_224),
        ("Sha-512/256", DigestAlgorithm::Sha512_256),
        ("2.16.840.1.101.3.4.2.1", DigestAlgorithm::Sha256),
        ("oid.2.16.840.1.101.3.4.2.10", DigestAlgorithm::Sha3_512),
        ("md5", DigestAlgorithm::Md5),
    ] {
        assert_eq!(of(name), Some(algorithm), "{name}");
    }
    for name in ["", "SHA3", "SHA-3-256", "SHA3256", "MD-5", "SHA-", "2.16.840.1.101.3.4.2."] {
        assert_eq!(of(name), None, "{name}");
    }
}

#[test]
fn names_of_principals() {
    assert!(is_principal(b"u/h@R") && is_principal(b"a/b/c") && !is_principal(b"a/b/c@R"));
    assert!(is_distinguished("CN=#0C8101") == is_distinguished("CN=#0C"), "lengths are checked");
    assert!(is_distinguished("CN=#0C810161") && !is_distinguished("CN=#0C8561"));
    let good = ["CN=a\\2c\\\\", "CN=\"a\" ", "STREET=\"a\\\"b,\"+L=c", "2.999.1=x", "CN=\n a"];
    assert!(good.iter().all(|name| is_distinguished(name)));
    let bad =
        ["CN", "CN=a\\", "CN=a\\z", "CN=\"a", "CN=\"a\"b", "3.1=x", "1.40=x", "CN=a+", "+1.2=a"];
    assert!(bad.iter().all(|name| !is_distinguished(name)));
    assert!(is_key(b"4", Some(b"-2")) && !is_key(b"", Some(b"1")) && is_key(b"", None));
}

/// What the engine is given for a class that only a configuration can name.
#[test]
fn ensembles_are_distinguished() {
    let named = Ensemble::Named(["a".to_owned()].into());
    let schemes = Schemes { ensemble: Some(named), ..Schemes::default() };
    let mut who = Identities::default();
    let mut ask =
        |auth: Option<&[u8]>| who.authenticate(Some(b"ensemble"), auth, &schemes, || None);
    assert_eq!(ask(Some(b"a")), Verdict::ThisEnsemble);
    assert_eq!(ask(Some(b"b")), Verdict::OtherEnsemble);
    assert_eq!(ask(Some(b"")), Verdict::AnyEnsemble);
    assert!(who.ids().is_empty());
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

fn take(who: &mut Identities, scheme: &[u8], auth: &[u8], schemes: &Schemes) -> bool {
    who.authenticate(Some(scheme), Some(auth), schemes, || None) == Verdict::Accepted
}

#[test]
fn schemes_are_switched_on_and_off() {
    let on = Schemes::default();
    let off = Schemes { digest: None, ..Schemes::default() };
    assert_eq!(on.of_name(b"digest"), Some(Scheme::Digest));
    assert_eq!(off.of_name(b"digest"), None);
    assert_eq!(off.of_name(b"ip"), Some(Scheme::Ip));
    for name in [&b"other"[..], b"key", b"sasl", b"x509", b"ensemble"] {
        assert_eq!(on.of_name(name), None);
    }
    for (id, is_valid) in
        [("a:b", true), ("a", false), ("a:b:c", false), ("a:", false), (":b", true)]
    {
        assert_eq!(Scheme::Digest.check_id(Some(id.as_bytes())).is_ok(), is_valid, "{id}");
    }
    let mut who = Identities::of_address("10.0.0.1".parse().unwrap());
    assert!(!take(&mut who, b"digest", b"u:p", &off));
    assert!(!take(&mut who, b"other", b"u:p", &on));
    assert!(take(&mut who, b"ip", b"", &on));
    assert!(take(&mut who, b"digest", b"u:p", &on) && take(&mut who, b"digest", b"u:p", &on));
    assert!(take(&mut who, b"digest", b"v:p", &on));
    assert_eq!(who.ids().len(), 3, "the same credentials count once");
    assert!(who.has_scheme(b"digest") && !who.has_scheme(b"super") && !who.is_super());
}

#[test]
fn lists_are_fixed_up() {
    let schemes = Schemes::default();
    let mut who = Identities::of_address("10.0.0.1".parse().unwrap());
    let mut out = Vec::new();
    let mut fixed = |requested: &[u8], who: &Identities| {
        fix_up(&read(requested), who, &schemes, &mut out).map(|()| out.clone())
    };
    let auth = list(&[(3, Some("auth"), Some(""))]);
    assert_eq!(fixed(&auth, &who), Err(ErrorCode::InvalidAcl), "an address is not a proof");
    assert!(take(&mut who, b"digest", b"super:test", &schemes));
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
    assert_eq!(fixed(&null, &who), Err(ErrorCode::MarshallingError), "stock fails on it");
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
    table.retain(number, 1);
    let near = Identities::of_address("10.0.0.9".parse().unwrap());
    let far = Identities::of_address("10.0.1.9".parse().unwrap());
    let may = |who: &Identities, wanted| table.may(number, wanted, who, &settings);
    assert!(may(&near, perms::READ) && may(&near, perms::WRITE) && !may(&near, perms::ADMIN));
    assert!(!may(&far, perms::READ) && may(&far, perms::READ | perms::WRITE));
    let skipping = Settings { skip_acl: true, ..Settings::default() };
    assert!(table.may(number, perms::ADMIN, &far, &skipping));
    let digest = digest_id(b"root:pw", DigestAlgorithm::Sha1);
    let schemes = Schemes { super_digest: Some(digest), ..Schemes::default() };
    let settings = Settings { schemes, ..Settings::default() };
    let mut root = Identities::default();
    assert!(take(&mut root, b"digest", b"root:pw", &settings.schemes) && root.is_super());
    assert!(table.may(number, perms::ADMIN, &root, &settings));
    assert!(table.may(OPEN, perms::ADMIN, &Identities::default(), &settings));
}

/// A number outlives its last node by at least one version, however often that happens.
#[test]
fn numbers_stay_for_the_events_of_their_batch() {
    let (mut table, mut index) = (AclTable::default(), AclIndex::new([1, 2]));
    let bytes = list(&[(perms::READ, Some("ip"), Some("10.0.0.1"))]);
    let number = index.intern(&mut table, &read(&bytes));
    for _ in 0..5 {
        assert_eq!(index.intern(&mut table, &read(&bytes)), number);
        table.retain(number, 1);
        index.release(&mut table, number);
        index.sealed(&mut table);
        assert_eq!(table.list(number), read(&bytes));
    }
    index.sealed(&mut table);
    assert_eq!(table.iter().count(), 0);
    let other = list(&[(perms::READ, Some("ip"), Some("10.0.0.2"))]);
    assert_eq!(index.intern(&mut table, &read(&other)), number, "numbers are reused");
}
