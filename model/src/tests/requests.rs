use super::golden;
use crate::acl::{AclEntry, AclList, perms};
use crate::jute::{JuteError, JuteReader};
use crate::op::Op;
use crate::request::{
    ConnectRequest, Create, CreateMode, Reconfig, Request, RequestHeader, SetWatches, SubRequest,
};

const OPEN: &str = "00000001 0000001f 00000005 'world' 00000006 'anyone'";

fn open_list() -> AclList<'static> {
    AclList::OPEN
}

#[test]
fn connect_requests() {
    let common = "00000000 0000000000000007 00002710 0000000000000009 00000010 '0123456789abcdef'";
    let bytes = golden(common);
    let request = ConnectRequest::decode(&bytes).unwrap();
    let expected = ConnectRequest {
        protocol_version: 0,
        last_zxid_seen: 7,
        timeout_ms: 10_000,
        session_id: 9,
        password: b"0123456789abcdef",
        read_only: None,
    };
    assert_eq!(request, expected);
    let bytes = golden(&format!("{common} 01"));
    assert_eq!(ConnectRequest::decode(&bytes).unwrap().read_only, Some(true));
    let bytes = golden("00000000 0000000000000000 00000000 0000000000000000 ffffffff 00");
    let request = ConnectRequest::decode(&bytes).unwrap();
    assert_eq!((request.password, request.read_only), (&b""[..], Some(false)));
    assert!(ConnectRequest::decode(&bytes[..27]).is_err());
}

#[test]
fn headers() {
    let bytes = golden("fffffffe 0000000b 'rest'");
    let mut reader = JuteReader::new(&bytes);
    let header = RequestHeader::decode(&mut reader).unwrap();
    assert_eq!(header, RequestHeader { xid: -2, op: Op::Ping.code() });
    assert_eq!(reader.rest(), b"rest");
}

fn assert_decodes(op: Op, text: &str, expected: &Request<'_>) {
    let bytes = golden(text);
    assert_eq!(&Request::decode(op, &bytes).unwrap(), expected, "{op:?}");
    for cut in 0..bytes.len() {
        assert!(Request::decode(op, &bytes[..cut]).is_err(), "{op:?} cut at {cut}");
    }
    // Bytes behind the record are ignored, as stock does.
    assert_eq!(&Request::decode(op, &golden(&format!("{text} 00ff"))).unwrap(), expected);
}

#[test]
fn creates() {
    let create =
        Create { path: Some(b"/a"), data: Some(b"xy"), acl: open_list(), flags: 3, ttl: -1 };
    let text = format!("00000002 '/a' 00000002 'xy' {OPEN} 00000003");
    for op in [Op::Create, Op::Create2, Op::CreateContainer] {
        assert_decodes(op, &text, &Request::Create(create));
    }
    let null = Create { data: None, ..create };
    let text = format!("00000002 '/a' ffffffff {OPEN} 00000003");
    assert_decodes(Op::Create, &text, &Request::Create(null));
    let ttl = Create { flags: 5, ttl: 5000, ..create };
    let text = format!("00000002 '/a' 00000002 'xy' {OPEN} 00000005 0000000000001388");
    assert_decodes(Op::CreateTtl, &text, &Request::Create(ttl));
    // A null ACL has no entries, like an empty one, but is distinguished: a multi refuses it.
    let null = AclList::decode(&mut JuteReader::new(&[0xff; 4])).unwrap();
    assert!(null.is_null() && null.is_empty() && !AclList::default().is_null());
    let mut again = Vec::new();
    null.encode(&mut again);
    assert_eq!(again, [0xff; 4]);
    let none = Create { acl: null, ..create };
    let text = "00000002 '/a' 00000002 'xy' ffffffff 00000003";
    assert_decodes(Op::Create, text, &Request::Create(none));
}

