//! The engine's settings at start: decided values, never text.

use crate::acl::scheme::Schemes;
use model::peer::membership::Reading;
use model::session::ExtendedTypes;

/// Whether new sessions are local to the server that their client has reached, as a server of an
/// ensemble may have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalSessions {
    /// Every session is the ensemble's.
    #[default]
    Off,
    /// They are, and may not create ephemeral nodes.
    Refused,
    /// They are, until they create an ephemeral node.
    Upgraded,
}

/// How this server treats its clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This server's id; 1 for a standalone server.
    pub server_id: u8,
    /// The length of an expiry bucket in ms.
    pub tick_ms: u64,
    /// The shortest session timeout granted, in ms.
    pub timeout_ms_min: i32,
    /// The longest session timeout granted, in ms.
    pub timeout_ms_max: i32,
    /// Writes in flight on the whole server before connections are pushed back.
    pub outstanding_max: usize,
    /// Which requests are large, and how much of them may be in flight; `None` for no limit.
    pub large: Option<LargeRequests>,
    /// Which owners mean a TTL.
    pub extended_types: ExtendedTypes,
    /// How often containers and nodes whose time has run out are looked for, in ms.
    pub reap_interval_ms: u64,
    /// The most of them that are removed in a minute.
    pub reap_per_minute_max: u64,
    /// After how many ms a container that never had a child is removed; 0 for never.
    pub reap_never_used_ms: i64,
    /// Whether hard quotas are enforced.
    pub enforce_quota: bool,
    /// Whether every client may do everything.
    pub skip_acl: bool,
    /// How clients may authenticate.
    pub schemes: Schemes,
    /// Schemes of which a client must have one before anything but a connect; `None` requires
    /// nothing.
    pub enforced_schemes: Option<Vec<Vec<u8>>>,
    /// Whether the txn of a closed session lists its ephemeral nodes.
    pub close_session_txn: bool,
    /// Whether every txn carries the digest of the tree.
    pub txn_digest: bool,
    /// Whether a leader answers a sync only after a quorum has confirmed that it still leads.
    pub confirms_syncs: bool,
    /// Changes of the ensemble.
    pub reconfig: ReconfigSettings,
    /// How long a server of an ensemble looks for a leader before it serves read-only clients, in
    /// ms; `None` if it never does.
    pub read_only_after_ms: Option<u64>,
    /// Whether new sessions are local.
    pub local_sessions: LocalSessions,
    /// Secret against crafted keys of the server's own tables.
    pub hash_seed: [u64; 2],
}

/// The limit on large requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LargeRequests {
    /// Longer ones are large, in bytes.
    pub threshold_bytes: u64,
    /// All large ones in flight together, in bytes.
    pub total_bytes_max: u64,
}

/// Changes of the ensemble while servers run.
#[derive(Clone, Copy, Debug)]
pub struct ReconfigSettings {
    /// Whether there are any (`reconfigEnabled`).
    pub is_enabled: bool,
    /// Whether one server is run without an ensemble (`standaloneEnabled`), so that none can shrink
    /// to one.
    pub is_standalone_allowed: bool,
    /// How lines of servers are read.
    pub reading: Reading,
}

impl Default for ReconfigSettings {
    fn default() -> Self {
        let reading = Reading { is_multi: false, has_groups: true };
        Self { is_enabled: false, is_standalone_allowed: true, reading }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_id: 1,
            tick_ms: 3000,
            timeout_ms_min: 6000,
            timeout_ms_max: 60_000,
            outstanding_max: 1000,
            large: None,
            extended_types: ExtendedTypes::default(),
            reap_interval_ms: 60_000,
            reap_per_minute_max: 10_000,
            reap_never_used_ms: 0,
            enforce_quota: false,
            skip_acl: false,
            schemes: Schemes::default(),
            enforced_schemes: None,
            close_session_txn: true,
            txn_digest: true,
            confirms_syncs: true,
            reconfig: ReconfigSettings::default(),
            read_only_after_ms: None,
            local_sessions: LocalSessions::Off,
            hash_seed: [0; 2],
        }
    }
}

/// The two clocks, read once per turn by the caller of the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, in ms since some start: expiry and pauses.
    pub mono_ms: u64,
    /// The wall clock in ms since 1970: what nodes are stamped with.
    pub wall_ms: i64,
}
