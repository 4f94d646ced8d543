//! Who may do what: identities, lists, permissions of every operation.

use std::sync::OnceLock;

use harness::{Acl, Body, Client, Op, OpResult, Server, code, opcode};

use super::{client_at, shared};

const READ: i32 = 1;
const WRITE: i32 = 2;
const CREATE: i32 = 4;
const DELETE: i32 = 8;
const ADMIN: i32 = 16;

/// base64(SHA1("user:password"))
const ALICE: &str = "alice:aYXlLOpEooaV1cRAvUL1fp9Qt7E=";
const BOB: &str = "bob:1Yu1ryCXOIF7lyFzbmQ5J+MJOZc=";
const SUPER: &str = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";

/// A server that knows a superuser.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let digest = format!("zookeeper.DigestAuthenticationProvider.superDigest={SUPER}");
        Server::config().property(&digest).start()
    })
}

fn with_auth(credentials: &[u8]) -> Client {
    let mut client = Client::connect(server().address());
    assert_eq!(client.add_auth("digest", credentials), Ok(()));
    client
}

fn world(permissions: i32) -> Vec<Acl> {
    vec![Acl::new(permissions, "world", "anyone")]
}

/// The connection's identities as `scheme/user`; their order is irrelevant.
fn identities(c: &mut Client) -> Vec<String> {
    let mut names: Vec<_> = c.who_am_i().into_iter().map(|(s, user)| s + "/" + &user).collect();
    names.sort();
    names
}

#[test]
fn who_am_i_lists_each_identity_once() {
    let mut c = Client::connect(shared().address());
    assert_eq!(c.who_am_i(), [("ip".to_owned(), "127.0.0.1".to_owned())]);
    c.add_auth("digest", b"alice:secret").unwrap();
    c.add_auth("digest", b"bob:hunter2").unwrap();
    c.add_auth("digest", b"alice:secret").unwrap();
    assert_eq!(identities(&mut c), ["digest/alice", "digest/bob", "ip/127.0.0.1"]);
}

#[test]
fn identities_belong_to_the_connection() {
    let mut c = Client::connect(shared().address());
    c.add_auth("digest", b"alice:secret").unwrap();
    let mut again = c.reconnect();
    assert_eq!(again.who_am_i().len(), 1);
}

#[test]
fn an_unknown_scheme_fails_and_closes() {
    for (scheme, data) in [("nosuch", &b"x"[..]), ("world", b"anyone"), ("auth", b"")] {
        let mut c = Client::connect(shared().address());
        assert_eq!(c.add_auth(scheme, data), Err(code::AUTH_FAILED), "{scheme}");
        c.assert_closed();
    }
}

/// Credentials of the form `user:password` are not verified; ip refuses all credentials.
#[test]
fn an_auth_reply_has_no_zxid() {
    let mut c = Client::connect(shared().address());
    c.send(-4, opcode::AUTH, &Body::new().int(0).string("digest").buffer(&b"a:b"[..]));
    let reply = c.reply(-4);
    assert_eq!((reply.zxid, reply.err, reply.body.len()), (0, 0, 0));
    c.send(77, opcode::AUTH, &Body::new().int(0).string("digest").buffer(&b"a:b"[..]));
    assert_eq!(c.reply(77).zxid, 0, "any xid is answered");
}

#[test]
fn invalid_lists_are_refused() {
    let mut c = client_at("/acl-bad");
    let bad: [&[Acl]; 10] = [
        &[],
        &[Acl::new(31, "nosuch", "x")],
        &[Acl::new(31, "world", "someone")],
        &[Acl::new(31, "auth", "")],
        &[Acl::new(31, "digest", "alice")],
        &[Acl::new(31, "digest", "a:b:c")],
        &[Acl::new(31, "ip", "not an address")],
        &[Acl::new(31, "ip", "127.0.0.1/33")],
        &[Acl::new(31, "", "")],
        &[Acl::new(31, "world", "anyone"), Acl::new(31, "nosuch", "x")],
    ];
    for acl in bad {
        assert_eq!(c.create("/acl-bad/a", b"", acl, 0), Err(code::INVALID_ACL), "{acl:?}");
        assert_eq!(c.set_acl("/acl-bad", acl, -1), Err(code::INVALID_ACL), "{acl:?}");
    }
    let null = Body::new().string("/acl-bad/a").buffer(&b""[..]).int(-1).int(0);
    assert_eq!(c.call(opcode::CREATE, &null).err, code::INVALID_ACL, "a null vector");
    assert_eq!(c.set_acl("/acl-bad/absent", &[], -1), Err(code::INVALID_ACL), "before NONODE");
}

