//! Decides which entry of a key counts, and the notices for its author.
//!
//! From weak to strong: the default; a system property without the prefix `zookeeper.`, if a key
//! has both names; a system property; a line of the file (ZooKeeper makes it a property, over those
//! already set); `--set`. Among equals the later one counts. What is written where ZooKeeper does
//! not look does not count: a setting that opens a server must not be effective here and ignored
//! there.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use crate::config::{
    ConfigError, Origin, Written,
    keys::{self, Judgement, Key, Property, ReadBy, Support, Value},
    written::WrittenEntry,
};

use super::{Config, Decided, Notice, Setting};

/// The entries that count, by key.
pub(super) struct Settled<'a> {
    written: &'a Written,
    has_file: bool,
    exact: BTreeMap<&'static str, (Value, &'a WrittenEntry)>,
    /// Members of families: the family's name, then the member's.
    families: BTreeMap<&'static str, BTreeMap<String, &'a WrittenEntry>>,
    /// The keys that were read: for the test that the table is complete.
    queried: RefCell<BTreeSet<&'static str>>,
    /// The keys whose value could not be read: they count as default, and are not read again.
    broken: BTreeSet<&'static str>,
    notices: Vec<Notice>,
    errors: Vec<ConfigError>,
}

/// The precedence of an entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    BareProperty,
    Property,
    Line,
    Set,
}

/// The entry that counts of each name, with its row.
type Winners<'a> = BTreeMap<&'a str, (Rank, &'static Key, &'a WrittenEntry)>;

