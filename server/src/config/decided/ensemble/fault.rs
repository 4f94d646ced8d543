//! What can be wrong with the lines of an ensemble.

use std::{fmt, path::PathBuf};

/// What is wrong with a `server.N`, `group.N` or `weight.N` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServersFault {
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
        server: i64,
        /// The key of the other group.
        other: String,
    },
    /// There are groups, and this server is in none.
    InNoGroup,
    /// A group has a member that neither votes nor has a weight.
    NoSuchMember {
        /// The member.
        server: i64,
    },
    /// Several servers.
    Many,
    /// A server that does not vote.
    Observer,
    /// It is in the file that has `dynamicConfigFile`.
    BesideDynamic,
    /// A dynamic file contains its version.
    Version,
    /// The version in the file of the proposed lines is not a number.
    NextVersion,
    /// A dynamic file contains an unrelated key.
    Unknown,
    /// The only port for clients is in this line, and it is another server's.
    NotOurs {
        /// The server of the line.
        server: i64,
        /// The file that says which server this one is.
        path: PathBuf,
        /// The server that it names.
        found: Option<i64>,
    },
}

impl fmt::Display for ServersFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServersFault::Shape => f.write_str(
                "must be host:port:port, then :participant or :observer, then \
                 ;[address:]clientPort",
            ),
            ServersFault::SamePort(port) => {
                write!(f, "the port {port} is there twice: give the election a port of its own")
            }
            ServersFault::ManyAddresses => f.write_str(
                "a server has one address: remove the others, or start with \
                 -Dzookeeper.multiAddress.enabled=true",
            ),
            ServersFault::MixedRoles => {
                f.write_str("a server is a participant or an observer at all of its addresses")
            }
            ServersFault::Number => f.write_str("the name must end in the number of a server"),
            ServersFault::Weight => {
                f.write_str("must be weight.N=number, where N is the number of a server")
            }
            ServersFault::Group => {
                f.write_str("must be group.N=server:server, where N and the servers are numbers")
            }
            ServersFault::InTwoGroups { server, other } => {
                write!(f, "server {server} is in {other} already: name it in one group")
            }
            ServersFault::InNoGroup => {
                f.write_str("the server is in no group: name it in a group.N line, or remove these")
            }
            ServersFault::NoSuchMember { server } => write!(
                f,
                "server {server} is not a participant of the server.N lines: add its line, or \
                 remove it from the group"
            ),
            ServersFault::Many => f.write_str(
                "ensembles are not built yet: run one server, or remove the server.N lines",
            ),
            ServersFault::Observer => f.write_str(
                "an observer needs an ensemble, and ensembles are not built yet: remove the line",
            ),
            ServersFault::BesideDynamic => {
                f.write_str("must be in the file that dynamicConfigFile names")
            }
            ServersFault::Version => {
                f.write_str("must not be here: the version is the end of the file's name")
            }
            ServersFault::NextVersion => f.write_str("must be a hexadecimal number"),
            ServersFault::Unknown => f.write_str(
                "only server.N, group.N and weight.N may be here: move it to the \
                 configuration file",
            ),
            ServersFault::NotOurs { server, path, found } => {
                let path = path.display();
                match found {
                    Some(found) => write!(f, "{path} says that this is server {found}, so ")?,
                    None => write!(f, "there is no number in {path}, so ")?,
                }
                write!(
                    f,
                    "the line's port for clients does not count and there is no other: set \
                     clientPort, or write {server} into that file"
                )
            }
        }
    }
}