#[test]
fn duplicates_in_a_list_are_dropped() {
    let mut c = client_at("/acl-kept");
    let one = Acl::new(READ, "world", "anyone");
    let two = Acl::new(31, "digest", ALICE);
    let given = [one.clone(), two.clone(), one.clone()];
    c.create("/acl-kept/a", b"", &given, 0).unwrap();
    c.add_auth("digest", b"alice:secret").unwrap();
    assert_eq!(c.acl("/acl-kept/a").unwrap().0, [one, two]);
}

#[test]
fn auth_stands_for_all_own_identities() {
    let mut c = client_at("/acl-auth");
    c.add_auth("digest", b"alice:secret").unwrap();
    c.add_auth("digest", b"bob:hunter2").unwrap();
    c.create("/acl-auth/a", b"", &[Acl::new(31, "auth", "ignored")], 0).unwrap();
    let (mut acl, _) = c.acl("/acl-auth/a").unwrap();
    acl.sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(acl, [Acl::new(31, "digest", ALICE), Acl::new(31, "digest", BOB)]);
}

/// Identities are known in time where writes are decided, whether they were queried or not.
#[test]
fn the_first_write_has_its_identities() {
    let acl = [Acl::new(31, "auth", "")];
    let made = [Acl::new(31, "digest", ALICE)];
    let mut c = Client::connect(shared().address());
    c.add_auth("digest", b"alice:secret").unwrap();
    c.create("/acl-first", b"", &acl, 0).unwrap();
    assert_eq!(c.acl("/acl-first").unwrap().0, made);
    let mut c = Client::connect(shared().address());
    let auth = Body::new().int(0).string("digest").buffer(&b"alice:secret"[..]);
    c.send(-4, opcode::AUTH, &auth);
    let body = harness::client::create_body("/acl-at-once", b"", &acl, 0);
    let xid = c.post(opcode::CREATE, &body);
    assert_eq!(c.reply(-4).err, code::OK);
    assert_eq!(c.reply(xid).err, code::OK);
    assert_eq!(c.acl("/acl-at-once").unwrap().0, made);
    // A resumed session starts without them.
    let mut again = c.reconnect();
    assert_eq!(again.create("/acl-again", b"", &acl, 0), Err(code::INVALID_ACL));
    again.add_auth("digest", b"alice:secret").unwrap();
    again.create("/acl-again", b"", &acl, 0).unwrap();
}

/// Some clients write an empty string as null.
#[test]
fn an_identity_may_be_null_where_it_means_nothing() {
    let mut c = client_at("/acl-null");
    c.add_auth("digest", b"alice:secret").unwrap();
    let mut create = |name: &str, scheme: Option<&[u8]>| {
        let path = format!("/acl-null/{name}");
        let acl = Body::new().int(1).int(31).buffer(scheme).buffer(None);
        let body = Body::new().string(&path).buffer(&b""[..]).raw(&acl.0).int(0);
        c.call(opcode::CREATE, &body).err
    };
    assert_eq!(create("auth", Some(b"auth")), code::OK);
    assert_eq!(create("null", None), code::INVALID_ACL);
    assert_eq!(create("unknown", Some(b"nosuch")), code::INVALID_ACL);
    assert_eq!(create("world", Some(b"world")), code::MARSHALLING_ERROR);
    assert_eq!(create("digest", Some(b"digest")), code::MARSHALLING_ERROR);
    assert_eq!(create("ip", Some(b"ip")), code::MARSHALLING_ERROR);
    let (acl, _) = c.acl("/acl-null/auth").unwrap();
    assert_eq!(acl, [Acl::new(31, "digest", ALICE)]);
}

