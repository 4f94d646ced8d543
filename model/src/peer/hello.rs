//! The first message of an election link: who opened it, and where that server can be reached
//! (source: ZooKeeper 3.9.5, `QuorumCnxManager`).
//!
//! ```text
//! long  the form: -65536, from 3.5 on, or -65535, from 3.6 on with `multiAddress.enabled`;
//!       0 and above: the id of a server before 3.5, and nothing follows
//! long  the server's id
//! int   bytes that follow, 1 to 2048
//!       host:port, several of them joined by |
//! ```
//!
//! The form says what the sender may write, not what is read: both are read alike. SASL, where it
//! is used, comes behind this message.

use std::fmt;

use crate::jute;
use crate::limits::HELLO_ADDRESSES_BYTES_MAX;
use crate::server::ServerId;

use super::address::{Address, split_java};

/// How the opener of a link introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// By its id, as servers before 3.5 do. It is not negative.
    Id(ServerId),
    /// By its id and its addresses.
    Addressed {
        /// Which of the forms.
        form: HelloForm,
        /// Its id, [`ServerId::OBSERVER`] from an observer that has none.
        server: ServerId,
        /// Where it says that it listens for this kind of link, without
        /// [wildcards](Address::is_wildcard).
        addresses: Vec<Address>,
    },
}

/// The form of a hello with addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloForm {
    /// One address.
    V1,
    /// Several.
    V2,
}

/// Why bytes are no hello. ZooKeeper closes the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HelloError {
    /// A form that does not exist.
    Form {
        /// What it says.
        found: i64,
    },
    /// There are no bytes of addresses, or too many.
    Length {
        /// What is said.
        found: i32,
    },
    /// An address is not `host:port`.
    Address {
        /// The server whose it is.
        server: ServerId,
        /// Which of them, from 0.
        index: usize,
    },
}

/// Bytes in front of the addresses.
const HEAD_BYTES: usize = 20;

impl HelloForm {
    /// Its number on the wire.
    pub const fn code(self) -> i64 {
        match self {
            Self::V1 => -65_536,
            Self::V2 => -65_535,
        }
    }

    fn of(code: i64) -> Option<Self> {
        [Self::V1, Self::V2].into_iter().find(|form| form.code() == code)
    }
}

impl Hello {
    /// Who opened the link.
    pub const fn server(&self) -> ServerId {
        match self {
            Self::Id(server) | Self::Addressed { server, .. } => *server,
        }
    }

    /// Reads the hello off the front of what has come, with its length; `None` while more must
    /// come. At most 2068 bytes are looked at, a wrong one is refused as soon as it is there.
    ///
    /// # Errors
    /// What ZooKeeper refuses.
    pub fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, HelloError> {
        let Some(first) = bytes.first_chunk() else { return Ok(None) };
        let first = i64::from_be_bytes(*first);
        if first >= 0 {
            return Ok(Some((Self::Id(ServerId(first)), size_of::<i64>())));
        }
        let form = HelloForm::of(first).ok_or(HelloError::Form { found: first })?;
        let Some(head) = bytes.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let [.., a, b, c, d] = *head;
        let found = i32::from_be_bytes([a, b, c, d]);
        let length = usize::try_from(found).ok();
        let length = length
            .filter(|length| (1..=HELLO_ADDRESSES_BYTES_MAX).contains(length))
            .ok_or(HelloError::Length { found })?;
        let Some(text) = bytes.get(HEAD_BYTES..HEAD_BYTES + length) else { return Ok(None) };
        let server = head[8..].first_chunk().map(|id| ServerId(i64::from_be_bytes(*id)));
        let server = server.expect("an id follows the form");
        let addresses = addresses(&String::from_utf8_lossy(text))
            .map_err(|index| HelloError::Address { server, index })?;
        Ok(Some((Self::Addressed { form, server, addresses }, HEAD_BYTES + length)))
    }

    /// Appends the hello.
    ///
    /// # Panics
    /// If an [`Hello::Id`] is negative, or the addresses are none or do not fit.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Id(server) => {
                assert!(server.0 >= 0, "the old form has no negative ids: {server}");
                jute::put_long(out, server.0);
            }
            Self::Addressed { form, server, addresses } => {
                jute::put_long(out, form.code());
                jute::put_long(out, server.0);
                let written: Vec<_> = addresses.iter().map(ToString::to_string).collect();
                let text = written.join("|");
                let is_right = (1..=HELLO_ADDRESSES_BYTES_MAX).contains(&text.len());
                assert!(is_right, "addresses of {} bytes in a hello", text.len());
                jute::put_string(out, text.as_bytes());
            }
        }
    }
}

/// The addresses of a text but for the wildcards, or the index of the first that is none.
fn addresses(text: &str) -> Result<Vec<Address>, usize> {
    let mut addresses = Vec::new();
    for (index, text) in split_java(text, '|').into_iter().enumerate() {
        let address = Address::read(text).ok_or(index)?;
        if !address.is_wildcard() {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

impl fmt::Display for HelloError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { found } => write!(f, "a hello of an unknown form: {found}"),
            Self::Length { found } => write!(
                f,
                "a hello with {found} bytes of addresses, of which 1 to \
                 {HELLO_ADDRESSES_BYTES_MAX} are taken"
            ),
            Self::Address { server, index } => {
                write!(f, "address {index} in the hello of server {server} is not host:port")
            }
        }
    }
}

impl std::error::Error for HelloError {}
