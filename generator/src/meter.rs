//! What the server and the generator used while something was measured.

use super::error::BenchError;
use super::process::{MachineTime, Process, Usage, own_cpu_us};

/// Reads what the server's process and our own have used, at the start and the end of a
/// measurement.
pub(super) struct Meter {
    process: Option<Process>,
    server: Option<Usage>,
    own_cpu_us: u64,
    machine: MachineTime,
    start_ns: u64,
}

/// What both used in between.
#[derive(Clone, Copy, Debug)]
pub(super) struct Metered {
    pub(super) server: Option<Usage>,
    pub(super) own_cpu_us: u64,
    /// The share of the machine that other processes used: the noise. Known with `server` only.
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

    pub(super) fn stop(&self, now_ns: u64) -> Metered {
        let own_cpu_us = own_cpu_us() - self.own_cpu_us;
        let server = match (&self.process, self.server) {
            // A server that has died is reported by its connections.
            (Some(process), Some(earlier)) => process.usage().ok().map(|now| now.since(earlier)),
            _ => None,
        };
        let machine = MachineTime::now();
        let others = server.map(|server| {
            let busy_us = machine.busy_us.saturating_sub(self.machine.busy_us);
            let total_us = machine.total_us.saturating_sub(self.machine.total_us).max(1);
            busy_us.saturating_sub(server.cpu_us + own_cpu_us) as f64 / total_us as f64
        });
        Metered { server, own_cpu_us, others, elapsed_ns: now_ns - self.start_ns }
    }
}
