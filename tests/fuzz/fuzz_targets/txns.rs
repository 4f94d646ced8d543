//! Log records: whatever decodes is encoded to bytes that decode to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::jute::JuteReader;
use model::txn::{Txn, TxnDigest, TxnHeader};

fuzz_target!(|record: &[u8]| {
    let mut reader = JuteReader::new(record);
    let Ok(header) = TxnHeader::decode(&mut reader) else { return };
    let Ok(txn) = Txn::decode(header.op, &mut reader) else { return };
    let _ = TxnDigest::decode(&mut reader);
    if let Txn::Multi(multi) = &txn {
        let _ = multi.iter().count();
    }
    let mut again = Vec::new();
    txn.encode(&mut again);
    let decoded = Txn::decode(header.op, &mut JuteReader::new(&again));
    assert_eq!(decoded.as_ref(), Ok(&txn));
});