#[test]
fn acls() {
    let text =
        "00000002 00000001 00000002 'ip' 00000009 '127.0.0.1' 0000001f 00000004 'auth' ffffffff";
    let bytes = golden(text);
    let list = AclList::decode(&mut JuteReader::new(&bytes)).unwrap();
    let entries: Vec<_> = list.iter().collect();
    let ip = AclEntry { perms: perms::READ, scheme: Some(b"ip"), id: Some(b"127.0.0.1") };
    let auth = AclEntry { perms: perms::ALL, scheme: Some(b"auth"), id: None };
    assert_eq!(entries, [ip, auth]);
    let mut again = Vec::new();
    list.encode(&mut again);
    assert_eq!(again, bytes);
    let open = golden(OPEN);
    let list = AclList::decode(&mut JuteReader::new(&open)).unwrap();
    assert_eq!((list, list.len(), list.is_empty()), (AclList::OPEN, 1, false));
    assert!(list.iter().all(|entry| entry.is_world() && entry.perms == perms::ALL));
}

#[test]
fn single_requests() {
    let path: &[u8] = b"/a";
    let acl = open_list();
    let p = "00000002 '/a'";
    let with = |tail: &str| format!("{p} {tail}");
    let cases = [
        (Op::Delete, with("00000004"), Request::Delete { path, version: 4 }),
        (Op::DeleteContainer, with(""), Request::DeleteContainer { path }),
        (Op::Exists, with("01"), Request::Exists { path, watch: true }),
        (Op::GetData, with("00"), Request::GetData { path, watch: false }),
        (
            Op::SetData,
            with("00000001 'x' ffffffff"),
            Request::SetData { path, data: Some(b"x"), version: -1 },
        ),
        (Op::GetAcl, with(""), Request::GetAcl { path }),
        (Op::SetAcl, with(&format!("{OPEN} 00000002")), Request::SetAcl { path, acl, version: 2 }),
        (Op::GetChildren, with("01"), Request::GetChildren { path, watch: true }),
        (Op::GetChildren2, with("00"), Request::GetChildren2 { path, watch: false }),
        (Op::Sync, with(""), Request::Sync { path: Some(path) }),
        (Op::Check, with("00000009"), Request::Check { path, version: 9 }),
        (Op::CheckWatches, with("00000003"), Request::CheckWatches { path, kind: 3 }),
        (Op::RemoveWatches, with("00000005"), Request::RemoveWatches { path, kind: 5 }),
        (Op::GetEphemerals, with(""), Request::GetEphemerals { prefix: path }),
        (Op::GetAllChildrenNumber, with(""), Request::GetAllChildrenNumber { path }),
        (Op::AddWatch, with("00000001"), Request::AddWatch { path, mode: 1 }),
        (
            Op::Auth,
            "00000000 00000006 'digest' 00000003 'u:p'".to_owned(),
            Request::Auth { scheme: Some(b"digest"), auth: Some(b"u:p") },
        ),
        (Op::Sasl, "00000001 'x'".to_owned(), Request::Sasl { token: Some(b"x") }),
        (
            Op::Reconfig,
            "ffffffff ffffffff 00000001 'x' ffffffffffffffff".to_owned(),
            Request::Reconfig(Reconfig {
                joining: None,
                leaving: None,
                members: Some(b"x"),
                from: -1,
            }),
        ),
    ];
    for (op, text, expected) in cases {
        assert_decodes(op, &text, &expected);
    }
    for (op, expected) in [
        (Op::Ping, Request::Ping),
        (Op::WhoAmI, Request::WhoAmI),
        (Op::CloseSession, Request::CloseSession),
    ] {
        assert_decodes(op, "", &expected);
    }
    for op in [Op::Error, Op::CreateSession] {
        assert!(Request::decode(op, &[0; 64]).is_err());
    }
}

#[test]
fn watches_set_again() {
    let lists =
        "00000000000000aa 00000002 00000002 '/a' 00000002 '/b' 00000000 00000001 00000002 '/c'";
    let bytes = golden(lists);
    let Ok(Request::SetWatches(watches)) = Request::decode(Op::SetWatches, &bytes) else {
        panic!("well formed");
    };
    assert_eq!(watches.relative_zxid, 0xaa);
    assert_eq!(watches.data.iter().collect::<Vec<_>>(), [b"/a", b"/b"]);
    assert!(watches.exist.is_empty() && watches.persistent.is_empty());
    assert_eq!(watches.child.len(), 1);
    let bytes = golden(&format!("{lists} 00000001 00000001 '/' ffffffff"));
    let Ok(Request::SetWatches(more)) = Request::decode(Op::SetWatches2, &bytes) else {
        panic!("well formed");
    };
    assert_eq!(more.persistent.iter().collect::<Vec<_>>(), [b"/"]);
    assert_eq!(SetWatches { persistent: watches.persistent, ..more }, watches);
}

