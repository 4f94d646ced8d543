//! A workload played: the tree made, then operations in a closed or an open loop.
//!
//! Lighter loops exist beside this one (`load`); here every reply is read, a client that
//! is cut comes back, and whatever the server does wrong is told with its time.

mod client;
mod connect;
mod draw;
mod flow;
mod hear;
mod player;
mod ramp;
mod recipes;
mod register;
mod stage;
#[cfg(test)]
mod tests;
mod tree;

use std::io::Write;
use std::time::Duration;

use serde_json::json;

use self::flow::{Node, World};
use self::player::{End, Player};
use self::stage::{Feed, PARTS};
use super::args::{BenchArgs, Operation};
use super::error::BenchError;
use super::limits::DRAIN_WAIT;
use super::report::{Meter, Used};
use super::results::{Ramp, Results, Verdict};
use super::session::resolve;
use super::spec::{Bounded, OpKind, Spec, open};
use super::tally::Tally;

/// How long the ends of the sessions are waited for.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Plays what is asked, and tells.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), BenchError> {
    let spec = spec(args)?;
    let address = resolve(&args.server)?;
    let connections = spec.connections.value() as usize;
    let world = World::new(spec, args.root(), args.verify);
    let mut player = Player::new(world, address, connections)?;
    player.stage.patience_ns = u64::from(args.patience) * 1_000_000_000;
    player.stage.stall_ns = u64::from(args.stall_ms) * 1_000_000;
    player.run(End::Attached)?;
    let pid = args.pid;
    if !player.stage.journal.is_fatal {
        prepare(&mut player, args)?;
    }
    if let Some(incident) = player.stage.journal.fatal() {
        let (kind, detail) = (incident.kind, incident.detail.as_str().into());
        return Err(BenchError::NotBegun { kind, detail });
    }
    let results = if args.prepare_only {
        return player.close(CLOSE_WAIT);
    } else if args.ramp {
        ramp::run(&mut player, args, pid)?
    } else {
        measure(&mut player, args, pid)?
    };
    let results = finish(results, &mut player, args);
    results.tell(args, out)?;
    player.close(CLOSE_WAIT)
}

/// What is played: the workload, or the operation of the command line as one.
fn spec(args: &BenchArgs) -> Result<Spec, BenchError> {
    let mut spec = match &args.workload {
        Some(name) => open(name)?,
        None => of_operation(args)?,
    };
    if let Some(connections) = args.connections {
        spec.connections = Bounded(connections.into());
    }
    if let Some(in_flight) = args.pipeline {
        spec.in_flight = Bounded(in_flight.into());
    }
    if let Some(rate) = args.rate {
        spec.rate = Some(Bounded(rate.into()));
    }
    Ok(spec)
}

fn of_operation(args: &BenchArgs) -> Result<Spec, BenchError> {
    let writes = u64::from(args.write_percent);
    let mut spec = match args.op {
        Operation::Get => Spec::of(&[(OpKind::Get, 1)]),
        Operation::Set => Spec::of(&[(OpKind::Set, 1)]),
        Operation::Create => Spec::of(&[(OpKind::Create, 1)]),
        Operation::Exists => Spec::of(&[(OpKind::Exists, 1)]),
        Operation::Children => Spec::of(&[(OpKind::Children, 1)]),
        Operation::Session => Spec::of(&[(OpKind::Session, 1)]),
        Operation::Mixed => Spec::of(&[(OpKind::Get, 100 - writes), (OpKind::Set, writes)]),
        op @ (Operation::Watch | Operation::Ready) => {
            return Err(BenchError::ClosedOnly { op: op.name() });
        }
    };
    args.op.name().clone_into(&mut spec.name);
    spec.in_flight = Bounded(args.in_flight().into());
    spec.keys.count = Bounded(args.nodes.into());
    spec.keys.bytes = Bounded(args.size.into());
    Ok(spec)
}

/// Makes the tree, level by level, then what each session has.
fn prepare(player: &mut Player, args: &BenchArgs) -> Result<(), BenchError> {
    let tree = &player.stage.world.tree;
    let mut steps: Vec<Vec<String>> = tree.tops().into_iter().map(|path| vec![path]).collect();
    let spec = &player.stage.world.spec;
    let counts = spec.ops.iter().filter_map(|op| op.get_ref().count.map(Bounded::value));
    let recipes = counts.max().unwrap_or(1);
    let mut folders: Vec<_> =
        (0..player.stage.connections).map(|client| tree.made_folder(client)).collect();
    folders.extend((0..spec.sessions.services.value()).map(|number| tree.service(number)));
    folders.extend((0..recipes).flat_map(|number| [tree.lock(number), tree.queue(number)]));
    steps.push(folders);
    if !args.skip_prepare {
        for level in 0..tree.depth() {
            let count = tree.folder_count(level);
            steps.push((0..count).map(|number| tree.folder(level, number)).collect());
        }
    }
    let keys = if args.skip_prepare { 0 } else { tree.keys };
    player.stage.tally = Tally::new(&names(player), "prepare", player.now_ns());
    for step in steps {
        feed(player, Box::new(step.into_iter().map(Node::Folder)))?;
    }
    feed(player, Box::new((0..keys).map(Node::Key)))?;
    player.stage.is_opening = false;
    let Player { stage, .. } = player;
    for index in 0..stage.connections {
        stage.world.equip(&mut stage.clients[index], index, stage.now_ns);
        stage.soil(index);
    }
    feed(player, Box::new(std::iter::empty()))?;
    let surprise = player.stage.tally.surprise();
    surprise.map_or(Ok(()), |code| Err(BenchError::Refused { stage: "preparing", code }))
}

