//! Sessions opened and closed one after another, each on its own connection.

use std::time::Instant;

use super::rounds::Rounds;
use crate::Output;
use crate::args::BenchArgs;
use crate::blocking::{open, resolve};
use crate::error::BenchError;
use crate::tally::Class;

const NAMES: [&str; 3] = ["session", "open", "close"];
const SESSION: Class = Class(0);
const OPEN: Class = Class(1);
const CLOSE: Class = Class(2);

/// Measures sessions for the time requested.
pub(super) fn run(args: &BenchArgs, out: &mut Output<'_>) -> Result<(), BenchError> {
    let address = resolve(&args.server)?;
    let epoch = Instant::now();
    let now_ns = || epoch.elapsed().as_nanos() as u64;
    let mut rounds = Rounds::new(args, &NAMES, 0, out.say);
    loop {
        rounds.maybe_begin(now_ns())?;
        let begin_ns = now_ns();
        let client = open(&args.server, address)?;
        let open_ns = now_ns();
        let reply = client.close()?;
        let end_ns = now_ns();
        let tally = &mut rounds.tally;
        if reply.error != 0 {
            tally.record_error(reply.error);
        }
        tally.record(SESSION, end_ns - begin_ns, 1);
        tally.record(OPEN, open_ns - begin_ns, 1);
        tally.record(CLOSE, end_ns - open_ns, 1);
        rounds.tally.tick(end_ns);
        if rounds.is_over(end_ns) {
            let ops = rounds.tally.ops();
            return rounds.results("session", ops, end_ns).report(args, out);
        }
    }
}
