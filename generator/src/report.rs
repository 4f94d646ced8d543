//! What is told in the end of a loop of one operation, and what was used meanwhile.

use serde_json::json;

use super::args::BenchArgs;
use super::error::BenchError;
use super::process::{MachineTime, Process, Usage, own_cpu_us};
use super::results::Results;
use super::tally::Tally;

/// Looks at the server's process and our own, at the start of what is measured and at its end.
pub(super) struct Meter {
    process: Option<Process>,
    server: Option<Usage>,
    own_cpu_us: u64,
    machine: MachineTime,
    start_ns: u64,
}

/// What both used between the two looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Used {
    pub(super) server: Option<Usage>,
    pub(super) own_cpu_us: u64,
    /// Which share of the machine others than the two used: the noise. Known with `server` only.
    pub(super) others: Option<f64>,
    pub(super) elapsed_ns: u64,
}

impl Meter {
    pub(super) fn start(pid: Option<u32>, now_ns: u64) -> Result<Self, BenchError> {
        let process = pid.map(Process::new);
        let server = process.as_ref().map(Process::usage).transpose()?;
        let machine = MachineTime::now();
        Ok(Self { process, server, own_cpu_us: own_cpu_us(), machine, start_ns: now_ns })
    }

    pub(super) fn stop(&self, now_ns: u64) -> Used {
        let own_cpu_us = own_cpu_us() - self.own_cpu_us;
        let server = match (&self.process, self.server) {
            // A server that has died is told of by what its connections met.
            (Some(process), Some(earlier)) => process.usage().ok().map(|now| now.since(earlier)),
            _ => None,
        };
        let machine = MachineTime::now();
        let others = server.map(|server| {
            let busy_us = machine.busy_us.saturating_sub(self.machine.busy_us);
            let total_us = machine.total_us.saturating_sub(self.machine.total_us).max(1);
            busy_us.saturating_sub(server.cpu_us + own_cpu_us) as f64 / total_us as f64
        });
        Used { server, own_cpu_us, others, elapsed_ns: now_ns - self.start_ns }
    }
}

/// The results of a loop of one operation, as asked by `args`.
pub(super) fn results(
    args: &BenchArgs,
    unit: &'static str,
    ops: u64,
    used: Used,
    tally: &mut Tally,
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
    Results { settings, title, ..Results::new(unit, ops, used, tally) }
}
