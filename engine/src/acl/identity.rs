//! Who a connection is.

use super::scheme::{Ensemble, Scheme, Schemes, digest_id, is_key};
use model::acl::{AclEntry, Id};
use model::peer;
use std::net::IpAddr;

/// The result of checking credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are valid, or nothing depends on them.
    Accepted,
    /// They are valid: this is the ensemble that the client means.
    ThisEnsemble,
    /// Nothing depends on them: the client or this ensemble has no name to compare.
    AnyEnsemble,
    /// They are invalid.
    Refused,
    /// The client means another ensemble: its connection is closed without an answer, so that it
    /// tries another server rather than give up.
    OtherEnsemble,
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

    /// Those that another server vouches for, in its order.
    pub fn of_peer(list: &peer::packet::Identities<'_>) -> Self {
        let mut identities = Self::default();
        for peer::packet::Identity { scheme, id } in list.iter() {
            let (Some(scheme), Some(id)) = (scheme, id) else { continue };
            identities.is_super |= scheme == b"super";
            identities.ids.push(Id { scheme: scheme.to_vec(), id: id.to_vec() });
        }
        identities
    }

    /// What they hold, in bytes, about.
    pub(crate) fn bytes(&self) -> usize {
        let of_id = |id: &Id| size_of::<Id>() + id.scheme.len() + id.id.len();
        self.ids.iter().map(of_id).sum()
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

    /// Adds the identity of credentials, null ones as `None`. `key` returns the data of the node
    /// `/key`.
    pub fn authenticate<'a>(
        &mut self,
        scheme: Option<&[u8]>,
        auth: Option<&[u8]>,
        schemes: &Schemes,
        key: impl FnOnce() -> Option<&'a [u8]>,
    ) -> Verdict {
        let scheme = scheme.and_then(|name| schemes.of_name(name));
        match (scheme, auth) {
            (Some(Scheme::Digest), Some(auth)) => {
                let Some(algorithm) = schemes.digest else { return Verdict::Refused };
                let digest = digest_id(auth, algorithm);
                if schemes.super_digest.as_deref() == Some(&digest) {
                    self.add(b"super", Vec::new());
                }
                self.add(b"digest", digest);
                Verdict::Accepted
            }
            (Some(Scheme::Key), Some(auth)) if is_key(auth, key()) => {
                self.add(b"key", Vec::new());
                Verdict::Accepted
            }
            // The address was known before.
            (Some(Scheme::Ip), _) => Verdict::Accepted,
            (Some(Scheme::Ensemble), auth) => of_ensemble(auth, schemes.ensemble.as_ref()),
            // Stock fails on null credentials where it has to read them. Those of SASL and of
            // certificates do not arrive this way.
            (Some(Scheme::Digest | Scheme::Key | Scheme::Sasl | Scheme::X509) | None, _) => {
                Verdict::Refused
            }
        }
    }

    /// Whether this entry grants one of these permissions.
    pub fn is_meant_by(&self, wanted: i32, entry: &AclEntry<'_>, schemes: &Schemes) -> bool {
        if entry.perms & wanted == 0 {
            return false;
        }
        if entry.is_world() {
            return true;
        }
        let (Some(name), Some(expression)) = (entry.scheme, entry.id) else { return false };
        let Some(scheme) = schemes.of_name(name) else { return false };
        let mut same = self.ids.iter().filter(|id| id.scheme == name);
        same.any(|id| scheme.matches(&id.id, expression))
    }
}

fn of_ensemble(auth: Option<&[u8]>, ensemble: Option<&Ensemble>) -> Verdict {
    let wanted = auth.filter(|auth| !auth.is_empty()).map(String::from_utf8_lossy);
    match (wanted, ensemble) {
        (Some(wanted), Some(Ensemble::Named(names))) if names.contains(&*wanted) => {
            Verdict::ThisEnsemble
        }
        (Some(_), Some(Ensemble::Named(_))) => Verdict::OtherEnsemble,
        _ => Verdict::AnyEnsemble,
    }
}

/// Size of the hash table in which stock keeps this many identities: it doubles when three quarters
/// are taken.
fn places_of(count: usize) -> u32 {
    let mut places: u32 = 16;
    while count as u32 >= places / 4 * 3 {
        places *= 2;
    }
    places
}

/// The bits that choose an identity's place there. The identities that `auth` stands for, and those
/// in whoAmI's reply, are in the order of these places, and an ACL keeps that order once made.
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
