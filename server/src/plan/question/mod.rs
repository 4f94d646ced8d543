//! What is asked: a load, a bound, and servers or what there may be of them.

use super::args::PlanArgs;
use super::error::PlanError;
use planning::plan::Limits;
use planning::{Layout, Load};

const GIB: f64 = 1_073_741_824.0;
const P99_DEFAULT_MS: f64 = 10.0;
const SURVIVES_DEFAULT: f64 = 1.0;
/// The most servers that may be allowed: beyond it the search only takes longer.
const SERVERS_MAX: f64 = 1_000.0;
/// The most of anything else.
const NUMBER_MAX: f64 = 1e15;

/// Which servers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Servers {
    /// These are judged.
    Given(Layout),
    /// The smallest within limits are searched.
    Smallest(Limits),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    pub(super) load: Load,
    pub(super) p99_s: f64,
    pub(super) survives: usize,
    pub(super) servers: Servers,
    /// What servers that are given have at most, in bytes, if that is said.
    pub(super) rooms: Rooms,
    /// What was assumed of the load, a sentence each.
    pub(super) assumed: Vec<String>,
}

/// Memory and disk of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rooms {
    pub(super) memory_bytes: Option<f64>,
    pub(super) disk_bytes: Option<f64>,
}

/// A load that was measured, and on what.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) load: Load,
    pub(super) layout: Layout,
}

impl Question {
    /// From the arguments, and from what was measured.
    pub(super) fn of(args: &PlanArgs, seen: Option<&Seen>) -> Result<Self, PlanError> {
        let required = &args.required;
        if seen.is_none() && !required.has_load() {
            return Err(PlanError::Nothing);
        }
        let mut assumed = Vec::new();
        let load = load(args, seen.map(|it| &it.load), &mut assumed)?;
        let ms = "give milliseconds, above 0 and up to 1e15";
        let ms = at_least("--p99", required.p99, f64::MIN_POSITIVE, ms)?;
        if ms.is_none() {
            assumed
                .push(format!("--p99 {P99_DEFAULT_MS}, the bound of the 99th percentiles, in ms"));
        }
        let survives =
            whole("--survives", required.survives, 0.0)?.unwrap_or(SURVIVES_DEFAULT) as usize;
        let given = args.layout.as_ref().map(|it| it.0.clone());
        // Those that were measured, unless something else is required of them.
        let given = given.or_else(|| {
            let most = &args.most;
            let has_most =
                [most.shards_max, most.servers_max, most.observers_max, most.memory, most.disk];
            let is_searched = required.has_load() || has_most.iter().any(Option::is_some);
            seen.filter(|_| !is_searched).map(|it| it.layout.clone())
        });
        let limits = limits(args)?;
        let servers = if let Some(layout) = given {
            Servers::Given(layout)
        } else {
            let (needed, servers) = (2 * survives + 1, limits.servers_max);
            if needed > servers {
                return Err(PlanError::Survives { survives, servers, needed });
            }
            Servers::Smallest(limits)
        };
        let p99_s = ms.unwrap_or(P99_DEFAULT_MS) / 1e3;
        let most = &args.most;
        let rooms = Rooms {
            memory_bytes: most.memory.map(|it| it * GIB),
            disk_bytes: most.disk.map(|it| it * GIB),
        };
        Ok(Self { load, p99_s, survives, servers, rooms, assumed })
    }
}

