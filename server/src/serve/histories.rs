//! Whether the data to be served are the newest: `ZooKeeper` may have written since the import or
//! export.

use std::sync::Arc;

use disk::Background;
use engine::settings::Settings;
use tracing::warn;

use super::ServeError;
use crate::data_set::{
    DataMark, HistoryError, Known, check_beside, continued_elsewhere, seen, stock_zxid,
};
use crate::directories::Directories;
use crate::persist;

/// Refuses to serve beside newer data of `ZooKeeper`. Returns up to where they are known from now
/// on.
pub(super) fn look(
    background: &Background,
    directories: &Directories,
    settings: &Arc<Settings>,
) -> Result<Known, ServeError> {
    let (data_dir, log_dir) = (directories.data_dir(), directories.log_dir());
    let mark = DataMark::read(data_dir)?.unwrap_or_default();
    let known = match stock_zxid(data_dir, log_dir) {
        Ok(found) => {
            // Read twice if they were never examined, which happens once in the life of the data.
            let ours = || {
                let read = persist::read_back(background, directories.clone(), settings.clone());
                Ok::<_, ServeError>(read?.recovered.last)
            };
            check_beside(data_dir, found, mark.known, ours)?;
            seen(found)
        }
        // An old import may have left files that only ZooKeeper's user can read.
        Err(error @ HistoryError::Unreadable { .. }) => {
            warn!("{error}");
            mark.known
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(warning) = mark.copied.as_ref().and_then(continued_elsewhere) {
        warn!("{warning}");
    }
    Ok(known)
}
