//! What is on a simulated disk, what is pending, and which faults occur.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::error::{Cause, DiskError, Operation};
use crate::limits::{BLOCK_BYTES, SECTOR_BYTES};

use super::{Fate, Faults, PendingWrite, Seed, WriteId};

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) current: Vec<u8>,
    pub(super) durable: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(super) struct Medium {
    pub(super) seed: Seed,
    pub(super) faults: Faults,
    pub(super) failures: VecDeque<(Operation, Cause)>,
    pub(super) capacity_bytes: u64,
    pub(super) operations_left: u64,
    pub(super) directories: BTreeSet<PathBuf>,
    pub(super) names: BTreeMap<PathBuf, u64>,
    pub(super) contents: BTreeMap<u64, Content>,
    /// Blocks that cannot be read, by file and offset.
    pub(super) unreadable: BTreeSet<(u64, u64)>,
    pub(super) pending: Vec<PendingWrite>,
    pub(super) inode_next: u64,
    pub(super) write_next: u64,
}

impl Medium {
    pub(super) fn new(seed: Seed) -> Self {
        Self {
            seed,
            faults: Faults::default(),
            failures: VecDeque::new(),
            capacity_bytes: u64::MAX,
            operations_left: u64::MAX,
            directories: BTreeSet::new(),
            names: BTreeMap::new(),
            contents: BTreeMap::new(),
            unreadable: BTreeSet::new(),
            pending: Vec::new(),
            inode_next: 1,
            write_next: 1,
        }
    }

    /// What happens before every operation: power, requested failures, chance.
    pub(super) fn admit(&mut self, operation: Operation, path: &Path) -> Result<(), DiskError> {
        let failed = |cause| Err(DiskError::new(operation, path, cause));
        if self.operations_left == 0 {
            return failed(Cause::PowerLost);
        }
        self.operations_left -= 1;
        if let Some(at) = self.failures.iter().position(|(wanted, _)| *wanted == operation) {
            let (_, cause) = self.failures.remove(at).expect("found above");
            return failed(cause);
        }
        if self.seed.one_in(self.faults.fail_one_in) {
            return failed(Cause::Errno(Errno::EIO as i32));
        }
        Ok(())
    }

    /// Like [`admit`](Self::admit), for operations that may take room.
    pub(super) fn admit_room(
        &mut self,
        operation: Operation,
        path: &Path,
    ) -> Result<(), DiskError> {
        self.admit(operation, path)?;
        let full_one_in = self.faults.full_one_in;
        if self.seed.one_in(full_one_in) { Err(full(operation, path)) } else { Ok(()) }
    }

    /// A write that reaches the medium elsewhere or in part; the old content of its own place
    /// stays.
    pub(super) fn misplace(&mut self, inode: u64, offset: u64, bytes: &[u8], fate: &Fate) {
        let content = self.contents.get_mut(&inode).expect("an open file has content");
        let end = content.durable.len();
        for (piece_offset, piece) in fate.pieces(bytes) {
            let start = (offset + piece_offset) as usize;
            if start < end {
                let piece = &piece[..piece.len().min(end - start)];
                content.durable[start..start + piece.len()].copy_from_slice(piece);
            }
        }
        content.current.clone_from(&content.durable);
        for write in self.pending.iter().filter(|write| write.inode == inode) {
            overlay(&mut content.current, write.offset, &write.bytes);
        }
    }

    pub(super) fn submit(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> WriteId {
        assert!(offset.is_multiple_of(BLOCK_BYTES as u64), "offset {offset} is not aligned");
        assert!(bytes.len().is_multiple_of(BLOCK_BYTES), "{} bytes are no blocks", bytes.len());
        let id = WriteId(self.write_next);
        self.write_next += 1;
        let content = self.contents.get_mut(&inode).expect("an open file has content");
        overlay(&mut content.current, offset, bytes);
        self.pending.push(PendingWrite { id, offset, bytes: bytes.to_vec(), inode });
        id
    }

    pub(super) fn make_durable(&mut self, write: &PendingWrite) {
        if let Some(content) = self.contents.get_mut(&write.inode) {
            overlay(&mut content.durable, write.offset, &write.bytes);
        }
    }

    pub(super) fn flush(&mut self, inode: u64) {
        let (now, later) =
            std::mem::take(&mut self.pending).into_iter().partition(|write| write.inode == inode);
        self.pending = later;
        for write in Vec::into_iter(now) {
            self.make_durable(&write);
        }
    }

    /// Whether a write has been silently misdirected or torn.
    pub(super) fn maybe_lie(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> bool {
        let Faults { misdirect_one_in, tear_one_in, .. } = self.faults;
        let blocks = (self.contents[&inode].durable.len() / BLOCK_BYTES) as u64;
        if self.seed.one_in(misdirect_one_in) && blocks > 0 {
            let elsewhere = self.seed.below(blocks) * BLOCK_BYTES as u64;
            self.misplace(inode, elsewhere, bytes, &Fate::Kept);
            return true;
        }
        if self.seed.one_in(tear_one_in) {
            let sectors = bytes.len().div_ceil(SECTOR_BYTES);
            let fate = Fate::Torn((0..sectors).map(|_| self.seed.one_in(2)).collect());
            self.misplace(inode, offset, bytes, &fate);
            return true;
        }
        false
    }

    pub(super) fn used_bytes(&self) -> u64 {
        self.contents.values().map(|content| content.current.len() as u64).sum()
    }

    pub(super) fn inode(&self, operation: Operation, path: &Path) -> Result<u64, DiskError> {
        let missing = || DiskError::new(operation, path, Cause::Errno(Errno::ENOENT as i32));
        self.names.get(path).copied().ok_or_else(missing)
    }
}

pub(super) fn overlay(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let end = offset as usize + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset as usize..end].copy_from_slice(bytes);
}

pub(super) fn full(operation: Operation, path: &Path) -> DiskError {
    DiskError::new(operation, path, Cause::Errno(Errno::ENOSPC as i32))
}
