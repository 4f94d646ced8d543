//! One operation in a closed loop: a fixed number of connections and of requests in flight on each,
//! where a reply is followed at once by the next request.
//!
//! It is as cheap as possible, to saturate a server: requests are copied from templates, replies
//! are cut by their length only and matched by their order, the clock is read once a turn.
//!
//! `driver` is the loop, `lane` one connection of it; `requests` and `keyspace` are what is
//! requested. `watch`, `session` and `ready` measure operations of other forms, in rounds
//! (`rounds`).
//!
//! Lives in: the generator's thread.

mod driver;
mod keyspace;
mod lane;
mod ready;
mod requests;
mod rounds;
mod session;
#[cfg(test)]
mod tests;
mod watch;

use model::error::ErrorCode;
use serde_json::json;

use self::driver::{Driver, Requests, Until};
use self::keyspace::Keyspace;
use self::requests::{CreateNew, CreatePaths, EveryNode, Random};
use crate::args::{BenchArgs, Operation};
use crate::blocking::{open_all, resolve};
use crate::error::BenchError;
use crate::meter::{Meter, Metered};
use crate::paths::with_ancestors;
use crate::results::{Journal, Results};
use crate::tally::Tally;
use crate::{Output, Say};

/// What precedes data and Stat in a reply, and a little more.
const REPLY_EXTRA_BYTES: usize = 100;

/// Measures the operation that is requested.
pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
    match args.op {
        Operation::Session => session::run(args, out),
        Operation::Ready => ready::run(args, out),
        Operation::Watch => watch::run(args, out),
        _ => run_loop(args, out),
    }
}

/// Every operation of the loop, from opening the sessions to closing them.
fn run_loop(args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
    let mut driver = driver(args)?;
    let keyspace = Keyspace::new(args.root());
    if !args.skip_prepare {
        prepare(&mut driver, &keyspace, args, out.say)?;
    }
    let outcome =
        if args.prepare_only { Ok(()) } else { measure_op(&mut driver, &keyspace, args, out) };
    match &outcome {
        // The measurement may be void, but the connections are intact.
        Ok(()) | Err(BenchError::Errors { .. } | BenchError::Nothing) => driver.close()?,
        Err(_) => {}
    }
    outcome
}

fn measure_op(
    driver: &mut Driver,
    keyspace: &Keyspace,
    args: &BenchArgs,
    out: &mut Output<'_>,
) -> Result<(), BenchError> {
    if args.op != Operation::Create {
        return measure(driver, args, &mut Random::new(keyspace, args), out);
    }
    let mut requests = CreateNew::new(keyspace, args);
    create_roots(driver, args)?;
    create_all(driver, requests.parents())?;
    measure(driver, args, &mut requests, out)
}

/// The connections of a measurement, with their sessions.
fn driver(args: &BenchArgs) -> Result<Driver, BenchError> {
    let address = resolve(&args.server)?;
    let streams = open_all(&args.server, address, args.connections() as usize)?;
    Driver::new(streams, args.in_flight() as usize, args.size as usize + REPLY_EXTRA_BYTES)
}

/// Creates the keyspace. Nodes that exist are set, since their data may differ.
fn prepare(
    driver: &mut Driver,
    keyspace: &Keyspace,
    args: &BenchArgs,
    say: Say,
) -> Result<(), BenchError> {
    create_roots(driver, args)?;
    create_all(driver, (0..Keyspace::parents(args.nodes)).map(|p| keyspace.parent(p)).collect())?;
    let tally = |driver: &Driver| {
        let tally = Tally::new(&[""], driver.now_ns()).saying("prepare", say);
        tally.excusing(ErrorCode::NodeExists)
    };
    let mut created = tally(driver);
    driver.run(&mut EveryNode::create(keyspace, args), &mut created, Until::Done)?;
    refuse(&created, "preparing")?;
    if created.errors().is_empty() {
        return Ok(());
    }
    let mut set = tally(driver);
    driver.run(&mut EveryNode::set(keyspace, args), &mut set, Until::Done)?;
    refuse(&set, "preparing")
}

