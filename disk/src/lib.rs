//! Access to storage: direct I/O, the error latch, durable rename.
//!
//! Sequential work on files (recovery, snapshots, preparing and purging segments) is written once,
//! as plain `async`, over the [`Disk`] trait. The log's appends do not pass through it: they go to
//! the core loop's own ring, with the [`AlignedBuf`]s and the files of this crate
//! ([`append_file`]).
//!
//! Map, in reading order:
//!
//! - [`aligned`], [`huge`]: memory that a device may read and write directly;
//! - [`seam`]: the trait; [`error`]: what can go wrong behind it;
//! - [`direct`]: real files, through glommio; [`simulated`]: a disk in memory that fails, tears,
//!   fills and lies, from a seed; [`counting`]: any disk, counted;
//! - [`background`]: the thread that runs bulk work with shares;
//! - [`append_file`]: the log's files as the ring wants them;
//! - [`latch`], [`lock`], [`probe`]: the final error, the one owner, the device's properties;
//! - [`scratch`]: files for trying these out, and their removal after a kill.
//!
//! **Invariants**
//!
//! - The first error of a file is final: every later call on it returns the first one's reason
//!   (guard: `simulated::tests::the_first_error_is_final`).
//! - A name operation that returned is durable, a write only after `flush` (guard:
//!   `simulated::tests::a_crash_keeps_what_was_flushed`).
//! - glommio is named in `direct` and `background` alone (guard: `tests/tidy.rs`).
//!
//! **What is deliberately not here**: formats (`log`, `snapshot`), policy about when to write,
//! retry after an error (there is none), the ring (`ring`).
//!
//! ```
//! use disk::{AlignedBuf, Disk, Simulated, block_on};
//! let disk = Simulated::new(7);
//! block_on(async {
//!     let file = disk.create("/data/a".as_ref(), 4096).await?;
//!     disk.write_at(&file, 0, AlignedBuf::from_bytes(b"hello")).await?;
//!     disk.flush(&file).await
//! }).expect("no faults were requested");
//! ```

pub mod aligned;
pub mod append_file;
pub mod background;
pub mod counting;
pub mod direct;
pub mod error;
pub mod heap;
pub mod huge;
pub mod latch;
pub mod layout;
pub mod limits;
pub mod lock;
pub mod probe;
pub mod scratch;
pub mod seam;
pub mod simulated;

pub use aligned::AlignedBuf;
pub use background::{Background, BackgroundConfig, BackgroundError, TaskQueue};
pub use counting::{Counting, Counts};
pub use direct::{Direct, DiskMode};
pub use error::{Cause, DiskError, Operation};
pub use huge::HugeBuf;
pub use latch::Latch;
pub use limits::BLOCK_BYTES;
pub use probe::Durability;
pub use seam::{DirectoryEntry, Disk, OpenMode, block_on, read_bytes, write_zeros};
pub use simulated::Simulated;
