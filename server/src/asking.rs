//! What a running server, of ours or of ZooKeeper, says of itself by four-letter words.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long a server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a server is to its ensemble, in the order in which they are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// It observes.
    Observer,
    /// It follows.
    Follower,
    /// It leads.
    Leader,
    /// It is alone.
    Standalone,
    /// It has lost its ensemble, and serves reads.
    ReadOnly,
    /// It serves nobody.
    None,
}

/// What a server has said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its version, without the build.
    pub(crate) version: String,
    /// Whether it is one of ours: it has been exchanged.
    pub(crate) is_ours: bool,
    /// What it is.
    pub(crate) mode: Mode,
    /// Its last txn, as it writes it.
    pub(crate) zxid: String,
    /// Nodes of its tree.
    pub(crate) nodes: u64,
    /// Connections of clients.
    pub(crate) clients: u64,
    /// Its configuration, if it says that.
    pub(crate) conf: Option<Conf>,
}

/// What `conf` says: keys and values in their order, and the ensemble.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conf {
    lines: Vec<(String, String)>,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Observer => "observer",
            Self::Follower => "follower",
            Self::Leader => "leader",
            Self::Standalone => "standalone",
            Self::ReadOnly => "read-only",
            Self::None => "none",
        })
    }
}

impl Conf {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let found = self.lines.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The number of the server.
    pub(crate) fn server_id(&self) -> Option<&str> {
        self.get("serverId")
    }

    /// How many servers the ensemble has.
    pub(crate) fn server_count(&self) -> usize {
        self.lines.iter().filter(|(key, _)| key.starts_with("server.")).count()
    }

    fn read(text: &str) -> Option<Self> {
        let lines = text.lines().filter_map(|line| line.trim().split_once('='));
        let lines: Vec<_> = lines.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        // A refusal has none.
        (!lines.is_empty()).then_some(Self { lines })
    }
}

impl Told {
    fn read(srvr: &str, conf: &str) -> Option<Self> {
        let field = |name: &str| {
            srvr.lines()
                .find_map(|line| line.strip_prefix(name))
                .map(|value| value.trim().to_owned())
        };
        let number = |name| field(name).and_then(|value| value.parse().ok()).unwrap_or(0);
        if srvr.contains("not currently serving requests") {
            let (version, zxid) = (String::new(), String::new());
            let (is_ours, mode, conf) = (false, Mode::None, Conf::read(conf));
            return Some(Self { version, is_ours, mode, zxid, nodes: 0, clients: 0, conf });
        }
        let version = field("Zookeeper version:")?;
        let is_ours = version.contains("-ringkeeper-");
        let version = version.split([',', '-', ' ']).next().unwrap_or_default().to_owned();
        let mode = match field("Mode:")?.as_str() {
            "leader" => Mode::Leader,
            "follower" => Mode::Follower,
            "observer" => Mode::Observer,
            "standalone" => Mode::Standalone,
            _ => Mode::ReadOnly,
        };
        Some(Self {
            version,
            is_ours,
            mode,
            zxid: field("Zxid:").unwrap_or_default(),
            nodes: number("Node count:"),
            clients: number("Connections:"),
            conf: Conf::read(conf),
        })
    }
}

/// Asks a server.
///
/// # Errors
/// It cannot be reached, or what it says is not what a server of ZooKeeper says.
pub(crate) fn ask(address: &str) -> io::Result<Told> {
    let srvr = word(address, "srvr")?;
    // Some close the connection instead of refusing.
    let conf = word(address, "conf").unwrap_or_default();
    Told::read(&srvr, &conf).ok_or_else(not_understood)
}

/// Asks a server for what no whitelist forbids: not for its configuration.
///
/// # Errors
/// As [`ask`].
pub(crate) fn ask_in_short(address: &str) -> io::Result<Told> {
    let srvr = word(address, "srvr")?;
    Told::read(&srvr, "").ok_or_else(not_understood)
}

fn not_understood() -> io::Error {
    let what = "it does not answer srvr as ZooKeeper does: name the port for clients, and see \
                4lw.commands.whitelist";
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What a server answers to a word.
///
/// # Errors
/// It cannot be reached.
pub(crate) fn word(address: &str, word: &str) -> io::Result<String> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for resolved in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&resolved, ANSWER_MAX) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                stream.set_write_timeout(Some(ANSWER_MAX))?;
                stream.write_all(word.as_bytes())?;
                let mut answer = Vec::new();
                stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
                return Ok(String::from_utf8_lossy(&answer).into_owned());
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SRVR: &str = "Zookeeper version: 3.9.5-abc, built on 2025-01-01 00:00 UTC\n\
        Latency min/avg/max: 0/0.5/12\nReceived: 30\nSent: 29\nConnections: 7\nOutstanding: 0\n\
        Zxid: 0x20000001f\nMode: leader\nNode count: 1204\n\
        Proposal sizes last/min/max: 48/48/64\n";

    #[test]
    fn what_zookeeper_says_is_read() {
        let conf = "clientPort=2181\nsecureClientPort=-1\ndataDir=/d/version-2\nserverId=3\n\
            membership: \nserver.1=a:1:2:participant\nserver.3=b:1:2:participant\nversion=0";
        let told = Told::read(SRVR, conf).unwrap();
        assert_eq!((told.version.as_str(), told.mode), ("3.9.5", Mode::Leader));
        assert_eq!((told.zxid.as_str(), told.nodes, told.clients), ("0x20000001f", 1204, 7));
        let conf = told.conf.unwrap();
        assert_eq!((conf.server_id(), conf.server_count()), (Some("3"), 2));
        assert_eq!(conf.get("dataDir"), Some("/d/version-2"));
    }

    #[test]
    fn a_server_of_ours_is_known_by_its_version() {
        let ours = SRVR.replace("3.9.5-abc", "3.9.5-ringkeeper-0.1.0");
        assert!(Told::read(&ours, "").unwrap().is_ours && !Told::read(SRVR, "").unwrap().is_ours);
    }

    #[test]
    fn what_it_refuses_is_not_known() {
        let refusal = "conf is not executed because it is not in the whitelist.\n";
        assert_eq!(Told::read(SRVR, refusal).unwrap().conf, None);
        let idle = "This ZooKeeper instance is not currently serving requests\n";
        assert_eq!(Told::read(idle, refusal).unwrap().mode, Mode::None);
        for other in ["", "HTTP/1.1 400 Bad Request\r\n", refusal] {
            assert_eq!(Told::read(other, ""), None);
        }
    }
}
