//! Whether a server without data may vote.
//!
//! With `db.autocreate=false` a server without data may have lost them: it only follows until it
//! has got a copy. The file `initialize` in dataLogDir says that there are none yet; it counts
//! once. It is moved beside the log, so that it still counts at the next start if nothing was
//! written before, and goes where the log goes.
//!
//! Source: ZooKeeper 3.9.5, `FileTxnSnapLog`.

use super::error::ServeError;
use crate::config::decided;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use tracing::info;
use txlog::segments::DIRECTORY;

/// The name of the file, in dataLogDir.
const FILE: &str = "initialize";
/// Its name beside the log.
const COUNTED: &str = "initialized";

/// Moves the file if there is one. Whether this server may vote without data. The log's directory
/// exists.
pub(super) fn is_empty_trusted(storage: &decided::Storage) -> Result<bool, ServeError> {
    let log_dir = &storage.data_log_dir;
    let (file, counted) = (log_dir.join(FILE), log_dir.join(DIRECTORY).join(COUNTED));
    match move_durably(&file, &counted) {
        Ok(()) => info!("{} was there: this server votes even without data", file.display()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => return Err(ServeError::Initialize(file, error)),
    }
    Ok(storage.empty_votes || counted.exists())
}

fn move_durably(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    for directory in [to.parent(), from.parent()].into_iter().flatten() {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