impl<'a> Settled<'a> {
    pub(super) fn new(written: &'a Written) -> Self {
        let mut settled = Settled {
            written,
            has_file: written.has_file,
            exact: BTreeMap::new(),
            families: BTreeMap::new(),
            queried: RefCell::default(),
            broken: BTreeSet::new(),
            notices: written.notices.clone(),
            errors: Vec::new(),
        };
        let mut winners = Winners::new();
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

    /// The row that an entry belongs to and its precedence; `None` if it is ignored.
    fn place(&mut self, entry: &'a WrittenEntry) -> Option<(&'a str, &'static Key, Rank)> {
        match entry.origin {
            Origin::Set => match keys::find(&entry.key) {
                Some(key) => Some((&entry.key, key, Rank::Set)),
                None => self.unknown(entry, &entry.key),
            },
            Origin::ServerJvmFlags | Origin::JvmFlags => self.place_property(entry),
            Origin::File { .. } | Origin::Default => self.place_line(entry),
        }
    }

    fn place_line(&mut self, entry: &'a WrittenEntry) -> Option<(&'a str, &'static Key, Rank)> {
        let name = entry.key.as_str();
        let found = keys::find_line(name);
        if let Some(key) = found.filter(|key| key.property != Property::Bare) {
            return Some((name, key, Rank::Line));
        }
        // A line with the prefix becomes a property with two prefixes.
        let bare = name.strip_prefix("zookeeper.").unwrap_or(name);
        let Some(key) = keys::find(bare) else { return self.unknown(entry, name) };
        let instead = match key.property {
            Property::Bare => {
                format!("it counts as -D{bare} in JVMFLAGS, or here as --set {bare}")
            }
            Property::PrefixedOnly => format!("it counts as -Dzookeeper.{bare} in JVMFLAGS"),
            Property::Prefixed | Property::PrefixedOrBare | Property::FileOnly => {
                format!("in the configuration file the key is {bare}")
            }
        };
        self.warn(format!("{}: {name} is ignored, as in ZooKeeper: {instead}", entry.origin));
        None
    }

    fn place_property(&mut self, entry: &'a WrittenEntry) -> Option<(&'a str, &'static Key, Rank)> {
        let written = entry.key.as_str();
        let stripped = written.strip_prefix("zookeeper.");
        let name = stripped.unwrap_or(written);
        let Some(key) = keys::find(name) else {
            // Without the prefix it is for the Java machine or a library.
            return stripped.and_then(|name| self.unknown(entry, name));
        };
        let instead = match (key.property, stripped.is_some()) {
            (Property::Prefixed | Property::PrefixedOrBare | Property::PrefixedOnly, true) => {
                return Some((name, key, Rank::Property));
            }
            (Property::Bare, false) => return Some((name, key, Rank::Property)),
            (Property::PrefixedOrBare, false) => return Some((name, key, Rank::BareProperty)),
            (Property::Prefixed | Property::PrefixedOnly, false) => {
                format!("write -Dzookeeper.{name}")
            }
            (Property::Bare, true) => format!("write -D{name}"),
            (Property::FileOnly, _) => format!("{name} counts in the configuration file only"),
        };
        self.warn(format!("{}: -D{written} is ignored, as in ZooKeeper: {instead}", entry.origin));
        None
    }

    /// An unknown key is ignored, unless it is named like Ringkeeper's own keys, which no other
    /// program reads.
    fn unknown<T>(&mut self, entry: &WrittenEntry, name: &str) -> Option<T> {
        let (origin, key) = (entry.origin.clone(), entry.key.clone());
        let nearest = keys::nearest(name);
        if name.starts_with("ring.") {
            self.errors.push(ConfigError::Unknown { origin, key, nearest });
        } else {
            let guess = nearest.map(|it| format!(": did you mean {it}?")).unwrap_or_default();
            self.warn(format!("{origin}: {key} is unknown and ignored{guess}"));
        }
        None
    }

    /// Reads the values that count, and groups those without effect by reason.
    fn judge(&mut self, winners: Winners<'a>) {
        let mut idle: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        let text_of = |name: &str| winners.get(name).map(|(_, _, entry)| entry.value.as_str());
        let has_prometheus = text_of("metricsProvider.className") == Some(keys::PROMETHEUS);
        let has_admin_server = text_of("admin.enableServer") != Some("false");
        for (name, (_, key, entry)) in winners {
            let is_read = match key.read_by {
                ReadBy::Server => true,
                ReadBy::AdminServer => has_admin_server,
                ReadBy::Prometheus => has_prometheus,
            };
            if !is_read {
                continue;
            }
            let value = self.value_of(key, entry);
            match key.support {
                Support::Honoured if key.is_family() => {
                    let family = self.families.entry(key.name).or_default();
                    family.insert(name.to_owned(), entry);
                }
                Support::Honoured => {}
                Support::NoEffect(reason) | Support::NotYet(reason) => {
                    let listed = format!("{name} ({})", entry.origin);
                    idle.entry(reason).or_default().push(listed);
                }
                Support::Refused(_) if value.is_none() || value == key.default_value() => {}
                Support::Refused(reason) => {
                    let (origin, key) = (entry.origin.clone(), entry.key.clone());
                    self.errors.push(ConfigError::Refused { origin, key, reason });
                }
            }
            if let Some(value) = value.filter(|_| !key.is_family()) {
                self.exact.insert(key.name, (value, entry));
            }
        }
        for (reason, listed) in idle {
            self.note(format!("no effect: {}: {reason}", listed.join(", ")));
        }
    }

    /// The value of an entry; `None` if it counts as not written.
    fn value_of(&mut self, key: &'static Key, entry: &WrittenEntry) -> Option<Value> {
        let WrittenEntry { key: name, value: text, origin } = entry;
        let is_property = origin.is_jvm_flags();
        let value = match key.judge(text, is_property) {
            Judgement::Plain(value) => return Some(value),
            Judgement::Changed(value) => Some(value),
            Judgement::Default => None,
            Judgement::Refused => {
                self.broken.insert(key.name);
                self.errors.push(ConfigError::Value {
                    origin: origin.clone(),
                    key: name.clone(),
                    value: text.clone(),
                    expected: key.allowed(is_property).to_string(),
                });
                return None;
            }
        };
        let meaning = match (&value, key.default) {
            (Some(value), _) => key.reading.show(value),
            (None, "") => "unset".to_owned(),
            (None, default) => format!("the default, {default}"),
        };
        self.warn(format!(
            "{origin}: {name}={text} means {meaning}, as in ZooKeeper: it takes {}",
            key.allowed(is_property)
        ));
        value
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

    /// Reports that this key must be written.
    pub(super) fn fail_missing(&mut self, key: &'static str, why: &'static str) {
        if !self.broken.contains(key) {
            self.errors.push(ConfigError::Missing { key, why });
        }
    }

    /// Reports a value of this key that is wrong in spite of its form.
    pub(super) fn fail_value(&mut self, key: &'static str, expected: &str) {
        let (value, origin) = match self.exact.get(key) {
            Some((_, entry)) => (entry.value.clone(), entry.origin.clone()),
            None => (String::new(), Origin::Default),
        };
        let (key, expected) = (key.to_owned(), expected.to_owned());
        self.errors.push(ConfigError::Value { origin, key, value, expected });
    }

    /// Reports a value of this key that conflicts with another.
    pub(super) fn fail_conflict(&mut self, key: &'static str, with: String) {
        self.errors.push(ConfigError::Conflict { origin: self.origin(key), key, with });
    }

    pub(super) fn has_file(&self) -> bool {
        self.has_file
    }

    pub(super) fn is_written(&self, key: &'static str) -> bool {
        self.exact.contains_key(key)
    }

    /// What was written for this key, and where.
    pub(super) fn written(&self, key: &str) -> Option<(String, Origin)> {
        let (_, entry) = self.exact.get(key)?;
        Some((entry.value.clone(), entry.origin.clone()))
    }

    pub(super) fn origin(&self, key: &'static str) -> Origin {
        self.exact.get(key).map_or(Origin::Default, |(_, entry)| entry.origin.clone())
    }

    pub(super) fn family(&self, name: &'static str) -> Vec<(String, &'a WrittenEntry)> {
        self.queried.borrow_mut().insert(name);
        let members = self.families.get(name).into_iter().flatten();
        members.map(|(member, entry)| (member.clone(), *entry)).collect()
    }

    /// What was written, or the default, or nothing.
    fn value(&self, name: &'static str) -> Option<Value> {
        self.queried.borrow_mut().insert(name);
        if let Some((value, _)) = self.exact.get(name) {
            return Some(value.clone());
        }
        let key = keys::find(name).expect("only keys of the table are read");
        if key.default.is_empty() {
            return None;
        }
        Some(key.default_value().expect("defaults of the table are allowed"))
    }

    pub(super) fn maybe_whole(&self, name: &'static str) -> Option<i64> {
        self.value(name).map(|value| match value {
            Value::Whole(number) => number,
            other => unreachable!("{name} is not a whole number: {other:?}"),
        })
    }

    /// A number that Java holds in an `int`.
    pub(super) fn int(&self, name: &'static str) -> i32 {
        i32::try_from(self.whole(name)).expect("its reading bounds it")
    }

    pub(super) fn whole(&self, name: &'static str) -> i64 {
        self.maybe_whole(name).expect("the table has a default")
    }

    /// A whole number that the table bounds to what a `u32` holds.
    pub(super) fn natural(&self, name: &'static str) -> u32 {
        u32::try_from(self.whole(name)).expect("the table bounds it")
    }

    /// A whole number for which 0 and less mean unset.
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
            other => unreachable!("{name} is not a flag: {other:?}"),
        }
    }

