//! The authentication schemes: which exist, and which of them a server has.

use super::address::Network;
use super::names;
use base64::Engine as _;
use model::error::ErrorCode;
use sha1::Digest;
use std::collections::BTreeSet;

/// An authentication scheme: a closed set, so that a new one must be handled everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `user:base64(digest("user:password"))`.
    Digest,
    /// An address, or a network of addresses.
    Ip,
    /// No identity: a client names the ensemble that it means, and is rejected by any other.
    Ensemble,
    /// Clients that name a multiple of the number in the node `/key`.
    Key,
    /// A principal. No client can prove one here, but ACLs may name it.
    Sasl,
    /// The subject of a certificate. No client can prove one here, but ACLs may name it.
    X509,
}

/// The schemes that a server has. `ip` is always there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schemes {
    /// The hash of `digest`; `None` disables the scheme.
    pub digest: Option<DigestAlgorithm>,
    /// `super:base64(digest)`: a client that knows its password may do everything.
    pub super_digest: Option<Vec<u8>>,
    /// Which names `ensemble` accepts; `None` disables the scheme.
    pub ensemble: Option<Ensemble>,
    /// Whether `key` is enabled.
    pub has_key: bool,
    /// Whether `sasl` is enabled.
    pub has_sasl: bool,
    /// Whether `x509` is enabled.
    pub has_x509: bool,
}

impl Default for Schemes {
    fn default() -> Self {
        Self {
            digest: Some(DigestAlgorithm::Sha1),
            super_digest: None,
            ensemble: None,
            has_key: false,
            has_sasl: false,
            has_x509: false,
        }
    }
}

impl Schemes {
    /// The scheme of that name, where this server has it.
    pub fn of_name(&self, name: &[u8]) -> Option<Scheme> {
        match name {
            b"digest" if self.digest.is_some() => Some(Scheme::Digest),
            b"ip" => Some(Scheme::Ip),
            b"ensemble" if self.ensemble.is_some() => Some(Scheme::Ensemble),
            b"key" if self.has_key => Some(Scheme::Key),
            b"sasl" if self.has_sasl => Some(Scheme::Sasl),
            b"x509" if self.has_x509 => Some(Scheme::X509),
            _ => None,
        }
    }
}

impl Scheme {
    /// Whether having one of its identities means that the client has authenticated.
    pub const fn is_authenticated(self) -> bool {
        match self {
            Self::Digest | Self::Key | Self::Sasl | Self::X509 => true,
            Self::Ip | Self::Ensemble => false,
        }
    }

    /// Checks an id that a requested ACL names.
    pub fn check_id(self, id: Option<&[u8]>) -> Result<(), ErrorCode> {
        if self == Self::Ensemble {
            return Err(ErrorCode::InvalidAcl);
        }
        // Stock fails with an error on a null id where it has to read it; it accepts that of `key`,
        // and then exits when it writes the node.
        let id = id.ok_or(ErrorCode::MarshallingError)?;
        let is_valid = match self {
            // Java's split drops empty strings at the end, so `a:` has one part.
            Self::Digest => {
                let end = id.iter().rposition(|&b| b != b':').map_or(0, |at| at + 1);
                id[..end].split(|&b| b == b':').count() == 2
            }
            Self::Ip => Network::parse(id).is_some(),
            Self::Ensemble => false,
            Self::Key => true,
            Self::Sasl => names::is_principal(id),
            Self::X509 => names::is_distinguished(&String::from_utf8_lossy(id)),
        };
        if is_valid { Ok(()) } else { Err(ErrorCode::InvalidAcl) }
    }

    /// Whether an ACL's identity covers a connection's.
    pub fn matches(self, identity: &[u8], expression: &[u8]) -> bool {
        match self {
            Self::Digest | Self::Key | Self::Sasl | Self::X509 => identity == expression,
            Self::Ip => {
                let network = Network::parse(expression);
                network.is_some_and(|network| network.holds(identity))
            }
            Self::Ensemble => false,
        }
    }
}

/// Which names the scheme `ensemble` accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ensemble {
    /// Every one: this ensemble has no name of its own.
    Any,
    /// These, and clients that name none.
    Named(BTreeSet<String>),
}

