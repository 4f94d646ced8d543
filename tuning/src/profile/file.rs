//! Profiles as files: TOML, a table for each knob.
//!
//! ```toml
//! version = 1
//! name = "mine"
//! about = "The servers in rack 12."
//!
//! [log.slots]
//! value = 4
//! why = "Eight bring no more."
//! measured = "1: 9000/s, 4: 21000/s, 8: 21500/s"
//! ```

use super::{KNOBS, Kind, Knob, Machine, Profile, Value};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use thiserror::Error;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The version of the form.
pub const VERSION: u32 = 1;
/// No profile is longer.
const BYTES_MAX: u64 = 1 << 20;
/// What a knob's table may have.
const PARTS: [&str; 3] = ["value", "why", "measured"];
/// What the table of the machine has.
const MACHINE: [&str; 4] = ["processor", "processors", "disk", "file-system"];

/// Why a file is no profile.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// It cannot be read.
    #[error("the profile {} cannot be read: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        error: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("the profile {from}, line {line}: {what}")]
    Wrong {
        /// The file.
        from: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl Profile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or is no profile.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let unreadable = |error| ProfileError::Unreadable { path: path.to_owned(), error };
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        if length > BYTES_MAX {
            let what = format!("{length} bytes are too many for a profile");
            return Err(unreadable(std::io::Error::other(what)));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Reads a text; `from` is where it comes from.
    ///
    /// # Errors
    /// It is no profile.
    pub fn parse(text: &str, from: &str) -> Result<Self, ProfileError> {
        let parsed = DeTable::parse(text);
        let table = parsed.as_ref().map(Spanned::get_ref).map_err(|error| Wrong {
            at: error.span().unwrap_or(0..0),
            what: error.message().to_owned(),
        });
        table.and_then(profile_of).map_err(|wrong| {
            let before = &text[..wrong.at.start.min(text.len())];
            let line = 1 + before.bytes().filter(|&byte| byte == b'\n').count();
            ProfileError::Wrong { from: from.to_owned(), line, what: wrong.what }
        })
    }

    /// The text of a file.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "version = {VERSION}");
        let _ = writeln!(text, "name = {}", quoted(&self.name));
        let _ = writeln!(text, "about = {}", quoted(&self.about));
        if let Some(machine) = &self.machine {
            let Machine { processor, processors, disk, file_system } = machine;
            let _ = writeln!(text, "\n[machine]\nprocessor = {}", quoted(processor));
            let _ = writeln!(text, "processors = {processors}\ndisk = {}", quoted(disk));
            let _ = writeln!(text, "file-system = {}", quoted(file_system));
        }
        for (knob, decision) in &self.decisions {
            let value = match decision.value {
                Value::Word(word) => quoted(word),
                value => value.to_string(),
            };
            let _ = writeln!(text, "\n# {}: {}", knob.kind(), knob.says());
            let _ = writeln!(text, "[{knob}]\nvalue = {value}\nwhy = {}", quoted(&decision.why));
            if let Some(measured) = &decision.measured {
                let _ = writeln!(text, "measured = {}", quoted(measured));
            }
        }
        text
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

/// What is wrong, and where.
struct Wrong {
    at: Range<usize>,
    what: String,
}

fn wrong<T>(at: Range<usize>, what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { at, what: what.into() })
}

fn profile_of(table: &DeTable<'_>) -> Result<Profile, Wrong> {
    // First of all: a later form may have anything.
    match table.get("version") {
        None => return wrong(0..0, format!("version = {VERSION} is missing")),
        Some(version) => match number(version)? {
            VERSION => (),
            later if later > VERSION => {
                let what = format!(
                    "version {later} is of a later program, this one reads version {VERSION}: make \
                     it again with `ringkeeper probe --profile`"
                );
                return wrong(version.span(), what);
            }
            other => return wrong(version.span(), format!("there is no version {other}")),
        },
    }
    let mut profile = Profile::new("", "");
    for (key, value) in table {
        match &**key.get_ref() {
            "version" => (),
            "name" => profile.name = name(value)?,
            "about" => text(value)?.clone_into(&mut profile.about),
            "machine" => profile.machine = Some(machine(value)?),
            _ if !value.get_ref().is_table() => {
                let known: Vec<_> = ["name", "about"].into_iter().chain(sections()).collect();
                return wrong(key.span(), unknown(key.get_ref(), &known));
            }
            _ => {}
        }
    }
    if profile.name.is_empty() {
        return wrong(0..0, "name is missing");
    }
    for (key, value) in table {
        if let (section, DeValue::Table(knobs)) = (&**key.get_ref(), value.get_ref())
            && section != "machine"
        {
            decide(&mut profile, section, key.span(), knobs)?;
        }
    }
    let number = |knob| profile.number(knob);
    if let (Some(entries), Some(completions)) =
        (number(Knob::RingEntries), number(Knob::RingCompletions))
        && completions < entries
    {
        let what = format!("ring.completions = {completions} is less than ring.entries");
        return wrong(0..0, what);
    }
    Ok(profile)
}

/// Decides what a section has.
fn decide(
    profile: &mut Profile,
    section: &str,
    at: Range<usize>,
    knobs: &DeTable<'_>,
) -> Result<(), Wrong> {
    let names: Vec<_> = KNOBS.iter().filter(|it| it.1 == section).collect();
    if names.is_empty() {
        return wrong(at, unknown(section, &sections().collect::<Vec<_>>()));
    }
    for (key, value) in knobs {
        let found = names.iter().find(|it| it.2 == &**key.get_ref());
        let Some(&&(knob, .., kind, _)) = found else {
            let names: Vec<_> = names.iter().map(|it| it.2).collect();
            return wrong(key.span(), unknown(key.get_ref(), &names));
        };
        let DeValue::Table(parts) = value.get_ref() else {
            let what = format!("[{knob}] is a table: value = ..., why = \"...\"");
            return wrong(key.span(), what);
        };
        if let Some((key, _)) = parts.iter().find(|(key, _)| !PARTS.contains(&&**key.get_ref())) {
            return wrong(key.span(), unknown(key.get_ref(), &PARTS));
        }
        let part = |name: &str| parts.get(name);
        let Some(given) = part("value") else {
            return wrong(key.span(), format!("[{knob}] has no value"));
        };
        let decided = value_of(kind, given.get_ref()).filter(|it| knob.takes(it));
        let Some(decided) = decided else {
            return wrong(given.span(), format!("{knob} is {kind}"));
        };
        let why = part("why").map(text).transpose()?.unwrap_or_default();
        let measured = part("measured").map(text).transpose()?;
        profile.decide(knob, decided, why.to_owned(), measured.map(str::to_owned));
    }
    Ok(())
}

fn value_of(kind: Kind, given: &DeValue<'_>) -> Option<Value> {
    match (kind, given) {
        (Kind::Number(..) | Kind::Power(..), DeValue::Integer(digits)) => {
            u32::from_str_radix(digits.as_str(), digits.radix()).ok().map(Value::Number)
        }
        (Kind::Word(words), DeValue::String(given)) => {
            words.iter().find(|word| **word == *given).map(|word| Value::Word(word))
        }
        (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
        _ => None,
    }
}

fn machine(value: &Spanned<DeValue<'_>>) -> Result<Machine, Wrong> {
    let DeValue::Table(parts) = value.get_ref() else {
        return wrong(value.span(), "[machine] is a table");
    };
    if let Some((key, _)) = parts.iter().find(|(key, _)| !MACHINE.contains(&&**key.get_ref())) {
        return wrong(key.span(), unknown(key.get_ref(), &MACHINE));
    }
    let part = |name: &str| match parts.get(name) {
        Some(part) => Ok(part),
        None => wrong(value.span(), format!("[machine] has no {name}")),
    };
    Ok(Machine {
        processor: text(part("processor")?)?.to_owned(),
        processors: number(part("processors")?)?,
        disk: text(part("disk")?)?.to_owned(),
        file_system: text(part("file-system")?)?.to_owned(),
    })
}

fn name(value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
    let name = text(value)?;
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_' || it == '.';
    if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
        return wrong(value.span(), "a name has letters, digits and hyphens, at most 64");
    }
    Ok(name.to_owned())
}

fn text<'a>(value: &'a Spanned<DeValue<'_>>) -> Result<&'a str, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        other => wrong(value.span(), format!("a text in quotes is needed, not {}", kind_of(other))),
    }
}

fn number(value: &Spanned<DeValue<'_>>) -> Result<u32, Wrong> {
    let digits = value.get_ref().as_integer();
    let number = digits.and_then(|it| u32::from_str_radix(it.as_str(), it.radix()).ok());
    number.map_or_else(|| wrong(value.span(), "a whole number is needed"), Ok)
}

fn kind_of(value: &DeValue<'_>) -> &'static str {
    value.type_str()
}

fn sections() -> impl Iterator<Item = &'static str> {
    let mut sections: Vec<_> = KNOBS.iter().map(|it| it.1).collect();
    sections.dedup();
    sections.into_iter()
}

fn unknown(found: &str, known: &[&str]) -> String {
    format!("there is no {found}; there are {}", known.join(", "))
}
