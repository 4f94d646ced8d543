//! The table of all configuration keys: the only place that says what a key is called, where it
//! counts, how its text is read, and how far it is supported.
//!
//! A key of ZooKeeper's is either honoured, or its row says why it is not. An honoured row is read
//! by [`super::decided`]; a test checks both directions. `tests/keys` compares the readings with
//! those recorded from ZooKeeper 3.9.5.

mod access;
mod cluster;
mod numbers;
mod operations;
mod reading;
mod requests;
mod ring;
mod storage;
#[cfg(test)]
mod tests;

use std::fmt;

use strsim::generic_levenshtein;

pub use reading::{Outcome, Reading, Value};

/// One row of the table. A name that ends in `.*` stands for every key with that prefix.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name in the configuration file and after `--set`.
    pub name: &'static str,
    /// The name it has as a Java system property.
    pub property: Property,
    /// How its text is read.
    pub reading: Reading,
    /// How its text is read in the file, where that differs from a system property.
    pub reading_in_file: Option<Reading>,
    /// Which numbers are allowed, and what happens to others.
    pub bounds: Option<Bounds>,
    /// The value if it is not written, as one would write it; empty if it is then unset.
    pub default: &'static str,
    /// Which part reads it; without that part, it may have any value.
    pub read_by: ReadBy,
    /// How far it is supported.
    pub support: Support,
    /// What it is for, in a sentence.
    pub says: &'static str,
}

/// How `-D` names a key, and whether a line of the file can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// `-Dzookeeper.name`, or a line of the file, which becomes that property.
    Prefixed,
    /// `-Dname` only: a line of the file becomes another property, and does not count.
    Bare,
    /// As [`Property::Prefixed`]; if neither is written, `-Dname` counts.
    PrefixedOrBare,
    /// `-Dzookeeper.name` only: a line of the file would be a member of a family.
    PrefixedOnly,
    /// Not at all: the key counts in the file only.
    FileOnly,
}

/// Which part of the server reads a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBy {
    /// The server, always.
    Server,
    /// The admin server, unless `admin.enableServer` turns it off.
    AdminServer,
    /// The Prometheus provider, if `metricsProvider.className` names it.
    Prometheus,
}

/// The numbers from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The smallest.
    pub min: i64,
    /// The largest.
    pub max: i64,
    /// What happens to others.
    pub others: Others,
}

/// What happens to a number that is out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// The server does not start with it.
    Refused,
    /// The nearest bound counts.
    Nearest,
    /// The default counts.
    Default,
}

/// How far a key is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It does what it does in ZooKeeper.
    Honoured,
    /// There is nothing here that it could affect, for this reason.
    NoEffect(&'static str),
    /// What it configures is not built yet; the server starts without it.
    NotYet(&'static str),
    /// What it configures is not built yet, and starting without it would not be what was
    /// configured: a value other than the default is an error.
    Refused(&'static str),
}

/// How a key interprets a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// This value, as written.
    Plain(Value),
    /// This value, which differs from what is written.
    Changed(Value),
    /// The default.
    Default,
    /// Nothing: the server does not start.
    Refused,
}

/// The value of `metricsProvider.className` that serves metrics over HTTP.
pub const PROMETHEUS: &str = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider";

/// A part of the table, for reading.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// Its heading.
    pub title: &'static str,
    /// Its rows.
    pub keys: &'static [Key],
}

/// The whole table.
pub static SECTIONS: [Section; 6] = [
    Section { title: "Server and ensemble", keys: cluster::KEYS },
    Section { title: "Storage", keys: storage::KEYS },
    Section { title: "Requests, connections and watches", keys: requests::KEYS },
    Section { title: "Access and encryption", keys: access::KEYS },
    Section { title: "Operations", keys: operations::KEYS },
    Section { title: "Ringkeeper's own", keys: ring::KEYS },
];

/// All rows, in the order of the table.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The row of a name without prefix; an exact row wins over a family, a longer family over a
/// shorter.
pub fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name && !key.is_family()).or_else(|| find_family(name))
}

/// The row that a line of the file with this name belongs to.
pub fn find_line(name: &str) -> Option<&'static Key> {
    find(name).filter(|key| key.property != Property::PrefixedOnly).or_else(|| find_family(name))
}

fn find_family(name: &str) -> Option<&'static Key> {
    all()
        .filter(|key| key.family().is_some_and(|stem| member_of(stem, name)))
        .max_by_key(|key| key.name.len())
}

fn member_of(stem: &str, name: &str) -> bool {
    // ZooKeeper loads a provider of any name, even of an empty one.
    let needs_rest = stem != "authProvider.";
    name.starts_with(stem) && (name.len() > stem.len() || !needs_rest)
}

/// The name in the table that an unknown name was probably meant to be.
pub fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_ascii_lowercase().into_bytes();
    // One slip in six letters, two in twelve: with more, all short names would be alike.
    let slips_max = (wanted.len() / 6).clamp(1, 3);
    let slips = |name: &str| generic_levenshtein(&wanted, &name.to_ascii_lowercase().into_bytes());
    all()
        .filter(|key| !key.is_family())
        .map(|key| (slips(key.name), key.name))
        .filter(|&(slips, _)| slips <= slips_max)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, name)| name)
}

