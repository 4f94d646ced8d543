//! The servers, by their admin servers: what they say, and what they are told.

use super::BalanceError;
use super::args::{PaceArgs, ServersArgs};
use super::http::{Ask, request};
use super::identity::Identity;
use crate::admin::limits::{SHED_PATIENCE_MS_MAX, SHED_PER_SECOND_MAX};
use crate::cli::{environment, named_twice};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

/// How long a server is closed without word from the command, which renews that.
pub(super) const LEASE: Duration = Duration::from_secs(5);

/// The servers.
#[derive(Debug)]
pub(super) struct Fleet {
    servers: Vec<String>,
    url: String,
    authorization: Option<String>,
}

/// Which of them.
pub(super) type Which = usize;

/// What a server says of its clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether it takes clients at all.
    pub(super) serves: bool,
    /// Its connections.
    pub(super) connections: u64,
    /// Those that it is going to close.
    pub(super) being_shed: u64,
    /// Those that it should have closed, and has left.
    pub(super) left_busy: u64,
    /// How many it admits, and for how long still, in ms.
    pub(super) lease: Option<(u64, u64)>,
}

/// What a server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Its role, as stock calls it.
    pub(super) role: String,
    /// Packets that it has received.
    pub(super) received: u64,
}

impl Seen {
    /// Whether clients may go there: it takes any, and is not drained.
    pub(super) fn is_open(&self) -> bool {
        self.serves && !self.is_drained()
    }

    /// Whether somebody keeps it free of clients: not for a moment, as this command does.
    pub(super) fn is_drained(&self) -> bool {
        self.lease.is_some_and(|(at_most, ms)| at_most == 0 && u128::from(ms) > LEASE.as_millis())
    }

    fn read(answer: &Value) -> Option<Self> {
        let number = |name: &str| answer.get(name).and_then(Value::as_u64);
        Some(Self {
            serves: answer.get("serves_clients")?.as_bool()?,
            connections: number("connections")?,
            being_shed: number("being_shed")?,
            left_busy: number("left_busy")?,
            lease: number("at_most").zip(number("ends_in_ms")),
        })
    }
}

impl Fleet {
    /// Those of the command line.
    pub(super) fn of(args: &ServersArgs) -> Result<Self, BalanceError> {
        let servers = &args.servers;
        if let Some(twice) = named_twice(servers) {
            return Err(BalanceError::Twice(twice.clone()));
        }
        let given = args.auth.clone().or_else(|| environment("RINGKEEPER_AUTH"));
        let authorization = match given.map(|text| authorization(&text)) {
            None => None,
            Some(Some(header)) => Some(header),
            Some(None) => return Err(BalanceError::Auth),
        };
        Ok(Self { servers: servers.clone(), url: args.url.clone(), authorization })
    }

