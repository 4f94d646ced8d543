//! A disk in memory that can fail, tear, run full, be slow, lie and lose power, from a seed.
//!
//! What was written is *pending* until a flush (or [`Simulated::settle`], for a device that writes
//! through). [`Simulated::crash`] makes the disk that a power loss would leave: each pending write
//! kept, dropped or torn at sector boundaries, as the caller decides.
//!
//! Name operations are durable when they return and all-or-nothing when the power is lost in
//! them, which is what [`Direct`](crate::Direct) makes of a file system by flushing directories.

mod faults;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;

use nix::errno::Errno;

use crate::aligned::AlignedBuf;
use crate::error::{Cause, DiskError, Operation};
use crate::latch::Latch;
use crate::limits::{BLOCK_BYTES, SECTOR_BYTES};
use crate::seam::{Disk, Entry, OpenMode};

pub use faults::{Fate, Faults, Seed};

/// The disk. Cheap to clone: clones are the same disk.
#[derive(Clone, Debug)]
pub struct Simulated {
    state: Rc<RefCell<State>>,
}

/// A file of a simulated disk. It stays the same file when its name changes.
#[derive(Clone, Debug)]
pub struct SimulatedFile {
    inode: u64,
    path: PathBuf,
    writable: bool,
    latch: Rc<Latch<DiskError>>,
}

/// A write that is not durable yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingWrite {
    /// Its place in the order of all writes.
    pub id: WriteId,
    /// Where it begins in its file.
    pub offset: u64,
    /// What it writes.
    pub bytes: Vec<u8>,
    inode: u64,
}

/// The number of a write, over all files, in the order they were submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WriteId(pub u64);

#[derive(Clone, Debug, Default)]
struct Content {
    current: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Clone, Debug)]
struct State {
    seed: Seed,
    faults: Faults,
    failures: VecDeque<(Operation, Cause)>,
    capacity_bytes: u64,
    operations_left: u64,
    directories: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, u64>,
    contents: BTreeMap<u64, Content>,
    /// Blocks that cannot be read, by file and offset.
    unreadable: BTreeSet<(u64, u64)>,
    pending: Vec<PendingWrite>,
    inode_next: u64,
    write_next: u64,
}

impl Simulated {
    /// An empty disk without faults; `seed` decides whatever is left to chance later.
    pub fn new(seed: u64) -> Self {
        let state = State {
            seed: Seed::new(seed),
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
        };
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// Sets how often calls fail or lie from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.borrow_mut().faults = faults;
    }

    /// The next `operation` fails with `cause`; several calls queue up.
    pub fn fail_next(&self, operation: Operation, cause: Cause) {
        self.state.borrow_mut().failures.push_back((operation, cause));
    }

    /// All files together may take so many bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.state.borrow_mut().capacity_bytes = bytes;
    }

    /// The power is lost after so many more operations: they work, all later ones fail.
    pub fn lose_power_after(&self, operation_count: u64) {
        self.state.borrow_mut().operations_left = operation_count;
    }

    /// Submits a write without waiting for it, as a ring does. It is pending at once.
    pub fn submit(&self, file: &SimulatedFile, offset: u64, bytes: &[u8]) -> WriteId {
        self.state.borrow_mut().submit(file.inode, offset, bytes)
    }

    /// Makes one pending write durable, as the completion of a write with `O_DSYNC` does.
    ///
    /// # Panics
    /// If it is not pending.
    pub fn settle(&self, id: WriteId) {
        let mut state = self.state.borrow_mut();
        let at = state.pending.iter().position(|write| write.id == id);
        let write = state.pending.remove(at.expect("settled twice"));
        state.make_durable(&write);
    }

    /// As [`settle`](Self::settle), by a device that lies: the write reaches the medium at
    /// `offset`, or of it only what `fate` keeps. Readers see what the medium has.
    ///
    /// # Panics
    /// If it is not pending.
    pub fn settle_wrongly(&self, id: WriteId, offset: u64, fate: &Fate) {
        let mut state = self.state.borrow_mut();
        let at = state.pending.iter().position(|write| write.id == id);
        let write = state.pending.remove(at.expect("settled twice"));
        state.misplace(write.inode, offset, &write.bytes, fate);
    }

    /// The block at `offset` of a file cannot be read any more.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn make_unreadable(&self, path: &Path, offset: u64) {
        let mut state = self.state.borrow_mut();
        let inode = state.names[path];
        state.unreadable.insert((inode, offset));
    }

    /// Overwrites a part of a file, on the medium.
    ///
    /// # Panics
    /// If the file has no such part.
    pub fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) {
        let mut state = self.state.borrow_mut();
        let inode = state.names[path];
        let content = state.contents.get_mut(&inode).expect("names lead to contents");
        let range = offset as usize..offset as usize + bytes.len();
        content.current[range.clone()].copy_from_slice(bytes);
        content.durable[range].copy_from_slice(bytes);
    }

    /// Whatever is pending, oldest first.
    pub fn pending(&self) -> Vec<PendingWrite> {
        self.state.borrow().pending.clone()
    }

    /// The disk as a power loss leaves it: what is durable, and of each pending write what `fate`
    /// says. Faults, a lost power and a small capacity are gone; `self` stays as it is.
    #[must_use]
    pub fn crash(&self, mut fate: impl FnMut(&PendingWrite) -> Fate) -> Self {
        let mut state = self.state.borrow().clone();
        for write in std::mem::take(&mut state.pending) {
            let fate = fate(&write);
            for (piece_offset, piece) in fate.pieces(&write.bytes) {
                let survivor =
                    PendingWrite { offset: write.offset + piece_offset, bytes: piece, ..write };
                state.make_durable(&survivor);
            }
        }
        for content in state.contents.values_mut() {
            content.current.clone_from(&content.durable);
        }
        state.faults = Faults::default();
        state.failures.clear();
        state.operations_left = u64::MAX;
        Self { state: Rc::new(RefCell::new(state)) }
    }

    /// A power loss with a random fate for every pending write.
    #[must_use]
    pub fn crash_by(&self, seed: &mut Seed) -> Self {
        self.crash(|write| Fate::random(seed, write.bytes.len()))
    }

    /// Inverts the bits of `mask` in one byte of a file, on the medium.
    ///
    /// # Panics
    /// If there is no such byte.
    pub fn flip(&self, path: &Path, offset: u64, mask: u8) {
        let mut state = self.state.borrow_mut();
        let inode = state.names[path];
        let content = state.contents.get_mut(&inode).expect("names lead to contents");
        content.current[offset as usize] ^= mask;
        content.durable[offset as usize] ^= mask;
    }

    /// A file's content as a reader sees it now.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state.borrow();
        Some(state.contents[state.names.get(path)?].current.clone())
    }
}

