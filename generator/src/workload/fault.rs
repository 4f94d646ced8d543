//! Faults that a workload plans: what is done to servers or connections, and when.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, Unexpected, Visitor};

use super::fields::Span;

/// How long a killed server stays down, by default.
const DOWN: Span = Span::seconds(5);
/// The highest number of a server.
const SERVER_MAX: u64 = 99;

/// A fault as written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FaultSpec {
    /// Since the start of the measurement.
    pub(crate) at: Span,
    kill: Option<Target>,
    stop: Option<Target>,
    restart: Option<Restart>,
    slow: Option<Target>,
    reconnect: Option<Share>,
    run: Option<String>,
    /// kill: how long until it is started again.
    down: Option<Span>,
    /// stop, slow: how long.
    #[serde(rename = "for")]
    lasts: Option<Span>,
}

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Leader,
    Follower,
    Any,
    /// From 1, as in the connect string.
    Number(usize),
}

/// How servers are restarted.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Restart {
    /// One after another, the leader last.
    Rolling,
}

/// Of the connections, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Share(u64);

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// SIGKILL; started again after a while.
    Kill { target: Target, down: Span },
    /// SIGSTOP; SIGCONT after a while.
    Stop { target: Target, lasts: Span },
    /// SIGSTOP and SIGCONT in turn.
    Slow { target: Target, lasts: Span },
    /// SIGTERM and a new start, one server after another.
    Restart,
    /// Connections are cut.
    Reconnect { percent: u64 },
    /// A command for a shell.
    Run { command: String },
}

impl Act {
    /// The server that it is done to, if it is one.
    pub(crate) fn target(&self) -> Option<Target> {
        match self {
            Self::Kill { target, .. } | Self::Stop { target, .. } | Self::Slow { target, .. } => {
                Some(*target)
            }
            Self::Restart | Self::Reconnect { .. } | Self::Run { .. } => None,
        }
    }

    /// Whether it is done to processes, which must be ours.
    pub(crate) fn is_of_processes(&self) -> bool {
        self.target().is_some() || *self == Self::Restart
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { target, down } => write!(f, "kill {target}, down for {down}"),
            Self::Stop { target, lasts } => write!(f, "stop {target} for {lasts}"),
            Self::Slow { target, lasts } => write!(f, "slow {target} for {lasts}"),
            Self::Restart => write!(f, "rolling restart"),
            Self::Reconnect { percent } => write!(f, "reconnect {percent} %"),
            Self::Run { command } => write!(f, "run {command}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader => write!(f, "leader"),
            Self::Follower => write!(f, "follower"),
            Self::Any => write!(f, "any"),
            Self::Number(number) => write!(f, "server {number}"),
        }
    }
}

impl FaultSpec {
    /// What it does.
    ///
    /// # Errors
    /// The key that is missing or has no meaning here, and why.
    pub(crate) fn act(&self) -> Result<Act, (&'static str, String)> {
        let percent = self.reconnect.map(|share| share.0);
        let lasts = |kind: &str| self.lasts.ok_or(("at", format!("a fault {kind} needs for")));
        let acts = [
            self.kill.map(|target| Ok(Act::Kill { target, down: self.down.unwrap_or(DOWN) })),
            self.stop.map(|target| Ok(Act::Stop { target, lasts: lasts("stop")? })),
            self.slow.map(|target| Ok(Act::Slow { target, lasts: lasts("slow")? })),
            self.restart.map(|Restart::Rolling| Ok(Act::Restart)),
            percent.map(|percent| Ok(Act::Reconnect { percent })),
            self.run.clone().map(|command| Ok(Act::Run { command })),
        ];
        let mut given = acts.into_iter().flatten();
        let kinds = "kill, stop, slow, restart, reconnect or run";
        let act = given.next().ok_or_else(|| ("at", format!("a fault needs {kinds}")))?;
        if given.next().is_some() {
            return Err(("at", format!("a fault is one of {kinds}")));
        }
        let act = act?;
        if self.down.is_some() && !matches!(act, Act::Kill { .. }) {
            return Err(("down", "means nothing but for kill".into()));
        }
        if self.lasts.is_some() && !matches!(act, Act::Stop { .. } | Act::Slow { .. }) {
            return Err(("for", "means nothing but for stop and slow".into()));
        }
        if self.lasts.is_some_and(|it| it.ns() == 0) {
            return Err(("for", "is no time: a fault lasts 1ms or longer".into()));
        }
        if self.run.as_ref().is_some_and(|command| command.trim().is_empty()) {
            return Err(("run", "is no command".into()));
        }
        Ok(act)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Target;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"leader\", \"follower\", \"any\" or the number of a server, from 1")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Target, E> {
                match word {
                    "leader" => Ok(Target::Leader),
                    "follower" => Ok(Target::Follower),
                    "any" => Ok(Target::Any),
                    _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
                }
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Target, E> {
                let wrong = || E::invalid_value(Unexpected::Signed(number), &self);
                let value = u64::try_from(number).map_err(|_| wrong())?;
                let is_number = (1..=SERVER_MAX).contains(&value);
                is_number.then_some(Target::Number(value as usize)).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Words)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl Visitor<'_> for Words {
            type Value = Share;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "\"all\" or a percentage from 1 to 100")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Share, E> {
                let wrong = || E::invalid_value(Unexpected::Str(word), &self);
                (word == "all").then_some(Share(100)).ok_or_else(wrong)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Share, E> {
                let wrong = || E::invalid_value(Unexpected::Signed(number), &self);
                let is_share = (1..=100).contains(&number);
                is_share.then_some(Share(number as u64)).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Words)
    }
}