#[test]
fn setacl_counts_aversion() {
    let mut c = client_at("/aversion");
    let before = c.exists("/aversion", false).unwrap();
    let stat = c.set_acl("/aversion", &world(31), 0).unwrap();
    assert_eq!(stat, harness::Stat { aversion: 1, ..before }, "and nothing else");
    assert_eq!(c.set_acl("/aversion", &world(31), 0), Err(code::BAD_VERSION));
    assert_eq!(c.set_acl("/aversion", &world(31), -1).unwrap().aversion, 2);
    assert_eq!(c.acl("/aversion").unwrap().1.aversion, 2);
    c.set_acl("/aversion", &world(READ), -1).unwrap();
    assert_eq!(c.set_acl("/aversion", &world(31), 9), Err(code::NO_AUTH), "before BADVERSION");
}

#[test]
fn each_operation_asks_for_its_permission() {
    let mut c = client_at("/perms");
    let mut node = |permissions: i32| {
        let path = format!("/perms/{permissions}");
        c.make(&path);
        c.make(&format!("{path}/child"));
        c.set_acl(&path, &world(permissions), -1).unwrap();
        path
    };
    let paths: Vec<_> = [31, READ, WRITE, CREATE, DELETE, ADMIN].map(&mut node).into();
    for (path, permissions) in paths.iter().zip([31, READ, WRITE, CREATE, DELETE, ADMIN]) {
        let allowed =
            |wanted: i32| if permissions & wanted == 0 { code::NO_AUTH } else { code::OK };
        let code_of = |result: Result<(), i32>| result.err().unwrap_or(code::OK);
        assert_eq!(code_of(c.get(path, false).map(|_| ())), allowed(READ));
        assert_eq!(code_of(c.exists(path, false).map(|_| ())), allowed(READ));
        assert_eq!(code_of(c.children(path, false).map(|_| ())), allowed(READ));
        assert_eq!(code_of(c.children2(path, false).map(|_| ())), allowed(READ));
        assert_eq!(code_of(c.all_children_number(path).map(|_| ())), allowed(READ));
        assert_eq!(code_of(c.acl(path).map(|_| ())), allowed(READ | ADMIN));
        assert_eq!(code_of(c.set(path, b"", -1).map(|_| ())), allowed(WRITE));
        let new = format!("{path}/new");
        assert_eq!(code_of(c.create(&new, b"", &world(31), 0).map(|_| ())), allowed(CREATE));
        let child = format!("{path}/child");
        assert_eq!(code_of(c.delete(&child, -1)), allowed(DELETE));
        let check = c.multi(&[Op::Check { path, version: -1 }]).unwrap();
        let expected = match allowed(READ) {
            code::OK => OpResult::Check,
            err => OpResult::Error(err),
        };
        assert_eq!(check, [expected]);
        assert_eq!(code_of(c.set_acl(path, &world(permissions), -1).map(|_| ())), allowed(ADMIN));
        // No permission is required here.
        assert_eq!(c.sync(path).as_ref(), Ok(path));
        assert_eq!(c.add_watch(path, 0), Ok(()));
    }
}

#[test]
fn delete_asks_the_parent_before_it_looks_for_the_node() {
    let mut c = client_at("/acl-delete");
    c.set_acl("/acl-delete", &world(31 - DELETE), -1).unwrap();
    assert_eq!(c.delete("/acl-delete/absent", -1), Err(code::NO_AUTH));
}

#[test]
fn a_digest_opens_what_it_closed() {
    let mut alice = with_auth(b"alice:secret");
    let mut bob = with_auth(b"bob:hunter2");
    let mut wrong = with_auth(b"alice:wrong");
    let mut anonymous = Client::connect(server().address());
    alice.create("/digest", b"s", &[Acl::new(31, "digest", ALICE)], 0).unwrap();
    assert!(alice.get("/digest", false).is_ok());
    for c in [&mut bob, &mut wrong, &mut anonymous] {
        assert_eq!(c.get("/digest", false), Err(code::NO_AUTH));
        assert_eq!(c.create("/digest/a", b"", &world(31), 0), Err(code::NO_AUTH));
    }
    anonymous.add_auth("digest", b"alice:secret").unwrap();
    assert!(anonymous.get("/digest", false).is_ok(), "at once");
}

