//! `dynamicConfigFile`: the ensemble's lines in a file of their own, which servers of an ensemble
//! rewrite. One server alone only reads it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use model::{peer::membership::Reading, properties};

use crate::config::{ConfigError, Origin};

use super::super::{Files, settle::Settled};
use super::{Lines, ServersFault, Setting};

/// What ZooKeeper appends to the name of its configuration file for the lines that were last
/// proposed by a change of the ensemble.
const NEXT_SUFFIX: &str = ".dynamic.next";

/// Reads the file.
///
/// # Errors
/// Everything that prevents reading its lines; other errors are added to `settled`.
pub(super) fn read(
    settled: &mut Settled<'_>,
    path: &Path,
    files: Files<'_>,
    reading: Reading,
) -> Result<Lines, Vec<ConfigError>> {
    let lines = match load(path, files) {
        Ok(Some(lines)) => lines,
        Ok(None) => {
            settled.fail_value("dynamicConfigFile", "a file that exists");
            return Err(Vec::new());
        }
        Err(error) => return Err(vec![error]),
    };
    if version_of(path).is_some_and(|version| version < 0) {
        settled.fail_value("dynamicConfigFile", "a name that does not end in a negative version");
    }
    let mut known = Lines::default();
    for setting in lines {
        if let Some(unknown) = known.add(setting) {
            settled.fail(unknown.error(match unknown.key.as_str() {
                "version" => ServersFault::Version,
                _ => ServersFault::Unknown,
            }));
        }
    }
    check_next(settled, files, reading);
    Ok(known)
}

/// The proposed lines decide nothing for one server alone, but ZooKeeper does not start if they are
/// wrong.
fn check_next(settled: &mut Settled<'_>, files: Files<'_>, reading: Reading) {
    let Some(config) = files.config else { return };
    let mut next = config.as_os_str().to_owned();
    next.push(NEXT_SUFFIX);
    match load(&PathBuf::from(next), files) {
        Ok(None) => {}
        Err(error @ ConfigError::File { .. }) => settled.warn(error.to_string()),
        Err(error) => settled.fail(error),
        Ok(Some(settings)) => {
            let mut lines = Lines::default();
            for setting in settings {
                let is_version = setting.key == "version";
                if is_version && i64::from_str_radix(&setting.value, 16).is_err() {
                    settled.fail(setting.error(ServersFault::NextVersion));
                } else {
                    lines.add(setting);
                }
            }
            let errors =
                lines.read(Reading { has_groups: true, ..reading }).err().into_iter().flatten();
            errors.for_each(|error| settled.fail(error));
        }
    }
}

/// The entries of a file, of equal keys the last one; `None` if there is no file.
fn load(path: &Path, files: Files<'_>) -> Result<Option<Vec<Setting>>, ConfigError> {
    let Some(bytes) = files.read(path)? else { return Ok(None) };
    let shared: Arc<Path> = Arc::from(path);
    let origin = |line| Origin::File { path: shared.clone(), line };
    let entries = properties::parse(&bytes).map_err(|malformed| ConfigError::Syntax {
        origin: origin(malformed.line),
        what: "four hexadecimal digits must follow \\u".to_owned(),
    })?;
    let mut settings: Vec<Setting> = Vec::new();
    for entry in entries {
        let (key, value) = (entry.key.trim().to_owned(), entry.value.trim().to_owned());
        settings.retain(|setting| setting.key != key);
        settings.push(Setting { key, value, origin: origin(entry.line) });
    }
    Ok(Some(settings))
}

/// The version that a file's name ends in, after its last dot.
pub(super) fn version_of(path: &Path) -> Option<i64> {
    let (_, version) = path.to_str()?.rsplit_once('.')?;
    i64::from_str_radix(version, 16).ok()
}

impl Lines {
    /// Adds a setting where it belongs; returns it if it belongs nowhere.
    fn add(&mut self, setting: Setting) -> Option<Setting> {
        let place = match setting.key.as_str() {
            key if key.starts_with("server.") => &mut self.servers,
            key if key.starts_with("group") => &mut self.groups,
            key if key.starts_with("weight") => &mut self.weights,
            _ => return Some(setting),
        };
        place.push(setting);
        None
    }
}
