//! The schemes of authentication beside plain digest: how each answers credentials, what its ids
//! may be, and how a server answers SASL, reconfig and pings where there is nothing to do.

use harness::{Acl, Body, Client, Server, code, opcode};

use super::shared;

const PACKAGE: &str = "org.apache.zookeeper.server.auth.";

/// Adds ZooKeeper's own classes for schemes, of these names.
fn with_classes(names: &[&str]) -> harness::server::Config {
    let numbered = names.iter().enumerate();
    numbered.fold(Server::config(), |config, (number, name)| {
        let class = format!("{PACKAGE}{name}AuthenticationProvider");
        config.set(&format!("authProvider.{number}"), &class)
    })
}

fn credentials<'a>(scheme: impl Into<Option<&'a [u8]>>, auth: Option<&[u8]>) -> Body {
    Body::new().int(0).buffer(scheme).buffer(auth)
}

fn authenticate(server: &Server, scheme: &str, auth: Option<&[u8]>) -> (Client, i32) {
    let mut c = Client::connect(server.address());
    let err = c.call(opcode::AUTH, &credentials(scheme.as_bytes(), auth)).err;
    if err != code::OK {
        c.assert_closed();
    }
    (c, err)
}

fn create(c: &mut Client, path: &str, scheme: &str, id: Option<&str>) -> i32 {
    let body = Body::new().string(path).buffer(&b""[..]).int(1).int(31).string(scheme);
    c.call(opcode::CREATE, &body.buffer(id.map(str::as_bytes)).int(0)).err
}

fn metric(server: &Server, name: &str) -> u64 {
    let text = server.word("mntr");
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t'));
    found.expect("mntr has it").parse().unwrap()
}

#[test]
fn a_step_of_sasl_gets_no_token_where_sasl_is_not_configured() {
    let mut c = Client::connect(shared().address());
    for token in [&b""[..], b"anything"] {
        let reply = c.call(opcode::SASL, &Body::new().buffer(token));
        assert_eq!((reply.zxid, reply.err), (0, code::OK));
        assert_eq!(reply.body, (-1_i32).to_be_bytes(), "a null token");
    }
    assert!(c.exists("/", false).is_ok(), "the connection stays open");
    for body in [Body::new().int(-1), Body::new()] {
        let mut c = Client::connect(shared().address());
        c.post(opcode::SASL, &body);
        c.assert_closed();
    }
}

#[test]
fn a_ping_is_answered_as_a_ping_whatever_its_xid() {
    let mut c = Client::connect(shared().address());
    for xid in [77, -2, 0, i32::MIN] {
        c.send(xid, opcode::PING, &Body::new());
        let reply = c.reply(-2);
        assert_eq!((reply.err, reply.body.len()), (code::OK, 0), "{xid}");
    }
}

#[test]
fn reconfig_is_refused_by_a_standalone_server() {
    let body = Body::new().buffer(None).buffer(None).buffer(None).long(-1);
    for skip_acl in ["no", "yes"] {
        let config = Server::config().set("reconfigEnabled", "true").set("skipACL", skip_acl);
        let server = config.start();
        let mut c = Client::connect(server.address());
        let before = c.call(opcode::EXISTS, &Body::new().string("/").boolean(false)).zxid;
        let reply = c.call(opcode::RECONFIG, &body);
        assert_eq!((reply.err, reply.zxid), (code::UNIMPLEMENTED, before + 1));
        assert_eq!(c.call(opcode::RECONFIG, &Body::new()).err, code::MARSHALLING_ERROR);
        assert!(c.exists("/", false).is_ok(), "the connection stays open");
    }
}

#[test]
fn credentials_that_are_null_fail() {
    assert_eq!(authenticate(shared(), "digest", None).1, code::AUTH_FAILED);
    assert_eq!(authenticate(shared(), "ip", None).1, code::OK);
    let mut c = Client::connect(shared().address());
    let no_scheme = credentials(None, Some(b"a:b"));
    assert_eq!(c.call(opcode::AUTH, &no_scheme).err, code::AUTH_FAILED);
    c.assert_closed();
}

/// A password is hashed as text: invalid UTF-8 was replaced before.
#[test]
fn credentials_are_text() {
    let (mut c, err) = authenticate(shared(), "digest", Some(b"\xff:x"));
    assert_eq!(err, code::OK);
    assert!(c.who_am_i().contains(&("digest".to_owned(), "\u{fffd}".to_owned())));
    c.create("/scheme-text", b"", &[Acl::new(31, "auth", "")], 0).unwrap();
    let (mut same, _) = authenticate(shared(), "digest", Some("\u{fffd}:x".as_bytes()));
    assert!(same.get("/scheme-text", false).is_ok());
}

