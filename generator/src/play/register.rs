//! `--verify`: each key is a register; what is read must have been written, and not be stale.
//!
//! Every value carries its key and the number of its write. Checked for each answered read: the
//! value belongs to the key and was written (it is not from the future); it is not older than the
//! newest write that was acknowledged before the read was sent; a zxid has one value, and versions
//! grow with zxids; what one session sees of a key, and of the server's zxid, never goes back. All
//! connections must lead to one server: another one may answer with an older state.

use std::collections::HashMap;

use model::jute::JuteReader;

use crate::limits::VIOLATIONS_MAX;

const MAGIC: u32 = 0x5e61_57e5;
/// The length of the prefix of every value.
pub(super) const VALUE_BYTES: usize = 16;

/// What is known of one key.
#[derive(Clone, Copy, Debug, Default)]
struct Register {
    /// The newest that was acknowledged or read: its mzxid, version and write.
    mzxid: i64,
    version: i32,
    write: u64,
}

/// What a read or a write shows of a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) mzxid: i64,
    pub(super) version: i32,
}

/// Lives in: the player.
#[derive(Default)]
pub(super) struct Registers {
    writes: u64,
    /// The key of each write.
    keys: Vec<u32>,
    by_key: HashMap<u64, Register>,
    sessions: HashMap<(usize, u64), i64>,
    pub(super) violations: Vec<String>,
    pub(super) violation_count: u64,
    pub(super) checked: u64,
}

impl Registers {
    /// A value for a key, not written before.
    pub(super) fn value(&mut self, key: u64, data: &mut Vec<u8>) -> u64 {
        self.writes += 1;
        self.keys.push(key as u32);
        data.extend_from_slice(&MAGIC.to_be_bytes());
        data.extend_from_slice(&(key as u32).to_be_bytes());
        data.extend_from_slice(&self.writes.to_be_bytes());
        self.writes
    }

    /// The newest mzxid of a key that a client has seen.
    pub(super) fn floor(&self, key: u64) -> i64 {
        self.by_key.get(&key).map_or(0, |register| register.mzxid)
    }

    fn violation(&mut self, text: impl FnOnce() -> String) {
        self.violation_count += 1;
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(text());
        }
    }

    /// A session was answered with the header's zxid after one of `earlier`.
    pub(super) fn answered(&mut self, client: usize, earlier: i64, zxid: i64) {
        if zxid < earlier {
            self.violation(|| {
                format!("session of connection {client}: zxid {zxid:#x} after {earlier:#x}")
            });
        }
    }

    /// The server expired a session: what its successor sees is not compared with it.
    pub(super) fn forget(&mut self, client: usize) {
        self.sessions.retain(|(of, _), _| *of != client);
    }

    /// A write was acknowledged.
    pub(super) fn written(&mut self, client: usize, key: u64, write: u64, seen: Seen) {
        self.checked += 1;
        self.learn(key, write, seen);
        self.in_session(client, key, seen);
    }

    /// A read was answered, at `zxid`; `floor` is that of the time when it was sent.
    pub(super) fn read(
        &mut self,
        client: usize,
        key: u64,
        floor: i64,
        data: &[u8],
        (zxid, seen): (i64, Seen),
    ) {
        self.checked += 1;
        if seen.mzxid > zxid {
            self.violation(|| {
                format!("key {key}: an answer of zxid {zxid:#x} shows zxid {:#x}", seen.mzxid)
            });
        }
        let Some(write) = self.write_of(key, data) else { return };
        if seen.mzxid < floor {
            self.violation(|| {
                format!(
                    "key {key}: read write {write} of zxid {:#x}, but {floor:#x} was \
                     acknowledged before",
                    seen.mzxid
                )
            });
        }
        self.learn(key, write, seen);
        self.in_session(client, key, seen);
    }

    fn write_of(&mut self, key: u64, data: &[u8]) -> Option<u64> {
        let mut reader = JuteReader::new(data);
        let parsed = (|| Some((reader.int().ok()?, reader.int().ok()?, reader.long().ok()?)))();
        let Some((_, of, write)) = parsed.filter(|(magic, ..)| *magic as u32 == MAGIC) else {
            self.violation(|| {
                format!("key {key}: read {} bytes that were never written", data.len())
            });
            return None;
        };
        let (of, write) = (of as u32, write as u64);
        let written = write.checked_sub(1).and_then(|at| self.keys.get(at as usize)).copied();
        if u64::from(of) != key || written != Some(of) {
            self.violation(|| {
                format!("key {key}: read write {write} of key {of}, which was never written there")
            });
            return None;
        }
        Some(write)
    }

    /// A zxid has one value, and versions grow with zxids.
    fn learn(&mut self, key: u64, write: u64, seen: Seen) {
        let known = self.by_key.entry(key).or_default();
        let Register { mzxid, version, write: other } = *known;
        let is_first = other == 0;
        let is_sound = match seen.mzxid.cmp(&mzxid) {
            std::cmp::Ordering::Equal => seen.version == version && write == other,
            std::cmp::Ordering::Greater => seen.version > version && write != other,
            std::cmp::Ordering::Less => seen.version < version && write != other,
        };
        if seen.mzxid > mzxid || is_first {
            *known = Register { mzxid: seen.mzxid, version: seen.version, write };
        }
        if !is_first && !is_sound {
            self.violation(|| {
                format!(
                    "key {key}: zxid {:#x} is version {} by write {write}, zxid {mzxid:#x} is \
                     version {version} by write {other}",
                    seen.mzxid, seen.version
                )
            });
        }
    }

    fn in_session(&mut self, client: usize, key: u64, seen: Seen) {
        let last = self.sessions.entry((client, key)).or_insert(0);
        let earlier = *last;
        *last = earlier.max(seen.mzxid);
        if seen.mzxid < earlier {
            self.violation(|| {
                format!(
                    "key {key}: connection {client} saw zxid {:#x} after {earlier:#x}",
                    seen.mzxid
                )
            });
        }
    }
}