    /// The name of one.
    pub(super) fn name(&self, which: Which) -> &str {
        &self.servers[which]
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Which> {
        (0..self.servers.len()).collect()
    }

    /// The one of that name.
    pub(super) fn find(&self, server: &str) -> Result<Which, BalanceError> {
        let found = self.servers.iter().position(|known| known == server);
        found.ok_or_else(|| BalanceError::Unknown {
            server: server.to_owned(),
            known: self.servers.join(", "),
        })
    }

    fn get(&self, which: Which, command: &'static str) -> Result<Value, BalanceError> {
        let answer = request(self.name(which), &format!("{}/{command}", self.url), Ask::Get);
        self.said(which, command, answer)
    }

    fn post(
        &self,
        which: Which,
        command: &'static str,
        body: &Value,
    ) -> Result<Value, BalanceError> {
        let authorization = self.authorization.as_deref().ok_or(BalanceError::NoAuth)?;
        let path = format!("{}/{command}", self.url);
        let answer = request(self.name(which), &path, Ask::Post { body, authorization });
        self.said(which, command, answer)
    }

    fn said(
        &self,
        which: Which,
        command: &'static str,
        answer: std::io::Result<(u16, Value)>,
    ) -> Result<Value, BalanceError> {
        let server = self.name(which).to_owned();
        let (status, answer) = match answer {
            Ok(answer) => answer,
            Err(source) => return Err(BalanceError::Silent { server, source }),
        };
        let why = answer.get("error").and_then(Value::as_str).unwrap_or_default();
        match status {
            200 if answer.is_object() && why.is_empty() => Ok(answer),
            200 if why.contains("not currently serving") => Err(BalanceError::NotServing(server)),
            200 | 404 | 405 => Err(BalanceError::NoCommand { server, command }),
            _ => {
                let hint = match status {
                    401 => ": see the credentials",
                    403 => ": give credentials that have every permission on /",
                    _ => "",
                };
                Err(BalanceError::Refused { server, status, why: why.to_owned(), hint })
            }
        }
    }

    /// What one says of its clients.
    pub(super) fn see(&self, which: Which) -> Result<Seen, BalanceError> {
        let answer = self.get(which, "admission")?;
        let (server, command) = (self.name(which).to_owned(), "admission");
        Seen::read(&answer).ok_or(BalanceError::NoCommand { server, command })
    }

    /// Who one is; `None` if it does not say that.
    pub(super) fn identity(&self, which: Which) -> Result<Option<Identity>, BalanceError> {
        let configuration = self.get(which, "configuration")?;
        let view = self.get(which, "voting_view")?;
        // A standalone server has none, and says so by an error.
        let leader = self.get(which, "leader").unwrap_or_default();
        Ok(Identity::read(&configuration, &view, &leader))
    }

    /// What one does.
    pub(super) fn load(&self, which: Which) -> Result<Load, BalanceError> {
        let answer = self.get(which, "server_stats")?;
        let stats = &answer["server_stats"];
        let role = stats["server_state"].as_str().unwrap_or("unknown").to_owned();
        Ok(Load { role, received: stats["packets_received"].as_u64().unwrap_or(0) })
    }

    /// The same of several, all at once.
    pub(super) fn ask<T: Send>(
        &self,
        which: &[Which],
        ask: impl Fn(&Self, Which) -> Result<T, BalanceError> + Sync,
    ) -> Vec<(Which, Result<T, BalanceError>)> {
        thread::scope(|scope| {
            let asked: Vec<_> =
                which.iter().map(|at| (*at, scope.spawn(|| ask(self, *at)))).collect();
            let answers = asked.into_iter().map(|(at, it)| (at, it.join().expect("no panic")));
            answers.collect()
        })
    }

    /// What all of these say.
    ///
    /// # Errors
    /// One does not.
    pub(super) fn see_all(&self, which: &[Which]) -> Result<Vec<(Which, Seen)>, BalanceError> {
        let answers = self.ask(which, Self::see).into_iter();
        answers.map(|(at, seen)| seen.map(|seen| (at, seen))).collect()
    }

    /// Fails if one of these would refuse an order; changes nothing.
    pub(super) fn authorize(&self, which: &[Which]) -> Result<(), BalanceError> {
        // An order that says nothing is refused only after its credentials have been accepted.
        for (_, answer) in self.ask(which, |fleet, at| fleet.post(at, "admission", &json!({}))) {
            match answer {
                Err(BalanceError::Refused { status: 400, .. }) | Ok(_) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Admits no more connections than that, for a time.
    pub(super) fn lend(&self, at: Which, at_most: u64, time: Duration) -> Result<(), BalanceError> {
        let for_ms = time.as_millis() as u64;
        self.post(at, "admission", &json!({ "at_most": at_most, "for_ms": for_ms })).map(|_| ())
    }

    /// Closes so many connections.
    pub(super) fn shed(&self, at: Which, count: u64, pace: &PaceArgs) -> Result<(), BalanceError> {
        let patience_ms = u64::from(pace.patience) * 1_000;
        let body = json!({
            "count": count, "per_second": pace.per_second, "patience_ms": patience_ms,
        });
        self.post(at, "shed_connections", &body).map(|_| ())
    }

    /// The clients that one still has.
    pub(super) fn clients(&self, at: Which) -> Vec<String> {
        let answer = self.get(at, "connections").unwrap_or_default();
        let clients = answer["connections"].as_array().cloned().unwrap_or_default();
        let named = clients.iter().filter_map(|client| {
            let session = client["session_id"].as_i64()?;
            let address = client["remote_socket_address"].as_str()?;
            Some(format!("{address} (session 0x{session:x})"))
        });
        named.collect()
    }
}

impl PaceArgs {
    /// Fails if a server would refuse these numbers.
    pub(super) fn check(&self) -> Result<(), BalanceError> {
        let numbers = [
            ("--per-second", self.per_second, 1, SHED_PER_SECOND_MAX),
            ("--patience", self.patience, 0, SHED_PATIENCE_MS_MAX / 1_000),
        ];
        for (name, found, min, max) in numbers {
            if !(min..=max).contains(&found) {
                return Err(BalanceError::Number { name, found, min, max });
            }
        }
        Ok(())
    }
}

impl PaceArgs {
    /// How long the command may take to move so many clients.
    pub(super) fn time_max(&self, count: u64) -> Duration {
        let paced_s = count / u64::from(self.per_second);
        Duration::from_secs(u64::from(self.timeout) + paced_s)
    }
}

/// The header of credentials.
fn authorization(text: &str) -> Option<String> {
    let (scheme, credentials) = text.split_once(':')?;
    let is_plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_digest = scheme == "digest" && credentials.contains(':');
    (is_plain && is_digest).then(|| format!("{scheme} {credentials}"))
}

/// Servers that the command has closed, in part or altogether, and opens again.
#[derive(Debug)]
pub(super) struct Closed<'a> {
    fleet: &'a Fleet,
    bounded: BTreeSet<Which>,
    shedding: BTreeSet<Which>,
}

impl<'a> Closed<'a> {
    /// None yet.
    pub(super) fn new(fleet: &'a Fleet) -> Self {
        Self { fleet, bounded: BTreeSet::new(), shedding: BTreeSet::new() }
    }

    /// Closes one for [`LEASE`], or renews that.
    pub(super) fn close(&mut self, at: Which, at_most: u64) -> Result<(), BalanceError> {
        self.bounded.insert(at);
        self.fleet.lend(at, at_most, LEASE)
    }

    /// Lets one shed connections.
    pub(super) fn shed(
        &mut self,
        at: Which,
        count: u64,
        pace: &PaceArgs,
    ) -> Result<(), BalanceError> {
        self.shedding.insert(at);
        self.fleet.shed(at, count, pace)
    }

    /// Opens all of them, and ends what is left to be shed. One that does not answer opens by
    /// itself.
    pub(super) fn open(self) {
        let Self { fleet, bounded, shedding } = self;
        let all: Vec<_> = bounded.union(&shedding).copied().collect();
        let _ = fleet.ask(&all, |fleet, at| {
            fleet.lend(at, 0, Duration::ZERO)?;
            fleet.post(at, "shed_connections", &json!({ "count": 0 }))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{Fleet, Seen, authorization};
    use crate::balance::BalanceError;
    use crate::balance::args::ServersArgs;
    use serde_json::json;

    #[test]
    fn credentials_are_digests() {
        assert_eq!(authorization("digest:super:a:b"), Some("digest super:a:b".to_owned()));
        for other in ["super:secret", "digest:super", "digest super:x", "digest:a:b c", ""] {
            assert_eq!(authorization(other), None, "{other}");
        }
    }

    #[test]
    fn servers_are_named_once_each() {
        let names = |names: &[&str]| {
            let servers = names.iter().map(|name| (*name).to_owned()).collect();
            let auth = Some("digest:a:b".to_owned());
            Fleet::of(&ServersArgs { servers, auth, ..ServersArgs::default() })
        };
        let twice = names(&["a:1", "b:1", "a:1"]).unwrap_err();
        assert!(matches!(twice, BalanceError::Twice(name) if name == "a:1"));
        let fleet = names(&["a:1", "b:1"]).unwrap();
        assert!(matches!(fleet.find("b:1"), Ok(1)));
        let unknown = fleet.find("c:1").unwrap_err().to_string();
        assert_eq!(unknown, "c:1 is not among --servers: name one of a:1, b:1");
    }

    #[test]
    fn a_drained_server_is_one_that_is_closed_for_long() {
        let answer = json!({
            "serves_clients": true, "connections": 3, "being_shed": 1, "left_busy": 0,
            "at_most": 0, "ends_in_ms": 60_000,
        });
        let seen = Seen::read(&answer).unwrap();
        assert!(seen.is_drained() && !seen.is_open() && seen.connections == 3);
        assert!(!Seen { lease: Some((0, 4_000)), ..seen }.is_drained(), "for a moment");
        assert!(!Seen { lease: Some((9, 60_000)), ..seen }.is_drained(), "in part");
        assert_eq!(Seen::read(&json!({ "command": "ruok" })), None);
    }
}
