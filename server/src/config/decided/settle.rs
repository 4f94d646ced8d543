//! Which entry of a key counts, and what its author is told.
//!
//! From weak to strong: the default; a key that stands where ZooKeeper would not see it; a system
//! property; a line of the file (ZooKeeper makes it a property, over those already set); `--set`.
//! Among equals the later one counts.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::config::{
    ConfigError, Origin, Written,
    keys::{self, Effect, Form, Key, Property, Value},
    written::Entry,
};

use super::{Config, Decided, Notice};

/// The entries that count, by key.
pub(super) struct Settled<'a> {
    written: &'a Written,
    has_file: bool,
    exact: BTreeMap<&'static str, (Value, &'a Entry)>,
    /// Members of families: the family's name, then the member's.
    families: BTreeMap<&'static str, BTreeMap<String, &'a Entry>>,
    /// The keys that were asked for: for the test that the table is complete.
    asked: RefCell<BTreeSet<&'static str>>,
    /// The keys whose value could not be read: they count as default, and nobody need ask again.
    broken: BTreeSet<&'static str>,
    notices: Vec<Notice>,
    errors: Vec<ConfigError>,
}

/// How strongly an entry speaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    MisplacedLine,
    MisplacedProperty,
    Property,
    Line,
    Set,
}

impl<'a> Settled<'a> {
    pub(super) fn new(written: &'a Written) -> Self {
        let mut settled = Settled {
            written,
            has_file: written.has_file,
            exact: BTreeMap::new(),
            families: BTreeMap::new(),
            asked: RefCell::default(),
            broken: BTreeSet::new(),
            notices: Vec::new(),
            errors: Vec::new(),
        };
        let mut winners: BTreeMap<&str, (Rank, &'static Key, &'a Entry)> = BTreeMap::new();
        for entry in &written.entries {
            let Some((name, key, rank)) = settled.place(entry) else { continue };
            if let Some(&(other, _, before)) = winners.get(name) {
                let (loser, winner) = if other > rank { (entry, before) } else { (before, entry) };
                if loser.value != winner.value {
                    settled.note(format!("{}: {name}: {} counts", loser.origin, winner.origin));
                }
                if other > rank {
                    continue;
                }
            }
            winners.insert(name, (rank, key, entry));
        }
        settled.judge(winners);
        settled
    }