impl State {
    /// What happens before every operation: power, wanted failures, chance.
    fn admit(&mut self, operation: Operation, path: &Path) -> Result<(), DiskError> {
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

    /// As [`admit`](Self::admit), for what may take room.
    fn admit_room(&mut self, operation: Operation, path: &Path) -> Result<(), DiskError> {
        self.admit(operation, path)?;
        let full_one_in = self.faults.full_one_in;
        if self.seed.one_in(full_one_in) { Err(full(operation, path)) } else { Ok(()) }
    }

    /// A write that reaches the medium elsewhere or in part; what lay where it should have gone
    /// stays.
    fn misplace(&mut self, inode: u64, offset: u64, bytes: &[u8], fate: &Fate) {
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

    fn submit(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> WriteId {
        assert!(offset.is_multiple_of(BLOCK_BYTES as u64), "offset {offset} is not aligned");
        assert!(bytes.len().is_multiple_of(BLOCK_BYTES), "{} bytes are no blocks", bytes.len());
        let id = WriteId(self.write_next);
        self.write_next += 1;
        let content = self.contents.get_mut(&inode).expect("an open file has content");
        overlay(&mut content.current, offset, bytes);
        self.pending.push(PendingWrite { id, offset, bytes: bytes.to_vec(), inode });
        id
    }

    fn make_durable(&mut self, write: &PendingWrite) {
        if let Some(content) = self.contents.get_mut(&write.inode) {
            overlay(&mut content.durable, write.offset, &write.bytes);
        }
    }

    fn flush(&mut self, inode: u64) {
        let (now, later) =
            std::mem::take(&mut self.pending).into_iter().partition(|write| write.inode == inode);
        self.pending = later;
        for write in Vec::into_iter(now) {
            self.make_durable(&write);
        }
    }

    /// Whether a write has been misdirected or torn in silence.
    fn maybe_lie(&mut self, inode: u64, offset: u64, bytes: &[u8]) -> bool {
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

    fn used_bytes(&self) -> u64 {
        self.contents.values().map(|content| content.current.len() as u64).sum()
    }

    fn inode(&self, operation: Operation, path: &Path) -> Result<u64, DiskError> {
        let missing = || DiskError::new(operation, path, Cause::Errno(Errno::ENOENT as i32));
        self.names.get(path).copied().ok_or_else(missing)
    }
}

fn overlay(content: &mut Vec<u8>, offset: u64, bytes: &[u8]) {
    let end = offset as usize + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset as usize..end].copy_from_slice(bytes);
}

fn full(operation: Operation, path: &Path) -> DiskError {
    DiskError::new(operation, path, Cause::Errno(Errno::ENOSPC as i32))
}

impl Simulated {
    /// Lets others go first, a few times, if chance says so.
    async fn maybe_delay(&self) {
        let mut turns = {
            let mut state = self.state.borrow_mut();
            let delay_one_in = state.faults.delay_one_in;
            if state.seed.one_in(delay_one_in) { 1 + state.seed.below(5) } else { 0 }
        };
        poll_fn(|context| {
            if turns == 0 {
                return Poll::Ready(());
            }
            turns -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Disk for Simulated {
    type File = SimulatedFile;

    async fn list(&self, directory: &Path) -> Result<Vec<Entry>, DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::List, directory)?;
        let is_in = |path: &Path| path.parent() == Some(directory);
        let known = state.directories.contains(directory) || state.names.keys().any(|p| is_in(p));
        if !known {
            let cause = Cause::Errno(Errno::ENOENT as i32);
            return Err(DiskError::new(Operation::List, directory, cause));
        }
        let entries = state.names.iter().filter(|(path, _)| is_in(path)).map(|(path, inode)| {
            let name = path.file_name().expect("a file has a name");
            Entry {
                name: name.to_string_lossy().into_owned(),
                bytes: state.contents[inode].current.len() as u64,
            }
        });
        Ok(entries.collect())
    }

    async fn create_directory(&self, directory: &Path) -> Result<(), DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::CreateDirectory, directory)?;
        state.directories.insert(directory.to_owned());
        Ok(())
    }

    async fn create(&self, path: &Path, bytes: u64) -> Result<SimulatedFile, DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit_room(Operation::Create, path)?;
        if state.used_bytes().saturating_add(bytes) > state.capacity_bytes {
            return Err(full(Operation::Create, path));
        }
        let inode = state.inode_next;
        state.inode_next += 1;
        let zeros = vec![0; bytes as usize];
        state.contents.insert(inode, Content { current: zeros.clone(), durable: zeros });
        if let Some(replaced) = state.names.insert(path.to_owned(), inode) {
            state.contents.remove(&replaced);
            state.pending.retain(|write| write.inode != replaced);
        }
        let latch = Rc::new(Latch::new());
        Ok(SimulatedFile { inode, path: path.to_owned(), writable: true, latch })
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<SimulatedFile, DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::Open, path)?;
        let inode = state.inode(Operation::Open, path)?;
        let latch = Rc::new(Latch::new());
        let writable = mode == OpenMode::Write;
        Ok(SimulatedFile { inode, path: path.to_owned(), writable, latch })
    }

    async fn read_at(
        &self,
        file: &SimulatedFile,
        offset: u64,
        mut into: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::Read, &file.path).map_err(|error| error.at(offset))?;
        let content = &state.contents[&file.inode].current;
        let start = content.len().min(offset as usize);
        let end = content.len().min(start + into.capacity());
        let range = (file.inode, start as u64)..(file.inode, end as u64);
        if state.unreadable.range(range).next().is_some() {
            let cause = Cause::Errno(Errno::EIO as i32);
            return Err(DiskError::new(Operation::Read, &file.path, cause).at(offset));
        }
        into.clear();
        into.extend_from_slice(&content[start..end]);
        let garble_one_in = state.faults.garble_one_in;
        if end > start && state.seed.one_in(garble_one_in) {
            let at = state.seed.below((end - start) as u64) as usize;
            into[at] ^= 1 << state.seed.below(8);
        }
        Ok(into)
    }

