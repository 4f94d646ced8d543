//! `--verify`: each key is a register; what is read must have been written, and not be stale.
//!
//! Every value carries its key and the number of its write. Checked for each answered read: the
//! value belongs to the key and was written (it is not from the future); a zxid has one value, a
//! write has one zxid, and versions grow with zxids; what one session sees of a key, and of the
//! servers' zxids, never goes back, whichever server answers; what it reads is not older than what
//! it has seen: of everything known up to the last zxid that it was answered with, the newest. A
//! sync that was answered counts as having seen every write that was acknowledged before it was
//! sent, to anyone.
//!
//! With one server a read is also not older than the newest write that was acknowledged, to anyone,
//! before the read was sent. Of several, each may be behind, as far as the session allows.
//!
//! Lives in: the player. Not here: the last check's order of requests (`audit`).

use std::collections::HashMap;

use model::jute::JuteReader;

use crate::limits::VIOLATIONS_MAX;

const MAGIC: u32 = 0x5e61_57e5;
/// The length of the prefix of every value.
pub(super) const VALUE_BYTES: usize = 16;

/// A state of a key that was acknowledged or read.
#[derive(Clone, Copy, Debug)]
struct State {
    seen: Seen,
    write: u64,
}

/// A value that was sent.
#[derive(Clone, Copy, Debug)]
struct Write {
    key: u32,
    /// 0 while it is not known to have happened.
    mzxid: i64,
    is_acknowledged: bool,
}

/// What a read or a write shows of a key's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) mzxid: i64,
    pub(super) version: i32,
}

/// What a session has seen: everything up to a zxid, and the mzxid of each key.
#[derive(Debug, Default)]
struct Sight {
    zxid: i64,
    keys: HashMap<u64, i64>,
}

/// Lives in: the player.
#[derive(Default)]
pub(super) struct Registers {
    /// Whether there are several servers.
    pub(super) allows_lag: bool,
    writes: Vec<Write>,
    /// The states of each key, by zxid.
    by_key: HashMap<u64, Vec<State>>,
    /// The newest zxid of an acknowledged write.
    acknowledged: i64,
    /// By client.
    sessions: HashMap<usize, Sight>,
    pub(super) violations: Vec<String>,
    pub(super) violation_count: u64,
    pub(super) checked: u64,
    /// Answers of the last check.
    pub(super) audited: u64,
}

impl Registers {
    /// A value for a key, not written before.
    pub(super) fn value(&mut self, key: u64, data: &mut Vec<u8>) -> u64 {
        self.writes.push(Write { key: key as u32, mzxid: 0, is_acknowledged: false });
        let number = self.writes.len() as u64;
        data.extend_from_slice(&MAGIC.to_be_bytes());
        data.extend_from_slice(&(key as u32).to_be_bytes());
        data.extend_from_slice(&number.to_be_bytes());
        number
    }

    /// The mzxid that a read of a key which is sent now must not be older than.
    pub(super) fn floor(&self, key: u64) -> i64 {
        if self.allows_lag { 0 } else { self.newest(key).map_or(0, |state| state.seen.mzxid) }
    }

    /// What a sync which is sent now will have shown once it is answered.
    pub(super) fn acknowledged(&self) -> i64 {
        self.acknowledged
    }

    fn newest(&self, key: u64) -> Option<State> {
        self.by_key.get(&key)?.last().copied()
    }

