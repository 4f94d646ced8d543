//! The table of all configuration keys: the one place that knows what a key is called, what it may
//! hold, and what becomes of it here.
//!
//! A key of ZooKeeper's is either honoured, or its row says why it is not. A row that is honoured
//! is read by [`super::decided`]; a test holds both directions.

mod access;
mod cluster;
mod operations;
mod requests;
mod ring;
mod storage;
#[cfg(test)]
mod tests;
mod value;

pub use value::{Form, Value};

/// One row of the table. A name that ends in `.*` stands for every key with that beginning.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name in the configuration file and after `--set`.
    pub name: &'static str,
    /// The name it has as a Java system property.
    pub property: Property,
    /// What it may hold.
    pub form: Form,
    /// The value if nobody writes it, as one would write it; empty if it is then unset.
    pub default: &'static str,
    /// What becomes of it.
    pub effect: Effect,
    /// What it is for, in a sentence.
    pub says: &'static str,
}

/// How `-D` names a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// `-Dzookeeper.name`.
    Prefixed,
    /// `-Dname`: ZooKeeper does not see the key in its file; here it is seen, with a note.
    Bare,
    /// Either of the two.
    PrefixedOrBare,
    /// Not at all: the key counts in the file only.
    FileOnly,
}

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It does what it does in ZooKeeper.
    Honoured,
    /// There is nothing here that it could steer, for this reason.
    NoEffect(&'static str),
    /// What it steers is not built yet; the server starts without.
    NotYet(&'static str),
    /// What it steers is not built yet, and to start without would not be what was asked for: a
    /// value other than the default is an error.
    Refused(&'static str),
}

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
    all().find(|key| key.name == name && !key.is_family()).or_else(|| {
        all()
            .filter(|key| key.family().is_some_and(|stem| member_of(stem, name)))
            .max_by_key(|key| key.name.len())
    })
}

fn member_of(stem: &str, name: &str) -> bool {
    name.len() > stem.len() && name.starts_with(stem)
}

/// The name in the table that an unknown name was probably meant to be.
pub fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_ascii_lowercase();
    // One slip in six letters, two in twelve: nearer than that, short names are all alike.
    let slips_max = (wanted.len() / 6).clamp(1, 3);
    all()
        .filter(|key| !key.is_family())
        .map(|key| (distance(&wanted, &key.name.to_ascii_lowercase()), key.name))
        .filter(|&(slips, _)| slips <= slips_max)
        .min_by_key(|&(slips, _)| slips)
        .map(|(_, name)| name)
}

/// Levenshtein's distance in bytes.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

impl Key {
    const fn new(name: &'static str, form: Form, default: &'static str, says: &'static str) -> Key {
        Key { name, property: Property::Prefixed, form, default, effect: Effect::Honoured, says }
    }

    const fn file_only(mut self) -> Key {
        self.property = Property::FileOnly;
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

    const fn no_effect(mut self, reason: &'static str) -> Key {
        self.effect = Effect::NoEffect(reason);
        self
    }

    const fn not_yet(mut self, reason: &'static str) -> Key {
        self.effect = Effect::NotYet(reason);
        self
    }

    const fn refused(mut self, reason: &'static str) -> Key {
        self.effect = Effect::Refused(reason);
        self
    }

    /// Does the row stand for every key with its beginning?
    pub fn is_family(&self) -> bool {
        self.family().is_some()
    }

    /// The beginning that all members of a family share.
    fn family(&self) -> Option<&'static str> {
        self.name.strip_suffix('*')
    }
}

/// `name, whole number from min to max, default`.
const fn whole(
    name: &'static str,
    (min, max): (i64, i64),
    default: &'static str,
    says: &'static str,
) -> Key {
    Key::new(name, Form::Whole { min, max }, default, says)
}

/// `name, true or false, default`.
const fn flag(name: &'static str, default: &'static str, says: &'static str) -> Key {
    Key::new(name, Form::Flag, default, says)
}

/// `name, any text, default`.
const fn text(name: &'static str, default: &'static str, says: &'static str) -> Key {
    Key::new(name, Form::Text, default, says)
}

/// `name, one of some words, default`.
const fn one_of(
    name: &'static str,
    words: &'static [&'static str],
    default: &'static str,
    says: &'static str,
) -> Key {
    Key::new(name, Form::OneOf(words), default, says)
}

/// `name, a decimal from min to max, default`.
const fn decimal(
    name: &'static str,
    (min, max): (f64, f64),
    default: &'static str,
    says: &'static str,
) -> Key {
    Key::new(name, Form::Decimal { min, max }, default, says)
}

/// The largest number that ZooKeeper's own parser takes for most keys.
const INT_MAX: i64 = i32::MAX as i64;
/// Any number of that kind.
const ANY_INT: (i64, i64) = (i32::MIN as i64, INT_MAX);
/// A count or a time that may be nothing.
const NATURAL: (i64, i64) = (0, INT_MAX);
/// A count or a time that may not be nothing.
const POSITIVE: (i64, i64) = (1, INT_MAX);
/// A natural number, or -1 for "unset".
const NATURAL_OR_UNSET: (i64, i64) = (-1, INT_MAX);
/// A port; 0 lets the kernel choose.
const PORT: (i64, i64) = (0, 65_535);
