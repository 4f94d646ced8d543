//! Profiles: the numbers that differ from one machine to another, each with its reason.
//!
//! A [`Profile`] decides some [`Knob`]s. Those that the program ships are for a kind of disk or a
//! kind of machine, and decide what follows from that kind ([`shipped`], chosen by `class`); one
//! that is made of measurements is for one machine, and says which ([`made()`]). What no profile
//! decides is as the parts of the server have it by themselves.
//!
//! `file`: their form as files, read with the line of every mistake, and written.
//!
//! What is deliberately not here: applying them (`server`), and what is not a matter of the
//! machine: how often snapshots are taken, how many clients there may be.

mod class;
mod file;
mod knob;
mod made;
#[cfg(test)]
mod pages;
mod shipped;
#[cfg(test)]
mod tests;

pub use class::{DiskClass, DiskFacts, MachineClass, Medium};
pub use file::{ProfileError, VERSION};
pub use knob::{KNOBS, Kind, Knob, Value};
pub use made::{Made, made};
pub use shipped::{SHIPPED, shipped};

use std::collections::BTreeMap;
use std::fmt;

/// What was decided about one knob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The value, within the knob's bounds.
    pub value: Value,
    /// Why it is this.
    pub why: String,
    /// The measurement behind it, if there is one.
    pub measured: Option<String>,
    /// The profile that decided it.
    pub by: String,
}

/// One machine, as far as a profile depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// The processor's own name.
    pub processor: String,
    /// How many of its threads the server may use.
    pub processors: u32,
    /// The disk of the log: its model, or its name; what holds it, where there is none.
    pub disk: String,
    /// The file system of the log.
    pub file_system: String,
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, processors, disk, file_system } = self;
        write!(f, "{processors} x {processor}, {file_system} on {disk}")
    }
}

/// Decided numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// What it is called: letters, digits, hyphens.
    pub name: String,
    /// For what it is, a sentence.
    pub about: String,
    /// The machine on which it was measured, if it is one's own.
    pub machine: Option<Machine>,
    /// What it decides.
    pub decisions: BTreeMap<Knob, Decision>,
}

impl Profile {
    /// A profile that decides nothing.
    pub fn new(name: &str, about: &str) -> Self {
        Self {
            name: name.to_owned(),
            about: about.to_owned(),
            machine: None,
            decisions: BTreeMap::new(),
        }
    }

    /// Decides a knob.
    ///
    /// # Panics
    /// The value is not one that the knob can have.
    pub fn decide(&mut self, knob: Knob, value: Value, why: String, measured: Option<String>) {
        assert!(knob.takes(&value), "{knob} = {value}");
        let by = self.name.clone();
        self.decisions.insert(knob, Decision { value, why, measured, by });
    }

    /// This profile, and where it decides nothing, another one.
    #[must_use]
    pub fn over(mut self, other: Profile) -> Self {
        for (knob, decision) in other.decisions {
            self.decisions.entry(knob).or_insert(decision);
        }
        self
    }

    /// What it decides about a knob that is a number.
    pub fn number(&self, knob: Knob) -> Option<u32> {
        match self.decisions.get(&knob)?.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// What it decides about a knob that is a word.
    pub fn word(&self, knob: Knob) -> Option<&'static str> {
        match self.decisions.get(&knob)?.value {
            Value::Word(word) => Some(word),
            _ => None,
        }
    }

    /// What it decides about a knob that is on or off.
    pub fn flag(&self, knob: Knob) -> Option<bool> {
        match self.decisions.get(&knob)?.value {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }
}
