//! How the text of a key becomes a value: the ways in which `ZooKeeper` 3.9.5 reads its keys, and
//! those of Ringkeeper's own.
//!
//! How a key is read decides what a misspelled value does: some readings refuse it, some take it as
//! the default, some as the opposite of what was meant. All three are kept.

use std::fmt;

use super::numbers;

/// A way to read a value. Displayed, it says what may be written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// `QuorumPeerConfig.parseBoolean`: `true` or `false` in any case, anything else is refused.
    TrueOrFalse,
    /// `Boolean.parseBoolean` and `Boolean.getBoolean`: `true` in any case is on, anything else
    /// off.
    OnIfTrue,
    /// `"word".equals(value)`: exactly this word is on, anything else off.
    OnIf(&'static str),
    /// `!"word".equals(value)`: exactly this word is off, anything else on.
    OffIf(&'static str),
    /// `Integer.parseInt`: decimal; nonsense is refused.
    Int,
    /// `Long.parseLong`: the same with 64 bits.
    Long,
    /// `Integer.getInteger`: decimal, hexadecimal, octal; nonsense is the default.
    IntOrDefault,
    /// `Long.getLong`: the same with 64 bits.
    LongOrDefault,
    /// `Integer.parseInt`, its failure caught: decimal; nonsense is the default.
    DecimalIntOrDefault,
    /// `Long.parseLong`, its failure caught: the same with 64 bits.
    DecimalLongOrDefault,
    /// `Double.parseDouble`: nonsense is refused.
    Double,
    /// `Double.parseDouble`, its failure caught: nonsense is the default.
    DoubleOrDefault,
    /// One of these words in any case, anything else is refused.
    OneOf(&'static [&'static str]),
    /// One of these words, exactly as spelled here; anything else is refused.
    OneOfExactly(&'static [&'static str]),
    /// Any text but the empty one.
    Text,
    /// Any text.
    AnyText,
    /// Ringkeeper's own: processors such as `0-3,8`, anything else is refused.
    CpuList,
    /// Ringkeeper's own: what is logged, anything else is refused.
    LogFilter,
}

/// What a reading makes of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The value as written.
    Plain(Value),
    /// A value that the text does not suggest.
    Odd(Value),
    /// The default, because the text is nonsense.
    Default,
    /// Nothing: a server does not start with this text.
    Refused,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of the readings of whole numbers.
    Whole(i64),
    /// Of the readings of decimal numbers.
    Decimal(f64),
    /// Of the readings of on and off.
    Flag(bool),
    /// Of [`Reading::CpuList`]: ascending, without repetition.
    Cpus(Vec<u32>),
    /// Of the others; of [`Reading::OneOf`] in the table's spelling.
    Text(String),
}

/// No machine has more processors: it bounds what a list such as `0-4000000000` may allocate.
const CPU_MAX: u32 = 8_191;
/// The levels of the log.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
/// The parts that a filter of the log may name: the crates of this server.
const PARTS: [&str; 12] = [
    "server",
    "engine",
    "ring",
    "net",
    "disk",
    "txlog",
    "snapshot",
    "convert",
    "tuning",
    "model",
    "ringkeeper",
    "glommio",
];

impl Reading {
    /// Reads a text.
    pub fn read(&self, text: &str) -> Outcome {
        let is = |word: &str| text.eq_ignore_ascii_case(word);
        match *self {
            Reading::TrueOrFalse | Reading::OnIfTrue if is("true") || is("false") => {
                flag(is("true"))
            }
            Reading::OnIfTrue => Outcome::Odd(Value::Flag(false)),
            Reading::OnIf(word) | Reading::OffIf(word) => {
                let value = (text == word) == matches!(self, Reading::OnIf(_));
                let is_plain = text == word || text == opposite(word);
                if is_plain { flag(value) } else { Outcome::Odd(Value::Flag(value)) }
            }
            Reading::Int => whole(numbers::decimal(text, 32), Outcome::Refused),
            Reading::Long => whole(numbers::decimal(text, 64), Outcome::Refused),
            Reading::IntOrDefault => whole(numbers::any_base(text, 32), Outcome::Default),
            Reading::LongOrDefault => whole(numbers::any_base(text, 64), Outcome::Default),
            Reading::DecimalIntOrDefault => whole(numbers::decimal(text, 32), Outcome::Default),
            Reading::DecimalLongOrDefault => whole(numbers::decimal(text, 64), Outcome::Default),
            Reading::Double | Reading::DoubleOrDefault => match numbers::double(text) {
                Some(number) => Outcome::Plain(Value::Decimal(number)),
                None if *self == Reading::Double => Outcome::Refused,
                None => Outcome::Default,
            },
            Reading::OneOf(words) => word(words.iter().find(|word| is(word))),
            Reading::OneOfExactly(words) => word(words.iter().find(|word| **word == text)),
            Reading::Text if text.is_empty() => Outcome::Refused,
            Reading::Text | Reading::AnyText => Outcome::Plain(Value::Text(text.to_owned())),
            Reading::CpuList => match cpus(text) {
                Some(cpus) => Outcome::Plain(Value::Cpus(cpus)),
                None => Outcome::Refused,
            },
            Reading::LogFilter if text.split(',').all(is_directive) => {
                Outcome::Plain(Value::Text(text.to_ascii_lowercase()))
            }
            Reading::TrueOrFalse | Reading::LogFilter => Outcome::Refused,
        }
    }

