//! The epochs that a server must never forget: the highest one that it has promised to a leader,
//! and the one whose history it has accepted.
//!
//! One record states both. It is in the file twice, each copy in a block of its own. The blocks are
//! written in place, one after the other, each durable before the next is begun: a power loss tears
//! at most one of them, and a full disk can still promise. Epochs are *stored* when both copies
//! hold them. Where the copies differ, the higher promise wins: the other one is older, torn or
//! damaged, and is overwritten first.
//!
//! Lives in: the background. Names in the log's directory: `epochs`, and `new-epochs` while it is
//! being made. Not here: when to promise (`engine`).

use std::path::{Path, PathBuf};

use disk::layout::{Field, is_dense};
use disk::{AlignedBuf, BLOCK_BYTES, Cause, Disk, DiskError, OpenMode, read_bytes};
use model::zxid::{Epoch, Epochs};

/// The name of the file in the log's directory.
pub const FILE_NAME: &str = "epochs";

/// Its name while it is being made.
pub(crate) const UNFINISHED_NAME: &str = "new-epochs";

/// The first eight bytes of each copy.
pub const EPOCHS_MAGIC: [u8; 8] = *b"RKEPOCHS";

/// The only version there is. Magic and checksum stay where they are in every version.
pub const EPOCHS_VERSION: u32 = 1;

const MAGIC: Field = Field::new("magic", 0, 8);
const VERSION: Field = Field::new("version", 8, 4);
const CRC: Field = Field::new("crc32c", 12, 4);
const SEQUENCE: Field = Field::new("sequence", 16, 8);
const PROMISED: Field = Field::new("epoch_promised", 24, 4);
const CURRENT: Field = Field::new("epoch_current", 28, 4);
const ZEROS: Field = Field::new("zeros", 32, 4064);

/// The layout of a copy.
pub const EPOCHS_RECORD: [Field; 7] = [MAGIC, VERSION, CRC, SEQUENCE, PROMISED, CURRENT, ZEROS];
const _: () = assert!(is_dense(&EPOCHS_RECORD, BLOCK_BYTES));

/// Where the copies begin.
pub const COPY_OFFSETS: [u64; 2] = [0, BLOCK_BYTES as u64];

const FILE_BYTES: u64 = 2 * BLOCK_BYTES as u64;

/// What is in the file, in both copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The epochs.
    pub epochs: Epochs,
    /// Whether the copies differed and one of them was overwritten.
    pub is_healed: bool,
}

/// Why epochs were not read or stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochsError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No copy is valid: what was promised is not known any more.
    #[error(
        "both copies of the epochs in {} are damaged: at offset {}: {}; at offset {}: {}; do not \
         restore an older copy: this server must not count in an election before the others have \
         synchronized it in a later epoch",
        path.display(),
        COPY_OFFSETS[0],
        faults[0],
        COPY_OFFSETS[1],
        faults[1]
    )]
    Lost {
        /// The file.
        path: PathBuf,
        /// What was found at each of [`COPY_OFFSETS`].
        faults: Box<[CopyFault; 2]>,
    },
    /// Another version of Ringkeeper wrote it. Nothing was changed.
    #[error(
        "{} has format version {found}, this server reads {known}: use the version of Ringkeeper \
         that wrote it, or a later one",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// One of the epochs would have become lower. Nothing was changed.
    #[error(
        "{} holds the promised epoch {} and the current epoch {}, which cannot be lowered to {} \
         and {}",
        path.display(),
        stored.promised().0,
        stored.current().0,
        requested.promised().0,
        requested.current().0
    )]
    Lower {
        /// The file.
        path: PathBuf,
        /// What it holds.
        stored: Epochs,
        /// What was to be stored.
        requested: Epochs,
    },
}

/// Why a copy does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyFault {
    /// The file ends before its end.
    #[error("{found} of {BLOCK_BYTES} bytes are there")]
    Short {
        /// How many bytes there are.
        found: usize,
    },
    /// The disk could not read it.
    #[error("{0}")]
    Unreadable(DiskError),
    /// It begins with something else.
    #[error("it begins with {}", found.escape_ascii())]
    Magic {
        /// What was found.
        found: [u8; 8],
    },
    /// Its checksum does not fit its bytes.
    #[error("checksum 0x{found:08x} where the bytes make 0x{expected:08x}")]
    Crc {
        /// What the bytes make.
        expected: u32,
        /// What is written.
        found: u32,
    },
    /// A version that this server does not know, under a checksum that fits.
    #[error("format version {found}")]
    Version {
        /// What was found.
        found: u32,
    },
    /// The current epoch is above the promised one, under a checksum that fits.
    #[error("the current epoch {current} is above the promised epoch {promised}")]
    Order {
        /// What was promised.
        promised: u32,
        /// What is current.
        current: u32,
    },
}

