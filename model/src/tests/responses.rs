use super::golden;
use crate::error::ErrorCode;
use crate::jute;
use crate::op::Op;
use crate::response::{self, ConnectResponse, EventKind};
use crate::session::SessionId;
use crate::zxid::Zxid;

#[test]
fn connect_responses() {
    let response = ConnectResponse {
        timeout_ms: 30_000,
        session_id: SessionId(0x0100_0000_0000_0001),
        password: *b"0123456789abcdef",
        read_only: Some(false),
    };
    let mut out = Vec::new();
    response.encode(&mut out);
    let expected = "00000025 00000000 00007530 0100000000000001 00000010 '0123456789abcdef' 00";
    assert_eq!(out, golden(expected));
    out.clear();
    ConnectResponse { read_only: None, ..response }.encode(&mut out);
    let expected = "00000024 00000000 00007530 0100000000000001 00000010 '0123456789abcdef'";
    assert_eq!(out, golden(expected));
}

#[test]
fn replies() {
    let mut out = Vec::new();
    response::put_reply(&mut out, 7, Zxid(0x1_0000_0002), ErrorCode::Ok, b"body");
    assert_eq!(out, golden("00000014 00000007 0000000100000002 00000000 'body'"));
    out.clear();
    response::put_reply(&mut out, 8, Zxid(3), ErrorCode::NoNode, &[]);
    response::put_reply(&mut out, -2, Zxid(3), ErrorCode::Ok, &[]);
    let expected = "00000010 00000008 0000000000000003 ffffff9b
        00000010 fffffffe 0000000000000003 00000000";
    assert_eq!(out, golden(expected));
}

#[test]
fn events() {
    let mut out = Vec::new();
    response::put_event(&mut out, EventKind::ChildrenChanged, Zxid(9), b"/a");
    response::put_event(&mut out, EventKind::Created, Zxid(-1), b"/");
    let expected = "0000001e ffffffff 0000000000000009 00000000 00000004 00000003 00000002 '/a'
        0000001d ffffffff ffffffffffffffff 00000000 00000001 00000003 00000001 '/'";
    assert_eq!(out, golden(expected));
    let kinds = [EventKind::Created, EventKind::Deleted, EventKind::DataChanged];
    assert_eq!(kinds.map(|kind| kind as i32), [1, 2, 3]);
}

#[test]
fn multi_results() {
    let mut out = Vec::new();
    response::put_multi_header(&mut out, Op::SetData.code(), false, 0);
    response::put_multi_error(&mut out, ErrorCode::BadVersion);
    response::put_multi_end(&mut out);
    let expected = "00000005 00 00000000  ffffffff 00 ffffff99 ffffff99  ffffffff 01 ffffffff";
    assert_eq!(out, golden(expected));
}

#[test]
fn fields() {
    let mut out = vec![5];
    jute::put_bool(&mut out, true);
    jute::put_int(&mut out, -2);
    jute::put_long(&mut out, 0x0102_0304_0506_0708);
    jute::put_buffer(&mut out, None);
    jute::put_buffer(&mut out, Some(b""));
    jute::put_string(&mut out, b"ab");
    let expected = "05 01 fffffffe 0102030405060708 ffffffff 00000000 00000002 'ab'";
    assert_eq!(out, golden(expected));
    let mut reader = jute::JuteReader::new(&out);
    assert_eq!((reader.byte(), reader.bool(), reader.int()), (Ok(5), Ok(true), Ok(-2)));
    assert_eq!(reader.long(), Ok(0x0102_0304_0506_0708));
    assert_eq!((reader.buffer(), reader.buffer()), (Ok(None), Ok(Some(&b""[..]))));
    assert_eq!(reader.text(), Ok(&b"ab"[..]));
    let short = jute::JuteError::Short { offset: out.len(), needed: 1, found: 0 };
    assert_eq!(reader.byte(), Err(short));
    let mut bad = jute::JuteReader::new(b"\xff\xff\xff\xfe");
    assert_eq!(bad.buffer(), Err(jute::JuteError::Length { offset: 0, found: -2 }));
}
