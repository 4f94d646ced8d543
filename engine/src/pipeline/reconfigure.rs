//! A change of the ensemble's configuration becomes a txn: the text of the next one, as data of
//! `/zookeeper/config`.
//!
//! Source: ZooKeeper 3.9.5, `PrepRequestProcessor` (`OpCode.reconfig`),
//! `QuorumPeerConfig.parseDynamicConfig`. Errors and their order are stock's: what stock stumbles
//! over in a number is a MARSHALLINGERROR, what it looks for is BADARGUMENTS.

use super::decide::{Caller, Scratch};
use super::{CONFIGURATION, Head};
use crate::limits::CONFIGURATION_BYTES_MAX;
use crate::zab::{Configuration, Standing};
use model::acl::perms;
use model::error::ErrorCode;
use model::peer::membership::{Fault, Member, Membership, Reading};
use model::request::Reconfig;
use model::server::ServerId;
use model::txn::Txn;
use model::zxid::Zxid;
use std::collections::BTreeMap;

/// What the head knows of the ensemble while its server leads.
#[derive(Default)]
pub(super) struct Changing {
    standing: Option<Standing>,
    /// The version of the last configuration that was proposed here; agreement may not have it yet.
    proposed: i64,
}

impl Head {
    /// What a change is decided with from now on; `None` while the server does not lead.
    pub(crate) fn stand(&mut self, standing: Option<Standing>) {
        if standing.is_none() {
            self.changing.proposed = 0;
        }
        self.changing.standing = standing;
    }

    /// Decides a change; the txn has `zxid`, and borrows its text from `scratch`.
    pub(super) fn decide_reconfig<'a>(
        &self,
        reconfig: &Reconfig<'_>,
        zxid: Zxid,
        caller: Caller<'_>,
        scratch: &'a mut Scratch,
    ) -> Result<Txn<'a>, ErrorCode> {
        if !self.settings.reconfig.is_enabled {
            return Err(ErrorCode::ReconfigDisabled);
        }
        let next = self.next_configuration(reconfig, zxid)?;
        let node = self.tree.lookup(CONFIGURATION).ok_or(ErrorCode::NoNode)?;
        self.may(node.acl(), perms::WRITE, caller)?;
        scratch.text.extend_from_slice(next.text());
        Ok(Txn::SetData { path: CONFIGURATION, data: Some(&scratch.text), version: -1 })
    }

    /// A change that was decided is proposed.
    pub(super) fn proposed_configuration(&mut self, zxid: Zxid) {
        self.changing.proposed = zxid.0;
    }

    fn next_configuration(
        &self,
        reconfig: &Reconfig<'_>,
        zxid: Zxid,
    ) -> Result<Configuration, ErrorCode> {
        // A server that is alone has no configuration that could change.
        let standing = self.changing.standing.as_ref().ok_or(ErrorCode::Unimplemented)?;
        let current = &standing.current;
        if standing.next.is_some() || self.changing.proposed > current.version() {
            return Err(ErrorCode::ReconfigInProgress);
        }
        if reconfig.from != -1 && reconfig.from != current.version() {
            return Err(ErrorCode::BadVersion);
        }
        let reading = self.settings.reconfig.reading;
        let membership = match reconfig.members {
            Some(members) => whole(members, reading)?,
            None => changed(current.membership(), reconfig, reading)?,
        };
        let next = Configuration::new(membership.with_version(zxid.0));
        if next.text().len() > CONFIGURATION_BYTES_MAX {
            return Err(ErrorCode::BadArguments);
        }
        let voters = next.membership().participants().count();
        let observers = next.membership().observers().count();
        if self.settings.reconfig.is_standalone_allowed {
            if reconfig.members.is_some() && voters < 2 && observers > 0 {
                return Err(ErrorCode::MarshallingError);
            }
            if voters < 2 {
                return Err(ErrorCode::BadArguments);
            }
        } else if voters == 0 {
            let is_whole = reconfig.members.is_some();
            let error =
                if is_whole { ErrorCode::MarshallingError } else { ErrorCode::BadArguments };
            return Err(error);
        }
        if !standing.is_synced(&next) {
            return Err(ErrorCode::NewConfigNoQuorum);
        }
        Ok(next)
    }
}

/// A configuration that is given as a whole, with newlines or commas between its lines.
fn whole(members: &[u8], reading: Reading) -> Result<Membership, ErrorCode> {
    let text: Vec<u8> =
        members.iter().map(|&byte| if byte == b',' { b'\n' } else { byte }).collect();
    Membership::parse(&text, reading).map_err(|error| match error.fault {
        Fault::Number
        | Fault::Weight
        | Fault::Group
        | Fault::Version
        | Fault::NoSuchMember { .. } => ErrorCode::MarshallingError,
        _ => ErrorCode::BadArguments,
    })
}

/// The servers of `current` without those that leave, and with those that join or change.
fn changed(
    current: &Membership,
    reconfig: &Reconfig<'_>,
    reading: Reading,
) -> Result<Membership, ErrorCode> {
    if current.hierarchy().is_some() {
        return Err(ErrorCode::BadArguments);
    }
    let mut members = current.members().clone();
    for leaving in &listed(reconfig.leaving, ',') {
        members.remove(&number(leaving)?);
    }
    for joining in listed(reconfig.joining, ',') {
        let parts = listed(Some(joining.as_bytes()), '=');
        let [key, value] = &parts[..] else { return Err(ErrorCode::BadArguments) };
        let id = number(key.rsplit('.').next().unwrap_or_default())?;
        let member = Member::read(value, reading.is_multi).map_err(|_| ErrorCode::BadArguments)?;
        if member.client.is_none() || is_taken(id, &member, &members) {
            return Err(ErrorCode::BadArguments);
        }
        members.insert(id, member);
    }
    Ok(Membership::majority(members, 0))
}

fn is_taken(id: ServerId, member: &Member, members: &BTreeMap<ServerId, Member>) -> bool {
    members.iter().any(|(other, it)| *other != id && member.conflicts_with(it))
}

/// The parts of a list that are not empty, without the spaces around them.
fn listed(text: Option<&[u8]>, separator: char) -> Vec<String> {
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    let parts = text.split(separator).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn number(text: &str) -> Result<ServerId, ErrorCode> {
    text.parse().map(ServerId).map_err(|_| ErrorCode::MarshallingError)
}
