//! The properties of the file system and the device under a directory.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};
use nix::sys::statfs::{self, statfs};

use crate::aligned::AlignedBuf;
use crate::error::{Cause, DiskError, Operation};
use crate::limits::BLOCK_BYTES;
use crate::scratch::{self, Purpose};

/// How a write of the log becomes durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `O_DIRECT | O_DSYNC`: a write is durable when it completes.
    Dsync,
    /// `O_DIRECT`, and an fdatasync that covers several writes.
    FlushAfter,
    /// Through the page cache, and an fdatasync that covers several writes.
    BufferedFlush,
}

/// Whether a file system accepts direct I/O at 4 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectIo {
    /// Opened and wrote.
    Works,
    /// Refused.
    Refused {
        /// The kernel's answer.
        errno: i32,
    },
}

/// What a device reports about its cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCache {
    /// A power loss loses what is in it.
    pub is_volatile: bool,
    /// It can write a single block through (force unit access).
    pub has_fua: bool,
}

/// What was found under a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The kind of file system: `ext4`, `xfs`, or its magic number in hexadecimal.
    pub file_system: String,
    /// It lives in memory (tmpfs, ramfs): nothing is durable there.
    pub is_memory: bool,
    /// It is stacked on another (overlay): a container's own layer, not a volume.
    pub is_overlay: bool,
    /// Whether it accepts direct I/O.
    pub direct_io: DirectIo,
    /// What the device reports; `None` where no block device is found.
    pub cache: Option<DeviceCache>,
    /// How long an overwrite of a block and a flush took; measured where the choice of durability
    /// depends on it: direct I/O, a volatile cache, no FUA.
    pub flush_time: Option<Duration>,
    /// Bytes that may still be written there.
    pub free_bytes: u64,
}

impl Probe {
    /// Examines `directory`; writes one small file there and removes it.
    pub fn of(directory: &Path) -> Result<Self, DiskError> {
        let found = statfs(directory).map_err(|errno| open_failed(directory, errno))?;
        let kind = found.filesystem_type();
        let metadata = fs::metadata(directory)
            .map_err(|error| DiskError::from_io(Operation::Open, directory, &error))?;
        let direct_io = direct_io(directory)?;
        let cache = device_cache(Path::new("/sys"), metadata.dev());
        let needs_flush = cache.is_some_and(|cache| cache.is_volatile && !cache.has_fua);
        let is_measured = direct_io == DirectIo::Works && needs_flush;
        Ok(Self {
            file_system: file_system_name(kind),
            is_memory: kind == statfs::TMPFS_MAGIC || kind.0 as u64 == RAMFS_MAGIC,
            is_overlay: kind == statfs::OVERLAYFS_SUPER_MAGIC,
            direct_io,
            cache,
            flush_time: is_measured.then(|| flush_time(directory)).transpose()?,
            // The unit is never negative, whatever its type.
            free_bytes: found.blocks_available() * found.block_size() as u64,
        })
    }

    /// The durability that fits: each write durable by itself, unless a flush takes as long as on a
    /// rotating disk; there several writes share one. Without FUA the kernel itself follows each
    /// write with a flush, and merges flushes that wait for each other, at a third of the cost of
    /// an fdatasync of ours (`docs/decisions/0102`).
    pub fn durability(&self) -> Durability {
        match (self.direct_io, self.flush_time) {
            (DirectIo::Refused { .. }, _) => Durability::BufferedFlush,
            (DirectIo::Works, Some(time)) if time >= SLOW_FLUSH => Durability::FlushAfter,
            (DirectIo::Works, _) => Durability::Dsync,
        }
    }
}

const RAMFS_MAGIC: u64 = 0x8584_58f6;

/// The least that a flush takes on a rotating disk, and the most on others. What sysfs says about
/// rotation is no help: virtual disks claim it whatever is behind them.
const SLOW_FLUSH: Duration = Duration::from_millis(3);

const FLUSH_TRIES: usize = 5;
const DURABLE_TRIES: usize = 7;

