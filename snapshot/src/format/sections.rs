//! What lies between the chunks and the footer: sessions, ACLs, index.

use std::mem::offset_of;

use model::acl::AclList;
use model::jute::JuteReader;
use model::session::SessionId;

use super::access;
use super::footer::layout;
use crate::error::Fault;
use crate::source::{AclEntry, Session};
use disk::layout::Field;

/// A session, archived: 12 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, rkyv::Archive, rkyv::Serialize)]
pub struct SessionRow {
    id: i64,
    timeout_ms: i32,
}

/// All sessions, by ascending id.
#[derive(Debug, rkyv::Archive, rkyv::Serialize)]
pub struct SessionSection {
    rows: Vec<SessionRow>,
}

impl SessionSection {
    /// A section of these sessions, which it sorts.
    pub fn new(mut sessions: Vec<Session>) -> Self {
        sessions.sort_by_key(|session| session.id);
        let row =
            |session: &Session| SessionRow { id: session.id.0, timeout_ms: session.timeout_ms };
        Self { rows: sessions.iter().map(row).collect() }
    }

    /// The sessions in a section's archive.
    pub fn decode(bytes: &[u8]) -> Result<Vec<Session>, Fault> {
        let rows = &access::<Self>(bytes)?.rows;
        let mut sessions: Vec<Session> = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            let id = SessionId(row.id.to_native());
            if let Some(last) = sessions.last().filter(|last| last.id >= id) {
                return Err(Fault::Order { before: last.id.0, found: id.0 });
            }
            sessions.push(Session { id, timeout_ms: row.timeout_ms.to_native() });
        }
        Ok(sessions)
    }
}

/// An ACL, archived: its number, and where its bytes lie in the section.
#[derive(Debug, rkyv::Archive, rkyv::Serialize)]
pub struct AclRow {
    number: u32,
    list: Vec<u8>,
}

/// All ACLs, numbered from 1 by their first use in the order of the records.
#[derive(Debug, rkyv::Archive, rkyv::Serialize)]
pub struct AclSection {
    rows: Vec<AclRow>,
}

impl AclSection {
    /// A section of these lists, the first of which gets number 1.
    pub fn new(lists: Vec<Vec<u8>>) -> Self {
        Self { rows: (1..).zip(lists).map(|(number, list)| AclRow { number, list }).collect() }
    }

    /// The ACLs in a section's archive. Every list can be decoded.
    pub fn decode(bytes: &[u8]) -> Result<Vec<AclEntry>, Fault> {
        let rows = &access::<Self>(bytes)?.rows;
        let mut entries = Vec::with_capacity(rows.len());
        for (expected, row) in (1..).zip(rows.iter()) {
            let number = row.number.to_native();
            if number != expected {
                return Err(Fault::Order { before: i64::from(expected) - 1, found: number.into() });
            }
            let mut reader = JuteReader::new(&row.list);
            AclList::decode(&mut reader).map_err(Fault::AclList)?;
            if !reader.rest().is_empty() {
                let (expected, found) = (reader.offset() as u64, row.list.len() as u64);
                return Err(Fault::Extent { expected, found });
            }
            entries.push(AclEntry { number, list: row.list.to_vec() });
        }
        Ok(entries)
    }
}

/// A chunk's row in the index: 24 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, rkyv::Archive, rkyv::Serialize)]
pub struct ChunkEntry {
    /// Where it begins in the file: a whole block.
    pub offset: u64,
    /// Its length: records, offset table and padding, whole blocks.
    pub bytes: u32,
    /// Length of its records; the offset table follows.
    pub record_bytes: u32,
    /// Count of its records.
    pub record_count: u32,
    /// Checksum of all its bytes.
    pub crc32c: u32,
}

/// All chunks, in their order.
#[derive(Debug, Default, rkyv::Archive, rkyv::Serialize)]
pub struct Index {
    /// The chunks.
    pub rows: Vec<ChunkEntry>,
}

impl Index {
    /// The chunks in an index's archive.
    pub fn decode(bytes: &[u8]) -> Result<Vec<ChunkEntry>, Fault> {
        let rows = access::<Self>(bytes)?.rows.iter();
        let native = |row: &ArchivedChunkEntry| ChunkEntry {
            offset: row.offset.to_native(),
            bytes: row.bytes.to_native(),
            record_bytes: row.record_bytes.to_native(),
            record_count: row.record_count.to_native(),
            crc32c: row.crc32c.to_native(),
        };
        Ok(rows.map(native).collect())
    }
}

pub(super) fn layouts() -> Vec<(&'static str, Vec<Field>)> {
    let chunk = layout!(ArchivedChunkEntry: offset, bytes, record_bytes, record_count, crc32c);
    vec![
        ("session", layout!(ArchivedSessionRow: id, timeout_ms)),
        ("acl", layout!(ArchivedAclRow: number, list)),
        ("chunk", chunk),
        ("sessions", layout!(ArchivedSessionSection: rows)),
        ("acls", layout!(ArchivedAclSection: rows)),
        ("index", layout!(ArchivedIndex: rows)),
    ]
}
