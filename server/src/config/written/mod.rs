//! The configuration as written: every `key=value` that was given, with where it was given.
//!
//! Four sources, in the order in which they are read: `SERVER_JVMFLAGS`, `JVMFLAGS` (the order of
//! ZooKeeper's own start script, where the later flag wins), the file, `--set`. Only the form is
//! checked here; which entry counts is decided in [`super::decided`].
//!
//! The environment is not read here: its values are passed in as strings.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::properties;

use super::{ConfigError, Notice};

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
    /// It is not written anywhere.
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

/// One key with its value, as written; in the file and after `--set`, without white space around.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenEntry {
    /// The key in the form of its source: a system property still has its prefix.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where it is written.
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
    /// Places with flags that Java or the start script of `ZooKeeper` would read, and that are not
    /// read here.
    pub unread: Vec<String>,
    /// How `myid` and the ensemble's own file are read.
    pub read: ReadFile,
}

impl Default for Sources {
    /// No sources, and no files.
    fn default() -> Self {
        Sources {
            file: None,
            sets: Vec::new(),
            server_jvm_flags: String::new(),
            jvm_flags: String::new(),
            unread: Vec::new(),
            read: |_| Ok(None),
        }
    }
}

/// Everything that was written, in reading order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The entries, in reading order, duplicates included.
    pub entries: Vec<WrittenEntry>,
    /// Was there a file? Without one the defaults are those of a trial server.
    pub has_file: bool,
    /// Its text.
    pub file_text: String,
    /// Notices about the sources themselves.
    pub notices: Vec<Notice>,
}

impl Written {
    /// Reads all sources.
    ///
    /// # Errors
    /// Every [`ConfigError::Syntax`] found: a malformed escape in the file, a `--set` without `=`,
    /// a flag that Java would read as the name of a program.
    pub fn read(sources: &Sources) -> Result<Written, Vec<ConfigError>> {
        let mut written = Written { has_file: sources.file.is_some(), ..Written::default() };
        let mut errors = Vec::new();
        for place in &sources.unread {
            written.notices.push(Notice::Warning(format!(
                "{place} has flags -D and is not read: put those for ZooKeeper into JVMFLAGS"
            )));
        }
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

    fn add_file(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ConfigError> {
        let path: Arc<Path> = Arc::from(path);
        let properties = properties::parse(bytes).map_err(|malformed| ConfigError::Syntax {
            origin: Origin::File { path: Arc::clone(&path), line: malformed.line },
            what: "\\u must be followed by four hexadecimal digits".to_owned(),
        })?;
        for property in properties {
            let origin = Origin::File { path: Arc::clone(&path), line: property.line };
            if !property.key.is_ascii() || !property.value.is_ascii() {
                self.warn_of_encoding(&origin, &property.key);
            }
            let (key, value) = (trim(&property.key), trim(&property.value));
            self.entries.push(WrittenEntry { key, value, origin });
        }
        Ok(())
    }

    /// Escapes are fine; the bytes that were written instead of one are probably not intended.
    fn warn_of_encoding(&mut self, origin: &Origin, key: &str) {
        self.notices.push(Notice::Warning(format!(
            "{origin}: {} has characters outside ASCII: as ZooKeeper does, each byte of the file \
             is read as a character of ISO-8859-1, and names of files are made of these in UTF-8; \
             write such characters as \\u and four hexadecimal digits",
            trim(key)
        )));
    }

    fn add_set(&mut self, set: &str) -> Result<(), ConfigError> {
        let (key, value) =
            set.split_once('=').filter(|(key, _)| !trim(key).is_empty()).ok_or_else(|| {
                ConfigError::Syntax { origin: Origin::Set, what: "must be key=value".to_owned() }
            })?;
        self.entries.push(WrittenEntry { key: trim(key), value: trim(value), origin: Origin::Set });
        Ok(())
    }

    /// Splits the flags as the start script passes them to Java: it uses the variable without
    /// quotes, so white space separates, and quotes and backslashes are ordinary characters.
    fn add_jvm_flags(&mut self, flags: &str, origin: &Origin) -> Result<(), ConfigError> {
        let mut words = flags.split([' ', '\t', '\n']).filter(|word| !word.is_empty());
        while let Some(word) = words.next() {
            let Some(property) = word.strip_prefix("-D") else {
                if WITH_ARGUMENT.contains(&word) {
                    words.next();
                } else if !word.starts_with('-') {
                    return Err(ConfigError::Syntax {
                        origin: origin.clone(),
                        what: format!(
                            "Java would take {word} for the program to run, or for a file with \
                             flags, and not start a server: every flag begins with -, and quotes \
                             do not hold a value with blanks together"
                        ),
                    });
                }
                continue;
            };
            // Java reads a property without a value as the empty string.
            let (key, value) = property.split_once('=').unwrap_or((property, ""));
            if value.contains(['"', '\'', '\\']) {
                self.notices.push(Notice::Warning(format!(
                    "{origin}: {key}: quotes and backslashes belong to the value, as in the start \
                     script of ZooKeeper, which splits this variable at blanks only"
                )));
            }
            self.entries.push(WrittenEntry {
                key: key.to_owned(),
                value: value.to_owned(),
                origin: origin.clone(),
            });
        }
        Ok(())
    }
}

/// The flags of Java whose argument is a separate word.
const WITH_ARGUMENT: [&str; 13] = [
    "-cp",
    "-classpath",
    "--class-path",
    "-p",
    "--module-path",
    "--upgrade-module-path",
    "--add-modules",
    "--add-exports",
    "--add-opens",
    "--add-reads",
    "--limit-modules",
    "--patch-module",
    "--enable-native-access",
];

/// Without what Java's `trim` considers white space at both ends.
fn trim(text: &str) -> String {
    text.trim_matches(|c| c <= ' ').to_owned()
}
