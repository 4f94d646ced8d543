//! A client's servers, in their order.

use crate::score::{cost, score};
use crate::server::{Server, ServersError};
use std::cmp::Reverse;
use std::collections::HashMap;
use thiserror::Error;

/// Servers with different names, at least one: what clients are assigned to. Never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    servers: Vec<Server>,
}

/// The client has no name, so there is nothing to tell it from others by.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the name of a client is empty")]
pub struct EmptyClient;

/// A server's place for one client, compared field by field; the smallest comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank<'a> {
    /// In another zone than the client, which has one.
    pub(crate) is_beyond: bool,
    /// By hash and weight.
    pub(crate) cost: u64,
    /// By the hash alone, for costs that are equal.
    pub(crate) score: Reverse<u64>,
    /// For equal hashes.
    pub(crate) name: &'a str,
}

impl Assignment {
    /// An assignment to these servers. Their sequence has no influence on any order.
    ///
    /// # Errors
    /// There is none, two have the same name, or a name is not one.
    pub fn new(servers: Vec<Server>) -> Result<Self, ServersError> {
        if servers.is_empty() {
            return Err(ServersError::None);
        }
        let mut seen = HashMap::new();
        for (index, Server { name, .. }) in servers.iter().enumerate() {
            if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(ServersError::Name { server: index });
            }
            if let Some(first) = seen.insert(name, index) {
                return Err(ServersError::Twice { first, second: index });
            }
        }
        Ok(Self { servers })
    }

    /// The servers, as they were given.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The indices of all servers in the order in which this client tries them: those of its zone,
    /// if it has one, before the others; within and beyond it by hash and weight.
    ///
    /// # Errors
    /// The client's name is empty.
    pub fn order(&self, client: &str, zone: Option<&str>) -> Result<Vec<usize>, EmptyClient> {
        if client.is_empty() {
            return Err(EmptyClient);
        }
        let rank = |server| Rank::of(server, client, zone);
        let mut ranked: Vec<_> = self.servers.iter().map(rank).zip(0..).collect();
        ranked.sort_unstable();
        Ok(ranked.into_iter().map(|(_, index)| index).collect())
    }
}

impl<'a> Rank<'a> {
    fn of(server: &'a Server, client: &str, zone: Option<&str>) -> Self {
        let score = score(&server.name, client);
        Self {
            is_beyond: zone.is_some() && server.zone.as_deref() != zone,
            cost: cost(score, server.weight),
            score: Reverse(score),
            name: &server.name,
        }
    }
}
