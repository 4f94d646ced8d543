//! The wait for a server that is starting.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use super::keyspace::Keyspace;
use super::results;
use crate::Output;
use crate::args::BenchArgs;
use crate::blocking::{open, resolve};
use crate::error::BenchError;
use crate::limits::READY_PAUSE;
use crate::meter::Meter;
use crate::tally::{Class, Code, Tally};
use crate::wire::Template;

/// Waits until the server answers a first get, at most for the time requested. With a keyspace the
/// get is of its first node, which must exist; with `--nodes 0` of `/`.
pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
    let address = resolve(&args.server)?;
    let path = if args.nodes == 0 { b"/".to_vec() } else { Keyspace::new(args.root()).node(0) };
    let get = Template::get(&path, false);
    let epoch = Instant::now();
    let mut tally = Tally::new(&["ready"], 0);
    let meter = Meter::start(None, 0)?;
    loop {
        let attempt = attempt(args, address, &get);
        let elapsed_ns = epoch.elapsed().as_nanos() as u64;
        let Err(last) = attempt else {
            tally.record(Class(0), elapsed_ns, 1);
            let used = meter.stop(elapsed_ns);
            return results(args, "wait", 1, used, &mut tally, out.say).report(args, out);
        };
        if epoch.elapsed() >= args.measured() {
            let last = Box::new(last);
            return Err(BenchError::NotReady { seconds: args.measured().as_secs(), last });
        }
        thread::sleep(READY_PAUSE);
    }
}

fn attempt(args: &BenchArgs, address: SocketAddr, get: &Template) -> Result<(), BenchError> {
    let mut client = open(&args.server, address)?;
    let reply = client.call(|out, xid| get.put(out, xid, |_| ()))?;
    // Closing the session is not part of the wait, but it must not be left open.
    let code = Code(reply.error);
    client.close()?;
    if reply.error == 0 { Ok(()) } else { Err(BenchError::Refused { stage: "first get", code }) }
}
