//! The `server.N` lines, as far as one server needs them.

use crate::config::{ConfigError, written::Entry};

use super::{Endpoint, Host, settle::Settled};

const SHAPE: &str = "host:port:port, then :participant or :observer, then ;[address:]clientPort";

/// Checks that the lines mean one server alone; the address for clients that its line has.
pub(super) fn check(settled: &mut Settled<'_>) -> Option<Endpoint> {
    let standalone = settled.flag("standaloneEnabled");
    let mut participants: Vec<(String, &Entry, Option<Endpoint>)> = Vec::new();
    let mut observer = None;
    for (name, entry) in settled.family("server.*") {
        let number = name.strip_prefix("server.").unwrap_or_default();
        let line = number.parse::<u64>().ok().and_then(|_| Line::read(&entry.value));
        match line {
            Some(line) if line.observes => observer = Some((name, entry)),
            Some(line) => participants.push((name, entry, line.client)),
            None => settled.fail(ConfigError::Value {
                origin: entry.origin.clone(),
                key: entry.key.clone(),
                value: entry.value.clone(),
                expected: SHAPE.to_owned(),
            }),
        }
    }
    let many = "ensembles are not built yet: run one server, or remove the server.N lines";
    if let Some((name, entry)) = observer {
        let (origin, key) = (entry.origin.clone(), name);
        settled.fail(ConfigError::Refused { origin, key, reason: many });
    }
    if participants.len() > 1 {
        let (name, entry, _) = participants.swap_remove(1);
        let (origin, key) = (entry.origin.clone(), name);
        settled.fail(ConfigError::Refused { origin, key, reason: many });
        return None;
    }
    if !standalone {
        let with = "an ensemble of one is not built yet: remove the line";
        settled.fail_conflict("standaloneEnabled", with.to_owned());
    }
    let (name, entry, client) = participants.pop()?;
    let told = format!("{}: {name} is the only server: it runs without an ensemble", entry.origin);
    settled.note(told);
    client
}

struct Line {
    observes: bool,
    client: Option<Endpoint>,
}

impl Line {
    fn read(value: &str) -> Option<Line> {
        let (servers, client) = match value.split_once(';') {
            Some((servers, client)) => (servers, Some(client_endpoint(client)?)),
            None => (value, None),
        };
        let mut observes = false;
        for address in servers.split('|') {
            let address = address.trim();
            // A name in brackets is an IPv6 number, with colons of its own.
            let after_host = match address.strip_prefix('[') {
                Some(bracketed) => bracketed.split_once("]:")?.1,
                None => address.split_once(':').filter(|(host, _)| !host.is_empty())?.1,
            };
            let mut parts = after_host.split(':');
            parts.next()?.parse::<u16>().ok()?;
            let mut role = parts.next();
            if role.is_some_and(|part| part.parse::<u16>().is_ok()) {
                role = parts.next();
            }
            match role.map(str::to_ascii_lowercase).as_deref() {
                None | Some("participant") => {}
                Some("observer") => observes = true,
                Some(_) => return None,
            }
            if parts.next().is_some() {
                return None;
            }
        }
        Some(Line { observes, client })
    }
}

fn client_endpoint(client: &str) -> Option<Endpoint> {
    match client.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => {
            Some(Endpoint { host: Host::Named(host.to_owned()), port: port.parse().ok()? })
        }
        Some(_) => None,
        None => Some(Endpoint { host: Host::Any, port: client.parse().ok()? }),
    }
}