/// Creates the file with these epochs, durably; it has its name only when it is complete. A file
/// that is there is replaced if both of its copies are lost, or if `epochs` are not lower.
pub async fn create<D: Disk>(
    disk: &D,
    directory: &Path,
    epochs: Epochs,
) -> Result<(), EpochsError> {
    disk.create_directory(directory).await?;
    let record = match Copies::load(disk, directory, OpenMode::Write).await {
        Ok(copies) => copies.next(epochs)?,
        Err(EpochsError::Disk(error)) if !error.is_missing() => return Err(error.into()),
        Err(error @ EpochsError::OtherVersion { .. }) => return Err(error),
        // There is no file, or no copy in it that could be lowered.
        Err(_) => EpochsRecord { sequence: 1, epochs },
    };
    let made = directory.join(UNFINISHED_NAME);
    if let Err(error) = make(disk, &made, record).await {
        // The first error is the one to report; what is left is removed with the next run.
        let _ = disk.remove(&made).await;
        return Err(error.into());
    }
    Ok(disk.rename_durable(&made, &directory.join(FILE_NAME)).await?)
}

async fn make<D: Disk>(disk: &D, path: &Path, record: EpochsRecord) -> Result<(), DiskError> {
    let file = disk.create(path, FILE_BYTES).await?;
    for offset in COPY_OFFSETS {
        disk.write_at(&file, offset, record.encode()).await?;
    }
    disk.flush(&file).await
}

/// Reads the epochs, and makes both copies equal before it returns; `None` if there is no file.
pub async fn read<D: Disk>(disk: &D, directory: &Path) -> Result<Option<Stored>, EpochsError> {
    let copies = match Copies::load(disk, directory, OpenMode::Write).await {
        Err(EpochsError::Disk(error)) if error.is_missing() => return Ok(None),
        copies => copies?,
    };
    if !copies.are_equal {
        copies.write(disk, 1 - copies.newest_at, copies.newest).await?;
    }
    Ok(Some(Stored { epochs: copies.newest.epochs, is_healed: !copies.are_equal }))
}

/// The current epoch, and that of a directory without the file is 0. No copy is changed; where they
/// differ, the one counts that [`read`] would leave.
pub async fn current<D: Disk>(disk: &D, directory: &Path) -> Result<Epoch, EpochsError> {
    match Copies::load(disk, directory, OpenMode::Read).await {
        Err(EpochsError::Disk(error)) if error.is_missing() => Ok(Epoch(0)),
        copies => Ok(copies?.newest.epochs.current()),
    }
}

/// Stores these epochs, in both copies, in the file that there is. After an error the file holds
/// the old ones or these.
pub async fn store<D: Disk>(disk: &D, directory: &Path, epochs: Epochs) -> Result<(), EpochsError> {
    let copies = Copies::load(disk, directory, OpenMode::Write).await?;
    let record = copies.next(epochs)?;
    // The newest copy stays until the other one is durable: the other one may be damaged.
    copies.write(disk, 1 - copies.newest_at, record).await?;
    Ok(copies.write(disk, copies.newest_at, record).await?)
}

/// What each copy states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EpochsRecord {
    /// Counts the changes.
    pub(crate) sequence: u64,
    pub(crate) epochs: Epochs,
}

impl EpochsRecord {
    /// The copy that ranks higher is the one that counts.
    const fn rank(self) -> (u32, u64, u32) {
        (self.epochs.promised().0, self.sequence, self.epochs.current().0)
    }

    pub(crate) fn encode(self) -> AlignedBuf {
        let mut block = AlignedBuf::zeroed(BLOCK_BYTES);
        block[..MAGIC.end()].copy_from_slice(&EPOCHS_MAGIC);
        VERSION.put_le(&mut block, EPOCHS_VERSION.into());
        SEQUENCE.put_le(&mut block, self.sequence);
        PROMISED.put_le(&mut block, self.epochs.promised().0.into());
        CURRENT.put_le(&mut block, self.epochs.current().0.into());
        let crc = crc_of(&block);
        CRC.put_le(&mut block, crc.into());
        block
    }

