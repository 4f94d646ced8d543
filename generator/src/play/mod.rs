//! Plays a workload: creates the tree, then runs operations in a closed or an open loop.
//!
//! A lighter loop exists beside this one (`single`); here every reply is read, a disconnected
//! client reconnects, and every fault of the server is reported with its time.

mod audit;
mod chance;
mod client;
mod connect;
mod faults;
mod flow;
mod outage;
mod player;
#[cfg(test)]
mod pretend;
mod ramp;
mod receive;
mod recipes;
mod register;
mod routes;
mod stage;
#[cfg(test)]
mod tests;
mod tree;

use serde_json::json;

use self::faults::Faults;
use self::flow::{Node, World};
use self::player::{Player, Until};
use self::routes::Routes;
use self::stage::{Feed, PARTS};
use super::args::{BenchArgs, Operation};
use super::ensemble::{Ensemble, Launch};
use super::error::BenchError;
use super::limits::{CLOSE_WAIT, DRAIN_WAIT, SECONDS_DEFAULT};
use super::meter::{Meter, Metered};
use super::results::{Journal, Ramp, Results, Verdict};
use super::servers::{self, Server};
use super::signals::Signals;
use super::tally::Tally;
use super::workload::{Bounded, OpKind, Target, Workload, open};
use super::{Output, Say};

/// Plays what is requested, and reports.
pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
    let workload = workload(args)?;
    check_faults(&workload, args)?;
    let (faults, servers) = servers(args)?;
    let routes = Routes::new(servers, args.spread);
    let connections = workload.connections.value() as usize;
    let mut world = World::new(workload, args.root(), args.verify);
    world.syncs_first = routes.servers.len() > 1;
    if let Some(registers) = &mut world.registers {
        registers.allows_lag = routes.servers.len() > 1;
    }
    let mut player = Player::new(world, routes, connections, out.say)?;
    player.stage.faults = faults;
    player.stage.patience_ns = u64::from(args.patience) * 1_000_000_000;
    player.stage.stall_ns = u64::from(args.stall_ms) * 1_000_000;
    player.run(Until::Attached)?;
    if !player.stage.journal.is_fatal {
        prepare(&mut player, args, out.say)?;
    }
    if let Some(incident) = player.stage.journal.fatal() {
        let (kind, detail) = (incident.kind, incident.detail.as_str().into());
        return Err(BenchError::NotBegun { kind, detail });
    }
    let results = if args.prepare_only {
        return player.close(CLOSE_WAIT);
    } else if args.ramp {
        ramp::run(&mut player, args, out.say)?
    } else {
        measure(&mut player, args, out.say)?
    };
    let results = finish(results, &mut player, args);
    results.report(args, out)?;
    player.close(CLOSE_WAIT)
}

/// The servers: those that are named, or an ensemble that is started for this run.
fn servers(args: &BenchArgs) -> Result<(Faults, Vec<Server>), BenchError> {
    let Some(count) = args.ensemble else {
        return Ok((Faults::default(), servers::parse(&args.server)?));
    };
    let signals = Signals::hold()?;
    let above = args.ensemble_dir.clone().unwrap_or_else(std::env::temp_dir);
    let launch = Launch::of(args)?;
    let ensemble = Ensemble::start(&launch, count as usize, &above, &signals)?;
    let servers = ensemble.servers();
    Ok((Faults::of(Some(ensemble), Some(signals)), servers))
}

/// Whether the workload's faults are possible with these servers and this length.
fn check_faults(workload: &Workload, args: &BenchArgs) -> Result<(), BenchError> {
    for (at, act) in workload.plan() {
        let seconds = workload.seconds.map_or(0, Bounded::value);
        let (at_ns, fault) = (at.ns(), act.to_string().into());
        let at = at.to_string().into();
        if at_ns >= seconds * 1_000_000_000 {
            return Err(BenchError::FaultTooLate { at, fault, seconds });
        }
        let servers = args.ensemble.unwrap_or(0) as usize;
        let needed = match act.target() {
            Some(Target::Number(number)) => number,
            Some(Target::Follower) => 2,
            _ => 1,
        };
        if act.is_of_processes() && servers == 0 {
            return Err(BenchError::FaultNeedsEnsemble { at, fault });
        }
        if act.is_of_processes() && servers < needed {
            return Err(BenchError::FaultNeedsServers { at, fault, servers });
        }
    }
    Ok(())
}