/// The hashes of the scheme `digest`: those of Java 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are called what they are")]
pub enum DigestAlgorithm {
    Md2,
    Md5,
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
    /// All of them, each with Java's name and its last arc below the arcs of hashes, if it lies
    /// there.
    const ALL: [(Self, &'static str, Option<&'static str>); 13] = [
        (Self::Md2, "MD2", None),
        (Self::Md5, "MD5", None),
        (Self::Sha1, "SHA-1", None),
        (Self::Sha224, "SHA-224", Some("4")),
        (Self::Sha256, "SHA-256", Some("1")),
        (Self::Sha384, "SHA-384", Some("2")),
        (Self::Sha512, "SHA-512", Some("3")),
        (Self::Sha512_224, "SHA-512/224", Some("5")),
        (Self::Sha512_256, "SHA-512/256", Some("6")),
        (Self::Sha3_224, "SHA3-224", Some("7")),
        (Self::Sha3_256, "SHA3-256", Some("8")),
        (Self::Sha3_384, "SHA3-384", Some("9")),
        (Self::Sha3_512, "SHA3-512", Some("10")),
    ];

    /// The algorithm that Java 17 knows by that name, in any case.
    pub fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_uppercase();
        let oid = name.strip_prefix("OID.").unwrap_or(&name);
        if name == "SHA" || oid == "1.3.14.3.2.26" {
            return Some(Self::Sha1);
        }
        let last_arc = oid.strip_prefix("2.16.840.1.101.3.4.2.");
        let found = Self::ALL.iter().find(|(_, java, arc)| {
            // Without the first hyphen too, except for SHA3.
            let is_alias = java.strip_prefix("SHA-").is_some_and(|length| {
                name.strip_prefix("SHA").is_some_and(|written| written == length)
            });
            *java == name || is_alias || arc.is_some() && *arc == last_arc
        });
        found.map(|(algorithm, ..)| *algorithm)
    }

    /// Java's names of them, for a message.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, name, _)| *name)
    }

    fn hash(self, bytes: &[u8]) -> Vec<u8> {
        fn of<D: Digest>(bytes: &[u8]) -> Vec<u8> {
            D::digest(bytes).to_vec()
        }
        match self {
            Self::Md2 => of::<md2::Md2>(bytes),
            Self::Md5 => of::<md5::Md5>(bytes),
            Self::Sha1 => of::<sha1::Sha1>(bytes),
            Self::Sha224 => of::<sha2::Sha224>(bytes),
            Self::Sha256 => of::<sha2::Sha256>(bytes),
            Self::Sha384 => of::<sha2::Sha384>(bytes),
            Self::Sha512 => of::<sha2::Sha512>(bytes),
            Self::Sha512_224 => of::<sha2::Sha512_224>(bytes),
            Self::Sha512_256 => of::<sha2::Sha512_256>(bytes),
            Self::Sha3_224 => of::<sha3::Sha3_224>(bytes),
            Self::Sha3_256 => of::<sha3::Sha3_256>(bytes),
            Self::Sha3_384 => of::<sha3::Sha3_384>(bytes),
            Self::Sha3_512 => of::<sha3::Sha3_512>(bytes),
        }
    }
}

/// The id behind `user:password`. Invalid UTF-8 is replaced, as Java does.
pub fn digest_id(auth: &[u8], algorithm: DigestAlgorithm) -> Vec<u8> {
    let auth = String::from_utf8_lossy(auth);
    let user = auth.split(':').next().unwrap_or_default();
    let digest = algorithm.hash(auth.as_bytes());
    format!("{user}:{}", base64::engine::general_purpose::STANDARD.encode(digest)).into_bytes()
}

/// Whether these credentials of `key` agree with the data of the node `/key`: a number that is a
/// multiple of the one there. Without data there everyone is accepted, so that it can be written.
pub fn is_key(auth: &[u8], data: Option<&[u8]>) -> bool {
    let Some(data) = data else { return true };
    let number = |bytes: &[u8]| str::from_utf8(bytes).ok()?.parse::<i32>().ok();
    match (number(data), number(auth)) {
        (Some(key), Some(auth)) => key == 0 || auth.wrapping_rem(key) == 0,
        _ => false,
    }
}
