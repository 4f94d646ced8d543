//! Any disk, counted: for tests and benches that state how many calls a step may take.

use std::cell::Cell;
use std::path::Path;

use crate::aligned::AlignedBuf;
use crate::error::DiskError;
use crate::seam::{DirectoryEntry, Disk, OpenMode};

/// How often each operation was called, and the bytes moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Directories listed or made, files created, opened, resized, renamed or removed.
    pub name_count: u64,
    /// Reads.
    pub read_count: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Writes.
    pub write_count: u64,
    /// Bytes written.
    pub write_bytes: u64,
    /// Flushes.
    pub flush_count: u64,
}

/// Forwards everything to `D` and counts it, failed calls included.
#[derive(Debug)]
pub struct Counting<D> {
    inner: D,
    counts: Cell<Counts>,
}

impl<D> Counting<D> {
    /// Counts the calls to `inner`.
    pub const fn new(inner: D) -> Self {
        let counts = Counts {
            name_count: 0,
            read_count: 0,
            read_bytes: 0,
            write_count: 0,
            write_bytes: 0,
            flush_count: 0,
        };
        Self { inner, counts: Cell::new(counts) }
    }

    /// What was counted since the beginning.
    pub const fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// The disk behind.
    pub const fn inner(&self) -> &D {
        &self.inner
    }

    fn count(&self, add: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        add(&mut counts);
        self.counts.set(counts);
    }
}

impl<D: Disk> Disk for Counting<D> {
    type File = D::File;

    async fn list(&self, directory: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.list(directory).await
    }

    async fn create_directory(&self, directory: &Path) -> Result<(), DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.create_directory(directory).await
    }

    async fn create(&self, path: &Path, bytes: u64) -> Result<D::File, DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.create(path, bytes).await
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<D::File, DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.open(path, mode).await
    }

    async fn read_at(
        &self,
        file: &D::File,
        offset: u64,
        into: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        self.count(|counts| counts.read_count += 1);
        let read = self.inner.read_at(file, offset, into).await?;
        self.count(|counts| counts.read_bytes += read.len() as u64);
        Ok(read)
    }

    async fn write_at(
        &self,
        file: &D::File,
        offset: u64,
        from: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        self.count(|counts| {
            counts.write_count += 1;
            counts.write_bytes += from.len() as u64;
        });
        self.inner.write_at(file, offset, from).await
    }

    async fn flush(&self, file: &D::File) -> Result<(), DiskError> {
        self.count(|counts| counts.flush_count += 1);
        self.inner.flush(file).await
    }

    async fn resize(&self, file: &D::File, bytes: u64) -> Result<(), DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.resize(file, bytes).await
    }

    async fn rename_durable(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.rename_durable(from, to).await
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.count(|counts| counts.name_count += 1);
        self.inner.remove(path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Simulated, block_on};

    #[test]
    fn it_counts_calls_and_bytes() {
        let disk = Counting::new(Simulated::new(1));
        block_on(async {
            let file = disk.create("/a".as_ref(), 8192).await.unwrap();
            disk.write_at(&file, 4096, AlignedBuf::from_bytes(b"x")).await.unwrap();
            disk.flush(&file).await.unwrap();
            disk.read_at(&file, 0, AlignedBuf::with_capacity(16384)).await.unwrap();
        });
        let expected = Counts {
            name_count: 1,
            read_count: 1,
            read_bytes: 8192,
            write_count: 1,
            write_bytes: 4096,
            flush_count: 1,
        };
        assert_eq!(disk.counts(), expected);
    }
}
