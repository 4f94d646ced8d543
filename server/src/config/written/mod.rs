//! The configuration as written: every `key=value` that was given, with where it was given.
//!
//! Four sources, in the order in which they are read: `SERVER_JVMFLAGS`, `JVMFLAGS` (the order of
//! ZooKeeper's own start script, where the later flag wins), the file, `--set`. Nothing is judged
//! here but the form; which entry counts is decided in [`super::decided`].
//!
//! The environment is not read here: its values come in as strings.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{ConfigError, properties};

#[cfg(test)]
mod tests;

/// Where an entry was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of the configuration file, numbered from 1.
    File {
        /// The file as it was named.
        path: Arc<Path>,
        /// The line on which the entry begins.
        line: u32,
    },
    /// An argument `--set key=value`.
    Set,
    /// A `-Dkey=value` in the environment variable `SERVER_JVMFLAGS`.
    ServerJvmFlags,
    /// A `-Dkey=value` in the environment variable `JVMFLAGS`.
    JvmFlags,
    /// Not written by anyone.
    Default,
}

impl Origin {
    /// Is it a Java system property, which is named with the prefix `zookeeper.`?
    pub fn is_jvm_flags(&self) -> bool {
        matches!(self, Origin::ServerJvmFlags | Origin::JvmFlags)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Set => f.write_str("--set"),
            Origin::ServerJvmFlags => f.write_str("SERVER_JVMFLAGS"),
            Origin::JvmFlags => f.write_str("JVMFLAGS"),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// One key with its value, as written; both without white space around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key in the form of its source: a system property still has its prefix.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where it stands.
    pub origin: Origin,
}

/// How a file that the configuration leads to is read: all of it, or `None` if there is no such
/// file.
pub type ReadFile = fn(&Path) -> io::Result<Option<Vec<u8>>>;

/// What `main` collected from the command line and the environment.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The configuration file, if one was named: its path and its bytes.
    pub file: Option<(PathBuf, Vec<u8>)>,
    /// The arguments of `--set`, in order.
    pub sets: Vec<String>,
    /// The environment variable `SERVER_JVMFLAGS`, empty if unset.
    pub server_jvm_flags: String,
    /// The environment variable `JVMFLAGS`, empty if unset.
    pub jvm_flags: String,
    /// How `myid` and the ensemble's own file are read.
    pub read: ReadFile,
}

impl Default for Sources {
    /// Nothing was given, and there are no files.
    fn default() -> Self {
        Sources {
            file: None,
            sets: Vec::new(),
            server_jvm_flags: String::new(),
            jvm_flags: String::new(),
            read: |_| Ok(None),
        }
    }
}

/// Everything that was written, in reading order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The entries, in reading order, duplicates included.
    pub entries: Vec<Entry>,
    /// Was there a file? Without one the defaults are those of a server to try out.
    pub has_file: bool,
    /// Its text.
    pub file_text: String,
}

impl Written {
    /// Reads all sources.
    ///
    /// # Errors
    /// Every [`ConfigError::Syntax`] found: a malformed escape in the file, a `--set` without `=`,
    /// a quote that is not closed.
    pub fn read(sources: &Sources) -> Result<Written, Vec<ConfigError>> {
        let mut written = Written { has_file: sources.file.is_some(), ..Written::default() };
        let mut errors = Vec::new();
        for (flags, origin) in [
            (&sources.server_jvm_flags, Origin::ServerJvmFlags),
            (&sources.jvm_flags, Origin::JvmFlags),
        ] {
            errors.extend(written.add_jvm_flags(flags, &origin).err());
        }
        if let Some((path, bytes)) = &sources.file {
            errors.extend(written.add_file(path, bytes).err());
            written.file_text = String::from_utf8_lossy(bytes).into_owned();
        }
        for set in &sources.sets {
            errors.extend(written.add_set(set).err());
        }
        if errors.is_empty() { Ok(written) } else { Err(errors) }
    }

    fn add(&mut self, key: &str, value: &str, origin: Origin) {
        let (key, value) = (key.trim().to_owned(), value.trim().to_owned());
        self.entries.push(Entry { key, value, origin });
    }

    fn add_file(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
        let path: Arc<Path> = Arc::from(path);
        let properties = properties::parse(bytes).map_err(|malformed| ConfigError::Syntax {
            origin: Origin::File { path: Arc::clone(&path), line: malformed.line },
            what: "after \\u must come four hexadecimal digits",
        })?;
        for property in properties {
            let origin = Origin::File { path: Arc::clone(&path), line: property.line };
            self.add(&property.key, &property.value, origin);
        }
        Ok(())
    }

    fn add_set(&mut self, set: &str) -> Result<(), ConfigError> {
        let (key, value) = set
            .split_once('=')
            .filter(|(key, _)| !key.trim().is_empty())
            .ok_or(ConfigError::Syntax { origin: Origin::Set, what: "must be key=value" })?;
        self.add(key, value, Origin::Set);
        Ok(())
    }

    fn add_jvm_flags(&mut self, flags: &str, origin: &Origin) -> Result<(), ConfigError> {
        let words = split_words(flags).ok_or_else(|| ConfigError::Syntax {
            origin: origin.clone(),
            what: "a quote is not closed",
        })?;
        for word in words {
            // Anything else is for a Java machine, which is not here.
            if let Some(property) = word.strip_prefix("-D") {
                // Java takes a property without a value as the empty string.
                let (key, value) = property.split_once('=').unwrap_or((property, ""));
                self.add(key, value, origin.clone());
            }
        }
        Ok(())
    }
}

/// Splits as a shell does: white space separates, quotes and backslashes hold together.
/// `None` if a quote is not closed.
fn split_words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(open), _) if character == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(character),
            (_, '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            (None, _) if character.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    if quote.is_none() { Some(words) } else { None }
}