fn file_system_name(kind: statfs::FsType) -> String {
    let known = [
        (statfs::EXT4_SUPER_MAGIC, "ext4"),
        (statfs::XFS_SUPER_MAGIC, "xfs"),
        (statfs::BTRFS_SUPER_MAGIC, "btrfs"),
        (statfs::F2FS_SUPER_MAGIC, "f2fs"),
        (statfs::TMPFS_MAGIC, "tmpfs"),
        (statfs::OVERLAYFS_SUPER_MAGIC, "overlay"),
        (statfs::NFS_SUPER_MAGIC, "nfs"),
        (statfs::FUSE_SUPER_MAGIC, "fuse"),
        (statfs::FsType(0x2fc1_2fc1), "zfs"),
        (statfs::FsType(0x00c3_6400), "ceph"),
        (statfs::FsType(0xff53_4d42), "cifs"),
        // The same program, since it speaks SMB 2.
        (statfs::FsType(0xfe53_4d42), "cifs"),
    ];
    let found = known.iter().find(|(magic, _)| *magic == kind);
    found.map_or_else(|| format!("0x{:x}", kind.0), |(_, name)| (*name).to_owned())
}

/// Tries a direct write of one block in `directory`.
pub fn direct_io(directory: &Path) -> Result<DirectIo, DiskError> {
    let path = scratch::path(directory, Purpose::Probe);
    let failed = |error| DiskError::from_io(Operation::Create, &path, &error);
    // Created without the flag first: a directory in which no file can be created is another error.
    drop(File::create(&path).map_err(failed)?);
    let written = OpenOptions::new()
        .write(true)
        .custom_flags(OFlag::O_DIRECT.bits())
        .open(&path)
        .and_then(|file| file.write_all_at(&AlignedBuf::zeroed(BLOCK_BYTES), 0));
    fs::remove_file(&path).map_err(|error| DiskError::from_io(Operation::Remove, &path, &error))?;
    match written.map_err(|error| error.raw_os_error()) {
        Ok(()) => Ok(DirectIo::Works),
        Err(Some(errno)) if errno == Errno::ENOSPC as i32 => {
            Err(DiskError::new(Operation::Write, &path, Cause::Errno(errno)))
        }
        Err(errno) => Ok(DirectIo::Refused { errno: errno.unwrap_or(Errno::EIO as i32) }),
    }
}

/// How long a write of one block takes that is durable when it returns, in microseconds: the
/// middle one of a few. `None` where there is no direct I/O.
///
/// # Errors
/// The file cannot be written.
pub fn durable_us(directory: &Path) -> Result<Option<u64>, DiskError> {
    if direct_io(directory)? != DirectIo::Works {
        return Ok(None);
    }
    let path = scratch::path(directory, Purpose::Probe);
    let failed = |error| DiskError::from_io(Operation::Write, &path, &error);
    let block = AlignedBuf::zeroed(BLOCK_BYTES);
    let flags = OFlag::O_DIRECT | OFlag::O_DSYNC;
    let measured = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(flags.bits())
        .open(&path)
        .and_then(|file| {
            // The first one allocates.
            file.write_all_at(&block, 0)?;
            let mut times = [Duration::MAX; DURABLE_TRIES];
            for time in &mut times {
                let start = Instant::now();
                file.write_all_at(&block, 0)?;
                *time = start.elapsed();
            }
            times.sort_unstable();
            Ok(times[DURABLE_TRIES / 2])
        });
    let removed = fs::remove_file(&path);
    let measured = measured.map_err(failed)?;
    removed.map_err(|error| DiskError::from_io(Operation::Remove, &path, &error))?;
    Ok(Some(u64::try_from(measured.as_micros()).unwrap_or(u64::MAX)))
}

/// The time to overwrite a block and flush it, the best of a few tries: other work on the device
/// makes single ones slow.
fn flush_time(directory: &Path) -> Result<Duration, DiskError> {
    let path = scratch::path(directory, Purpose::Flush);
    let failed = |error| DiskError::from_io(Operation::Write, &path, &error);
    let block = AlignedBuf::zeroed(BLOCK_BYTES);
    let measured = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .custom_flags(OFlag::O_DIRECT.bits())
        .open(&path)
        .and_then(|file| {
            let write = || file.write_all_at(&block, 0).and_then(|()| file.sync_data());
            // The first one makes the allocation durable, too.
            write()?;
            let mut best = Duration::MAX;
            for _ in 0..FLUSH_TRIES {
                let start = Instant::now();
                write()?;
                best = best.min(start.elapsed());
            }
            Ok(best)
        });
    let removed = fs::remove_file(&path);
    let measured = measured.map_err(failed)?;
    removed.map_err(|error| DiskError::from_io(Operation::Remove, &path, &error))?;
    Ok(measured)
}

