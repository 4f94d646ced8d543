//! Inspects `ZooKeeper`'s files.

use std::io;
use std::path::Path;

use serde_json::json;

use super::Show;
use super::item::{Damage, Item, hex};
use crate::error::Fault;
use crate::stock::compression::Compression;
use crate::stock::log::{LogEnd, LogReader, parse_txn};
use crate::stock::snapshot::SnapshotReader;
use crate::stock::stream::StreamError;

const SNAPSHOT_ADVICE: &str = "ZooKeeper and `ringkeeper import` skip it and use an older \
    snapshot with more of the logs; move it away once there is a newer one";
const LOG_ADVICE: &str = "ZooKeeper does not start on it; take the directory of another server of \
    the ensemble, or import what precedes it with `ringkeeper import --stop-at-damage`";
const HOLE_ADVICE: &str = "txns are missing in between: put back the log that holds them";

/// Shows a log of `ZooKeeper`, txn by txn; returns whether it is whole.
pub fn stock_log(path: &Path, show: Show<'_>) -> io::Result<bool> {
    let mut reader = match LogReader::open(path) {
        Ok(Some(reader)) => reader,
        Ok(None) => {
            show(&empty_log())?;
            return Ok(false);
        }
        Err(error) => {
            show(&Damage::of(&error, LOG_ADVICE).into())?;
            return Ok(false);
        }
    };
    let version = ("version", json!(crate::stock::VERSION));
    let format = ("format", json!("ZooKeeper log"));
    show(&Item::new("file", vec![format, version, ("dbid", json!(reader.database))]))?;
    let (mut count, mut first, mut last, mut is_whole) = (0_u64, None, None, true);
    loop {
        let entry = match reader.next_entry() {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(error) => {
                show(&Damage::of(&error, LOG_ADVICE).into())?;
                is_whole = false;
                break;
            }
        };
        let offset = entry.offset;
        match parse_txn(entry.bytes) {
            Ok((header, txn, digest)) => {
                let gap = last.filter(|last| !crate::import::follows(*last, header.zxid));
                if let Some(before) = gap {
                    show(&gap_item(offset, before.next().0, header.zxid.0))?;
                    is_whole = false;
                }
                show(&Item::txn(offset, &header, &txn, digest))?;
                first.get_or_insert(header.zxid);
                last = Some(header.zxid);
                count += 1;
            }
            Err(error) => {
                let error = StreamError::Damage { offset, fault: Fault::Txn(error) };
                show(&Damage::of(&error, LOG_ADVICE).into())?;
                is_whole = false;
            }
        }
    }
    let ended = match reader.end() {
        Some(LogEnd::File) => "at the end of the file",
        Some(LogEnd::Padding { garbage: None }) => "before zeros",
        Some(LogEnd::Padding { garbage: Some(_) }) => "before zeros that end in other bytes",
        Some(LogEnd::Torn) => "in an entry that a crash interrupted",
        None => "at the damage",
    };
    let shown = |zxid: Option<model::zxid::Zxid>| zxid.map_or(json!(null), |zxid| hex(zxid.0));
    show(&Item::new(
        "end",
        vec![
            ("txns", json!(count)),
            ("first", shown(first)),
            ("last", shown(last)),
            ("offset", json!(reader.offset())),
            ("ended", json!(ended)),
        ],
    ))?;
    Ok(is_whole)
}

fn empty_log() -> Item {
    let advice = "a crash leaves a log that was just created like this; it may be removed";
    let (fault, expected, found) = ("the file is empty".to_owned(), None, None);
    Damage { offset: Some(0), fault, expected, found, advice }.into()
}

fn gap_item(offset: u64, expected: i64, found: i64) -> Item {
    let damage = Damage {
        offset: Some(offset),
        fault: "the txn does not follow the previous one".to_owned(),
        expected: Some(format!("{expected:#x}")),
        found: Some(format!("{found:#x}")),
        advice: HOLE_ADVICE,
    };
    damage.into()
}

/// Shows a snapshot of `ZooKeeper`, with its nodes if requested; returns whether it is whole.
pub fn stock_snapshot(
    path: &Path,
    compression: Compression,
    with_nodes: bool,
    show: Show<'_>,
) -> io::Result<bool> {
    let mut shown = Ok(());
    let mut show_item = |item: &Item| {
        if shown.is_ok() {
            shown = show(item);
        }
    };
    let looked = look_into_snapshot(path, compression, with_nodes, &mut show_item);
    if let Err(error) = &looked {
        show_item(&Damage::of(error, SNAPSHOT_ADVICE).into());
    }
    shown?;
    Ok(looked.is_ok())
}

fn look_into_snapshot(
    path: &Path,
    compression: Compression,
    with_nodes: bool,
    show_item: &mut dyn FnMut(&Item),
) -> Result<(), StreamError> {
    let mut reader = SnapshotReader::open_as(path, compression)?;
    let preamble = reader.preamble()?;
    show_item(&Item::new(
        "file",
        vec![
            ("format", json!("ZooKeeper snapshot")),
            ("version", json!(crate::stock::VERSION)),
            ("compression", json!(compression.name())),
            ("dbid", json!(preamble.database)),
        ],
    ));
    for (id, timeout_ms) in &preamble.sessions {
        show_item(&Item::session(id.0, *timeout_ms));
    }
    for (number, list) in &preamble.acls {
        show_item(&Item::acl(*number, list));
    }
    let (mut nodes, mut data_bytes, mut digest) = (0_u64, 0_u64, 0_u64);
    while let Some(node) = reader.next_node()? {
        nodes += 1;
        data_bytes += node.data.map_or(0, <[u8]>::len) as u64;
        digest = digest.wrapping_add(node.digest());
        if with_nodes {
            let path = if node.path.is_empty() { b"/" } else { node.path };
            show_item(&Item::node(path, node.data, node.acl, &node.stat));
        }
    }
    let trailer = reader.trailer()?;
    let mut fields = vec![
        ("sessions", json!(preamble.sessions.len())),
        ("acls", json!(preamble.acls.len())),
        ("nodes", json!(nodes)),
        ("data_bytes", json!(data_bytes)),
        ("digest", hex(digest as i64)),
    ];
    if let Some(written) = trailer.digest {
        fields.push(("written_digest", hex(written.digest as i64)));
        fields.push(("written_digest_zxid", hex(written.zxid.0)));
        fields.push(("written_digest_version", json!(written.version)));
    }
    if let Some(zxid) = trailer.last_zxid {
        fields.push(("last_zxid", hex(zxid.0)));
    }
    show_item(&Item::new("end", fields));
    Ok(())
}
