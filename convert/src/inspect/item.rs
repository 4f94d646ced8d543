//! What an inspection shows.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::acl::AclList;
use model::jute::JuteReader;
use model::op::Op;
use model::peer::packet::SNAPSHOT_SIGNATURE;
use model::record::NodeRecord;
use model::stat::Stat;
use model::txn::{NodeKind, Txn, TxnDigest, TxnHeader};
use serde_json::{Value, json};

use crate::error::Fault;
use crate::stock::stream::StreamError;

/// An item in a file: its kind, and its fields, in the order of reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// `file`, `session`, `acl`, `node`, `batch`, `txn`, `end` or `damage`.
    pub kind: &'static str,
    /// Names and values.
    pub fields: Vec<(&'static str, Value)>,
}

/// A damaged place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where, in bytes from the beginning of the unpacked file; none if it is the whole file.
    pub offset: Option<u64>,
    /// What is wrong there, as text.
    pub fault: String,
    /// What should be there, if that is known.
    pub expected: Option<String>,
    /// What is there.
    pub found: Option<String>,
    /// What can be done.
    pub advice: &'static str,
}

impl Item {
    pub(super) fn new(kind: &'static str, fields: Vec<(&'static str, Value)>) -> Self {
        Self { kind, fields }
    }

    /// The item as an object, its kind among the fields.
    pub fn json(&self) -> Value {
        let fields = self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        let kind = ("kind".to_owned(), json!(self.kind));
        Value::Object(std::iter::once(kind).chain(fields).collect())
    }

    pub(super) fn session(id: i64, timeout_ms: i32) -> Self {
        Self::new("session", vec![("id", hex(id)), ("timeout_ms", json!(timeout_ms))])
    }

    /// An ACL; `list` is its jute form.
    pub(super) fn acl(number: i64, list: &[u8]) -> Self {
        let entries = match AclList::decode(&mut JuteReader::new(list)) {
            Ok(list) => acl_value(list),
            Err(error) => json!(error.to_string()),
        };
        Self::new("acl", vec![("number", json!(number)), ("entries", entries)])
    }

    pub(super) fn node(path: &[u8], data: Option<&[u8]>, acl: i64, stat: &Stat) -> Self {
        let mut fields = vec![("path", text(path)), ("data", data_value(data))];
        fields.push(("acl", json!(acl)));
        for (name, value) in [
            ("czxid", hex(stat.czxid)),
            ("mzxid", hex(stat.mzxid)),
            ("pzxid", hex(stat.pzxid)),
            ("ctime", json!(stat.ctime)),
            ("mtime", json!(stat.mtime)),
            ("version", json!(stat.version)),
            ("cversion", json!(stat.cversion)),
            ("aversion", json!(stat.aversion)),
            ("owner", hex(stat.ephemeral_owner)),
        ] {
            fields.push((name, value));
        }
        Self::new("node", fields)
    }

    /// A node of ours; its counter and owner are shown as `ZooKeeper` stores them.
    pub(super) fn record(record: NodeRecord<'_>) -> Self {
        let stat = Stat {
            cversion: record.stored_cversion(),
            ephemeral_owner: record.owner_raw(),
            ..record.stat_native()
        };
        Self::node(record.path(), record.data(), record.acl().into(), &stat)
    }

    pub(super) fn txn(
        offset: u64,
        header: &TxnHeader,
        txn: &Txn<'_>,
        digest: Option<TxnDigest>,
    ) -> Self {
        let mut fields = vec![
            ("offset", json!(offset)),
            ("zxid", hex(header.zxid.0)),
            ("time_ms", json!(header.time_ms)),
            ("session", hex(header.session.0)),
            ("cxid", json!(header.cxid)),
            ("op", json!(op_name(header.op))),
        ];
        fields.extend(txn_fields(txn));
        if let Some(digest) = digest {
            fields.push(("digest", hex(digest.tree)));
        }
        Self::new("txn", fields)
    }
}

impl Damage {
    /// A stream's error, with advice.
    pub(super) fn of(error: &StreamError, advice: &'static str) -> Self {
        match error {
            StreamError::Io(error) => {
                let (offset, expected, found) = (None, None, None);
                Self { offset, fault: error.to_string(), expected, found, advice }
            }
            StreamError::Damage { offset, fault } => {
                let (expected, found) = pair(fault);
                let offset = Some(*offset);
                Self { offset, fault: fault.to_string(), expected, found, advice }
            }
        }
    }
}

impl From<Damage> for Item {
    fn from(damage: Damage) -> Self {
        let mut fields = vec![("offset", json!(damage.offset)), ("fault", json!(damage.fault))];
        if let Some(expected) = damage.expected {
            fields.push(("expected", json!(expected)));
        }
        if let Some(found) = damage.found {
            fields.push(("found", json!(found)));
        }
        fields.push(("advice", json!(damage.advice)));
        Self::new("damage", fields)
    }
}

