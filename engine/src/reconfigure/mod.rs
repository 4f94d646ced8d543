//! What a change of the ensemble's configuration becomes: the next configuration, or why there is
//! none.
//!
//! The leader decides by it, and an operator's dry run asks it before anything is sent. It knows
//! nothing of who asks: permission is for the caller to check.
//!
//! Source: ZooKeeper 3.9.5, `PrepRequestProcessor` (`OpCode.reconfig`),
//! `QuorumPeerConfig.parseDynamicConfig`. Errors and their order are stock's: what stock stumbles
//! over in a number is a MARSHALLINGERROR, what it looks for is BADARGUMENTS.

mod refusal;

pub use refusal::Refusal;

use crate::limits::CONFIGURATION_BYTES_MAX;
use crate::settings::ReconfigSettings;
use crate::zab::{Configuration, Standing};
use model::peer::membership::{Member, Membership, Reading};
use model::request::Reconfig;
use model::server::ServerId;
use model::zxid::Zxid;
use std::collections::BTreeMap;

/// The configuration that `change` makes of the one in force, as the txn `zxid`.
///
/// # Errors
/// Why it cannot be.
pub fn next(
    standing: &Standing,
    settings: &ReconfigSettings,
    change: &Reconfig<'_>,
    zxid: Zxid,
) -> Result<Configuration, Refusal> {
    let current = &standing.current;
    if standing.next.is_some() {
        return Err(Refusal::InProgress);
    }
    if change.from != -1 && change.from != current.version() {
        return Err(Refusal::Version { from: change.from, current: current.version() });
    }
    let membership = match change.members {
        Some(members) => whole(members, settings.reading)?,
        None => changed(current.membership(), change, settings.reading)?,
    };
    let next = Configuration::new(membership.with_version(zxid.0));
    if next.text().len() > CONFIGURATION_BYTES_MAX {
        return Err(Refusal::TooLong(next.text().len()));
    }
    let voters = next.membership().participants().count();
    let is_whole = change.members.is_some();
    if voters < if settings.is_standalone_allowed { 2 } else { 1 } {
        let has_observers = next.membership().observers().next().is_some();
        let is_marshalling = is_whole && (has_observers || !settings.is_standalone_allowed);
        return Err(Refusal::TooFew { voters, is_marshalling });
    }
    if !standing.is_synced(&next) {
        return Err(Refusal::NoQuorum { missing: missing(standing, &next) });
    }
    Ok(next)
}

/// The voters of a configuration that do not follow yet.
fn missing(standing: &Standing, next: &Configuration) -> Vec<ServerId> {
    let follows = |id: &ServerId| *id == standing.me || standing.synced.contains(id);
    next.quorum().voters().filter(|id| !follows(id)).collect()
}

/// A configuration that is given as a whole, with newlines or commas between its lines.
fn whole(members: &[u8], reading: Reading) -> Result<Membership, Refusal> {
    let text: Vec<u8> =
        members.iter().map(|&byte| if byte == b',' { b'\n' } else { byte }).collect();
    Membership::parse(&text, reading).map_err(Refusal::Whole)
}

/// The servers of `current` without those that leave, and with those that join or change.
fn changed(
    current: &Membership,
    change: &Reconfig<'_>,
    reading: Reading,
) -> Result<Membership, Refusal> {
    if current.hierarchy().is_some() {
        return Err(Refusal::Groups);
    }
    let mut members = current.members().clone();
    for leaving in &listed(change.leaving, ',') {
        members.remove(&number(leaving)?);
    }
    for joining in listed(change.joining, ',') {
        let parts = listed(Some(joining.as_bytes()), '=');
        let [key, value] = &parts[..] else { return Err(Refusal::Entry(joining)) };
        let id = number(key.rsplit('.').next().unwrap_or_default())?;
        let member = Member::read(value, reading.is_multi)
            .map_err(|fault| Refusal::Joining { id, fault })?;
        if member.client.is_none() {
            return Err(Refusal::NoClientPort(id));
        }
        if let Some(other) = taken_by(id, &member, &members) {
            return Err(Refusal::Taken { id, other });
        }
        members.insert(id, member);
    }
    Ok(Membership::majority(members, 0))
}

/// Whose addresses a member would share.
fn taken_by(
    id: ServerId,
    member: &Member,
    members: &BTreeMap<ServerId, Member>,
) -> Option<ServerId> {
    let mut others = members.iter().filter(|(other, _)| **other != id);
    others.find(|(_, it)| member.conflicts_with(it)).map(|(other, _)| *other)
}

/// The parts of a list that are not empty, without the spaces around them.
fn listed(text: Option<&[u8]>, separator: char) -> Vec<String> {
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn number(text: &str) -> Result<ServerId, Refusal> {
    text.parse().map(ServerId).map_err(|_| Refusal::Number(text.to_owned()))
}
