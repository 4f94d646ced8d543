//! Inspects our files.

use std::fmt::Display;
use std::io;
use std::path::Path;

use ::snapshot::format::{FOOTER_MAGIC, Footer};
use ::snapshot::limits::FOOTER_BYTES;
use ::snapshot::{Candidate, LoadError, Loader};
use disk::{Disk, OpenMode, read_bytes};
use model::record::NodeRecord;
use model::zxid::Zxid;
use serde_json::json;
use txlog::limits::SEGMENT_HEADER_BYTES;
use txlog::{BatchFault, SegmentHeader, SegmentOffset, SegmentScan, Start};

use super::Show;
use super::item::{Damage, Item, hex};
use crate::stock::log::parse_txn;

const SNAPSHOT_ADVICE: &str = "serve skips it and uses an older snapshot with more of the \
    log; without one, restore it from a backup";
const LOG_ADVICE: &str = "serve distinguishes a write that a crash interrupted from damage, and \
    says what to do; restore the file from a backup if it refuses";

fn damage(offset: u64, fault: &impl Display, advice: &'static str) -> Item {
    let (expected, found) = (None, None);
    Damage { offset: Some(offset), fault: fault.to_string(), expected, found, advice }.into()
}

/// Shows a segment of our log, batch by batch; returns whether it is whole. What follows the last
/// batch is not damage: nothing was written there yet.
pub async fn our_log<D: Disk>(disk: &D, path: &Path, show: Show<'_>) -> io::Result<bool> {
    let header = match read_header(disk, path).await {
        Ok(Ok(header)) => header,
        Ok(Err(fault)) => {
            show(&damage(0, &format!("not a header of a segment: {fault}"), LOG_ADVICE))?;
            return Ok(false);
        }
        Err(error) => {
            show(&damage(0, &error, LOG_ADVICE))?;
            return Ok(false);
        }
    };
    let mut fields = vec![
        ("format", json!("Ringkeeper log segment")),
        ("version", json!(header.version.number())),
        ("segment", json!(header.number.0)),
        ("segment_bytes", json!(header.segment_bytes)),
    ];
    if let Start::Restart { continues_from, committed_through, counts_from } = header.start {
        fields.push(("continues_from", hex(continues_from.0)));
        fields.push(("committed_through", hex(committed_through.0)));
        if let Some(epoch) = counts_from {
            fields.push(("counts_from_epoch", json!(epoch.0)));
        }
    }
    show(&Item::new("file", fields))?;
    match scan(disk, path, header, show).await {
        Ok(is_whole) => is_whole,
        Err(error) => {
            show(&damage(0, &error, LOG_ADVICE))?;
            Ok(false)
        }
    }
}

async fn read_header<D: Disk>(
    disk: &D,
    path: &Path,
) -> Result<Result<SegmentHeader, String>, disk::DiskError> {
    let file = disk.open(path, OpenMode::Read).await?;
    let block = read_bytes(disk, &file, path, 0, SEGMENT_HEADER_BYTES).await?;
    if block.len() < SEGMENT_HEADER_BYTES {
        return Ok(Err(format!("{} bytes where it takes 4096", block.len())));
    }
    Ok(SegmentHeader::decode(&block).map_err(|fault| format!("{fault:?}")))
}

async fn scan<D: Disk>(
    disk: &D,
    path: &Path,
    header: SegmentHeader,
    show: Show<'_>,
) -> Result<io::Result<bool>, disk::DiskError> {
    let mut scan = SegmentScan::open(disk, path, header).await?;
    let (mut batches, mut txns, mut last, mut is_whole) = (0_u64, 0_u64, Zxid::ZERO, true);
    let mut offset = SEGMENT_HEADER_BYTES as u64;
    loop {
        let fault = match scan.batch_at(SegmentOffset(offset)).await? {
            Ok(batch) => {
                batches += 1;
                last = batch.last;
                let shown = show_batch(&scan, offset, &batch, &mut txns, show);
                match shown {
                    Ok(is_sound) => is_whole &= is_sound,
                    Err(error) => return Ok(Err(error)),
                }
                offset += batch.padded_bytes() as u64;
                continue;
            }
            Err(fault) => fault,
        };
        scan.seek(SegmentOffset(offset));
        let behind = scan.next().await?;
        let is_nothing = matches!(fault, BatchFault::Unwritten { .. } | BatchFault::SegmentEnd);
        if !is_nothing || behind.is_some() {
            is_whole = false;
            if let Err(error) = show(&damage(offset, &fault, LOG_ADVICE)) {
                return Ok(Err(error));
            }
        }
        match behind {
            Some((found, _)) => offset = found.0,
            None => break,
        }
    }
    let fields = vec![
        ("batches", json!(batches)),
        ("txns", json!(txns)),
        ("last", hex(last.0)),
        ("offset", json!(offset)),
    ];
    Ok(show(&Item::new("end", fields)).map(|()| is_whole))
}

