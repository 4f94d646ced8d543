//! What is told in the end: a table for people, a flat JSON object for scripts.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use hdrhistogram::Histogram;

use super::args::BenchArgs;
use super::error::BenchError;
use super::process::{MachineTime, Process, Usage, own_cpu_us};
use super::tally::{Code, Tally, micros, thousands};

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

    pub(super) fn stop(&self, now_ns: u64) -> Result<Used, BenchError> {
        let own_cpu_us = own_cpu_us() - self.own_cpu_us;
        let server = match (&self.process, self.server) {
            (Some(process), Some(earlier)) => Some(process.usage()?.since(earlier)),
            _ => None,
        };
        let machine = MachineTime::now();
        let others = server.map(|server| {
            let busy_us = machine.busy_us.saturating_sub(self.machine.busy_us);
            let total_us = machine.total_us.saturating_sub(self.machine.total_us).max(1);
            busy_us.saturating_sub(server.cpu_us + own_cpu_us) as f64 / total_us as f64
        });
        Ok(Used { server, own_cpu_us, others, elapsed_ns: now_ns - self.start_ns })
    }
}

/// A measurement that has ended.
pub(super) struct Report<'a> {
    args: &'a BenchArgs,
    /// What one unit of `ops` is.
    unit: &'static str,
    ops: u64,
    used: Used,
    rows: Vec<(&'static str, Histogram<u64>)>,
    errors: Vec<(i32, u64)>,
}

impl<'a> Report<'a> {
    /// `ops` of `unit` were done; the classes of `tally` are the rows.
    pub(super) fn new(
        args: &'a BenchArgs,
        unit: &'static str,
        ops: u64,
        used: Used,
        tally: &mut Tally,
    ) -> Self {
        tally.fold();
        let rows = tally.classes().iter().map(|c| (c.name, c.latencies_ns().clone())).collect();
        Self { args, unit, ops, used, rows, errors: tally.errors().to_vec() }
    }

    /// Prints, writes, and says whether what was measured counts.
    pub(super) fn tell(&self, out: &mut dyn Write) -> Result<(), BenchError> {
        let path = PathBuf::from("standard output");
        let written = out.write_all(self.table().as_bytes()).and_then(|()| out.flush());
        written.map_err(|source| BenchError::Write { path, source })?;
        if let Some(path) = &self.args.json {
            let failed = |source| BenchError::Write { path: path.clone(), source };
            fs::write(path, self.json()).map_err(failed)?;
        }
        let count = self.errors.iter().map(|error| error.1).sum();
        if count > 0 {
            return Err(BenchError::Errors { count });
        }
        if self.ops == 0 { Err(BenchError::Nothing) } else { Ok(()) }
    }

    fn seconds(&self) -> f64 {
        (self.used.elapsed_ns as f64 / 1e9).max(1e-9)
    }

    fn per_op(&self, count: u64) -> f64 {
        count as f64 / self.ops.max(1) as f64
    }

    fn table(&self) -> String {
        let mut text = String::new();
        self.write_table(&mut text).expect("a string takes everything");
        text
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        let args = self.args;
        writeln!(
            out,
            "{} {} x {}, {} bytes, {} nodes, {:.1} s",
            args.op.name(),
            args.connections,
            args.pipeline,
            args.size,
            args.nodes,
            self.seconds(),
        )?;
        let head = ["", "count/s", "p50 us", "p99 us", "p999 us", "max us"];
        let [name, rate, p50, p99, p999, max] = head;
        writeln!(out, "{name:<9} {rate:>11} {p50:>10} {p99:>10} {p999:>10} {max:>10}")?;
        for (name, ns) in &self.rows {
            let rate = thousands((ns.len() as f64 / self.seconds()) as u64);
            write!(out, "{name:<9} {rate:>11}")?;
            for quantile in [0.5, 0.99, 0.999, 1.0] {
                write!(out, " {:>10}", micros(ns.value_at_quantile(quantile)))?;
            }
            writeln!(out)?;
        }
        if let Some(server) = self.used.server {
            writeln!(
                out,
                "server    {:.2} CPU-us per {}, {:.0} % of a core, {:.2} switches and {:.0} bytes \
                 written per {}, {} MiB resident",
                self.per_op(server.cpu_us),
                self.unit,
                server.cpu_us as f64 / self.seconds() / 1e4,
                self.per_op(server.switches),
                self.per_op(server.write_bytes),
                self.unit,
                thousands(server.rss_bytes >> 20),
            )?;
        }
        writeln!(
            out,
            "generator {:.2} CPU-us per {}, {:.0} % of a core",
            self.per_op(self.used.own_cpu_us),
            self.unit,
            self.used.own_cpu_us as f64 / self.seconds() / 1e4,
        )?;
        if let Some(others) = self.used.others {
            writeln!(out, "others    {:.0} % of the machine", others * 100.0)?;
        }
        for (code, count) in &self.errors {
            writeln!(out, "errors    {}: {}", Code(*code), thousands(*count))?;
        }
        Ok(())
    }

    fn json(&self) -> String {
        let args = self.args;
        let mut json = Json::new();
        json.text("op", args.op.name());
        json.text("server", &args.server);
        json.number("connections", args.connections);
        json.number("pipeline", args.pipeline);
        json.number("size_bytes", args.size);
        json.number("nodes", args.nodes);
        json.number("write_percent", args.write_percent);
        json.text("unit", self.unit);
        json.number("ops", self.ops);
        json.number("seconds", format_args!("{:.6}", self.seconds()));
        json.number("ops_per_s", format_args!("{:.1}", self.ops as f64 / self.seconds()));
        for (name, ns) in &self.rows {
            for (word, quantile) in
                [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)]
            {
                let us = ns.value_at_quantile(quantile) as f64 / 1e3;
                json.number(&format!("{name}_us_{word}"), format_args!("{us:.1}"));
            }
        }
        let own = self.per_op(self.used.own_cpu_us);
        json.number("generator_cpu_us_per_op", format_args!("{own:.4}"));
        if let Some(server) = self.used.server {
            let per_op = |count| self.per_op(count);
            json.number("server_cpu_us_per_op", format_args!("{:.4}", per_op(server.cpu_us)));
            json.number("server_switches_per_op", format_args!("{:.4}", per_op(server.switches)));
            let written = per_op(server.write_bytes);
            json.number("server_write_bytes_per_op", format_args!("{written:.1}"));
            json.number("server_rss_bytes", server.rss_bytes);
            json.number("server_rss_bytes_max", server.rss_bytes_max);
        }
        if let Some(others) = self.used.others {
            json.number("others_share", format_args!("{others:.4}"));
        }
        json.number("errors", self.errors.iter().map(|error| error.1).sum::<u64>());
        for (code, count) in &self.errors {
            json.number(&format!("errors_of_{code}"), count);
        }
        json.end()
    }
}

/// A flat object, one field a line, for readers without a parser too.
struct Json(String);

impl Json {
    fn new() -> Self {
        Self("{".into())
    }

    fn key(&mut self, key: &str) {
        self.0.push_str(if self.0.len() == 1 { "\n  " } else { ",\n  " });
        self.quoted(key);
        self.0.push_str(": ");
    }

    fn quoted(&mut self, text: &str) {
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if c.is_control() => {
                    write!(self.0, "\\u{:04x}", c as u32).expect("a string takes everything");
                }
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        self.quoted(value);
    }

    fn number(&mut self, key: &str, value: impl std::fmt::Display) {
        self.key(key);
        self.0.push_str(&value.to_string());
    }

    fn end(mut self) -> String {
        self.0.push_str("\n}\n");
        self.0
    }
}