fn feed(player: &mut Player, nodes: Box<dyn Iterator<Item = Node>>) -> Result<(), BenchError> {
    player.stage.feed = Feed::Nodes(nodes);
    player.run(End::Quiet(u64::MAX))?;
    player.stage.feed = Feed::None;
    Ok(())
}

/// The rows of the tally: operations, then parts.
fn names(player: &Player) -> Vec<&str> {
    let ops = player.stage.world.spec.ops.iter().map(|op| op.get_ref().title());
    ops.chain(PARTS).collect()
}

fn tally(player: &Player, label: &str, pid: Option<u32>) -> Tally {
    let whole_count = player.stage.world.spec.ops.len();
    let tally = Tally::new(&names(player), label, player.now_ns());
    tally.in_parts(whole_count).watching(pid)
}

fn measure(player: &mut Player, args: &BenchArgs, pid: Option<u32>) -> Result<Results, BenchError> {
    let rate = player.stage.world.spec.rate.map(|rate| rate.value() as f64);
    begin(player, rate);
    let now_ns = player.now_ns();
    player.stage.tally = tally(player, "warm-up", None);
    player.stage.begin_storms(now_ns);
    player.run(End::At(now_ns + args.warmup().as_nanos() as u64))?;
    let start_ns = player.now_ns();
    let label = if args.workload.is_some() { "play" } else { args.op.name() };
    let fresh = tally(player, label, pid);
    player.stage.start(fresh, start_ns);
    player.stage.journal.start(start_ns);
    let meter = Meter::start(pid, start_ns)?;
    player.run(End::At(start_ns + args.measured().as_nanos() as u64))?;
    let used = meter.stop(player.now_ns());
    player.stage.end_storms();
    let unanswered = drain(player)?;
    Ok(Results { unanswered, ..collect(player, used) })
}

/// Lets operations come.
fn begin(player: &mut Player, rate: Option<f64>) {
    let now_ns = player.now_ns() as f64;
    player.stage.feed = match rate {
        Some(rate) => {
            let next_ns = now_ns + player.stage.world.chance.gap_ns(rate);
            Feed::Open { rate, next_ns }
        }
        None => Feed::Closed,
    };
    player.stage.awake_all();
}

/// Lets none come, and waits for the answers of an open loop: they were due in the time measured.
/// Says how many did not come.
fn drain(player: &mut Player) -> Result<u64, BenchError> {
    let is_open = matches!(player.stage.feed, Feed::Open { .. });
    player.stage.feed = Feed::None;
    if !is_open {
        // In a closed loop what is in flight counts for nobody.
        player.stage.start_ns = u64::MAX;
        return Ok(0);
    }
    let end_ns = player.now_ns() + DRAIN_WAIT.as_nanos() as u64;
    player.run(End::Quiet(end_ns))?;
    Ok(player.stage.give_up())
}

fn collect(player: &mut Player, used: Used) -> Results {
    let stage = &mut player.stage;
    stage.record_taken();
    let ops = stage.tally.ops();
    let results = Results::new("op", ops, used, &mut stage.tally);
    let (lost, dropped) = (stage.lost_count, stage.dropped_count);
    Results { lost, dropped, ..results }
}

/// Adds what is known besides.
fn finish(results: Results, player: &mut Player, args: &BenchArgs) -> Results {
    let stage = &mut player.stage;
    let spec = &stage.world.spec;
    let rate = spec.rate.map(Bounded::value);
    let (connections, in_flight) = (spec.connections.value(), spec.in_flight.value());
    let loop_of = rate.map_or_else(|| "closed loop".into(), |rate| format!("{rate}/s"));
    let title = format!("{}, {connections} connections, {loop_of}", spec.name);
    let settings = vec![
        ("workload", json!(spec.name)),
        ("about", json!(spec.about)),
        ("server", json!(args.server)),
        ("connections", json!(connections)),
        ("pipeline", json!(in_flight)),
        ("rate", json!(rate)),
        ("size_bytes", json!(spec.keys.bytes.value())),
        ("nodes", json!(spec.keys.count.value())),
    ];
    let verdict = stage.world.registers.take().map(|registers| Verdict {
        checked: registers.checked,
        violations: registers.violation_count,
        told: registers.violations,
    });
    let journal = std::mem::take(&mut stage.journal);
    let ramp: Option<Ramp> = results.ramp.clone();
    Results { settings, title, journal, verdict, ramp, ..results }
}
