//! What the engine was told at start: decided values, never text.

use model::session::ExtendedTypes;

/// How this server treats its clients.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This server's id; 1 where it stands alone.
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
    /// How many of them are removed in a minute at most.
    pub reap_per_minute_max: u64,
    /// After how many ms a container that never had a child is removed; 0 for never.
    pub reap_never_used_ms: i64,
    /// Whether hard quotas are enforced.
    pub enforce_quota: bool,
    /// Whether every client may do everything.
    pub skip_acl: bool,
    /// The digest algorithm of the scheme `digest`; `None` switches the scheme off.
    pub digest: Option<DigestAlgorithm>,
    /// `super:base64(digest)`: whoever knows its password may do everything.
    pub super_digest: Option<Vec<u8>>,
    /// Schemes of which a client must have one before anything but a connect; `None` asks for
    /// nothing.
    pub enforced_schemes: Option<Vec<Vec<u8>>>,
    /// Whether the txn of a closed session lists its ephemeral nodes.
    pub close_session_txn: bool,
    /// Whether every txn carries the digest of the tree.
    pub txn_digest: bool,
    /// Whether reconfig is answered by what it lacks here rather than as switched off.
    pub reconfig_enabled: bool,
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

/// Digest algorithms of the scheme `digest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // The variants are the names that everyone has for them.
pub enum DigestAlgorithm {
    #[default]
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512_224,
    Sha512_256,
    Sha3_224,
    Sha3_256,
    Sha3_384,
    Sha3_512,
}

impl DigestAlgorithm {
    /// All of them, with Java's name and the last arc of the object identifier, if it lies below
    /// the arc of these hashes.
    const ALL: [(Self, &'static str, Option<u8>); 11] = [
        (Self::Sha1, "SHA-1", None),
        (Self::Sha224, "SHA-224", Some(4)),
        (Self::Sha256, "SHA-256", Some(1)),
        (Self::Sha384, "SHA-384", Some(2)),
        (Self::Sha512, "SHA-512", Some(3)),
        (Self::Sha512_224, "SHA-512/224", Some(5)),
        (Self::Sha512_256, "SHA-512/256", Some(6)),
        (Self::Sha3_224, "SHA3-224", Some(7)),
        (Self::Sha3_256, "SHA3-256", Some(8)),
        (Self::Sha3_384, "SHA3-384", Some(9)),
        (Self::Sha3_512, "SHA3-512", Some(10)),
    ];

    /// The algorithm that Java's `MessageDigest` knows by that name, in any case.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        let identifier = name.strip_prefix("OID.").unwrap_or(&name);
        if name == "SHA" || identifier == "1.3.14.3.2.26" {
            return Some(Self::Sha1);
        }
        let arc = identifier.strip_prefix("2.16.840.1.101.3.4.2.");
        let is_meant = |(_, java, last): &(Self, &str, Option<u8>)| {
            // The first hyphen of the older families may be left out.
            *java == name
                || java.strip_prefix("SHA-").is_some_and(|bits| name == format!("SHA{bits}"))
                || last.is_some_and(|last| arc == Some(&last.to_string()))
        };
        Self::ALL.iter().find(|it| is_meant(it)).map(|(algorithm, ..)| *algorithm)
    }

    /// Java's names of them, separated by commas.
    pub fn names() -> String {
        Self::ALL.map(|(_, name, _)| name).join(", ")
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
            digest: Some(DigestAlgorithm::Sha1),
            super_digest: None,
            enforced_schemes: None,
            close_session_txn: true,
            txn_digest: true,
            reconfig_enabled: false,
            hash_seed: [0; 2],
        }
    }
}

/// The two clocks, read once a turn by whoever calls the engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic, in ms since some start: expiry and pauses.
    pub mono_ms: u64,
    /// The wall clock in ms since 1970: what nodes are stamped with.
    pub wall_ms: i64,
}
