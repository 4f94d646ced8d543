//! What is measured without the loop: sessions one after another, and the wait for a server.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use super::args::BenchArgs;
use super::error::BenchError;
use super::keys::Keys;
use super::limits::READY_PAUSE;
use super::report::{Meter, results};
use super::session::{Session, open, resolve};
use super::tally::{Class, Code, Tally};
use super::wire::Template;

const SESSION: Class = Class(0);
const OPEN: Class = Class(1);
const CLOSE: Class = Class(2);

/// Opens and closes sessions, one after another, for the time asked.
pub(super) fn run(args: &BenchArgs, out: &mut dyn Write) -> Result<(), BenchError> {
    const NAMES: [&str; 3] = ["session", "open", "close"];
    let address = resolve(&args.server)?;
    let epoch = Instant::now();
    let now_ns = || epoch.elapsed().as_nanos() as u64;
    let mut start_ns = 0;
    let mut tally = Tally::new(&NAMES[..1], "warm-up", start_ns);
    let mut meter = None;
    loop {
        if meter.is_none() && now_ns() >= args.warmup().as_nanos() as u64 {
            tally = Tally::new(&NAMES, "session", now_ns()).in_parts(1);
            start_ns = now_ns();
            meter = Some(Meter::start(args.pid, start_ns)?);
        }
        let begin_ns = now_ns();
        let session = open(&args.server, address)?;
        let open_ns = now_ns();
        let reply = session.close()?;
        let end_ns = now_ns();
        if reply.error != 0 {
            tally.record_error(reply.error);
        }
        tally.record(SESSION, end_ns - begin_ns, 1);
        if let Some(meter) = &meter {
            tally.record(OPEN, open_ns - begin_ns, 1);
            tally.record(CLOSE, end_ns - open_ns, 1);
            if end_ns >= start_ns + args.measured().as_nanos() as u64 {
                let used = meter.stop(end_ns);
                return results(args, "session", tally.ops(), used, &mut tally).tell(args, out);
            }
        }
        tally.tick(end_ns);
    }
}

/// Waits until the server answers a first get, at most for the time asked. With a keyspace the
/// get is of its first node, which must be there; with `--nodes 0` of `/`.
pub(super) fn ready(args: &BenchArgs, out: &mut dyn Write) -> Result<(), BenchError> {
    let address = resolve(&args.server)?;
    let path = if args.nodes == 0 { b"/".to_vec() } else { Keys::new(args.root()).node(0) };
    let get = Template::get(&path, false);
    let epoch = Instant::now();
    let mut tally = Tally::new(&["ready"], "", 0);
    let meter = Meter::start(None, 0)?;
    loop {
        let attempt = attempt(args, address, &get);
        let elapsed_ns = epoch.elapsed().as_nanos() as u64;
        let Err(last) = attempt else {
            tally.record(SESSION, elapsed_ns, 1);
            let used = meter.stop(elapsed_ns);
            return results(args, "wait", 1, used, &mut tally).tell(args, out);
        };
        if epoch.elapsed() >= args.measured() {
            let last = Box::new(last);
            return Err(BenchError::NotReady { seconds: args.seconds, last });
        }
        thread::sleep(READY_PAUSE);
    }
}

fn attempt(args: &BenchArgs, address: SocketAddr, get: &Template) -> Result<(), BenchError> {
    let mut session: Session = open(&args.server, address)?;
    let reply = session.call(|out, xid| get.put(out, xid, |_| ()))?;
    // The session's end is no part of the wait, but leaving it open would be rude.
    let code = Code(reply.error);
    session.close()?;
    if reply.error == 0 { Ok(()) } else { Err(BenchError::Refused { stage: "first get", code }) }
}
