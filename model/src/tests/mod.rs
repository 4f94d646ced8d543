mod path;
mod peer;
mod requests;
mod responses;
mod session;
mod txns;

use crate::jute::JuteReader;
use crate::op::Op;
use crate::request::{ConnectRequest, Request, RequestHeader};
use crate::txn::{Txn, TxnDigest, TxnHeader};
use proptest::prelude::*;

/// Golden bytes: hex digits, blanks, and text in single quotes.
fn golden(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let end = quoted.find('\'').unwrap();
            bytes.extend_from_slice(&quoted.as_bytes()[..end]);
            rest = quoted[end + 1..].trim_start();
        } else {
            bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
            rest = rest[2..].trim_start();
        }
    }
    bytes
}

/// Every operation that has a number.
fn ops() -> Vec<Op> {
    (-20..200).filter_map(Op::of).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..<_>::default()
    })]

    #[test]
    fn any_bytes_decode_or_fail(
        bytes in prop::collection::vec(prop_oneof![Just(0), Just(0xff), any::<u8>()], 0..200),
    ) {
        // A vector's announced length is at most two thousand million: it must not be trusted.
        for op in ops() {
            let _ = Request::decode(op, &bytes);
            if let Ok(Txn::Multi(multi)) = Txn::decode(op, &mut JuteReader::new(&bytes)) {
                let _ = multi.iter().count();
            }
        }
        let _ = ConnectRequest::decode(&bytes);
        let _ = RequestHeader::decode(&mut JuteReader::new(&bytes));
        let _ = TxnHeader::decode(&mut JuteReader::new(&bytes));
        let _ = TxnDigest::decode(&mut JuteReader::new(&bytes));
    }

    #[test]
    fn cut_requests_fail(cut in 0..60usize) {
        let whole = golden("00000002 '/a' 00000004 'data' 00000001 0000001f 00000005 'world' \
            00000006 'anyone' 00000000");
        if cut < whole.len() {
            prop_assert!(Request::decode(Op::Create, &whole[..cut]).is_err());
        }
    }
}

/// Small counts whose elements take four bytes each cannot keep the reader busy for long either:
/// the elements end with the bytes.
#[test]
fn announced_counts_are_not_trusted() {
    for op in [Op::SetWatches, Op::Create, Op::Multi] {
        let mut bytes = vec![0; 8];
        bytes.extend(i32::MAX.to_be_bytes());
        assert!(Request::decode(op, &bytes).is_err());
    }
    assert!(Txn::decode(Op::Multi, &mut JuteReader::new(&i32::MAX.to_be_bytes())).is_err());
    assert!(Txn::decode(Op::CloseSession, &mut JuteReader::new(&i32::MAX.to_be_bytes())).is_err());
}

#[test]
fn every_number_has_one_op() {
    let ops = ops();
    assert_eq!(ops.len(), 32);
    for op in ops {
        assert_eq!(Op::of(op.code()), Some(op));
    }
}

#[test]
fn every_code_has_one_error() {
    use crate::error::ErrorCode;
    let codes: Vec<_> = (-200..=0).rev().filter_map(ErrorCode::of).map(ErrorCode::code).collect();
    let expected = [
        0, -1, -2, -5, -6, -8, -13, -14, -101, -102, -103, -108, -110, -111, -112, -114, -115,
        -118, -119, -120, -121, -123, -124, -125, -127,
    ];
    assert_eq!(codes, expected);
}
