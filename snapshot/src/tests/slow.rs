//! A disk whose calls take a while: several are in flight, and never too many.

use super::*;
use crate::limits::{CHUNK_BYTES_MAX, READ_AHEAD_BYTES, WRITE_AHEAD_BYTES};
use disk::{AlignedBuf, DirectoryEntry, DiskError, OpenMode};
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::Poll;

/// Every read and write answers after a few polls, in no fixed order.
struct Slow {
    inner: Simulated,
    seed: RefCell<disk::simulated::Seed>,
    bytes: Cell<usize>,
    bytes_most: Cell<usize>,
    count: Cell<usize>,
    count_most: Cell<usize>,
}

impl Slow {
    fn new(inner: Simulated) -> Self {
        let seed = RefCell::new(disk::simulated::Seed::new(1));
        let (bytes, bytes_most) = (Cell::new(0), Cell::new(0));
        Self { inner, seed, bytes, bytes_most, count: Cell::new(0), count_most: Cell::new(0) }
    }

    async fn linger(&self, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
        self.bytes_most.set(self.bytes_most.get().max(self.bytes.get()));
        self.count.set(self.count.get() + 1);
        self.count_most.set(self.count_most.get().max(self.count.get()));
        let mut polls = 1 + self.seed.borrow_mut().below(6);
        poll_fn(|context| {
            context.waker().wake_by_ref();
            polls -= 1;
            if polls == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        self.bytes.set(self.bytes.get() - bytes);
        self.count.set(self.count.get() - 1);
    }
}

impl Disk for Slow {
    type File = <Simulated as Disk>::File;

    async fn list(&self, directory: &Path) -> Result<Vec<DirectoryEntry>, DiskError> {
        self.inner.list(directory).await
    }

    async fn create_directory(&self, directory: &Path) -> Result<(), DiskError> {
        self.inner.create_directory(directory).await
    }

    async fn create(&self, path: &Path, bytes: u64) -> Result<Self::File, DiskError> {
        self.inner.create(path, bytes).await
    }

    async fn open(&self, path: &Path, mode: OpenMode) -> Result<Self::File, DiskError> {
        self.inner.open(path, mode).await
    }

    async fn read_at(
        &self,
        file: &Self::File,
        offset: u64,
        into: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        self.linger(into.capacity()).await;
        self.inner.read_at(file, offset, into).await
    }

    async fn write_at(
        &self,
        file: &Self::File,
        offset: u64,
        from: AlignedBuf,
    ) -> Result<AlignedBuf, DiskError> {
        self.linger(from.capacity()).await;
        self.inner.write_at(file, offset, from).await
    }

    async fn flush(&self, file: &Self::File) -> Result<(), DiskError> {
        assert_eq!(self.count.get(), 0, "a flush covers what has completed");
        self.inner.flush(file).await
    }

    async fn resize(&self, file: &Self::File, bytes: u64) -> Result<(), DiskError> {
        self.inner.resize(file, bytes).await
    }

    async fn rename_durable(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.inner.rename_durable(from, to).await
    }

    async fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.inner.remove(path).await
    }
}

#[test]
fn calls_run_ahead_within_bounds() {
    let plain = Plain::sample(80_000, 100, 5);
    let (reference, written) = disk_with(&plain);
    let slow = Slow::new(Simulated::new(1));
    block_on(async {
        slow.create_directory(directory()).await.unwrap();
        write_plain(&slow, &plain).await.unwrap();
    });
    assert!(slow.inner.content(&written.path) == reference.content(&written.path));
    // A buffer's capacity may exceed what is written of it, by as much as chunks vary.
    let most = slow.bytes_most.replace(0);
    assert!(most > 2 * CHUNK_BYTES_MAX && most <= 2 * WRITE_AHEAD_BYTES, "{most} bytes");
    assert!(slow.count_most.replace(0) > 2);

    assert!(block_on(load(&slow, plain.zxid)).unwrap() == Image::of(&plain));
    let most = slow.bytes_most.get();
    assert!(most > 2 * CHUNK_BYTES_MAX && most <= READ_AHEAD_BYTES, "{most} bytes");
    assert!(slow.count_most.get() > 2);
}