/// Creates the root and its ancestors, one after another.
fn create_roots(driver: &mut Driver, args: &BenchArgs) -> Result<(), BenchError> {
    with_ancestors(args.root()).try_for_each(|path| create_all(driver, vec![path.into()]))
}

/// Creates nodes without data, unless they exist.
fn create_all(driver: &mut Driver, paths: Vec<Vec<u8>>) -> Result<(), BenchError> {
    let mut tally = Tally::aside(driver.now_ns()).excusing(ErrorCode::NodeExists);
    driver.run(&mut CreatePaths::new(paths), &mut tally, Until::Done)?;
    refuse(&tally, "preparing")
}

/// An error if the server answered with an error that is not excused.
fn refuse(tally: &Tally, stage: &'static str) -> Result<(), BenchError> {
    tally.surprise().map_or(Ok(()), |code| Err(BenchError::Refused { stage, code }))
}

fn measure<R: Requests>(
    driver: &mut Driver,
    args: &BenchArgs,
    requests: &mut R,
    out: &mut Output<'_>,
) -> Result<(), BenchError> {
    let op = args.op.name();
    let names = if args.op == Operation::Mixed { vec!["get", "set"] } else { vec![&op[..]] };
    let start_ns = warm_up(driver, args, requests, &names, out.say)?;
    let mut tally = Tally::new(&names, start_ns).saying(&op, out.say).sampling(args.pid);
    let meter = Meter::start(args.pid, start_ns)?;
    let end_ns = start_ns + args.measured().as_nanos() as u64;
    let outcome = driver.run(requests, &mut tally, Until::Time(end_ns));
    let now_ns = driver.now_ns();
    let used = meter.stop(*outcome.as_ref().unwrap_or(&now_ns));
    let mut results = results(args, "op", tally.ops(), used, &mut tally, out.say);
    if let Err(error) = outcome {
        // What was measured until then is reported, with the reason for its end.
        let Some((kind, detail)) = error.incident() else { return Err(error) };
        results.journal.end(kind, None, now_ns - start_ns, detail);
    }
    results.report(args, out)
}

/// Runs `requests` for as long as requested before anything is measured; returns when that ended.
fn warm_up<R: Requests>(
    driver: &mut Driver,
    args: &BenchArgs,
    requests: &mut R,
    names: &[&str],
    say: Say,
) -> Result<u64, BenchError> {
    let now_ns = driver.now_ns();
    let warm_ns = args.warmup().as_nanos() as u64;
    // Clocks of two CPUs may differ by a few ns: without a warm-up not one answer is taken here,
    // whatever they say.
    if warm_ns == 0 {
        return Ok(now_ns);
    }
    let mut tally = Tally::new(names, now_ns).saying("warm-up", say);
    driver.run(requests, &mut tally, Until::Time(now_ns + warm_ns))
}

/// The results of a single operation, as requested by `args`.
fn results(
    args: &BenchArgs,
    unit: &'static str,
    ops: u64,
    used: Metered,
    tally: &mut Tally,
    say: Say,
) -> Results {
    let title = format!(
        "{} {} x {}, {} bytes, {} nodes",
        args.op.name(),
        args.connections(),
        args.in_flight(),
        args.size,
        args.nodes,
    );
    let settings = vec![
        ("op", json!(args.op.name())),
        ("server", json!(args.server)),
        ("connections", json!(args.connections())),
        ("pipeline", json!(args.in_flight())),
        ("size_bytes", json!(args.size)),
        ("nodes", json!(args.nodes)),
        ("write_percent", json!(args.write_percent)),
    ];
    Results { settings, title, ..Results::new(unit, ops, used, tally, Journal::new(say)) }
}
