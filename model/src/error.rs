//! The error codes of the protocol.

use std::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal),* $(,)?) => {
        /// What a reply's header says of the request (source: ZooKeeper 3.9.5,
        /// `KeeperException.Code`; only codes that a server sends).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum ErrorCode { $($(#[$doc])* $name = $code),* }

        impl ErrorCode {
            /// The code behind a number, if a server sends it.
            pub const fn of(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// Success.
    Ok = 0,
    /// The server cannot do what was asked.
    SystemError = -1,
    /// An operation of a multi that failed because of another one.
    RuntimeInconsistency = -2,
    /// The request cannot be decoded.
    MarshallingError = -5,
    /// The operation does not exist or is disabled.
    Unimplemented = -6,
    /// A path, flag or TTL that no node can have.
    BadArguments = -8,
    /// A reconfiguration whose new quorum is not available.
    NewConfigNoQuorum = -13,
    /// Another reconfiguration is in progress.
    ReconfigInProgress = -14,
    /// The node, or its parent, does not exist.
    NoNode = -101,
    /// The ACL does not permit this client to do that.
    NoAuth = -102,
    /// The node has another version.
    BadVersion = -103,
    /// Ephemeral nodes have no children.
    NoChildrenForEphemerals = -108,
    /// The node exists.
    NodeExists = -110,
    /// The node has children.
    NotEmpty = -111,
    /// The session has ended.
    SessionExpired = -112,
    /// The ACL is empty or names an unknown scheme or id.
    InvalidAcl = -114,
    /// The credentials are wrong.
    AuthFailed = -115,
    /// The session is attached elsewhere.
    SessionMoved = -118,
    /// A write to a read-only server.
    NotReadOnly = -119,
    /// An ephemeral node of a local session.
    EphemeralOnLocalSession = -120,
    /// There is no such watch.
    NoWatcher = -121,
    /// Reconfiguration is disabled.
    ReconfigDisabled = -123,
    /// The server wants clients to authenticate first.
    SessionClosedRequireSaslAuth = -124,
    /// A hard quota is exceeded.
    QuotaExceeded = -125,
    /// The request waited too long in the throttle.
    ThrottledOp = -127,
}

impl ErrorCode {
    /// The number in the header.
    pub const fn code(self) -> i32 {
        self as i32
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?} ({})", self.code())
    }
}
