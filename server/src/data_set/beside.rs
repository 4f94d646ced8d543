//! Two histories in one directory: Ringkeeper's, and `ZooKeeper`'s beside it.
//!
//! ZooKeeper's data stay where they are after an import, and are there after an export. They are a
//! problem only if `ZooKeeper` has written since: then Ringkeeper's data are the older ones.

use std::io;
use std::path::{Path, PathBuf};

use convert::stock::directory::{self, DIRECTORY};
use model::zxid::Zxid;
use thiserror::Error;

use super::halves::is_same;
use super::mark::{Copied, Known};

/// Why it cannot be decided which history counts. Nothing was changed.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// `ZooKeeper` has written since its data were last known.
    #[error(
        "ZooKeeper's data in {stock} end with {found}, and Ringkeeper's data beside them know of \
         {known} only: ZooKeeper has written since. To continue with ZooKeeper's data, move \
         ringkeeper-1 away and `ringkeeper import {dir} --to {dir}`; to continue with \
         Ringkeeper's, move {stock} away",
        stock = data_dir.join(DIRECTORY).display(),
        dir = data_dir.display()
    )]
    Newer {
        /// Where both are.
        data_dir: PathBuf,
        /// The last txn of `ZooKeeper`'s.
        found: Zxid,
        /// The last txn of them that is known.
        known: Zxid,
    },
    /// The data in the target are newer than those that are imported.
    #[error(
        "ZooKeeper's data in {stock} end with {found}, and those to be imported with {imported}: \
         import {dir} itself, or move {stock} away",
        stock = to.join(DIRECTORY).display(),
        dir = to.display()
    )]
    NewerInTarget {
        /// The target.
        to: PathBuf,
        /// The last txn of `ZooKeeper`'s there.
        found: Zxid,
        /// The last txn of what is imported.
        imported: Zxid,
    },
    /// The data cannot be read.
    #[error(
        "ZooKeeper's data in {path} cannot be read ({error}), so whether they are newer than \
         Ringkeeper's is not known: let this user read them, or move them away",
        path = path.display()
    )]
    Unreadable {
        /// Where they are.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// What a server of an ensemble has promised is not known.
    #[error(
        "{error}: what this server has promised to the others is not known. Take the directory of \
         another server; or let this one begin with an empty dataDir, and the leader sends it all"
    )]
    Epochs {
        /// Which file, and why.
        error: io::Error,
    },
}

/// The last txn of `ZooKeeper`'s data in a dataDir and its dataLogDir; `None` if there are none.
pub fn stock_zxid(data_dir: &Path, log_dir: &Path) -> Result<Option<Zxid>, HistoryError> {
    let mut directories = vec![data_dir.join(DIRECTORY)];
    if !is_same(data_dir, log_dir) {
        directories.push(log_dir.join(DIRECTORY));
    }
    directory::newest_zxid(&directories)
        .map_err(|error| HistoryError::Unreadable { path: directories.swap_remove(0), error })
}

/// Checks that the data found of `ZooKeeper`'s are known. If they were never examined, they must
/// not be later than `ours`, the last txn of Ringkeeper's data.
pub fn check_beside<E: From<HistoryError>>(
    data_dir: &Path,
    found: Option<Zxid>,
    known: Known,
    ours: impl FnOnce() -> Result<Zxid, E>,
) -> Result<(), E> {
    let Some(found) = found else { return Ok(()) };
    let known = match known {
        Known::UpTo(zxid) => zxid,
        // A server that was started and has written nothing leaves a snapshot of this zxid.
        Known::Nothing => Zxid::ZERO,
        Known::Unasked => ours()?,
    };
    if found <= known {
        return Ok(());
    }
    Err(HistoryError::Newer { data_dir: data_dir.to_owned(), found, known }.into())
}

/// What to record once the data were examined.
pub fn seen(found: Option<Zxid>) -> Known {
    found.map_or(Known::Nothing, Known::UpTo)
}

/// A warning, if `ZooKeeper` has written to a copy in another directory since.
pub fn continued_elsewhere(copied: &Copied) -> Option<String> {
    let Copied { directory, zxid } = copied;
    // It may be on another machine or not mounted: then this cannot be known.
    let found = stock_zxid(directory, directory).ok().flatten()?;
    (found > *zxid).then(|| {
        format!(
            "ZooKeeper has written in {}, up to {found}, since data were imported from there or \
             exported to it at {zxid}: none of that is here; if clients have used that server, \
             import its data",
            directory.display()
        )
    })
}