#[test]
fn a_client_of_another_ensemble_is_sent_away() {
    let server = with_classes(&["Ensemble"]).set("ensembleAuthName", "a, b ,,").start();
    for auth in [None, Some(&b""[..]), Some(b"a"), Some(b"b")] {
        let (mut c, err) = authenticate(&server, "ensemble", auth);
        assert_eq!(err, code::OK, "{auth:?}");
        assert_eq!(c.who_am_i(), [("ip".to_owned(), "127.0.0.1".to_owned())]);
    }
    for auth in [&b" b"[..], b"c", b"\xff"] {
        let mut c = Client::connect(server.address());
        c.post(opcode::AUTH, &credentials(&b"ensemble"[..], Some(auth)));
        c.assert_closed();
        // The session survives, so that the client can resume it elsewhere.
        assert!(c.reconnect().exists("/", false).is_ok());
    }
    let counted = ["success", "fail", "skip"]
        .map(|which| metric(&server, &format!("zk_ensemble_auth_{which}")));
    assert_eq!(counted, [2, 3, 2]);
    let mut c = Client::connect(server.address());
    for id in [Some("a"), Some(""), None] {
        assert_eq!(create(&mut c, "/a", "ensemble", id), code::INVALID_ACL, "{id:?}");
    }
}

#[test]
fn an_ensemble_without_a_name_accepts_every_client() {
    let server = with_classes(&["Ensemble"]).start();
    assert_eq!(authenticate(&server, "ensemble", Some(b"any")).1, code::OK);
    assert_eq!(metric(&server, "zk_ensemble_auth_skip"), 1);
    assert_eq!(authenticate(shared(), "ensemble", Some(b"any")).1, code::AUTH_FAILED);
}

#[test]
fn a_key_is_a_multiple_of_the_number_in_its_node() {
    let server = with_classes(&["Key"]).start();
    let mut c = Client::connect(server.address());
    let lets_in = |auth: &[u8]| authenticate(&server, "key", Some(auth)).1 == code::OK;
    assert!(lets_in(b"") && lets_in(b"anything"), "there is no node yet");
    assert_eq!(authenticate(&server, "key", None).1, code::AUTH_FAILED);
    c.create("/key", b"3", &Acl::open(), 0).unwrap();
    assert!(lets_in(b"9") && lets_in(b"-3") && lets_in(b"+6") && lets_in(b"0"));
    for auth in [&b"10"[..], b"", b"x", b"2147483649", b" 9"] {
        assert!(!lets_in(auth), "{auth:?}");
    }
    c.set("/key", b"0", -1).unwrap();
    assert!(lets_in(b"10") && !lets_in(b"x"));
    c.set("/key", b"-1", -1).unwrap();
    assert!(lets_in(b"-2147483648"), "no overflow");
    c.set("/key", b"x", -1).unwrap();
    assert!(!lets_in(b"9"));
    c.set("/key", b"1", -1).unwrap();
    let (mut own, _) = authenticate(&server, "key", Some(b"5"));
    assert!(own.who_am_i().contains(&("key".to_owned(), String::new())));
    own.create("/own", b"", &[Acl::new(31, "auth", "ignored")], 0).unwrap();
    assert_eq!(own.acl("/own").unwrap().0, [Acl::new(31, "key", "")]);
    assert_eq!(c.get("/own", false).unwrap_err(), code::NO_AUTH);
    assert_eq!(create(&mut c, "/other", "key", Some("other")), code::OK);
    assert_eq!(own.get("/other", false).unwrap_err(), code::NO_AUTH);
    assert_eq!(create(&mut Client::connect(shared().address()), "/k", "key", Some("")), -114);
}