/// What a fault expected and found, for scripts.
fn pair(fault: &Fault) -> (Option<String>, Option<String>) {
    let both = |expected: String, found: String| (Some(expected), Some(found));
    match fault {
        Fault::Short { needed, found } => both(needed.to_string(), found.to_string()),
        Fault::Magic { expected, found } => {
            both(format!("{expected:02x?}"), format!("{found:02x?}"))
        }
        Fault::Version { found } => both(crate::stock::VERSION.to_string(), found.to_string()),
        Fault::Checksum { expected, found } => {
            both(format!("{found:#x}"), format!("{expected:#x}"))
        }
        Fault::EntryEnd { found } => both("0x42".to_owned(), format!("{found:#04x}")),
        Fault::Length(found) | Fault::Ttl(found) => (None, Some(found.to_string())),
        Fault::Signature(found) => {
            let expected = String::from_utf8_lossy(SNAPSHOT_SIGNATURE).into_owned();
            both(expected, found.clone())
        }
        Fault::Txn(_) | Fault::NoParent(_) | Fault::Twice(_) | Fault::Path(_) | Fault::NoRoot => {
            (None, None)
        }
    }
}

/// A number as `ZooKeeper`'s tools show zxids and sessions.
pub(super) fn hex(value: i64) -> Value {
    json!(format!("{value:#x}"))
}

fn text(bytes: &[u8]) -> Value {
    json!(String::from_utf8_lossy(bytes))
}

/// Data as it is if it is text, else in base64; null stays null.
fn data_value(data: Option<&[u8]>) -> Value {
    let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t');
    match data {
        None => Value::Null,
        Some(bytes) => match str::from_utf8(bytes) {
            Ok(text) if is_plain(text) => json!(text),
            _ => json!({ "base64": BASE64.encode(bytes) }),
        },
    }
}

fn acl_value(list: AclList<'_>) -> Value {
    let entry = |entry: model::acl::AclEntry<'_>| {
        let part = |bytes: Option<&[u8]>| bytes.map_or(Value::Null, text);
        json!({ "perms": entry.perms, "scheme": part(entry.scheme), "id": part(entry.id) })
    };
    list.iter().map(entry).collect()
}

fn op_name(op: Op) -> &'static str {
    match op {
        Op::Create => "create",
        Op::Create2 => "create2",
        Op::CreateContainer => "createContainer",
        Op::CreateTtl => "createTTL",
        Op::Delete => "delete",
        Op::DeleteContainer => "deleteContainer",
        Op::SetData => "setData",
        Op::SetAcl => "setACL",
        Op::Check => "check",
        Op::Multi => "multi",
        Op::Reconfig => "reconfig",
        Op::CreateSession => "createSession",
        Op::CloseSession => "closeSession",
        Op::Error => "error",
        _ => "other",
    }
}

fn txn_fields(txn: &Txn<'_>) -> Vec<(&'static str, Value)> {
    match txn {
        Txn::Create(create) => {
            let mut fields = vec![
                ("path", text(create.path)),
                ("data", data_value(create.data)),
                ("acl", acl_value(create.acl)),
                ("parent_cversion", json!(create.parent_cversion)),
            ];
            match create.kind {
                NodeKind::Ephemeral => fields.push(("ephemeral", json!(true))),
                NodeKind::Ttl(ttl_ms) => fields.push(("ttl_ms", json!(ttl_ms))),
                NodeKind::Persistent | NodeKind::Container => (),
            }
            fields
        }
        Txn::Delete { path } => vec![("path", text(path))],
        Txn::SetData { path, data, version } => {
            vec![("path", text(path)), ("data", data_value(*data)), ("version", json!(version))]
        }
        Txn::SetAcl { path, acl, version } => {
            vec![("path", text(path)), ("acl", acl_value(*acl)), ("version", json!(version))]
        }
        Txn::Check { path, version } => vec![("path", text(path)), ("version", json!(version))],
        Txn::CreateSession { timeout_ms } => vec![("timeout_ms", json!(timeout_ms))],
        Txn::CloseSession { paths } => {
            let paths = paths.map(|paths| paths.iter().map(text).collect::<Value>());
            vec![("paths", paths.unwrap_or(Value::Null))]
        }
        Txn::Error(code) => vec![("error", json!(code))],
        Txn::Multi(multi) => {
            let one = |(op, txn): (Op, Txn<'_>)| {
                let op = ("op".to_owned(), json!(op_name(op)));
                let fields = txn_fields(&txn).into_iter().map(|(k, v)| (k.to_owned(), v));
                Value::Object(std::iter::once(op).chain(fields).collect())
            };
            vec![("txns", multi.iter().map(one).collect())]
        }
    }
}

/// One line: the kind, then names and values; data is cut at a readable length.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 120;
        f.write_str(self.kind)?;
        for (name, value) in &self.fields {
            let mut shown = match value {
                Value::String(text) if !text.contains(' ') && !text.is_empty() => text.clone(),
                value => value.to_string(),
            };
            if *name == "data" && shown.len() > SHOWN_MAX {
                let end = (0..=SHOWN_MAX).rev().find(|&at| shown.is_char_boundary(at));
                shown.truncate(end.unwrap_or(0));
                shown.push_str("...");
            }
            write!(f, " {name}={shown}")?;
        }
        Ok(())
    }
}