    /// The row an entry belongs to and how strongly it speaks; `None` if it is passed over.
    fn place(&mut self, entry: &'a Entry) -> Option<(&'a str, &'static Key, Rank)> {
        let written = entry.key.as_str();
        let stripped = written.strip_prefix("zookeeper.");
        if !entry.origin.is_jvm_flags() {
            let is_set = entry.origin == Origin::Set;
            let found = keys::find(written).map(|key| (written, key));
            let found = found.or_else(|| stripped.and_then(|it| Some((it, keys::find(it)?))));
            let Some((name, key)) = found else {
                self.unknown(entry, stripped.unwrap_or(written));
                return None;
            };
            if is_set {
                return Some((name, key, Rank::Set));
            }
            if name == written && key.property != Property::Bare {
                return Some((name, key, Rank::Line));
            }
            self.note(format!(
                "{}: {written}: ZooKeeper does not see this key here, Ringkeeper does",
                entry.origin
            ));
            return Some((name, key, Rank::MisplacedLine));
        }
        let name = stripped.unwrap_or(written);
        let Some(key) = keys::find(name) else {
            // Without the prefix it is for the Java machine or a library.
            if stripped.is_some() {
                self.unknown(entry, name);
            }
            return None;
        };
        match (key.property, stripped.is_some()) {
            (Property::Prefixed | Property::PrefixedOrBare, true)
            | (Property::Bare | Property::PrefixedOrBare, false) => {
                Some((name, key, Rank::Property))
            }
            (Property::Bare, true) => Some((name, key, Rank::MisplacedProperty)),
            (Property::Prefixed, false) => {
                self.warn(format!(
                    "{}: -D{written} is passed over, as ZooKeeper does: write -Dzookeeper.{name}",
                    entry.origin
                ));
                None
            }
            (Property::FileOnly, _) => {
                self.warn(format!(
                    "{}: -D{written} is passed over, as ZooKeeper does: {name} counts in the \
                     configuration file only",
                    entry.origin
                ));
                None
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, name: &str) {
        let guess = keys::nearest(name).map(|it| format!(": did you mean {it}?"));
        let guess = guess.unwrap_or_default();
        self.warn(format!("{}: {} is not known and passed over{guess}", entry.origin, entry.key));
    }

    /// Reads the values that count, and gathers those without effect by their reason.
    fn judge(&mut self, winners: BTreeMap<&str, (Rank, &'static Key, &'a Entry)>) {
        let mut idle: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for (name, (_, key, entry)) in winners {
            let honoured = key.effect == Effect::Honoured;
            let form = if honoured || key.form != Form::Text { key.form } else { Form::MaybeEmpty };
            let Some(value) = form.read(&entry.value) else {
                self.broken.insert(key.name);
                self.errors.push(ConfigError::Value {
                    origin: entry.origin.clone(),
                    key: entry.key.clone(),
                    value: entry.value.clone(),
                    expected: key.form.to_string(),
                });
                continue;
            };
            match key.effect {
                Effect::Honoured if key.is_family() => {
                    let family = self.families.entry(key.name).or_default();
                    family.insert(name.to_owned(), entry);
                }
                Effect::Honoured => {
                    self.exact.insert(key.name, (value, entry));
                }
                Effect::NoEffect(reason) | Effect::NotYet(reason) => {
                    let told = format!("{name} ({})", entry.origin);
                    idle.entry(reason).or_default().push(told);
                }
                Effect::Refused(reason) => {
                    if key.form.read(key.default) != Some(value) {
                        let (origin, key) = (entry.origin.clone(), entry.key.clone());
                        self.errors.push(ConfigError::Refused { origin, key, reason });
                    }
                }
            }
        }
        for (reason, told) in idle {
            self.note(format!("no effect: {}: {reason}", told.join(", ")));
        }
    }

    pub(super) fn warn(&mut self, text: String) {
        self.notices.push(Notice::Warning(text));
    }

    pub(super) fn note(&mut self, text: String) {
        self.notices.push(Notice::Note(text));
    }

    pub(super) fn fail(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    /// This key must be written.
    pub(super) fn fail_missing(&mut self, key: &'static str, why: &'static str) {
        if !self.broken.contains(key) {
            self.errors.push(ConfigError::Missing { key, why });
        }
    }

    /// A value of this key is wrong in a way that its form does not tell.
    pub(super) fn fail_value(&mut self, key: &'static str, expected: &str) {
        let (value, origin) = match self.exact.get(key) {
            Some((_, entry)) => (entry.value.clone(), entry.origin.clone()),
            None => (String::new(), Origin::Default),
        };
        let (key, expected) = (key.to_owned(), expected.to_owned());
        self.errors.push(ConfigError::Value { origin, key, value, expected });
    }

    /// A value of this key does not go with another.
    pub(super) fn fail_conflict(&mut self, key: &'static str, with: String) {
        self.errors.push(ConfigError::Conflict { origin: self.origin(key), key, with });
    }

    pub(super) fn has_file(&self) -> bool {
        self.has_file
    }

    pub(super) fn is_written(&self, key: &'static str) -> bool {
        self.exact.contains_key(key)
    }

    pub(super) fn origin(&self, key: &'static str) -> Origin {
        self.exact.get(key).map_or(Origin::Default, |(_, entry)| entry.origin.clone())
    }

    pub(super) fn family(&self, name: &'static str) -> Vec<(String, &'a Entry)> {
        self.asked.borrow_mut().insert(name);
        let members = self.families.get(name).into_iter().flatten();
        members.map(|(member, entry)| (member.clone(), *entry)).collect()
    }

    /// What was written, or the default, or nothing.
    fn value(&self, name: &'static str) -> Option<Value> {
        self.asked.borrow_mut().insert(name);
        if let Some((value, _)) = self.exact.get(name) {
            return Some(value.clone());
        }
        let key = keys::find(name).expect("only keys of the table are asked for");
        if key.default.is_empty() {
            return None;
        }
        Some(key.form.read(key.default).expect("defaults of the table are allowed"))
    }

    pub(super) fn maybe_whole(&self, name: &'static str) -> Option<i64> {
        self.value(name).map(|value| match value {
            Value::Whole(number) => number,
            other => unreachable!("{name} is no whole number: {other:?}"),
        })
    }

    pub(super) fn whole(&self, name: &'static str) -> i64 {
        self.maybe_whole(name).expect("the table has a default")
    }

    /// A whole number that the table bounds to what a `u32` holds.
    pub(super) fn natural(&self, name: &'static str) -> u32 {
        u32::try_from(self.whole(name)).expect("the table bounds it")
    }

    /// A whole number where 0 and less mean that there is none.
    pub(super) fn positive(&self, name: &'static str) -> Option<u32> {
        u32::try_from(self.whole(name)).ok().filter(|&number| number > 0)
    }

    pub(super) fn maybe_natural(&self, name: &'static str) -> Option<u32> {
        let number = self.maybe_whole(name)?;
        Some(u32::try_from(number).expect("the table bounds it"))
    }

    pub(super) fn flag(&self, name: &'static str) -> bool {
        match self.value(name) {
            Some(Value::Flag(flag)) => flag,
            other => unreachable!("{name} is no flag: {other:?}"),
        }
    }

    pub(super) fn maybe_text(&self, name: &'static str) -> Option<String> {
        self.value(name).map(|value| match value {
            Value::Text(text) => text,
            other => unreachable!("{name} is no text: {other:?}"),
        })
    }

    pub(super) fn text(&self, name: &'static str) -> String {
        self.maybe_text(name).expect("the table has a default")
    }

    /// A decimal from 0 to 1, in millionths.
    pub(super) fn millionths(&self, name: &'static str) -> u32 {
        match self.value(name) {
            Some(Value::Decimal(number)) => (number * 1e6).round() as u32,
            other => unreachable!("{name} is no decimal: {other:?}"),
        }
    }

    /// A property of the Java machine by its full name, as the last `-D` has it.
    pub(super) fn java_property(&self, name: &str) -> Option<&'a str> {
        let mut flags = self.written.entries.iter().filter(|entry| entry.origin.is_jvm_flags());
        flags.rfind(|entry| entry.key == name).map(|entry| entry.value.as_str())
    }

    /// Whether a line has this key, whatever becomes of it.
    pub(super) fn has_line(&self, name: &str) -> bool {
        let mut lines = self.written.entries.iter().filter(|entry| !entry.origin.is_jvm_flags());
        lines.any(|entry| entry.key == name)
    }

    /// The configuration file's text.
    pub(super) fn file_text(&self) -> &str {
        &self.written.file_text
    }

    /// Everything that was written.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.written.entries
    }

    pub(super) fn maybe_cpus(&self, name: &'static str) -> Option<Vec<u32>> {
        self.value(name).map(|value| match value {
            Value::Cpus(cpus) => cpus,
            other => unreachable!("{name} is no list of processors: {other:?}"),
        })
    }

    /// The keys that were asked for.
    #[cfg(test)]
    pub(super) fn asked(&self) -> BTreeSet<&'static str> {
        self.asked.borrow().clone()
    }

    pub(super) fn finish(mut self, config: Config) -> Result<Decided, Vec<ConfigError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        self.notices.sort();
        Ok(Decided { config, notices: self.notices })
    }
}