#[test]
fn ids_of_schemes_that_no_client_proves_are_checked() {
    let server = with_classes(&["SASL", "X509", "IP"]).start();
    let mut c = Client::connect(server.address());
    for scheme in ["sasl", "x509"] {
        for auth in [None, Some(&b"x"[..])] {
            assert_eq!(authenticate(&server, scheme, auth).1, code::AUTH_FAILED, "{scheme}");
        }
    }
    let good = [
        ("sasl", ["", "u", "u@R", "u/h@R", "a/b/c", "@R", "u@"].as_slice()),
        (
            "x509",
            &[
                "",
                "CN=a",
                "cn = a , ou = b",
                "CN=a,OU=b",
                "CN=a;OU=b",
                "CN=a+OU=b",
                "CN=\"a,b\"",
                "CN=a\\,b",
                "CN=",
                "1.2.3=a",
                "OID.2.5.4.3=a",
                "CN=#0c0161",
                "EMAILADDRESS=a@b",
            ],
        ),
    ];
    let mut number = 0;
    for (scheme, ids) in good {
        for id in ids {
            number += 1;
            let path = format!("/id{number}");
            assert_eq!(create(&mut c, &path, scheme, Some(id)), code::OK, "{scheme} {id}");
            assert_eq!(c.get(&path, false).unwrap_err(), code::NO_AUTH, "{scheme} {id}");
        }
    }
    let bad = [
        ("sasl", ["a@b@c", "a/b/c@R", "a@b/c"].as_slice()),
        ("x509", &["a", "=a", "FOO=a", "CN=#04", "CN=#", "CN=#0", "CN=a,", ",", "CN=a<b", "1=a"]),
    ];
    for (scheme, ids) in bad {
        for id in ids {
            assert_eq!(create(&mut c, "/no", scheme, Some(id)), code::INVALID_ACL, "{scheme} {id}");
        }
    }
    assert_eq!(create(&mut c, "/no", "sasl", None), code::MARSHALLING_ERROR);
    assert_eq!(create(&mut c, "/no", "x509", None), code::MARSHALLING_ERROR);
}

/// base64(hash("alice:secret")) and base64(hash("super:secret")).
const HASHES: [(&str, &str, &str); 4] = [
    (
        "SHA-256",
        "PRHcR5wI47NodzED1kdmwuQgzjlyeTL88tj02dWZvlk=",
        "WTA5ucCHTdJq645xIMibj8HviTPeB5mMuJ4/+v1dIEw=",
    ),
    (
        "sha512/256",
        "38ptOZRy03NsT9VSLY5hY2xsOO9l+iaSKfTRDtjRrxE=",
        "KBy0TIF51hD+Dr4wcFk0avm0bSypEbyLoGAgI9Pc2WA=",
    ),
    (
        "SHA3-256",
        "0klP1LIWwp/NTn37H9CfAMkncGve/93qqLrI9ZwVcNo=",
        "WC0fcBtN15KqFfwpcvg0TG3tZUPFtDZkMpN7SZ6bt4g=",
    ),
    ("MD5", "b2IgWJaLuQdX5sbteeXfgQ==", "a0jjl2hSRgOYyP70Eq+wUw=="),
];

#[test]
fn the_hash_of_passwords_may_be_chosen() {
    for (algorithm, alice, root) in HASHES {
        let server = Server::config()
            .set("DigestAuthenticationProvider.digestAlg", algorithm)
            .set("DigestAuthenticationProvider.superDigest", &format!("super:{root}"))
            .start();
        let (mut own, _) = authenticate(&server, "digest", Some(b"alice:secret"));
        own.create("/own", b"", &[Acl::new(31, "auth", "")], 0).unwrap();
        let id = format!("alice:{alice}");
        assert_eq!(own.acl("/own").unwrap().0, [Acl::new(31, "digest", &id)], "{algorithm}");
        let mut other = Client::connect(server.address());
        assert_eq!(other.get("/own", false).unwrap_err(), code::NO_AUTH);
        let (mut root, _) = authenticate(&server, "digest", Some(b"super:secret"));
        assert!(root.get("/own", false).is_ok(), "{algorithm}");
    }
}

#[test]
fn a_class_brings_digest_back() {
    let off = |config: harness::server::Config| {
        config.set("DigestAuthenticationProvider.enabled", "false").start()
    };
    let server = off(Server::config());
    assert_eq!(authenticate(&server, "digest", Some(b"a:b")).1, code::AUTH_FAILED);
    let server = off(with_classes(&["Digest"]).set("authProvider.7", "no.such.Class"));
    assert_eq!(authenticate(&server, "digest", Some(b"a:b")).1, code::OK);
}

#[test]
fn a_scheme_may_be_enforced() {
    let server = with_classes(&["Ensemble", "Key"])
        .set("enforce.auth.enabled", "true")
        .set("enforce.auth.schemes", "ensemble,key")
        .start();
    let (mut c, err) = authenticate(&server, "ensemble", Some(b"any"));
    assert_eq!(err, code::OK);
    assert_eq!(c.exists("/", false).unwrap_err(), -124, "an ensemble is no identity");
    let (mut c, _) = authenticate(&server, "key", Some(b"any"));
    assert!(c.exists("/", false).is_ok());
}