/// Whether the device below a directory has queues whose completions can be polled for.
pub fn has_polled_queues(directory: &Path) -> bool {
    let device = fs::metadata(directory).map(|metadata| metadata.dev());
    device.is_ok_and(|device| polls(Path::new("/sys"), device))
}

fn polls(sysfs: &Path, device: u64) -> bool {
    let said = queue_of(sysfs, device).map(|queue| fs::read_to_string(queue.join("io_poll")));
    said.is_some_and(|text| text.is_ok_and(|text| text.trim() == "1"))
}

/// What sysfs says of a device's queue; a partition's is that of its disk.
fn queue_of(sysfs: &Path, device: u64) -> Option<PathBuf> {
    let block = sysfs.join(format!("dev/block/{}:{}", major(device), minor(device)));
    let block = fs::canonicalize(block).ok()?;
    [block.join("queue"), block.parent()?.join("queue")].into_iter().find(|q| q.is_dir())
}

/// What sysfs says of the device's cache.
fn device_cache(sysfs: &Path, device: u64) -> Option<DeviceCache> {
    let queue = queue_of(sysfs, device)?;
    let cache = fs::read_to_string(queue.join("write_cache")).ok()?;
    let fua = fs::read_to_string(queue.join("fua")).unwrap_or_default();
    Some(DeviceCache { is_volatile: cache.trim() == "write back", has_fua: fua.trim() == "1" })
}

fn open_failed(path: &Path, errno: Errno) -> DiskError {
    DiskError::new(Operation::Open, path, Cause::Errno(errno as i32))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// A directory of one test, removed with it.
    pub(crate) struct TempDirectory(PathBuf);

    impl TempDirectory {
        pub(crate) fn new(name: &str) -> Self {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("ringkeeper-disk-{name}-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for TempDirectory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_temporary_directory_can_be_probed_and_is_left_clean() {
        let directory = TempDirectory::new("probe");
        let probe = Probe::of(directory.path()).unwrap();
        assert!(!probe.file_system.is_empty());
        assert_eq!(
            durable_us(directory.path()).unwrap().is_some(),
            probe.direct_io == DirectIo::Works
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(Probe::of(&directory.path().join("missing")).unwrap_err().is_missing());
    }

    #[test]
    fn durability_follows_from_the_device() {
        let with = |direct_io, flush_us: Option<u64>| {
            let file_system = "ext4".to_owned();
            let flush_time = flush_us.map(Duration::from_micros);
            let (is_memory, is_overlay, cache) = (false, false, None);
            let free_bytes = 0;
            Probe { file_system, is_memory, is_overlay, direct_io, cache, flush_time, free_bytes }
                .durability()
        };
        assert_eq!(with(DirectIo::Works, Some(8_000)), Durability::FlushAfter);
        assert_eq!(with(DirectIo::Works, Some(200)), Durability::Dsync);
        assert_eq!(with(DirectIo::Works, None), Durability::Dsync);
        assert_eq!(with(DirectIo::Refused { errno: 22 }, None), Durability::BufferedFlush);
    }

    #[test]
    fn a_partition_has_the_queue_of_its_disk() {
        let sysfs = TempDirectory::new("sysfs");
        let disk = sysfs.path().join("devices/sda");
        fs::create_dir_all(disk.join("queue")).unwrap();
        fs::create_dir_all(disk.join("sda1")).unwrap();
        fs::write(disk.join("queue/write_cache"), "write back\n").unwrap();
        fs::write(disk.join("queue/fua"), "1\n").unwrap();
        fs::create_dir_all(sysfs.path().join("dev/block")).unwrap();
        std::os::unix::fs::symlink(disk.join("sda1"), sysfs.path().join("dev/block/8:1")).unwrap();
        let found = device_cache(sysfs.path(), nix::sys::stat::makedev(8, 1));
        assert_eq!(found, Some(DeviceCache { is_volatile: true, has_fua: true }));
        assert_eq!(device_cache(sysfs.path(), nix::sys::stat::makedev(8, 2)), None);

        assert!(!polls(sysfs.path(), nix::sys::stat::makedev(8, 1)));
        fs::write(disk.join("queue/io_poll"), "1\n").unwrap();
        assert!(polls(sysfs.path(), nix::sys::stat::makedev(8, 1)));
        assert!(!polls(sysfs.path(), nix::sys::stat::makedev(8, 2)));
    }
}