/// What checks a number, by the name of its flag.
type Check = fn(&'static str, Option<f64>) -> Result<Option<f64>, PlanError>;

fn load(
    args: &PlanArgs,
    seen: Option<&Load>,
    assumed: &mut Vec<String>,
) -> Result<Load, PlanError> {
    let (usual, required) = (seen.cloned().unwrap_or_default(), &args.required);
    let mut pick = |name, check: Check, given, usual: f64| {
        let found = check(name, given)?;
        if found.is_none() && seen.is_none() {
            assumed.push(format!("{name} {usual}"));
        }
        Ok::<_, PlanError>(found.unwrap_or(usual))
    };
    let load = Load {
        reads_per_s: pick("--reads", amount, required.reads, usual.reads_per_s)?,
        writes_per_s: pick("--writes", amount, required.writes, usual.writes_per_s)?,
        sessions: pick("--sessions", count, required.sessions, usual.sessions)?,
        session_timeout_s: pick(
            "--session-timeout",
            timeout,
            required.session_timeout,
            usual.session_timeout_s,
        )?,
        nodes: pick("--nodes", count, required.nodes, usual.nodes)?,
        node_bytes: pick("--node-bytes", amount, required.node_bytes, usual.node_bytes)?,
        watches: pick("--watches", count, required.watches, usual.watches)?,
    };
    refuse_contradictions(&load, seen.is_some())?;
    Ok(load)
}

fn refuse_contradictions(load: &Load, is_seen: bool) -> Result<(), PlanError> {
    let requests = load.reads_per_s + load.writes_per_s;
    if requests <= 0.0 {
        let seen = if is_seen { " in the time that was sampled" } else { "" };
        return Err(PlanError::Idle(seen));
    }
    let refused = if load.writes_per_s > 0.0 && load.nodes <= 0.0 {
        "there are writes and no nodes: a write needs a node to create or to set, so give --nodes"
    } else if load.sessions <= 0.0 {
        "there are requests and no sessions: every request has a session, so give --sessions"
    } else if load.nodes > 0.0 && load.node_bytes <= 0.0 {
        "there are nodes without a byte: a node has a path at least, so give --node-bytes"
    } else {
        return Ok(());
    };
    Err(PlanError::Contradiction(refused))
}

fn limits(args: &PlanArgs) -> Result<Limits, PlanError> {
    let (usual, most) = (Limits::default(), &args.most);
    let gib = "give GiB, above 0 and up to 1e15";
    let memory = at_least("--memory", most.memory, f64::MIN_POSITIVE, gib)?;
    let disk = at_least("--disk", most.disk, f64::MIN_POSITIVE, gib)?;
    let count = |name, given, least, usual: usize| {
        whole(name, given, least).map(|it| it.map_or(usual, |it| it as usize))
    };
    Ok(Limits {
        servers_max: count("--servers-max", most.servers_max, 1.0, usual.servers_max)?,
        observers_max: count("--observers-max", most.observers_max, 0.0, usual.observers_max)?,
        shards_max: count("--shards-max", most.shards_max, 1.0, usual.shards_max)?,
        memory_bytes: memory.unwrap_or(64.0) * GIB,
        disk_bytes: disk.unwrap_or(1_000.0) * GIB,
    })
}

fn amount(name: &'static str, given: Option<f64>) -> Result<Option<f64>, PlanError> {
    at_least(name, given, 0.0, "give a number from 0 to 1e15")
}

fn count(name: &'static str, given: Option<f64>) -> Result<Option<f64>, PlanError> {
    let why = "give a whole number from 0 to 1e15";
    match given {
        Some(value) if value.fract() != 0.0 => Err(PlanError::Number { name, value, why }),
        _ => at_least(name, given, 0.0, why),
    }
}

fn timeout(name: &'static str, given: Option<f64>) -> Result<Option<f64>, PlanError> {
    at_least(name, given, 1e-3, "give seconds, from 0.001 to 1e15")
}

fn at_least(
    name: &'static str,
    given: Option<f64>,
    least: f64,
    why: &'static str,
) -> Result<Option<f64>, PlanError> {
    match given {
        Some(value) if !(value.is_finite() && value >= least && value <= NUMBER_MAX) => {
            Err(PlanError::Number { name, value, why })
        }
        other => Ok(other),
    }
}

fn whole(name: &'static str, given: Option<f64>, least: f64) -> Result<Option<f64>, PlanError> {
    let is_whole = |it: f64| it.fract() == 0.0 && (least..=SERVERS_MAX).contains(&it);
    match given {
        Some(value) if !is_whole(value) => {
            let why = if least > 0.0 {
                "give a whole number from 1 to 1000"
            } else {
                "give a whole number from 0 to 1000"
            };
            Err(PlanError::Number { name, value, why })
        }
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests;
