//! Every operation of the protocol.

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $short:literal;)*) => {
        /// An operation that a client may request, or that a txn's header names (source: ZooKeeper
        /// 3.9.5, `ZooDefs.OpCode`).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(i32)]
        pub enum Op { $($(#[$doc])* $name = $code),* }

        impl Op {
            /// The operation behind a number.
            pub const fn of(code: i32) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The name that the word `cons` shows for it.
            pub const fn short_name(self) -> &'static str {
                match self { $(Self::$name => $short),* }
            }
        }
    };
}

ops! {
    /// Txn only: a request that failed and took a zxid.
    Error = -1, "NA";
    /// A node; the reply holds its path.
    Create = 1, "CREA";
    /// Deletes a node.
    Delete = 2, "DELE";
    /// A node's Stat.
    Exists = 3, "EXIS";
    /// A node's data and Stat.
    GetData = 4, "GETD";
    /// New data.
    SetData = 5, "SETD";
    /// A node's ACL.
    GetAcl = 6, "GETA";
    /// A new ACL.
    SetAcl = 7, "SETA";
    /// Names of the children.
    GetChildren = 8, "GETC";
    /// Answered once everything proposed before it can be read.
    Sync = 9, "SYNC";
    /// A heartbeat.
    Ping = 11, "PING";
    /// Names of the children and the Stat.
    GetChildren2 = 12, "GETC";
    /// In a multi: the node has this version.
    Check = 13, "CHEC";
    /// All of these or none.
    Multi = 14, "MULT";
    /// A node; the reply holds its path and Stat.
    Create2 = 15, "CREA";
    /// Changes the ensemble.
    Reconfig = 16, "RECO";
    /// Is there such a watch?
    CheckWatches = 17, "CHKW";
    /// Removes a watch.
    RemoveWatches = 18, "REMW";
    /// A node that is removed with its last child.
    CreateContainer = 19, "CREA";
    /// Removes containers and nodes whose time has run out.
    DeleteContainer = 20, "DELE";
    /// A node with a time to live.
    CreateTtl = 21, "CREA";
    /// Several reads, each with its own result.
    MultiRead = 22, "MLTR";
    /// Credentials.
    Auth = 100, "NA";
    /// The watches of a client that has reconnected.
    SetWatches = 101, "SETW";
    /// A step of SASL.
    Sasl = 102, "NA";
    /// The session's own ephemeral nodes.
    GetEphemerals = 103, "GETE";
    /// Count of all descendants.
    GetAllChildrenNumber = 104, "GETACN";
    /// Like `SetWatches`, with persistent ones.
    SetWatches2 = 105, "STW2";
    /// A persistent watch.
    AddWatch = 106, "ADDW";
    /// The connection's identities.
    WhoAmI = 107, "HOMI";
    /// Txn: a session begins.
    CreateSession = -10, "SESS";
    /// A session ends, and its ephemeral nodes with it.
    CloseSession = -11, "CLOS";
}

impl Op {
    /// The number on the wire and in the log.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// Whether the ordering role handles it: every write, and what must be ordered among writes.
    pub const fn is_ordered(self) -> bool {
        matches!(
            self,
            Self::Create
                | Self::Create2
                | Self::CreateContainer
                | Self::CreateTtl
                | Self::Delete
                | Self::DeleteContainer
                | Self::SetData
                | Self::SetAcl
                | Self::Multi
                | Self::Reconfig
                | Self::Check
                | Self::Sync
                | Self::CloseSession
        )
    }
}
