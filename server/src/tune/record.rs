//! What was there before a change, in a file that survives a crash.
//!
//! Written completely under another name, then renamed: it is either the old one or the new one. It
//! is used only if it is byte for byte what this program would write, and its checksum fits:
//! values from a file that somebody has touched are never written into the kernel.

use super::error::RecordError;
use nix::fcntl::{Flock, FlockArg};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use tuning::Kernel;

/// The format of the file.
const FORMAT: u64 = 1;
/// Some thousand changes; more is no record.
const BYTES_MAX: u64 = 4 << 20;

/// What was changed since one start of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Which start; `None` if the kernel does not say.
    pub boot_id: Option<String>,
    pub entries: Vec<Entry>,
}

/// One file of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub tuner: String,
    /// Its name, below `/sys` or `/proc`.
    pub name: String,
    /// Before the first change.
    pub old: String,
    /// What was written.
    pub new: String,
}

/// The number of this start of the machine.
pub(super) fn boot_id(kernel: &Kernel) -> Option<String> {
    kernel.read("/proc/sys/kernel/random/boot_id").ok().map(|file| file.value)
}

impl Record {
    /// Whether the machine has been started again since.
    pub(super) fn is_before(&self, boot_id: Option<&String>) -> bool {
        // If one is not known, the values have to decide.
        matches!((&self.boot_id, boot_id), (Some(then), Some(now)) if then != now)
    }

    fn render(&self) -> String {
        let changes = self
            .entries
            .iter()
            .map(|it| json!({ "tuner": it.tuner, "file": it.name, "old": it.old, "new": it.new }));
        let content = json!({ "boot_id": self.boot_id, "changes": changes.collect::<Vec<_>>() });
        let crc = format!("{:08x}", crc32c::crc32c(content.to_string().as_bytes()));
        let whole = json!({ "format": FORMAT, "crc32c": crc, "content": content });
        format!("{whole:#}\n")
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, RecordError> {
        let torn = || RecordError::Torn(path.to_owned());
        let whole: Value = serde_json::from_slice(bytes).map_err(|_| torn())?;
        let format = whole["format"].as_u64().ok_or_else(torn)?;
        if format > FORMAT {
            return Err(RecordError::Newer { path: path.to_owned(), format, known: FORMAT });
        }
        let edited = || RecordError::Edited(path.to_owned());
        let content = &whole["content"];
        let entry = |it: &Value| {
            let text = |key: &str| Some(it[key].as_str()?.to_owned());
            let (tuner, name) = (text("tuner")?, text("file")?);
            Some(Entry { tuner, name, old: text("old")?, new: text("new")? })
        };
        let changes = content["changes"].as_array().ok_or_else(edited)?;
        let entries: Option<Vec<Entry>> = changes.iter().map(entry).collect();
        let record = Self {
            boot_id: content["boot_id"].as_str().map(str::to_owned),
            entries: entries.ok_or_else(edited)?,
        };
        if record.render().as_bytes() == bytes { Ok(record) } else { Err(edited()) }
    }
}

/// A record's place; only one command at a time has it.
pub(super) struct Place {
    path: PathBuf,
    directory: Flock<File>,
}

/// The record at this path, if there is one.
pub(super) fn read(path: &Path) -> Result<Option<Record>, RecordError> {
    let failed = |source| RecordError::File { path: path.to_owned(), what: "read", source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = Vec::new();
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(RecordError::Torn(path.to_owned()));
    }
    Record::parse(path, &bytes).map(Some)
}

impl Place {
    /// Takes the place, whose directory is there.
    pub(super) fn take(path: &Path) -> Result<Self, RecordError> {
        let failed = |source| RecordError::File { path: path.to_owned(), what: "locked", source };
        let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = parent.unwrap_or(Path::new(".")).to_owned();
        let opened = File::open(&directory).map_err(failed)?;
        match Flock::lock(opened, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => Ok(Self { path: path.to_owned(), directory: locked }),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(RecordError::Held(directory)),
            Err((_, errno)) => Err(failed(errno.into())),
        }
    }

    /// Replaces the record; without entries there is none. Durable when it returns.
    pub(super) fn write(&self, record: &Record) -> Result<(), RecordError> {
        let replaced = if record.entries.is_empty() {
            match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        } else {
            self.replace(record.render().as_bytes())
        };
        replaced.and_then(|()| self.directory.sync_all()).map_err(|source| RecordError::File {
            path: self.path.clone(),
            what: "written",
            source,
        })
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let mut unfinished = self.path.clone().into_os_string();
        unfinished.push(".unfinished");
        let mut file = File::create(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Place, Record, RecordError, read};
    use std::fs;
    use std::path::Path;

    fn record() -> Record {
        let entry = |name: &str, old: &str| Entry {
            tuner: "swappiness".into(),
            name: name.into(),
            old: old.into(),
            new: "1".into(),
        };
        let entries = vec![entry("/proc/sys/vm/swappiness", "60"), entry("/sys/x\"\n", "\u{e9}")];
        Record { boot_id: Some("b".into()), entries }
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_not_otherwise() {
        let path = Path::new("record");
        let text = record().render();
        assert_eq!(Record::parse(path, text.as_bytes()).unwrap(), record());
        let unknown = Record { boot_id: None, ..record() };
        assert_eq!(Record::parse(path, unknown.render().as_bytes()).unwrap(), unknown);
        for end in 0..text.len() {
            assert!(Record::parse(path, &text.as_bytes()[..end]).is_err(), "{end}");
        }
        // No byte can be another one.
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(Record::parse(path, &bytes).is_err(), "{at}");
        }
        let later = text.replace("\"format\": 1", "\"format\": 2");
        let error = Record::parse(path, later.as_bytes()).unwrap_err();
        assert!(matches!(error, RecordError::Newer { format: 2, .. }), "{error}");
    }

    #[test]
    fn one_command_at_a_time_has_the_place() {
        let name = format!("ringkeeper-tune-record-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        fs::create_dir_all(&directory).unwrap();
        let path = directory.join("record.json");
        let place = Place::take(&path).unwrap();
        assert!(matches!(Place::take(&path), Err(RecordError::Held(_))));
        assert_eq!(read(&path).unwrap(), None);
        place.write(&record()).unwrap();
        place.write(&record()).unwrap();
        assert_eq!(read(&path).unwrap(), Some(record()));
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left");
        place.write(&Record::default()).unwrap();
        assert!(!path.exists());
        drop(place);
        Place::take(&path).unwrap();
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn only_two_known_starts_can_differ() {
        let (this, other) = ("b".to_owned(), "c".to_owned());
        assert!(record().is_before(Some(&other)));
        assert!(!record().is_before(Some(&this)) && !record().is_before(None));
        assert!(!Record { boot_id: None, ..record() }.is_before(Some(&this)));
    }
}
