//! The servers that clients use, as a connect string names them, and what they are.

mod roles;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::blocking::resolve;
use crate::error::BenchError;

pub(crate) use self::roles::{Role, Roles};

/// A server by its name, which is the word of the connect string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: Box<str>,
    pub(crate) address: SocketAddr,
}

/// Reads a connect string: `host:port`, or several with commas in between.
pub(crate) fn parse(list: &str) -> Result<Vec<Server>, BenchError> {
    if let Some((_, path)) = list.split_once('/') {
        return Err(BenchError::Chroot { path: path.into() });
    }
    let server = |word: &str| {
        let address = resolve(word)?;
        Ok(Server { name: word.into(), address })
    };
    list.split(',').map(|word| server(word.trim())).collect()
}
