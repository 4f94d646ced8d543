//! Parts of the model in words for operators.

use super::numbers::{bytes, count, percent, time};
use planning::ensemble::{Limit, Operation, Step, UTILISATION_MAX};
use planning::fit::Unknown;
use planning::{Refusal, Stage};

/// What a stage is.
pub(super) fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Shard => "shard's core",
        Stage::Ordering => "ordering core",
        Stage::Log => "log's device",
        Stage::Network => "network",
    }
}

/// What ends the growth of a load.
pub(super) fn limit(limit: Limit) -> String {
    match limit {
        Limit::Busy(it) => format!("the {} is busy ({})", stage(it), percent(UTILISATION_MAX)),
        Limit::ReadLatency(it) => {
            format!("reads exceed the bound of the p99, with the {} the busiest", stage(it))
        }
        Limit::WriteLatency(it) => {
            format!("writes exceed the bound of the p99, with the {} the busiest", stage(it))
        }
        Limit::Idle => "even a single request takes longer than the bound of the p99".to_owned(),
    }
}

/// What a step does.
pub(super) fn step(step: Step) -> &'static str {
    match step {
        Step::Shard => "one shard more on every server",
        Step::OwnOrderingCore => "a core of its own for ordering",
        Step::Observer => "one observer more",
        Step::FasterDevice => "a log's device of half the latency",
        Step::FasterCores => "cores that need three quarters of the time",
        Step::FasterNetwork => "a network of twice the rate",
    }
}

/// Which cost an unknown of a fit is.
pub(super) fn unknown(unknown: Unknown) -> &'static str {
    match unknown {
        Unknown::ShardRead => "cores.shard_read_s",
        Unknown::ShardWrite => "cores.shard_write_s",
        Unknown::OrderingWrite => "cores.ordering_write_s",
        Unknown::CoreVariability => "cores.scv",
        Unknown::DeviceTime => super::fields::CURVE,
        Unknown::DeviceVariability => "device.scv",
        Unknown::ClientRoundTrip => "network.client_round_trip_s",
    }
}

/// Why there is no plan, and what would make one.
pub(super) fn refusal(refusal: &Refusal) -> String {
    match refusal {
        // Observers take clients from the shards of the others, and with them what these do.
        Refusal::Writes {
            wanted_per_s,
            carried_per_s,
            limit: it @ (Limit::Busy(Stage::Shard) | Limit::WriteLatency(Stage::Shard)),
        } => format!(
            "{} writes a second exceed the {} that the largest layout carries, because {}: allow \
             more --observers-max or more --shards-max",
            count(*wanted_per_s),
            count(*carried_per_s),
            limit(*it)
        ),
        Refusal::Writes { wanted_per_s, carried_per_s, limit: it } => format!(
            "{} writes a second exceed the {} that one ensemble carries, because {}; every server \
             handles every write, so more servers do not help: use {}, or divide the data between \
             ensembles",
            count(*wanted_per_s),
            count(*carried_per_s),
            limit(*it),
            faster(*it)
        ),
        Refusal::Reads { wanted_per_s, carried_per_s, limit: it } => format!(
            "{} reads a second exceed the {} that the largest layout carries beside the writes, \
             because {}: allow more --observers-max{}",
            count(*wanted_per_s),
            count(*carried_per_s),
            limit(*it),
            match it {
                Limit::Busy(Stage::Network) => ", or use a faster network",
                _ => " or more --shards-max",
            }
        ),
        Refusal::Sessions { sessions, limit: it } => format!(
            "the pings of {} sessions alone are too many, because {}: allow more --observers-max \
             or more --shards-max, or a longer --session-timeout",
            count(*sessions),
            limit(*it)
        ),
        Refusal::Memory { needed_bytes, memory_bytes } => format!(
            "a server needs {} of memory, and {} are allowed; every server holds all nodes, and \
             its share of the watches: allow more --memory, store fewer and smaller nodes, or, \
             for watches, allow more --observers-max",
            bytes(*needed_bytes),
            bytes(*memory_bytes)
        ),
        Refusal::Disk { needed_bytes, disk_bytes } => format!(
            "a server needs {} of disk, and {} are allowed: allow more --disk, or keep fewer \
             snapshots",
            bytes(*needed_bytes),
            bytes(*disk_bytes)
        ),
        Refusal::Latency { p99_s, floor_s } => format!(
            "a lone request has a 99th percentile of {}, more than the {} required: allow more \
             time by --p99, shorten round trips, or use a faster device",
            time(*floor_s),
            time(*p99_s)
        ),
        Refusal::Survives { .. } | Refusal::Input(_) => refusal.to_string(),
    }
}

/// What lets one ensemble carry more writes.
fn faster(limit: Limit) -> &'static str {
    match limit {
        Limit::Busy(Stage::Network) => "a faster network",
        _ => "faster cores or a faster device",
    }
}

/// Why a load does not fit in what a server has, if it does not.
pub(super) fn no_room(what: &str, needed: f64, room: Option<f64>) -> Option<String> {
    let room = room.filter(|it| needed > *it)?;
    Some(format!("a server needs {} of {what}, and has {}", bytes(needed), bytes(room)))
}

/// Why a load is too much for the servers that were given, if it is.
pub(super) fn excess(operation: &Operation, p99_s: f64) -> Option<String> {
    let busiest = operation.bottleneck();
    if !operation.is_carried() {
        return Some(format!(
            "the {} would be busy for {} of the time",
            stage(busiest.stage),
            percent(busiest.utilisation)
        ));
    }
    let late = |kind: &str, p99: Option<f64>| {
        let found = p99.filter(|it| *it > p99_s)?;
        let (found, bound) = (time(found), time(p99_s));
        let busiest = stage(busiest.stage);
        Some(format!(
            "the p99 of {kind} would be {found}, above {bound}, with the {busiest} the busiest"
        ))
    };
    late("writes", operation.writes.map(|it| it.p99_s))
        .or_else(|| late("reads", operation.reads.map(|it| it.p99_s)))
}
