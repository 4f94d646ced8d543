//! What can be wrong with the lines of an ensemble.

use std::{fmt, path::PathBuf};

use model::peer::membership::Fault;

/// What is wrong with a `server.N`, `group.N` or `weight.N` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServersFault {
    /// A line of its own is wrong, or contradicts others.
    Line(Fault),
    /// There are several servers, and no number says which one this is.
    NoNumber {
        /// The file that should have it.
        path: PathBuf,
    },
    /// This server is none of them.
    NotListed {
        /// Its number.
        number: i64,
        /// The file that has it.
        path: PathBuf,
    },
    /// A server that does not vote, where too few do.
    NothingToObserve,
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
            ServersFault::Line(fault) => write!(f, "{fault}"),
            ServersFault::NoNumber { path } => write!(
                f,
                "there are several servers: write the number of this one into {}",
                path.display()
            ),
            ServersFault::NotListed { number, path } => write!(
                f,
                "{} says that this is server {number}, and no line is server.{number}: add the \
                 line, or correct the number",
                path.display()
            ),
            ServersFault::NothingToObserve => f.write_str(
                "an observer needs an ensemble: list two participants at least, or set \
                 standaloneEnabled=false if one is meant to be an ensemble",
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