#[test]
fn multis() {
    let text = format!(
        "00000001 00 ffffffff 00000002 '/a' ffffffff {OPEN} 00000000
         00000005 00 ffffffff 00000002 '/a' 00000001 'x' 00000000
         0000000d 00 ffffffff 00000002 '/a' 00000001
         00000002 00 ffffffff 00000002 '/a' ffffffff
         ffffffff 01 ffffffff"
    );
    let path: &[u8] = b"/a";
    let create = Create { path: Some(path), data: None, acl: open_list(), flags: 0, ttl: -1 };
    let expected = [
        (Op::Create, Request::Create(create)),
        (Op::SetData, Request::SetData { path, data: Some(b"x"), version: 0 }),
        (Op::Check, Request::Check { path, version: 1 }),
        (Op::Delete, Request::Delete { path, version: -1 }),
    ];
    let expected = expected.map(|(op, request)| SubRequest { op, request });
    assert_decodes(Op::Multi, &text, &Request::Multi(expected.to_vec()));
    assert_decodes(Op::Multi, "ffffffff 01 ffffffff", &Request::Multi(Vec::new()));
    let reads = "00000004 00 ffffffff 00000002 '/a' 00 00000008 00 ffffffff 00000002 '/a' 01
        ffffffff 01 ffffffff";
    let expected = [
        SubRequest { op: Op::GetData, request: Request::GetData { path, watch: false } },
        SubRequest { op: Op::GetChildren, request: Request::GetChildren { path, watch: true } },
    ];
    assert_decodes(Op::MultiRead, reads, &Request::MultiRead(expected.to_vec()));
}

#[test]
fn malformed_multis() {
    let decode = |text: &str| Request::decode(Op::Multi, &golden(text)).unwrap_err();
    let mixed = "0000000d 00 ffffffff 00000002 '/a' 00000001 00000004 00 ffffffff 00000002 '/a' 00
        ffffffff 01 ffffffff";
    assert_eq!(decode(mixed), JuteError::MixedMulti);
    let reads = golden("00000004 00 ffffffff 00000002 '/a' 00 ffffffff 01 ffffffff");
    assert_eq!(Request::decode(Op::Multi, &reads), Err(JuteError::MixedMulti));
    assert!(Request::decode(Op::MultiRead, &reads).is_ok());
    let write = golden("00000002 00 ffffffff 00000002 '/a' ffffffff ffffffff 01 ffffffff");
    assert_eq!(Request::decode(Op::MultiRead, &write), Err(JuteError::MixedMulti));
    let nested = "0000000e 00 ffffffff ffffffff 01 ffffffff";
    assert_eq!(decode(nested), JuteError::Value { offset: 0, found: 14 });
    let set_acl =
        format!("00000007 00 ffffffff 00000002 '/a' {OPEN} 00000000 ffffffff 01 ffffffff");
    assert_eq!(decode(&set_acl), JuteError::Value { offset: 0, found: 7 });
    let flags = format!("00000001 00 ffffffff 00000002 '/a' ffffffff {OPEN} 00000007");
    assert_eq!(decode(&flags), JuteError::Value { offset: 0, found: 7 });
}

#[test]
fn create_modes() {
    let modes: Vec<_> = (0..7).map(|flags| CreateMode::of(flags).unwrap()).collect();
    let flags = |pick: fn(&CreateMode) -> bool| {
        modes
            .iter()
            .enumerate()
            .filter(|(_, mode)| pick(mode))
            .map(|(at, _)| at)
            .collect::<Vec<_>>()
    };
    assert_eq!(flags(|mode| mode.is_ephemeral), [1, 3]);
    assert_eq!(flags(|mode| mode.is_sequential), [2, 3, 6]);
    assert_eq!(flags(|mode| mode.is_container), [4]);
    assert_eq!(flags(|mode| mode.is_ttl), [5, 6]);
    assert!([-1, 7, i32::MAX, i32::MIN].iter().all(|&flags| CreateMode::of(flags).is_none()));
}
