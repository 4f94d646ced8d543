//! `ZooKeeper`'s data directories: imported into ours, exported from ours, inspected.
//!
//! Map, in reading order:
//!
//! - [`stock`]: `ZooKeeper`'s files, read and written;
//! - [`import`]: the newest snapshot and the logs after it, as a snapshot of ours;
//! - [`export`]: a version of our tree as a snapshot of `ZooKeeper`;
//! - [`mod@inspect`]: any file of either, for people and for scripts;
//! - [`error`]: what can be wrong with files, and why an import or export fails.
//!
//! **Invariants**
//!
//! - Whatever a file holds, reading it ends in a result, and takes memory for what is there, not
//!   for what is announced (guard: `tests::any_bytes_of_stock`, `tests::any_bytes_as_ours`).
//! - A tree that was imported has the digest that `ZooKeeper` wrote last, or the operator said that
//!   it need not (guard: `import::tests`).
//! - Nothing is written where there are data, and the source is never changed (guard:
//!   `import::tests::a_target_with_data_is_left_alone`).
//!
//! **What is deliberately not here**: a clock (`server` turns progress into lines), the repair of
//! our own files (`log`, `snapshot`), migrating from one server to another while both run.
//!
//! ```no_run
//! use convert::import::{self, ImportOptions};
//! let options = ImportOptions {
//!     data_dir: "/var/lib/zookeeper".into(),
//!     log_dir: None,
//!     stop_at_damage: false,
//!     accept_mismatch: false,
//!     trust_empty_snapshot: false,
//!     without_log: false,
//!     clear_ensemble: false,
//!     types: Default::default(),
//!     seed: [1, 2],
//! };
//! let imported = import::read(&options, &mut |_| ()).expect("a healthy directory");
//! println!("{} nodes", imported.report.nodes);
//! ```

#![forbid(unsafe_code)]

pub mod error;
pub mod export;
pub mod import;
pub mod inspect;
pub mod stock;

#[cfg(test)]
mod tests;