    pub(super) fn violation(&mut self, text: impl FnOnce() -> String) {
        self.violation_count += 1;
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(text());
        }
    }

    /// A session was answered with the header's zxid after one of `earlier`. To be called before
    /// what the answer says is checked.
    pub(super) fn answered(&mut self, client: usize, earlier: i64, zxid: i64) {
        self.synced(client, earlier);
        if zxid < earlier {
            self.violation(|| {
                format!("session of connection {client}: zxid {zxid:#x} after {earlier:#x}")
            });
        }
    }

    /// A sync was answered, which was sent when everything up to `floor` was acknowledged.
    pub(super) fn synced(&mut self, client: usize, floor: i64) {
        let sight = self.sessions.entry(client).or_default();
        sight.zxid = sight.zxid.max(floor);
    }

    /// A session has ended: what its successor sees is not compared with it.
    pub(super) fn forget(&mut self, client: usize) {
        self.sessions.remove(&client);
    }

    /// A write was acknowledged.
    pub(super) fn written(&mut self, client: usize, key: u64, write: u64, seen: Seen) {
        self.checked += 1;
        self.acknowledged = self.acknowledged.max(seen.mzxid);
        if let Some(write) = self.writes.get_mut(write as usize - 1) {
            write.is_acknowledged = true;
        }
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
        self.in_view(client, key, write, seen);
        self.learn(key, write, seen);
        self.in_session(client, key, seen);
    }

    /// The last check's read of a key, after a sync: no write that was acknowledged or read is
    /// lost.
    pub(super) fn audit(&mut self, key: u64, server: &str, data: &[u8], seen: Seen) {
        self.audited += 1;
        let Some(write) = self.write_of(key, data) else { return };
        if let Some(newest) = self.newest(key)
            && newest.seen.mzxid > seen.mzxid
        {
            let is_acknowledged = self.writes[newest.write as usize - 1].is_acknowledged;
            let what = if is_acknowledged { "acknowledged" } else { "read" };
            self.violation(|| {
                format!(
                    "key {key}: write {} of zxid {:#x} was {what} and is lost: {server} has \
                     write {write} of zxid {:#x}",
                    newest.write, newest.seen.mzxid, seen.mzxid
                )
            });
        }
        self.learn(key, write, seen);
    }

    /// The last check found no key.
    pub(super) fn missing(&mut self, key: u64, server: &str, code: i32) {
        self.audited += 1;
        self.violation(|| format!("key {key}: {server} answers {}", crate::Code(code)));
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
        let written = write.checked_sub(1).and_then(|at| self.writes.get(at as usize));
        if u64::from(of) != key || written.map(|write| write.key) != Some(of) {
            self.violation(|| {
                format!("key {key}: read write {write} of key {of}, which was never written there")
            });
            return None;
        }
        Some(write)
    }

    /// A session that has seen a zxid has seen everything before it.
    fn in_view(&mut self, client: usize, key: u64, write: u64, seen: Seen) {
        let view = self.sessions.get(&client).map_or(0, |sight| sight.zxid);
        let Some(states) = self.by_key.get(&key) else { return };
        let known = states.partition_point(|state| state.seen.mzxid <= view);
        let Some(newest) = known.checked_sub(1).map(|at| states[at]) else { return };
        if seen.mzxid < newest.seen.mzxid {
            self.violation(|| {
                format!(
                    "key {key}: connection {client} had seen zxid {view:#x} and read write {write} \
                     of zxid {:#x}, older than write {} of zxid {:#x}",
                    seen.mzxid, newest.write, newest.seen.mzxid
                )
            });
        }
    }

    /// A zxid has one value, a write has one zxid, and versions grow with zxids.
    fn learn(&mut self, key: u64, write: u64, seen: Seen) {
        let states = self.by_key.entry(key).or_default();
        let new = State { seen, write };
        let place = states.binary_search_by_key(&seen.mzxid, |state| state.seen.mzxid);
        let other = match place {
            Ok(at) => Some(states[at]).filter(|known| known.seen != seen || known.write != write),
            Err(at) => {
                let before = at.checked_sub(1).map(|at| states[at]);
                let after = states.get(at).copied();
                states.insert(at, new);
                let before = before.filter(|state| state.seen.version >= seen.version);
                before.or(after.filter(|state| state.seen.version <= seen.version))
            }
        };
        let known = &mut self.writes[write as usize - 1];
        let earlier = known.mzxid;
        known.mzxid = seen.mzxid;
        if let Some(State { seen: Seen { mzxid, version }, write: other }) = other {
            self.violation(|| {
                format!(
                    "key {key}: zxid {:#x} is version {} by write {write}, zxid {mzxid:#x} is \
                     version {version} by write {other}",
                    seen.mzxid, seen.version
                )
            });
        } else if earlier != 0 && earlier != seen.mzxid {
            self.violation(|| {
                format!("key {key}: write {write} is zxid {earlier:#x} and zxid {:#x}", seen.mzxid)
            });
        }
    }

    fn in_session(&mut self, client: usize, key: u64, seen: Seen) {
        let sight = self.sessions.entry(client).or_default();
        let last = sight.keys.entry(key).or_insert(0);
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