    async fn write_at(
        &self,
        file: &SimulatedFile,
        offset: u64,
        from: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        assert!(file.writable, "a file opened for reading was written");
        file.latch.check()?;
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        let growth = (offset + from.len() as u64)
            .saturating_sub(state.contents[&file.inode].current.len() as u64);
        if growth > 0 && state.used_bytes().saturating_add(growth) > state.capacity_bytes {
            return Err(file.latch.close(full(Operation::Write, &file.path)));
        }
        match state.admit_room(Operation::Write, &file.path).map_err(|error| error.at(offset)) {
            Ok(()) => {
                if !state.maybe_lie(file.inode, offset, &from) {
                    state.submit(file.inode, offset, &from);
                }
                Ok(from)
            }
            // A write that failed may have reached the medium in part.
            Err(error) => {
                let fate = Fate::random(&mut state.seed, from.len());
                for (piece_offset, piece) in fate.pieces(&from) {
                    let write = PendingWrite {
                        id: WriteId(0),
                        offset: offset + piece_offset,
                        bytes: piece,
                        inode: file.inode,
                    };
                    state.make_durable(&write);
                }
                Err(file.latch.close(error))
            }
        }
    }

    async fn flush(&self, file: &SimulatedFile) -> Result<(), DiskError> {
        file.latch.check()?;
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::Flush, &file.path).map_err(|error| file.latch.close(error))?;
        let lie_one_in = state.faults.lie_one_in;
        if !state.seed.one_in(lie_one_in) {
            state.flush(file.inode);
        }
        Ok(())
    }

    async fn resize(&self, file: &SimulatedFile, bytes: u64) -> Result<(), DiskError> {
        file.latch.check()?;
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit_room(Operation::Resize, &file.path).map_err(|error| file.latch.close(error))?;
        state.flush(file.inode);
        let content = state.contents.get_mut(&file.inode).expect("an open file has content");
        content.current.resize(bytes as usize, 0);
        content.durable.resize(bytes as usize, 0);
        Ok(())
    }

    async fn rename_durable(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::Rename, from)?;
        let inode = state.inode(Operation::Rename, from)?;
        state.flush(inode);
        state.names.remove(from);
        state.names.insert(to.to_owned(), inode);
        Ok(())
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.maybe_delay().await;
        let mut state = self.state.borrow_mut();
        state.admit(Operation::Remove, path)?;
        let inode = state.inode(Operation::Remove, path)?;
        state.names.remove(path);
        state.contents.remove(&inode);
        state.pending.retain(|write| write.inode != inode);
        Ok(())
    }
}