/// What is played: the workload, or the operation of the command line as one.
fn workload(args: &BenchArgs) -> Result<Workload, BenchError> {
    let mut workload = match &args.workload {
        Some(name) => open(name)?,
        None => of_operation(args)?,
    };
    if let Some(connections) = args.connections {
        workload.connections = Bounded(connections.into());
    }
    if let Some(in_flight) = args.pipeline {
        workload.in_flight = Bounded(in_flight.into());
    }
    let seconds = args.seconds.or(workload.seconds.map(Bounded::value));
    workload.seconds = Some(Bounded(seconds.unwrap_or(SECONDS_DEFAULT)));
    if let Some(rate) = args.rate {
        workload.rate = Some(Bounded(rate.into()));
    }
    Ok(workload)
}

fn of_operation(args: &BenchArgs) -> Result<Workload, BenchError> {
    let writes = u64::from(args.write_percent);
    let mut workload = match args.op {
        Operation::Get => Workload::of(&[(OpKind::Get, 1)]),
        Operation::Set => Workload::of(&[(OpKind::Set, 1)]),
        Operation::Create => Workload::of(&[(OpKind::Create, 1)]),
        Operation::Exists => Workload::of(&[(OpKind::Exists, 1)]),
        Operation::Children => Workload::of(&[(OpKind::Children, 1)]),
        Operation::Session => Workload::of(&[(OpKind::Session, 1)]),
        Operation::Mixed => Workload::of(&[(OpKind::Get, 100 - writes), (OpKind::Set, writes)]),
        op @ (Operation::Watch | Operation::Ready) => {
            return Err(BenchError::ClosedLoopOnly { op: op.name() });
        }
    };
    workload.name = args.op.name().into();
    workload.in_flight = Bounded(args.in_flight().into());
    workload.keys.count = Bounded(args.nodes.into());
    workload.keys.bytes = Bounded(args.size.into());
    Ok(workload)
}

/// Creates the tree, level by level, then what each session has.
fn prepare(player: &mut Player, args: &BenchArgs, say: Say) -> Result<(), BenchError> {
    let tree = &player.stage.world.tree;
    let mut levels: Vec<Vec<String>> = tree.tops().into_iter().map(|path| vec![path]).collect();
    let workload = &player.stage.world.workload;
    let counts = workload.ops.iter().filter_map(|op| op.get_ref().count.map(Bounded::value));
    let recipes = counts.max().unwrap_or(1);
    let mut folders: Vec<_> =
        (0..player.stage.connections).map(|client| tree.made_folder(client)).collect();
    folders.extend((0..workload.sessions.services.value()).map(|number| tree.service(number)));
    folders.extend((0..recipes).flat_map(|number| [tree.lock(number), tree.queue(number)]));
    levels.push(folders);
    if !args.skip_prepare {
        for level in 0..tree.depth() {
            let count = tree.folder_count(level);
            levels.push((0..count).map(|number| tree.folder(level, number)).collect());
        }
    }
    let keys = if args.skip_prepare { 0 } else { tree.key_count };
    player.stage.tally = Tally::new(&names(player), player.now_ns()).saying("prepare", say);
    for paths in levels {
        feed(player, Box::new(paths.into_iter().map(Node::Folder)))?;
    }
    feed(player, Box::new((0..keys).map(Node::Key)))?;
    player.stage.is_preparing = false;
    let Player { stage, .. } = player;
    for index in 0..stage.connections {
        stage.world.equip(&mut stage.clients[index], index, stage.now_ns);
        stage.list_sending(index);
    }
    feed(player, Box::new(std::iter::empty()))?;
    let surprise = player.stage.tally.surprise();
    surprise.map_or(Ok(()), |code| Err(BenchError::Refused { stage: "preparing", code }))
}

fn feed(player: &mut Player, nodes: Box<dyn Iterator<Item = Node>>) -> Result<(), BenchError> {
    player.stage.feed = Feed::Nodes(nodes);
    player.run(Until::Quiet(u64::MAX))?;
    player.stage.feed = Feed::None;
    Ok(())
}

/// The rows of the tally: operations, then parts.
fn names(player: &Player) -> Vec<Box<str>> {
    let ops = player.stage.world.workload.ops.iter().map(|op| op.get_ref().title());
    ops.chain(PARTS.map(Into::into)).collect()
}

