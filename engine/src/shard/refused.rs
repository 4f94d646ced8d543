//! Connections that end without an answer.

use model::zxid::Zxid;

/// Why a connection ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its first packet is not a connect request.
    NotConnect,
    /// The server has no leader.
    NotServing,
    /// The server has no leader and serves read-only clients, and this is not one.
    NotReadOnly,
    /// It has seen more of the history than this server has.
    ZxidAhead {
        /// What it has seen.
        seen: Zxid,
        /// Where this server is.
        here: Zxid,
    },
    /// A large request beyond the bound on those in flight.
    TooMuch {
        /// Its length in bytes.
        found: u64,
        /// The bound on all large requests together.
        max: u64,
    },
    /// A request that is too short for its header, or a malformed auth or sasl packet.
    Malformed,
    /// It means another ensemble.
    OtherEnsemble,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnect => f.write_str("its first packet is not a connect request"),
            Self::NotServing => f.write_str("this server has no leader at the moment"),
            Self::NotReadOnly => f.write_str(
                "this server has no leader at the moment, and it is no read-only client",
            ),
            Self::ZxidAhead { seen, here } => {
                write!(f, "it has seen zxid {seen}, this server is at {here}")
            }
            Self::TooMuch { found, max } => write!(
                f,
                "a large request of {found} bytes while {max} may be in flight in all \
                 (largeRequestMaxBytes)"
            ),
            Self::Malformed => f.write_str("its packet is too short to be a request"),
            Self::OtherEnsemble => {
                f.write_str("it means another ensemble: its name is not one of ensembleAuthName")
            }
        }
    }
}