impl Key {
    const fn new(name: &'static str, reading: Reading, default: &'static str) -> Key {
        Key {
            name,
            property: Property::Prefixed,
            reading,
            reading_in_file: None,
            bounds: None,
            default,
            read_by: ReadBy::Server,
            support: Support::Honoured,
            says: "",
        }
    }

    const fn says(mut self, says: &'static str) -> Key {
        self.says = says;
        self
    }

    const fn file_only(mut self) -> Key {
        self.property = Property::FileOnly;
        self
    }

    const fn prefixed_only(mut self) -> Key {
        self.property = Property::PrefixedOnly;
        self
    }

    const fn bare(mut self) -> Key {
        self.property = Property::Bare;
        self
    }

    const fn prefixed_or_bare(mut self) -> Key {
        self.property = Property::PrefixedOrBare;
        self
    }

    const fn in_file(mut self, reading: Reading) -> Key {
        self.reading_in_file = Some(reading);
        self
    }

    const fn of_prometheus(mut self) -> Key {
        self.read_by = ReadBy::Prometheus;
        self
    }

    const fn of_admin_server(mut self) -> Key {
        self.read_by = ReadBy::AdminServer;
        self
    }

    const fn bounded(mut self, min: i64, max: i64, others: Others) -> Key {
        self.bounds = Some(Bounds { min, max, others });
        self
    }

    /// Numbers out of these bounds are refused.
    const fn within(self, min: i64, max: i64) -> Key {
        self.bounded(min, max, Others::Refused)
    }

    /// Numbers out of these bounds count as the nearest bound.
    const fn limited(self, min: i64, max: i64) -> Key {
        self.bounded(min, max, Others::Nearest)
    }

    /// Numbers below this count as the default.
    const fn or_default_below(self, min: i64) -> Key {
        self.bounded(min, i64::MAX, Others::Default)
    }

    const fn no_effect(mut self, reason: &'static str) -> Key {
        self.support = Support::NoEffect(reason);
        self
    }

    const fn not_yet(mut self, reason: &'static str) -> Key {
        self.support = Support::NotYet(reason);
        self
    }

    const fn refused(mut self, reason: &'static str) -> Key {
        self.support = Support::Refused(reason);
        self
    }

    /// Does the row stand for every key with its prefix?
    pub fn is_family(&self) -> bool {
        self.family().is_some()
    }

    /// The prefix that all members of a family share.
    fn family(&self) -> Option<&'static str> {
        self.name.strip_suffix('*')
    }

    /// How the key interprets a text that was written as a system property, or elsewhere.
    pub fn judge(&self, text: &str, is_property: bool) -> Judgement {
        let value = match self.reading_of(is_property).read(text) {
            Outcome::Refused => return Judgement::Refused,
            Outcome::Default => return Judgement::Default,
            Outcome::Odd(value) => return Judgement::Changed(value),
            Outcome::Plain(value) => value,
        };
        let Some(Bounds { min, max, others }) = self.bounds else {
            return Judgement::Plain(value);
        };
        let nearest = match value {
            Value::Whole(number) => Value::Whole(number.clamp(min, max)),
            // Not a number counts as the smallest.
            Value::Decimal(number) if number.is_nan() => Value::Decimal(min as f64),
            Value::Decimal(number) => Value::Decimal(number.clamp(min as f64, max as f64)),
            ref other => other.clone(),
        };
        match others {
            _ if nearest == value => Judgement::Plain(value),
            Others::Refused => Judgement::Refused,
            Others::Nearest => Judgement::Changed(nearest),
            Others::Default => Judgement::Default,
        }
    }

    /// The value if the key is not written, if there is one.
    pub fn default_value(&self) -> Option<Value> {
        if self.default.is_empty() {
            return None;
        }
        match self.judge(self.default, true) {
            Judgement::Plain(value) => Some(value),
            _ => None,
        }
    }

    fn reading_of(&self, is_property: bool) -> Reading {
        self.reading_in_file.filter(|_| !is_property).unwrap_or(self.reading)
    }

    /// What may be written, for an operator.
    pub fn allowed(&self, is_property: bool) -> Allowed {
        Allowed { reading: self.reading_of(is_property), bounds: self.bounds }
    }
}

/// What may be written as the value of a key, for display.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    reading: Reading,
    bounds: Option<Bounds>,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = self.reading.to_string();
        let Some(Bounds { min, max, others }) = self.bounds else {
            return f.write_str(&how);
        };
        // The kind of number, and the remarks on it.
        let (what, rest) = how.split_at(how.find([',', ';']).unwrap_or(how.len()));
        let is_open = max >= i64::from(i32::MAX);
        match others {
            Others::Refused if is_open => write!(f, "{what} of at least {min}{rest}"),
            Others::Refused => write!(f, "{what} from {min} to {max}{rest}"),
            Others::Nearest if is_open => {
                write!(f, "{what}{rest}; less than {min} means {min}")
            }
            Others::Nearest => {
                write!(f, "{what}{rest}; less than {min} means {min}, more than {max} {max}")
            }
            Others::Default => {
                write!(f, "{what}{rest}; less than {min} means the default")
            }
        }
    }
}

/// The largest number of Java's `int`.
const INT_MAX: i64 = i32::MAX as i64;
/// The largest segment of the log, in KiB.
const SEGMENT_KIB_MAX: i64 = 8 << 20;
