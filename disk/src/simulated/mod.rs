//! A disk in memory that can fail, tear, run full, be slow, lie and lose power, from a seed.
//!
//! What was written is *pending* until a flush (or [`Simulated::settle`], for a device that writes
//! through). [`Simulated::crash`] makes the disk that a power loss would leave: each pending write
//! kept, dropped or torn at sector boundaries, as the caller decides.
//!
//! Name operations are durable when they return and all-or-nothing when the power is lost in
//! them, which is what [`Direct`](crate::Direct) makes of a file system by flushing directories.

mod faults;
mod medium;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::task::Poll;

use nix::errno::Errno;

use crate::aligned::AlignedBuf;
use crate::error::{Cause, DiskError, Operation};
use crate::latch::Latch;
use crate::seam::{DirectoryEntry, Disk, OpenMode};

pub use faults::{Fate, Faults, Seed};
use medium::{Content, Medium, full};

/// The disk. Cheap to clone: clones are the same disk.
#[derive(Clone, Debug)]
pub struct Simulated {
    medium: Rc<RefCell<Medium>>,
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
    /// Its position in the order of all writes.
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

impl Simulated {
    /// An empty disk without faults; `seed` decides everything left to chance later.
    pub fn new(seed: u64) -> Self {
        let medium = Medium::new(Seed::new(seed));
        Self { medium: Rc::new(RefCell::new(medium)) }
    }

    /// Sets how often calls fail or lie from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.medium.borrow_mut().faults = faults;
    }

    /// The next `operation` fails with `cause`; several calls queue up.
    pub fn fail_next(&self, operation: Operation, cause: Cause) {
        self.medium.borrow_mut().failures.push_back((operation, cause));
    }

    /// All files together may take this many bytes.
    pub fn set_capacity(&self, bytes: u64) {
        self.medium.borrow_mut().capacity_bytes = bytes;
    }

    /// The power is lost after this many more operations: they work, all later ones fail.
    pub fn lose_power_after(&self, operation_count: u64) {
        self.medium.borrow_mut().operations_left = operation_count;
    }

    /// Submits a write without waiting for it, as a ring does. It is pending at once.
    pub fn submit(&self, file: &SimulatedFile, offset: u64, bytes: &[u8]) -> WriteId {
        self.medium.borrow_mut().submit(file.inode, offset, bytes)
    }

    /// Makes one pending write durable, as the completion of a write with `O_DSYNC` does.
    ///
    /// # Panics
    /// If it is not pending.
    pub fn settle(&self, id: WriteId) {
        let mut medium = self.medium.borrow_mut();
        let at = medium.pending.iter().position(|write| write.id == id);
        let write = medium.pending.remove(at.expect("settled twice"));
        medium.make_durable(&write);
    }

    /// Like [`settle`](Self::settle), by a device that lies: the write reaches the medium at
    /// `offset`, or only what `fate` keeps of it. Readers see what the medium has.
    ///
    /// # Panics
    /// If it is not pending.
    pub fn settle_wrongly(&self, id: WriteId, offset: u64, fate: &Fate) {
        let mut medium = self.medium.borrow_mut();
        let at = medium.pending.iter().position(|write| write.id == id);
        let write = medium.pending.remove(at.expect("settled twice"));
        medium.misplace(write.inode, offset, &write.bytes, fate);
    }

    /// The block at `offset` of a file cannot be read any more.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn make_unreadable(&self, path: &Path, offset: u64) {
        let mut medium = self.medium.borrow_mut();
        let inode = medium.names[path];
        medium.unreadable.insert((inode, offset));
    }

    /// Overwrites a part of a file, on the medium.
    ///
    /// # Panics
    /// If the file has no such part.
    pub fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) {
        let mut medium = self.medium.borrow_mut();
        let inode = medium.names[path];
        let content = medium.contents.get_mut(&inode).expect("names lead to contents");
        let range = offset as usize..offset as usize + bytes.len();
        content.current[range.clone()].copy_from_slice(bytes);
        content.durable[range].copy_from_slice(bytes);
    }

    /// All pending writes, oldest first.
    pub fn pending(&self) -> Vec<PendingWrite> {
        self.medium.borrow().pending.clone()
    }

    /// The disk as a power loss leaves it: what is durable, and of each pending write what `fate`
    /// says. Faults, the power loss and a small capacity are cleared; `self` is unchanged.
    #[must_use]
    pub fn crash(&self, mut fate: impl FnMut(&PendingWrite) -> Fate) -> Self {
        let mut medium = self.medium.borrow().clone();
        for write in std::mem::take(&mut medium.pending) {
            let fate = fate(&write);
            for (piece_offset, piece) in fate.pieces(&write.bytes) {
                let survivor =
                    PendingWrite { offset: write.offset + piece_offset, bytes: piece, ..write };
                medium.make_durable(&survivor);
            }
        }
        for content in medium.contents.values_mut() {
            content.current.clone_from(&content.durable);
        }
        medium.faults = Faults::default();
        medium.failures.clear();
        medium.operations_left = u64::MAX;
        Self { medium: Rc::new(RefCell::new(medium)) }
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
        let mut medium = self.medium.borrow_mut();
        let inode = medium.names[path];
        let content = medium.contents.get_mut(&inode).expect("names lead to contents");
        content.current[offset as usize] ^= mask;
        content.durable[offset as usize] ^= mask;
    }

    /// A file's content as a reader sees it now.
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let medium = self.medium.borrow();
        Some(medium.contents[medium.names.get(path)?].current.clone())
    }
}

