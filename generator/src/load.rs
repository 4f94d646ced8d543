//! A keyspace made, and the closed loop run on it.

use std::io::Write;

use model::error::ErrorCode;

use super::args::{BenchArgs, Operation};
use super::drive::{Driver, Until, Workload};
use super::error::BenchError;
use super::keys::Keys;
use super::report::{Meter, results};
use super::session::{open_all, resolve};
use super::tally::Tally;
use super::workload::{CreateNew, CreatePaths, EveryNode, Random};

/// What precedes data and Stat in a reply, and a little more.
const REPLY_EXTRA_BYTES: usize = 100;

/// Every operation of the loop, from opening the sessions to closing them.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), BenchError> {
    let mut driver = driver(args)?;
    let keys = Keys::new(args.root());
    if !args.skip_prepare {
        prepare(&mut driver, &keys, args)?;
    }
    let told = if args.prepare_only { Ok(()) } else { measure_op(&mut driver, &keys, args, out) };
    match &told {
        // What was measured may not count, but the connections are sound.
        Ok(()) | Err(BenchError::Errors { .. } | BenchError::Nothing) => driver.close()?,
        Err(_) => {}
    }
    told
}

fn measure_op(
    driver: &mut Driver,
    keys: &Keys,
    args: &BenchArgs,
    out: &mut dyn Write,
) -> Result<(), BenchError> {
    if args.op != Operation::Create {
        return measure(driver, args, &mut Random::new(keys, args), out);
    }
    let mut workload = CreateNew::new(keys, args);
    create_roots(driver, keys)?;
    create_all(driver, workload.parents())?;
    measure(driver, args, &mut workload, out)
}

/// The connections of a measurement, with their sessions.
pub(super) fn driver(args: &BenchArgs) -> Result<Driver, BenchError> {
    let address = resolve(&args.server)?;
    let streams = open_all(&args.server, address, args.connections() as usize)?;
    Driver::new(streams, args.in_flight() as usize, args.size as usize + REPLY_EXTRA_BYTES)
}

/// Makes the keyspace. Nodes that are there already get their data anew, for it may be another.
pub(super) fn prepare(
    driver: &mut Driver,
    keys: &Keys,
    args: &BenchArgs,
) -> Result<(), BenchError> {
    create_roots(driver, keys)?;
    create_all(driver, (0..Keys::parents(args.nodes)).map(|p| keys.parent(p)).collect())?;
    let tally = |driver: &Driver| {
        Tally::new(&[""], "prepare", driver.now_ns()).excusing(ErrorCode::NodeExists)
    };
    let mut created = tally(driver);
    driver.run(&mut EveryNode::create(keys, args), &mut created, Until::Done)?;
    refuse(&created, "preparing")?;
    if created.errors().is_empty() {
        return Ok(());
    }
    let mut set = tally(driver);
    driver.run(&mut EveryNode::set(keys, args), &mut set, Until::Done)?;
    refuse(&set, "preparing")
}

/// Creates the root and its ancestors, one after another.
pub(super) fn create_roots(driver: &mut Driver, keys: &Keys) -> Result<(), BenchError> {
    keys.roots().into_iter().try_for_each(|path| create_all(driver, vec![path]))
}

/// Creates nodes without data, unless they are there.
pub(super) fn create_all(driver: &mut Driver, paths: Vec<Vec<u8>>) -> Result<(), BenchError> {
    let mut tally = Tally::aside(driver.now_ns()).excusing(ErrorCode::NodeExists);
    driver.run(&mut CreatePaths::new(paths), &mut tally, Until::Done)?;
    refuse(&tally, "preparing")
}

/// An error if the server answered one that is not excused.
pub(super) fn refuse(tally: &Tally, stage: &'static str) -> Result<(), BenchError> {
    tally.surprise().map_or(Ok(()), |code| Err(BenchError::Refused { stage, code }))
}

fn measure<W: Workload>(
    driver: &mut Driver,
    args: &BenchArgs,
    workload: &mut W,
    out: &mut dyn Write,
) -> Result<(), BenchError> {
    let names: &[_] = match args.op {
        Operation::Mixed => &["get", "set"],
        _ => &[args.op.name()],
    };
    let mut tally = Tally::new(names, "warm-up", driver.now_ns());
    let warm_ns = driver.now_ns() + args.warmup().as_nanos() as u64;
    let start_ns = driver.run(workload, &mut tally, Until::Time(warm_ns))?;
    let mut tally = Tally::new(names, args.op.name(), start_ns).watching(args.pid);
    let meter = Meter::start(args.pid, start_ns)?;
    let end_ns = start_ns + args.measured().as_nanos() as u64;
    let told = driver.run(workload, &mut tally, Until::Time(end_ns));
    let now_ns = driver.now_ns();
    let used = meter.stop(*told.as_ref().unwrap_or(&now_ns));
    let mut results = results(args, "op", tally.ops(), used, &mut tally);
    if let Err(error) = told {
        // What was measured until then is told, and why there is no more.
        let Some((kind, detail)) = error.incident() else { return Err(error) };
        results.journal.end(kind, now_ns - start_ns, detail);
    }
    results.tell(args, out)
}
