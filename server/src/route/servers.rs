//! Which servers there are, with their weights and zones.

use super::address::Address;
use super::args::RouteArgs;
use super::error::RouteError;
use assignment::{Assignment, Server};

/// The host that joins where the command line names none.
const STAND_IN: &str = "another";

/// The servers of the command line.
#[derive(Debug)]
pub(super) struct Servers {
    /// Those that are there.
    pub(super) assignment: Assignment,
    /// The one that may join.
    pub(super) joining: Server,
    /// Those that are there, and as the last one the one that joins.
    pub(super) joined: Assignment,
    /// Where the clients are.
    pub(super) zone: Option<String>,
}

/// How lists write that a server has no zone.
const NO_ZONE: &str = "-";

impl Servers {
    pub(super) fn read(args: &RouteArgs) -> Result<Self, RouteError> {
        let is_named = args.joining.is_some();
        let mut all = named(args)?;
        set(&mut all, &args.weights, "weight", "HOST:PORT=NUMBER", |server, text, number| {
            let why = |why| RouteError::Weight { text: text.to_owned(), why };
            server.weight = number.parse().map_err(why)?;
            Ok(())
        })?;
        set(&mut all, &args.zones, "zone", "HOST:PORT=NAME", |server, text, zone| {
            if zone == NO_ZONE {
                let form = "HOST:PORT=NAME, where - is no name: it is how none is written";
                return Err(RouteError::Form { option: "zone", text: text.to_owned(), form });
            }
            server.zone = Some(zone.to_owned());
            Ok(())
        })?;
        let mut there = all.clone();
        let joining = if is_named { there.pop() } else { None };
        let joining = joining.unwrap_or_else(|| {
            let is_free = |name: &String| all.iter().all(|server| server.name != *name);
            let name =
                (0..=all.len()).map(|more| format!("{STAND_IN}:{}", 2181 + more)).find(is_free);
            Server {
                zone: args.within.clone(),
                ..Server::new(name.expect("more names than servers"))
            }
        });
        let joined = there.iter().cloned().chain([joining.clone()]).collect();
        let servers = Self {
            assignment: Assignment::new(there)?,
            joined: Assignment::new(joined)?,
            joining,
            zone: args.within.clone(),
        };
        servers.assert_zone()?;
        Ok(servers)
    }

    /// A zone without servers would be one that is misspelt.
    fn assert_zone(&self) -> Result<(), RouteError> {
        let Some(zone) = &self.zone else { return Ok(()) };
        let mut zones: Vec<_> =
            self.assignment.servers().iter().filter_map(|it| it.zone.as_deref()).collect();
        if zones.contains(&&zone[..]) {
            return Ok(());
        }
        zones.sort_unstable();
        zones.dedup();
        let known = if zones.is_empty() {
            "give each server's by --zone HOST:PORT=NAME".to_owned()
        } else {
            format!("there are {}", zones.join(", "))
        };
        Err(RouteError::Zone { zone: zone.clone(), known })
    }
}

/// The servers in the sequence of the command line, the one that joins as the last.
fn named(args: &RouteArgs) -> Result<Vec<Server>, RouteError> {
    let mut seen: Vec<(Address, &String)> = Vec::new();
    for text in args.servers.iter().chain(&args.joining) {
        let why = |why| RouteError::Address { text: format!("server '{text}'"), why };
        let address = Address::read(text).map_err(why)?;
        if let Some((_, first)) = seen.iter().find(|(it, _)| *it == address) {
            return Err(RouteError::Twice { first: (*first).clone(), second: text.clone() });
        }
        seen.push((address, text));
    }
    Ok(seen.into_iter().map(|(_, text)| Server::new(text)).collect())
}

/// Sets what `texts` say, HOST:PORT=VALUE each, of one server each.
fn set(
    servers: &mut [Server],
    texts: &[String],
    option: &'static str,
    form: &'static str,
    mut one: impl FnMut(&mut Server, &str, &str) -> Result<(), RouteError>,
) -> Result<(), RouteError> {
    let mut done = vec![false; servers.len()];
    for text in texts {
        let parts = text.split_once('=').filter(|(_, value)| !value.is_empty());
        let (name, value) =
            parts.ok_or_else(|| RouteError::Form { option, text: text.clone(), form })?;
        let (text, server) = (text.clone(), name.to_owned());
        let Some(index) = servers.iter().position(|it| it.name == name) else {
            let known: Vec<_> = servers.iter().map(|it| &it.name[..]).collect();
            return Err(RouteError::Unknown { option, text, server, known: known.join(", ") });
        };
        if std::mem::replace(&mut done[index], true) {
            return Err(RouteError::Again { option, text, server });
        }
        one(&mut servers[index], &text, value)?;
    }
    Ok(())
}