impl Simulated {
    /// Lets others go first, a few times, by chance.
    async fn maybe_delay(&self) {
        let mut turns = {
            let mut medium = self.medium.borrow_mut();
            let delay_one_in = medium.faults.delay_one_in;
            if medium.seed.one_in(delay_one_in) { 1 + medium.seed.below(5) } else { 0 }
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

    async fn list(&self, directory: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::List, directory)?;
        let is_in = |path: &Path| path.parent() == Some(directory);
        let known = medium.directories.contains(directory) || medium.names.keys().any(|p| is_in(p));
        if !known {
            let cause = Cause::Errno(Errno::ENOENT as i32);
            return Err(DiskError::new(Operation::List, directory, cause));
        }
        let entries = medium.names.iter().filter(|(path, _)| is_in(path)).map(|(path, inode)| {
            let name = path.file_name().expect("a file has a name");
            DirectoryEntry {
                name: name.to_string_lossy().into_owned(),
                bytes: medium.contents[inode].current.len() as u64,
            }
        });
        Ok(entries.collect())
    }

    async fn create_directory(&self, directory: &Path) -> Result<(), DiskError> {
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::CreateDirectory, directory)?;
        medium.directories.insert(directory.to_owned());
        Ok(())
    }

    async fn create(&self, path: &Path, bytes: u64) -> Result<SimulatedFile, DiskError> {
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit_room(Operation::Create, path)?;
        if medium.used_bytes().saturating_add(bytes) > medium.capacity_bytes {
            return Err(full(Operation::Create, path));
        }
        let inode = medium.inode_next;
        medium.inode_next += 1;
        let zeros = vec![0; bytes as usize];
        medium.contents.insert(inode, Content { current: zeros.clone(), durable: zeros });
        if let Some(replaced) = medium.names.insert(path.to_owned(), inode) {
            medium.contents.remove(&replaced);
            medium.pending.retain(|write| write.inode != replaced);
        }
        let latch = Rc::new(Latch::new());
        Ok(SimulatedFile { inode, path: path.to_owned(), writable: true, latch })
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<SimulatedFile, DiskError> {
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::Open, path)?;
        let inode = medium.inode(Operation::Open, path)?;
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
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::Read, &file.path).map_err(|error| error.at(offset))?;
        let content = &medium.contents[&file.inode].current;
        let start = content.len().min(offset as usize);
        let end = content.len().min(start + into.capacity());
        let range = (file.inode, start as u64)..(file.inode, end as u64);
        if medium.unreadable.range(range).next().is_some() {
            let cause = Cause::Errno(Errno::EIO as i32);
            return Err(DiskError::new(Operation::Read, &file.path, cause).at(offset));
        }
        into.clear();
        into.extend_from_slice(&content[start..end]);
        let garble_one_in = medium.faults.garble_one_in;
        if end > start && medium.seed.one_in(garble_one_in) {
            let at = medium.seed.below((end - start) as u64) as usize;
            into[at] ^= 1 << medium.seed.below(8);
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
        let mut medium = self.medium.borrow_mut();
        let growth = (offset + from.len() as u64)
            .saturating_sub(medium.contents[&file.inode].current.len() as u64);
        if growth > 0 && medium.used_bytes().saturating_add(growth) > medium.capacity_bytes {
            return Err(file.latch.close(full(Operation::Write, &file.path)));
        }
        match medium.admit_room(Operation::Write, &file.path).map_err(|error| error.at(offset)) {
            Ok(()) => {
                if !medium.maybe_lie(file.inode, offset, &from) {
                    medium.submit(file.inode, offset, &from);
                }
                Ok(from)
            }
            // A write that failed may have reached the medium in part.
            Err(error) => {
                let fate = Fate::random(&mut medium.seed, from.len());
                for (piece_offset, piece) in fate.pieces(&from) {
                    let write = PendingWrite {
                        id: WriteId(0),
                        offset: offset + piece_offset,
                        bytes: piece,
                        inode: file.inode,
                    };
                    medium.make_durable(&write);
                }
                Err(file.latch.close(error))
            }
        }
    }

    async fn flush(&self, file: &SimulatedFile) -> Result<(), DiskError> {
        file.latch.check()?;
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::Flush, &file.path).map_err(|error| file.latch.close(error))?;
        let lie_one_in = medium.faults.lie_one_in;
        if !medium.seed.one_in(lie_one_in) {
            medium.flush(file.inode);
        }
        Ok(())
    }

    async fn resize(&self, file: &SimulatedFile, bytes: u64) -> Result<(), DiskError> {
        file.latch.check()?;
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium
            .admit_room(Operation::Resize, &file.path)
            .map_err(|error| file.latch.close(error))?;
        medium.flush(file.inode);
        let content = medium.contents.get_mut(&file.inode).expect("an open file has content");
        content.current.resize(bytes as usize, 0);
        content.durable.resize(bytes as usize, 0);
        Ok(())
    }

    async fn rename_durable(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::Rename, from)?;
        let inode = medium.inode(Operation::Rename, from)?;
        medium.flush(inode);
        medium.names.remove(from);
        medium.names.insert(to.to_owned(), inode);
        Ok(())
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.maybe_delay().await;
        let mut medium = self.medium.borrow_mut();
        medium.admit(Operation::Remove, path)?;
        let inode = medium.inode(Operation::Remove, path)?;
        medium.names.remove(path);
        medium.contents.remove(&inode);
        medium.pending.retain(|write| write.inode != inode);
        Ok(())
    }
}