    /// A value of this reading as one would write it.
    pub fn show(&self, value: &Value) -> String {
        match (value, *self) {
            (Value::Flag(on), Reading::OnIf(word)) => {
                if *on { word } else { opposite(word) }.to_owned()
            }
            (Value::Flag(on), Reading::OffIf(word)) => {
                if *on { opposite(word) } else { word }.to_owned()
            }
            (Value::Flag(on), _) => on.to_string(),
            (Value::Whole(number), _) => number.to_string(),
            (Value::Decimal(number), _) => number.to_string(),
            (Value::Cpus(cpus), _) => cpus.iter().map(u32::to_string).collect::<Vec<_>>().join(","),
            (Value::Text(text), _) => text.clone(),
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_default = "; anything else means the default";
        match *self {
            Reading::TrueOrFalse => f.write_str("true or false"),
            Reading::OnIfTrue => f.write_str("true; anything else means false"),
            Reading::OnIf(word) | Reading::OffIf(word) => {
                write!(f, "exactly {word}; anything else means {}", opposite(word))
            }
            Reading::Int | Reading::Long => f.write_str("a whole number"),
            Reading::IntOrDefault | Reading::LongOrDefault => {
                write!(f, "a whole number, hexadecimal after 0x, octal after 0{or_default}")
            }
            Reading::DecimalIntOrDefault | Reading::DecimalLongOrDefault => {
                write!(f, "a whole number{or_default}")
            }
            Reading::Double => f.write_str("a decimal number"),
            Reading::DoubleOrDefault => write!(f, "a decimal number{or_default}"),
            Reading::OneOf([word]) => f.write_str(word),
            Reading::OneOf(words) => write!(f, "one of {}, in any case", words.join(", ")),
            Reading::OneOfExactly(words) => write!(f, "one of {}", words.join(", ")),
            Reading::Text => f.write_str("text"),
            Reading::AnyText => f.write_str("text, or nothing"),
            Reading::CpuList => {
                write!(f, "a list of processors from 0 to {CPU_MAX}, such as 0-3,8")
            }
            Reading::LogFilter => write!(
                f,
                "a level ({}), or levels by part, such as info,server::admin=debug; parts are {}",
                LEVELS.join(", "),
                PARTS.join(", ")
            ),
        }
    }
}

fn flag(on: bool) -> Outcome {
    Outcome::Plain(Value::Flag(on))
}

fn whole(number: Option<i64>, otherwise: Outcome) -> Outcome {
    number.map_or(otherwise, |number| Outcome::Plain(Value::Whole(number)))
}

fn word(found: Option<&&'static str>) -> Outcome {
    found.map_or(Outcome::Refused, |word| Outcome::Plain(Value::Text((*word).to_owned())))
}

/// The value that is the opposite of this word.
fn opposite(word: &str) -> &'static str {
    match word {
        "yes" => "no",
        "no" => "yes",
        "true" => "false",
        _ => "true",
    }
}

fn is_directive(directive: &str) -> bool {
    let is_level = |level: &str| LEVELS.iter().any(|it| it.eq_ignore_ascii_case(level.trim()));
    match directive.split_once('=') {
        Some((target, level)) => {
            let mut parts = target.trim().split("::");
            let is_known = parts.next().is_some_and(|part| PARTS.contains(&part));
            let is_module = |part: &str| part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
            is_known && parts.all(|part| !part.is_empty() && is_module(part)) && is_level(level)
        }
        None => is_level(directive),
    }
}

fn cpus(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for part in text.split(',') {
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
