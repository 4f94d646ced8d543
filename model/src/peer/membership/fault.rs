//! What can be wrong with the lines of a membership.

use std::fmt;

use crate::server::ServerId;

/// What is wrong with one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It does not have the form of a server's line.
    Shape,
    /// The two ports of a server are the same.
    SamePort(u16),
    /// A server has several addresses, and that is not enabled.
    ManyAddresses,
    /// A server votes at one of its addresses only.
    MixedRoles,
    /// What follows the dot of the key is not a number.
    Number,
    /// A weight, or the server that has it, is not a number.
    Weight,
    /// A group, or a member of it, is not a number.
    Group,
    /// A server is in two groups.
    InTwoGroups {
        /// The server.
        server: ServerId,
        /// The key of the other group, or the beginning of it.
        other: String,
    },
    /// There are groups, and this server is in none.
    InNoGroup,
    /// A group has a member that neither votes nor has a weight.
    NoSuchMember {
        /// The member.
        server: ServerId,
    },
    /// The version is no number.
    Version,
    /// The key is not one of a membership.
    Unknown,
    /// An escape is not one of the syntax.
    Escape,
}

/// What is wrong with a text, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembershipError {
    /// The number of the line, from 1.
    pub line: u32,
    /// The line's key, or the beginning of it.
    pub key: String,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for MembershipError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the membership: {}: {}", self.line, self.key, self.fault)
    }
}

impl std::error::Error for MembershipError {}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Shape => f.write_str(
                "must be host:port:port, then :participant or :observer, then \
                 ;[address:]clientPort",
            ),
            Fault::SamePort(port) => {
                write!(f, "the port {port} is there twice: give the election a port of its own")
            }
            Fault::ManyAddresses => f.write_str(
                "a server has one address: remove the others, or start with \
                 -Dzookeeper.multiAddress.enabled=true",
            ),
            Fault::MixedRoles => {
                f.write_str("a server is a participant or an observer at all of its addresses")
            }
            Fault::Number => f.write_str("the name must end in the number of a server"),
            Fault::Weight => {
                f.write_str("must be weight.N=number, where N is the number of a server")
            }
            Fault::Group => {
                f.write_str("must be group.N=server:server, where N and the servers are numbers")
            }
            Fault::InTwoGroups { server, other } => {
                write!(f, "server {server} is in {other} already: name it in one group")
            }
            Fault::InNoGroup => {
                f.write_str("the server is in no group: name it in a group.N line, or remove these")
            }
            Fault::NoSuchMember { server } => write!(
                f,
                "server {server} is not a participant of the server.N lines: add its line, or \
                 remove it from the group"
            ),
            Fault::Version => f.write_str("must be a hexadecimal number"),
            Fault::Unknown => {
                f.write_str("must be server.N, group.N, weight.N or version: remove the line")
            }
            Fault::Escape => f.write_str("four hexadecimal digits must follow \\u"),
        }
    }
}
