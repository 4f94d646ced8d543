//! Who a connection is, and which schemes there are.

use super::address::Network;
use crate::settings::{DigestAlgorithm, Settings};
use base64::Engine as _;
use model::acl::{AclEntry, Id};
use sha1::Digest as _;
use std::net::IpAddr;

/// The schemes of authentication: a closed set, so that a new one must say everywhere what it
/// means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `user:base64(digest("user:password"))`.
    Digest,
    /// An address, or a network of addresses.
    Ip,
}

impl Scheme {
    /// The scheme of that name, where this server has it switched on.
    pub fn of_name(name: &[u8], settings: &Settings) -> Option<Self> {
        match name {
            b"digest" if settings.digest.is_some() => Some(Self::Digest),
            b"ip" => Some(Self::Ip),
            _ => None,
        }
    }

    /// Whether having one of its identities means that the client has shown who it is.
    pub const fn is_authenticated(self) -> bool {
        match self {
            Self::Digest => true,
            Self::Ip => false,
        }
    }

    /// Whether an ACL may name this id.
    pub fn is_valid(self, id: &[u8]) -> bool {
        match self {
            // Java's split drops empty strings at the end, so `a:` has one part.
            Self::Digest => {
                let end = id.iter().rposition(|&b| b != b':').map_or(0, |at| at + 1);
                id[..end].split(|&b| b == b':').count() == 2
            }
            Self::Ip => Network::parse(id).is_some(),
        }
    }

    /// Whether a connection's identity is meant by an ACL's.
    pub fn matches(self, identity: &[u8], expression: &[u8]) -> bool {
        match self {
            Self::Digest => identity == expression,
            Self::Ip => {
                let network = Network::parse(expression);
                network.is_some_and(|network| network.holds(identity))
            }
        }
    }
}

/// The identities of a connection, in the order in which stock would list them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identities {
    ids: Vec<Id>,
    is_super: bool,
}

impl Identities {
    /// What every connection has: its address, a v6 one with all its eight groups, as Java
    /// writes it.
    pub fn of_address(address: IpAddr) -> Self {
        let text = match address {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => v6.segments().map(|group| format!("{group:x}")).join(":"),
        };
        let id = Id { scheme: b"ip".to_vec(), id: text.into_bytes() };
        Self { ids: vec![id], is_super: false }
    }

    /// All of them.
    pub fn ids(&self) -> &[Id] {
        &self.ids
    }

    /// Whether no ACL applies.
    pub const fn is_super(&self) -> bool {
        self.is_super
    }

    /// Whether one of them is of that scheme.
    pub fn has_scheme(&self, scheme: &[u8]) -> bool {
        self.ids.iter().any(|id| id.scheme == scheme)
    }

    fn add(&mut self, scheme: &[u8], id: Vec<u8>) {
        let id = Id { scheme: scheme.to_vec(), id };
        self.is_super |= scheme == b"super";
        if !self.ids.contains(&id) {
            self.ids.push(id);
            let places = places_of(self.ids.len());
            self.ids.sort_by_key(|id| place_of(id) & (places - 1));
        }
    }

    /// Takes credentials; false if they are refused.
    pub fn authenticate(&mut self, scheme: &[u8], auth: &[u8], settings: &Settings) -> bool {
        match (Scheme::of_name(scheme, settings), settings.digest) {
            (Some(Scheme::Digest), Some(algorithm)) => {
                let digest = digest_id(auth, algorithm);
                if settings.super_digest.as_deref() == Some(&digest) {
                    self.add(b"super", Vec::new());
                }
                self.add(b"digest", digest);
                true
            }
            // The address was known before.
            (Some(Scheme::Ip), _) => true,
            (Some(Scheme::Digest) | None, _) => false,
        }
    }

    /// Whether this entry grants one of these permissions.
    pub fn is_meant_by(&self, wanted: i32, entry: &AclEntry<'_>, settings: &Settings) -> bool {
        if entry.perms & wanted == 0 {
            return false;
        }
        if entry.is_world() {
            return true;
        }
        let (Some(name), Some(expression)) = (entry.scheme, entry.id) else { return false };
        let Some(scheme) = Scheme::of_name(name, settings) else { return false };
        let mut same = self.ids.iter().filter(|id| id.scheme == name);
        same.any(|id| scheme.matches(&id.id, expression))
    }
}

/// Places of the hash table in which stock keeps so many identities: it doubles when three
/// quarters are taken.
fn places_of(count: usize) -> u32 {
    let mut places: u32 = 16;
    while count as u32 >= places / 4 * 3 {
        places *= 2;
    }
    places
}

/// The bits that choose an identity's place there. Whom `auth` stands for, and what whoAmI says,
/// comes in the order of places, and an ACL once made keeps it.
fn place_of(id: &Id) -> u32 {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.encode_utf16()
            .fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(unit.into()))
    };
    let hash = [text(&id.scheme), text(&id.id)];
    let hash = hash.iter().fold(17_u32, |hash, part| hash.wrapping_mul(37).wrapping_add(*part));
    (hash ^ (hash >> 16)) & 0x7fff_ffff
}

/// The id behind `user:password`.
pub fn digest_id(auth: &[u8], algorithm: DigestAlgorithm) -> Vec<u8> {
    let digest = match algorithm {
        DigestAlgorithm::Sha1 => sha1::Sha1::digest(auth).to_vec(),
        DigestAlgorithm::Sha224 => sha2::Sha224::digest(auth).to_vec(),
        DigestAlgorithm::Sha256 => sha2::Sha256::digest(auth).to_vec(),
        DigestAlgorithm::Sha384 => sha2::Sha384::digest(auth).to_vec(),
        DigestAlgorithm::Sha512 => sha2::Sha512::digest(auth).to_vec(),
        DigestAlgorithm::Sha512_224 => sha2::Sha512_224::digest(auth).to_vec(),
        DigestAlgorithm::Sha512_256 => sha2::Sha512_256::digest(auth).to_vec(),
        DigestAlgorithm::Sha3_224 => sha3::Sha3_224::digest(auth).to_vec(),
        DigestAlgorithm::Sha3_256 => sha3::Sha3_256::digest(auth).to_vec(),
        DigestAlgorithm::Sha3_384 => sha3::Sha3_384::digest(auth).to_vec(),
        DigestAlgorithm::Sha3_512 => sha3::Sha3_512::digest(auth).to_vec(),
    };
    let user = auth.split(|&b| b == b':').next().unwrap_or_default();
    let mut id = user.to_vec();
    id.push(b':');
    id.extend_from_slice(base64::engine::general_purpose::STANDARD.encode(digest).as_bytes());
    id
}