fn show_batch<D: Disk>(
    scan: &SegmentScan<'_, D>,
    offset: u64,
    batch: &txlog::BatchHeader,
    txns: &mut u64,
    show: Show<'_>,
) -> io::Result<bool> {
    show(&Item::new(
        "batch",
        vec![
            ("offset", json!(offset)),
            ("sequence", json!(batch.sequence.0)),
            ("txns", json!(batch.record_count)),
            ("bytes", json!(batch.payload_bytes)),
            ("durable_through", hex(batch.durable_through.0)),
            ("committed_through", hex(batch.committed_through.0)),
        ],
    ))?;
    let mut is_sound = true;
    for record in scan.records() {
        match record.map(|record| parse_txn(record.txn)) {
            Ok(Ok((header, txn, digest))) => show(&Item::txn(offset, &header, &txn, digest))?,
            Ok(Err(error)) => {
                show(&damage(offset, &format!("not a txn: {error}"), LOG_ADVICE))?;
                is_sound = false;
            }
            Err(fault) => {
                show(&damage(offset, &fault, LOG_ADVICE))?;
                is_sound = false;
            }
        }
        *txns += 1;
    }
    Ok(is_sound)
}

/// Shows a snapshot of ours, with its nodes if requested; returns whether it is whole.
pub async fn our_snapshot<D: Disk>(
    disk: &D,
    path: &Path,
    bytes: u64,
    with_nodes: bool,
    show: Show<'_>,
) -> io::Result<bool> {
    match look(disk, path, bytes, with_nodes, show).await {
        Ok(shown) => shown,
        Err(error) => {
            let offset = match &error {
                LoadError::Corrupt { offset, .. } => *offset,
                _ => 0,
            };
            show(&damage(offset, &error, SNAPSHOT_ADVICE))?;
            Ok(false)
        }
    }
}

async fn look<D: Disk>(
    disk: &D,
    path: &Path,
    bytes: u64,
    with_nodes: bool,
    show: Show<'_>,
) -> Result<io::Result<bool>, LoadError> {
    let zxid = zxid_of(disk, path, bytes).await?;
    let candidate = Candidate { zxid, path: path.to_owned(), bytes };
    let mut loader = Loader::open_candidate(disk, &candidate).await?;
    if let Err(error) = show_contents(&loader, show) {
        return Ok(Err(error));
    }
    let digest = if with_nodes {
        let mut digest = 0_u64;
        while let Some(unit) = loader.next_unit().await? {
            match show_records(&unit, show) {
                Ok(more) => digest = digest.wrapping_add(more),
                Err(error) => return Ok(Err(error)),
            }
        }
        digest
    } else {
        let (damaged, digest) = loader.verify().await?;
        for (chunk, at, fault) in &damaged {
            let begin = loader.contents().chunks[*chunk as usize].offset;
            let fault = format!("chunk {chunk}: {fault}");
            if let Err(error) = show(&damage(begin + *at as u64, &fault, SNAPSHOT_ADVICE)) {
                return Ok(Err(error));
            }
        }
        if !damaged.is_empty() {
            return Ok(Ok(false));
        }
        digest
    };
    let head = &loader.contents().head;
    let fields = vec![
        ("nodes", json!(head.node_count)),
        ("data_bytes", json!(head.data_bytes)),
        ("digest", hex(digest as i64)),
        ("written_digest", hex(head.digest as i64)),
    ];
    Ok(show(&Item::new("end", fields)).map(|()| digest == head.digest))
}

/// The zxid in the footer; a file that was copied may have any name.
async fn zxid_of<D: Disk>(disk: &D, path: &Path, bytes: u64) -> Result<Zxid, LoadError> {
    let at = bytes.saturating_sub(FOOTER_BYTES as u64);
    let at = at - at % FOOTER_BYTES as u64;
    let file = disk.open(path, OpenMode::Read).await?;
    let block = read_bytes(disk, &file, path, at, FOOTER_BYTES.min(bytes as usize)).await?;
    let is_footer = block.len() == FOOTER_BYTES && block.starts_with(&FOOTER_MAGIC);
    let footer = if is_footer { Footer::decode(&block).ok() } else { None };
    // Without a footer the loader says what is wrong.
    Ok(footer.map_or(Zxid::ZERO, |footer| Zxid(footer.zxid)))
}

fn show_contents<D: Disk>(loader: &Loader<'_, D>, show: Show<'_>) -> io::Result<()> {
    let contents = loader.contents();
    let head = &contents.head;
    show(&Item::new(
        "file",
        vec![
            ("format", json!("Ringkeeper snapshot")),
            ("created_by", json!(contents.created_by)),
            ("zxid", hex(head.zxid.0)),
            ("epoch", json!(head.epoch.0)),
            ("chunks", json!(contents.chunks.len())),
        ],
    ))?;
    for session in &contents.sessions {
        show(&Item::session(session.id.0, session.timeout_ms))?;
    }
    for acl in &contents.acls {
        show(&Item::acl(acl.number.into(), &acl.list))?;
    }
    Ok(())
}

/// Shows the records of a unit; returns the sum of their digests.
fn show_records(unit: &::snapshot::Unit, show: Show<'_>) -> io::Result<u64> {
    let mut digest = 0_u64;
    let bytes = unit.memory.as_ref();
    for run in &unit.runs {
        let mut at = run.start;
        while at < run.end {
            let record = NodeRecord::parse(&bytes[at..run.end]).expect("the loader has checked it");
            digest = digest.wrapping_add(record.digest());
            show(&Item::record(record))?;
            at += record.archive_bytes();
        }
    }
    Ok(digest)
}
