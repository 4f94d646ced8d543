//! What a key may hold, and how it is read.

use std::fmt;

/// The kind of value with its bounds. Displayed, it tells an operator what to write.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// A whole number; decimal, or hexadecimal after `0x`.
    Whole {
        /// The smallest.
        min: i64,
        /// The largest.
        max: i64,
    },
    /// A decimal number.
    Decimal {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// `true` or `false`, in any case.
    Flag,
    /// `yes` or `no`, in any case.
    YesNo,
    /// One of these words, in any case.
    OneOf(&'static [&'static str]),
    /// Processor numbers: `0-3,8`.
    CpuList,
    /// Anything that is not empty.
    Text,
    /// Anything.
    MaybeEmpty,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of [`Form::Whole`].
    Whole(i64),
    /// Of [`Form::Decimal`].
    Decimal(f64),
    /// Of [`Form::Flag`] and [`Form::YesNo`].
    Flag(bool),
    /// Of [`Form::CpuList`]: ascending, without repetition.
    Cpus(Vec<u32>),
    /// Of the others; of [`Form::OneOf`] in the table's spelling.
    Text(String),
}

/// No machine has more processors: it bounds what a list such as `0-4000000000` may allocate.
const CPU_MAX: u32 = 8_191;

impl Form {
    /// Reads a value; `None` if the form does not allow it.
    pub fn read(&self, written: &str) -> Option<Value> {
        match *self {
            Form::Whole { min, max } => {
                whole(written).filter(|number| (min..=max).contains(number)).map(Value::Whole)
            }
            Form::Decimal { min, max } => {
                let number: f64 = written.parse().ok()?;
                (min..=max).contains(&number).then_some(Value::Decimal(number))
            }
            Form::Flag => either(written, "true", "false").map(Value::Flag),
            Form::YesNo => either(written, "yes", "no").map(Value::Flag),
            Form::OneOf(words) => words
                .iter()
                .find(|word| word.eq_ignore_ascii_case(written))
                .map(|word| Value::Text((*word).to_owned())),
            Form::CpuList => cpus(written).map(Value::Cpus),
            Form::Text => (!written.is_empty()).then(|| Value::Text(written.to_owned())),
            Form::MaybeEmpty => Some(Value::Text(written.to_owned())),
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Form::Whole { min, max } => write!(f, "a whole number from {min} to {max}"),
            Form::Decimal { min, max } => write!(f, "a decimal number from {min} to {max}"),
            Form::Flag => f.write_str("true or false"),
            Form::YesNo => f.write_str("yes or no"),
            Form::OneOf([word]) => f.write_str(word),
            Form::OneOf(words) => write!(f, "one of {}", words.join(", ")),
            Form::CpuList => write!(f, "a list of processors from 0 to {CPU_MAX}, as 0-3,8"),
            Form::Text => f.write_str("text"),
            Form::MaybeEmpty => f.write_str("text, or nothing"),
        }
    }
}

fn whole(written: &str) -> Option<i64> {
    let (sign, digits) = match written.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, written.strip_prefix('+').unwrap_or(written)),
    };
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) if hexadecimal.starts_with('+') => return None,
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
        None => digits.parse(),
    };
    magnitude.ok().map(|number| sign * number)
}

fn either(written: &str, yes: &str, no: &str) -> Option<bool> {
    if written.eq_ignore_ascii_case(yes) {
        Some(true)
    } else {
        written.eq_ignore_ascii_case(no).then_some(false)
    }
}

fn cpus(written: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in written.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        if first > last || last > CPU_MAX {
            return None;
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Some(cpus)
}
