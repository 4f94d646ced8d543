//! Configurations of transcripts, and the txns that they are.

use crate::zab::Configuration;
use model::op::Op;
use model::session::SessionId;
use model::txn::{Txn, TxnHeader, proposed_configuration};
use model::zxid::Zxid;
use std::sync::Arc;

/// What an encoded txn proposes.
pub(super) fn proposed_by(txn: &[u8]) -> Arc<Configuration> {
    let text = proposed_configuration(txn).expect("it is another configuration");
    Arc::new(Configuration::parse(text).expect("it was printed"))
}

/// Servers of a configuration, `1 2 3o`: those with an o observe.
pub(super) fn configuration(words: &[&str], version: Zxid) -> Configuration {
    let line = |word: &&str| {
        let (id, role) =
            word.strip_suffix('o').map_or((*word, "participant"), |id| (id, "observer"));
        format!("server.{id}=server{id}:2888:3888:{role};2181\n")
    };
    let text: String = words.iter().map(line).collect();
    Configuration::parse(text.as_bytes()).expect("well-formed").with_version(version.0)
}

pub(super) fn change(zxid: Zxid, to: &Configuration) -> Vec<u8> {
    let header = TxnHeader { session: SessionId(1), cxid: 1, zxid, time_ms: 0, op: Op::Reconfig };
    let mut bytes = Vec::new();
    header.encode(&mut bytes);
    Txn::SetData { path: b"/zookeeper/config", data: Some(to.text()), version: -1 }
        .encode(&mut bytes);
    bytes
}
