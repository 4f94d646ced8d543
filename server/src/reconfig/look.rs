//! What the servers of an ensemble are, as they say it themselves.

use crate::asking::{self, Conf, Mode};
use engine::zab::{Configuration, Standing};
use model::peer::membership::Member;
use model::server::ServerId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;

/// The servers, as they were asked.
pub(super) struct Members {
    modes: BTreeMap<ServerId, Result<Mode, String>>,
}

impl Members {
    /// Asks these, all at once. Those whose lines do not say where clients connect are found among
    /// the servers at `given`, if these say their numbers.
    pub(super) fn ask(members: &BTreeMap<ServerId, Member>, given: &[String]) -> Self {
        let unplaced = members.values().any(|member| place(member).is_none());
        let named = if unplaced { numbers_of(given) } else { BTreeMap::new() };
        let modes = thread::scope(|scope| {
            let asked = members.iter().map(|(&id, member)| {
                let address = place(member).or_else(|| named.get(&id).cloned());
                (id, scope.spawn(move || mode_at(address.as_deref())))
            });
            let asked: Vec<_> = asked.collect();
            let answers = asked.into_iter().map(|(id, it)| (id, it.join().expect("no panic")));
            answers.collect()
        });
        Self { modes }
    }

    #[cfg(test)]
    pub(super) fn of(modes: BTreeMap<ServerId, Result<Mode, String>>) -> Self {
        Self { modes }
    }

    /// What a server is.
    pub(super) fn mode(&self, id: ServerId) -> Result<Mode, String> {
        self.modes.get(&id).cloned().unwrap_or_else(|| Err("it was not asked".to_owned()))
    }

    /// The one that leads.
    pub(super) fn leader(&self) -> Option<ServerId> {
        let mut leaders = self.modes.iter().filter(|(_, mode)| **mode == Ok(Mode::Leader));
        leaders.next().map(|(id, _)| *id)
    }

    /// What the leader decides a change with, as far as it can be known from outside.
    pub(super) fn standing(&self, current: &Arc<Configuration>) -> Option<Standing> {
        let follows = |it: &Result<Mode, String>| *it == Ok(Mode::Follower);
        let synced = self.modes.iter().filter(|(_, mode)| follows(mode)).map(|(id, _)| *id);
        Some(Standing {
            me: self.leader()?,
            current: current.clone(),
            next: None,
            synced: synced.collect(),
        })
    }
}

fn mode_at(address: Option<&str>) -> Result<Mode, String> {
    let address = address.ok_or("its line does not say where its clients connect")?;
    match asking::ask(address) {
        Ok(told) => Ok(told.mode),
        Err(error) => Err(format!("{address}: {error}")),
    }
}

/// Where a server's clients connect, as seen from elsewhere.
fn place(member: &Member) -> Option<String> {
    let mut client = member.client.clone()?;
    if client.is_wildcard() {
        client.host = member.addresses()[0].host.clone();
    }
    Some(client.to_string())
}

/// The addresses of those servers that say their numbers.
fn numbers_of(given: &[String]) -> BTreeMap<ServerId, String> {
    let numbered = given.iter().filter_map(|address| {
        let told = asking::ask(address).ok()?;
        let id = told.conf.as_ref().and_then(Conf::server_id)?.parse().ok()?;
        Some((ServerId(id), address.clone()))
    });
    numbered.collect()
}