#[test]
fn getacl_hides_the_digest_from_clients_that_may_only_read() {
    let mut alice = with_auth(b"alice:secret");
    let acl = [Acl::new(31, "digest", ALICE), Acl::new(READ, "world", "anyone")];
    alice.create("/mask", b"", &acl, 0).unwrap();
    assert_eq!(alice.acl("/mask").unwrap().0, acl);
    let mut anonymous = Client::connect(server().address());
    let masked = [Acl::new(31, "digest", "alice:x"), Acl::new(READ, "world", "anyone")];
    assert_eq!(anonymous.acl("/mask").unwrap().0, masked);
}

#[test]
fn addresses_are_matched_by_their_bits() {
    let mut c = client_at("/ip");
    for (id, may) in [
        ("127.0.0.1", true),
        ("127.0.0.0/8", true),
        ("126.0.0.0/7", true),
        ("10.0.0.0/8", false),
        ("0.0.0.0/0", true),
        ("127.0.0.2", false),
        ("127.0.0.2/31", false),
        ("127.0.0.0/31", true),
    ] {
        let path = format!("/ip/{}", id.replace('/', "-"));
        c.create(&path, b"", &[Acl::new(31, "ip", id)], 0).unwrap();
        let expected = if may { code::OK } else { code::NO_AUTH };
        let got = c.get(&path, false).map_or_else(|err| err, |_| code::OK);
        assert_eq!(got, expected, "{id}");
    }
}

#[test]
fn the_superuser_passes_everywhere() {
    let mut c = with_auth(b"super:admin");
    assert_eq!(identities(&mut c), ["digest/super", "ip/127.0.0.1", "super/"]);
    c.create("/for-bob", b"", &[Acl::new(READ, "digest", BOB)], 0).unwrap();
    c.set("/for-bob", b"x", -1).unwrap();
    c.create("/for-bob/a", b"", &world(31), 0).unwrap();
    c.delete("/for-bob/a", -1).unwrap();
    assert_eq!(c.acl("/for-bob").unwrap().0, [Acl::new(READ, "digest", BOB)], "unmasked");
    c.set_acl("/for-bob", &world(READ), -1).unwrap();
    assert!(c.set("/zookeeper/config", b"c", -1).is_ok());
    let mut wrong = with_auth(b"super:guess");
    assert_eq!(wrong.set("/for-bob", b"x", -1), Err(code::NO_AUTH));
}

#[test]
fn auth_expands_to_the_superuser_too() {
    let mut c = with_auth(b"super:admin");
    c.create("/super-auth", b"", &[Acl::new(31, "auth", "")], 0).unwrap();
    let (acl, _) = c.acl("/super-auth").unwrap();
    assert_eq!(acl, [Acl::new(31, "digest", SUPER)]);
}

/// An event about a node goes only to clients that may read it; the watch is used up either way.
#[test]
fn events_are_kept_from_clients_that_may_not_read() {
    let mut owner = client_at("/quiet");
    owner.make("/quiet/open");
    owner.make("/quiet/shut");
    owner.set_acl("/quiet/shut", &world(31 - READ), -1).unwrap();
    let mut c = Client::connect(shared().address());
    c.add_watch("/quiet/open", 0).unwrap();
    c.add_watch("/quiet/shut", 0).unwrap();
    owner.set("/quiet/shut", b"", -1).unwrap();
    owner.set("/quiet/open", b"", -1).unwrap();
    owner.make("/quiet/shut/child");
    owner.delete("/quiet/shut/child", -1).unwrap();
    owner.delete("/quiet/shut", -1).unwrap();
    owner.delete("/quiet/open", -1).unwrap();
    let events: Vec<_> = c.events().into_iter().map(|e| (e.kind, e.path)).collect();
    assert_eq!(events, [(3, "/quiet/open".to_owned()), (2, "/quiet/open".to_owned())]);
}
