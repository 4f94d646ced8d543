//! What is known of a server, and what is refused.

use std::num::NonZeroU32;
use std::str::FromStr;
use thiserror::Error;

/// A server as a client may connect to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name; `HOST:PORT` by convention. It is hashed letter by letter: a server that is renamed
    /// is another server.
    pub name: String,
    /// Its part of the clients, relative to the others'.
    pub weight: Weight,
    /// Where it is.
    pub zone: Option<String>,
}

impl Server {
    /// A server of weight 1, without a zone.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: Weight::ONE, zone: None }
    }
}

/// How many clients a server gets, relative to the others: a whole number, because a fraction would
/// be rounded differently elsewhere. `1 <= number <= MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(NonZeroU32);

impl Weight {
    /// The weight of a server of which nothing is said.
    pub const ONE: Self = Self(NonZeroU32::MIN);
    /// The largest one.
    pub const MAX: Self = Self(NonZeroU32::new(1_000_000).expect("not zero"));

    /// A weight.
    ///
    /// # Errors
    /// It is zero, or more than [`Weight::MAX`].
    pub fn new(number: u32) -> Result<Self, WeightError> {
        let weight = NonZeroU32::new(number).map(Self).ok_or(WeightError::Zero)?;
        if weight > Self::MAX { Err(WeightError::TooLarge) } else { Ok(weight) }
    }

    /// Its number.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl FromStr for Weight {
    type Err = WeightError;

    fn from_str(text: &str) -> Result<Self, WeightError> {
        if text.is_empty() || !text.bytes().all(|it| it.is_ascii_digit()) {
            return Err(WeightError::NotWhole);
        }
        // Digits that are no number of this size are one that is too large.
        text.parse().map_err(|_| WeightError::TooLarge).and_then(Self::new)
    }
}

/// Why a number is no weight.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum WeightError {
    /// It is zero.
    #[error("a weight of 0 gives a server no client: leave the server out, or give it at least 1")]
    Zero,
    /// It is larger than any.
    #[error("a weight is at most {}: only the ratio of weights counts", Weight::MAX.number())]
    TooLarge,
    /// It is negative, has a fraction, or is no number.
    #[error("a weight is a whole number from 1: instead of 0.5 and 1, give 1 and 2")]
    NotWhole,
}

/// Why servers cannot be ordered. Servers are meant by their indices.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ServersError {
    /// There is none.
    #[error("there is no server")]
    None,
    /// A name is empty or has blanks or control characters, so that it cannot be told from a
    /// client's.
    #[error("the name of server {server} is empty or has blanks in it")]
    Name {
        /// Whose name.
        server: usize,
    },
    /// Two have the same name.
    #[error("servers {first} and {second} have the same name")]
    Twice {
        /// One.
        first: usize,
        /// The other.
        second: usize,
    },
}