fn tally(player: &Player) -> Tally {
    let whole_count = player.stage.world.workload.ops.len();
    Tally::new(&names(player), player.now_ns()).in_parts(whole_count)
}

fn measure(player: &mut Player, args: &BenchArgs, say: Say) -> Result<Results, BenchError> {
    let rate = player.stage.world.workload.rate.map(|rate| rate.value() as f64);
    begin(player, rate);
    let now_ns = player.now_ns();
    let warming = tally(player).saying("warm-up", say);
    player.stage.start(warming, now_ns);
    player.stage.begin_storms(now_ns);
    player.run(Until::Time(now_ns + args.warmup().as_nanos() as u64))?;
    let start_ns = player.now_ns();
    let label = if args.workload.is_some() { "play".into() } else { args.op.name() };
    let fresh = tally(player).saying(&label, say).sampling(args.pid);
    player.stage.start(fresh, start_ns);
    player.stage.journal.start(start_ns);
    let meter = Meter::start(args.pid, start_ns)?;
    player.stage.begin_faults(start_ns);
    let seconds = player.stage.world.workload.seconds.map_or(0, Bounded::value);
    player.run(Until::Time(start_ns + seconds * 1_000_000_000))?;
    let used = meter.stop(player.now_ns());
    player.stage.end_faults();
    player.stage.end_storms();
    let unanswered = drain(player)?;
    let results = Results { unanswered, ..collect(player, used, say) };
    audit::run(player)?;
    Ok(results)
}

/// Starts operations.
fn begin(player: &mut Player, rate: Option<f64>) {
    let now_ns = player.now_ns() as f64;
    player.stage.feed = match rate {
        Some(rate) => {
            let next_ns = now_ns + player.stage.world.chance.gap_ns(rate);
            Feed::OpenLoop { rate, next_ns }
        }
        None => Feed::ClosedLoop,
    };
    player.stage.list_all_vacant();
}

/// Stops operations, and waits for the answers of an open loop: they were due in the time measured.
/// Returns how many did not arrive.
fn drain(player: &mut Player) -> Result<u64, BenchError> {
    if !player.stage.end_open_loop() {
        player.stage.feed = Feed::None;
        // In a closed loop what is in flight does not count.
        player.stage.start_ns = u64::MAX;
        return Ok(0);
    }
    let end_ns = player.now_ns() + DRAIN_WAIT.as_nanos() as u64;
    player.run(Until::Quiet(end_ns))?;
    Ok(player.stage.give_up())
}

fn collect(player: &mut Player, used: Metered, say: Say) -> Results {
    let now_ns = player.now_ns();
    let stage = &mut player.stage;
    stage.record_taken();
    stage.tally.end(now_ns);
    let ops = stage.tally.ops();
    let results = Results::new("op", ops, used, &mut stage.tally, Journal::new(say));
    let (lost, dropped) = (stage.lost_count, stage.dropped_count);
    Results { lost, dropped, ..results }
}

/// Adds the remaining facts.
fn finish(results: Results, player: &mut Player, args: &BenchArgs) -> Results {
    let stage = &mut player.stage;
    let workload = &stage.world.workload;
    let rate = workload.rate.map(Bounded::value);
    let servers = stage.routes.servers.iter().map(|server| &*server.name);
    let servers: Vec<_> = servers.collect();
    let (connections, in_flight) = (workload.connections.value(), workload.in_flight.value());
    let loop_of = rate.map_or_else(|| "closed loop".into(), |rate| format!("{rate}/s"));
    let title = format!("{}, {connections} connections, {loop_of}", workload.name);
    let settings = vec![
        ("workload", json!(workload.name)),
        ("about", json!(workload.about)),
        ("server", json!(servers.join(","))),
        ("ensemble", json!(args.ensemble)),
        ("spread", json!(args.spread.name())),
        ("connections", json!(connections)),
        ("pipeline", json!(in_flight)),
        ("rate", json!(rate)),
        ("size_bytes", json!(workload.keys.bytes.value())),
        ("nodes", json!(workload.keys.count.value())),
    ];
    let verdict = stage.world.registers.take().map(|registers| Verdict {
        checked: registers.checked,
        audited: registers.audited,
        violations: registers.violation_count,
        reported: registers.violations,
    });
    let faults = stage.fault_reports();
    let journal = stage.journal.take();
    let ramp: Option<Ramp> = results.ramp.clone();
    Results { settings, title, journal, faults, verdict, ramp, ..results }
}
