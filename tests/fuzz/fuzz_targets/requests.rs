//! Client packets are decoded or refused; whatever is decoded was in the packet.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::jute::JuteReader;
use model::op::Op;
use model::request::{ConnectRequest, Request, RequestHeader};

fuzz_target!(|packet: &[u8]| {
    let _ = ConnectRequest::decode(packet);
    let mut reader = JuteReader::new(packet);
    let Ok(header) = RequestHeader::decode(&mut reader) else { return };
    // Any number may be an operation: most are not worth a try.
    let Some(op) = Op::of(header.op).or_else(|| Op::of(header.op.rem_euclid(120))) else { return };
    let body = reader.rest();
    match Request::decode(op, body) {
        Ok(Request::Create(create)) => {
            assert!(create.acl.iter().count() == create.acl.len());
            if let Some(path) = create.path.filter(|path| path.starts_with(b"/")) {
                let _ = model::path::split(path);
            }
        }
        Ok(Request::SetAcl { acl, .. }) => assert!(acl.iter().count() == acl.len()),
        Ok(Request::Multi(ops) | Request::MultiRead(ops)) => assert!(ops.len() <= body.len() / 9),
        Ok(Request::SetWatches(watches)) => {
            for paths in [watches.data, watches.exist, watches.child, watches.persistent] {
                assert!(paths.len() * 4 <= body.len() && paths.iter().count() == paths.len());
            }
        }
        Ok(_) | Err(_) => (),
    }
});