    pub(super) fn maybe_text(&self, name: &'static str) -> Option<String> {
        self.value(name).map(|value| match value {
            Value::Text(text) => text,
            other => unreachable!("{name} is not a text: {other:?}"),
        })
    }

    pub(super) fn text(&self, name: &'static str) -> String {
        self.maybe_text(name).expect("the table has a default")
    }

    /// A decimal from 0 to 1, in millionths.
    pub(super) fn millionths(&self, name: &'static str) -> u32 {
        (self.decimal(name) * 1e6).round() as u32
    }

    /// A decimal in millionths, for which 0, less, and what is no number mean unset.
    pub(super) fn positive_millionths(&self, name: &'static str) -> Option<u64> {
        Some((self.decimal(name) * 1e6).round() as u64).filter(|&number| number > 0)
    }

    fn decimal(&self, name: &'static str) -> f64 {
        match self.value(name) {
            Some(Value::Decimal(number)) => number,
            other => unreachable!("{name} is not a decimal: {other:?}"),
        }
    }

    /// A property of the Java machine by its full name, as the last `-D` has it.
    pub(super) fn java_property(&self, name: &str) -> Option<&'a str> {
        let mut flags = self.written.entries.iter().filter(|entry| entry.origin.is_jvm_flags());
        flags.rfind(|entry| entry.key == name).map(|entry| entry.value.as_str())
    }

    /// Whether there is a line with this key, whether it counts or not.
    pub(super) fn has_line(&self, name: &str) -> bool {
        let mut lines = self.written.entries.iter().filter(|entry| !entry.origin.is_jvm_flags());
        lines.any(|entry| entry.key == name)
    }

    /// The configuration file's text.
    pub(super) fn file_text(&self) -> &str {
        &self.written.file_text
    }

    /// Everything that was written.
    pub(super) fn entries(&self) -> &[WrittenEntry] {
        &self.written.entries
    }

    pub(super) fn maybe_cpus(&self, name: &'static str) -> Option<Vec<u32>> {
        self.value(name).map(|value| match value {
            Value::Cpus(cpus) => cpus,
            other => unreachable!("{name} is not a list of processors: {other:?}"),
        })
    }

    /// The keys that were read.
    #[cfg(test)]
    pub(super) fn queried(&self) -> BTreeSet<&'static str> {
        self.queried.borrow().clone()
    }

    /// Every honoured key, with its value and origin.
    fn settings(&self) -> Vec<Setting> {
        keys::all()
            .filter(|key| key.support == Support::Honoured && !key.is_family())
            .map(|key| {
                let value = self.value(key.name).map(|value| key.reading.show(&value));
                let value =
                    if is_secret(key.name) { value.map(|_| NOT_SHOWN.to_owned()) } else { value };
                Setting { key: key.name, value, origin: self.origin(key.name) }
            })
            .collect()
    }

    pub(super) fn finish(mut self, config: Config) -> Result<Decided, Vec<ConfigError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        self.notices.sort();
        let settings = self.settings();
        Ok(Decided { config, notices: self.notices, settings })
    }
}

/// The text in place of a secret.
pub(super) const NOT_SHOWN: &str = "(not shown)";

/// Whether a key's value is secret.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.contains("passw") || key.contains("superdigest")
}