    pub(crate) fn decode(block: &[u8]) -> Result<Self, CopyFault> {
        if block[..MAGIC.end()] != EPOCHS_MAGIC {
            let found = block[..MAGIC.end()].try_into().expect("eight bytes");
            return Err(CopyFault::Magic { found });
        }
        // Before the version: one under a checksum that does not fit is damage.
        let (expected, found) = (crc_of(block), CRC.take_le(block) as u32);
        if expected != found {
            return Err(CopyFault::Crc { expected, found });
        }
        let version = VERSION.take_le(block) as u32;
        if version != EPOCHS_VERSION {
            return Err(CopyFault::Version { found: version });
        }
        let (promised, current) = (PROMISED.take_le(block) as u32, CURRENT.take_le(block) as u32);
        let epochs = Epochs::new(Epoch(promised), Epoch(current));
        let epochs = epochs.ok_or(CopyFault::Order { promised, current })?;
        Ok(Self { sequence: SEQUENCE.take_le(block), epochs })
    }
}

fn crc_of(block: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&block[..CRC.offset]), &block[CRC.end()..])
}

/// The file, open for writing, and what its copies hold.
struct Copies<F> {
    path: PathBuf,
    file: F,
    /// The copy that counts.
    newest: EpochsRecord,
    /// Which one it is.
    newest_at: usize,
    /// Whether the other one is the same.
    are_equal: bool,
}

impl<F> Copies<F> {
    /// Reads both copies; a file of another version is refused, whichever copy states it.
    async fn load<D: Disk<File = F>>(
        disk: &D,
        directory: &Path,
        mode: OpenMode,
    ) -> Result<Self, EpochsError> {
        let path = directory.join(FILE_NAME);
        let file = disk.open(&path, mode).await?;
        // A write that an earlier process has begun must not be torn together with one of ours, nor
        // be seen now and lost later.
        disk.flush(&file).await?;
        let [first, second] = COPY_OFFSETS;
        let first = read_copy(disk, &file, &path, first).await;
        let second = read_copy(disk, &file, &path, second).await;
        for copy in [&first, &second] {
            if let Err(CopyFault::Version { found }) = copy {
                let (found, known) = (*found, EPOCHS_VERSION);
                return Err(EpochsError::OtherVersion { path, found, known });
            }
        }
        let are_equal = first == second;
        let (newest_at, newest) = match (first, second) {
            (Ok(first), Ok(second)) if second.rank() > first.rank() => (1, second),
            (Ok(first), _) => (0, first),
            (Err(_), Ok(second)) => (1, second),
            // The device may be at fault, and not what it holds.
            (Err(CopyFault::Unreadable(error)), Err(CopyFault::Unreadable(_))) => {
                return Err(error.into());
            }
            (Err(first), Err(second)) => {
                return Err(EpochsError::Lost { path, faults: Box::new([first, second]) });
            }
        };
        Ok(Self { path, file, newest, newest_at, are_equal })
    }

    /// The record that follows the newest one.
    fn next(&self, epochs: Epochs) -> Result<EpochsRecord, EpochsError> {
        let stored = self.newest.epochs;
        if epochs.promised() < stored.promised() || epochs.current() < stored.current() {
            let path = self.path.clone();
            return Err(EpochsError::Lower { path, stored, requested: epochs });
        }
        Ok(EpochsRecord { sequence: self.newest.sequence.saturating_add(1), epochs })
    }

    async fn write<D: Disk<File = F>>(
        &self,
        disk: &D,
        at: usize,
        record: EpochsRecord,
    ) -> Result<(), DiskError> {
        disk.write_at(&self.file, COPY_OFFSETS[at], record.encode()).await?;
        disk.flush(&self.file).await
    }
}

async fn read_copy<D: Disk>(
    disk: &D,
    file: &D::File,
    path: &Path,
    offset: u64,
) -> Result<EpochsRecord, CopyFault> {
    match read_bytes(disk, file, path, offset, BLOCK_BYTES).await {
        Ok(block) => EpochsRecord::decode(&block),
        Err(DiskError { cause: Cause::Short { found, .. }, .. }) => Err(CopyFault::Short { found }),
        Err(error) => Err(CopyFault::Unreadable(error)),
    }
}
