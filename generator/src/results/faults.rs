//! What each fault did to clients: the table of one, and its JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Results;
use crate::tally::{Second, micros, thousands};

/// The seconds before and after a fault that are shown with it, in ns.
const AROUND_NS: u64 = 4_000_000_000;

/// A span of time, from and to, in ns.
pub(crate) type SpanNs = (u64, u64);

/// A fault that was performed. What happens counts for it until a while after it was over, or until
/// the next one.
#[derive(Clone, Debug)]
pub(crate) struct FaultReport {
    pub(crate) words: String,
    /// The server that it was done to, if it was one.
    pub(crate) server: Option<Box<str>>,
    pub(crate) begin_ns: u64,
    /// When everything served again; `None` if that was not seen.
    pub(crate) end_ns: Option<u64>,
    /// The longest times without an acknowledged write, and without an answered read; `None` if the
    /// workload has no such operations.
    pub(crate) no_writes: Option<SpanNs>,
    pub(crate) no_reads: Option<SpanNs>,
    /// Errors, incidents and losses, by kind.
    pub(crate) kinds: Vec<(Box<str>, u64)>,
}

impl FaultReport {
    pub(crate) fn new(words: String, server: Option<Box<str>>, begin_ns: u64) -> Self {
        let (no_writes, no_reads, kinds) = (None, None, Vec::new());
        Self { words, server, begin_ns, end_ns: None, no_writes, no_reads, kinds }
    }

    /// What it was, and the server.
    pub(crate) fn title(&self) -> String {
        match &self.server {
            Some(server) => format!("{}, {server}", self.words),
            None => self.words.clone(),
        }
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// A gap as people read it.
pub(super) fn gap(span: Option<SpanNs>) -> String {
    span.map_or("-".into(), |(from_ns, to_ns)| {
        let (length, from) = (seconds(to_ns - from_ns), seconds(from_ns));
        format!("{length:.3} s from {from:.1} s")
    })
}

impl Results {
    /// The seconds around a fault: until the next one, if that begins earlier.
    pub(super) fn seconds_around(&self, at: usize) -> impl Iterator<Item = &Second> {
        let fault = &self.faults[at];
        let from_ns = fault.begin_ns.saturating_sub(AROUND_NS);
        let next_ns = self.faults.get(at + 1).map_or(u64::MAX, |next| next.begin_ns);
        let end_ns = fault.end_ns.map_or(u64::MAX, |end_ns| end_ns + AROUND_NS);
        let until_ns = end_ns.min(next_ns);
        let second = move |it: &&Second| (from_ns..=until_ns.saturating_add(1)).contains(&it.at_ns);
        self.seconds.iter().filter(second)
    }

    pub(super) fn write_faults(&self, out: &mut String) -> std::fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            let begin = seconds(fault.begin_ns);
            let end = fault.end_ns.map_or("not over".into(), |ns| format!("{:.1} s", seconds(ns)));
            writeln!(out, "fault     {begin:.1} s to {end}, {}", fault.title())?;
            writeln!(out, "          without writes {}", gap(fault.no_writes))?;
            writeln!(out, "          without reads  {}", gap(fault.no_reads))?;
            for (kind, count) in &fault.kinds {
                writeln!(out, "          {} x {kind}", thousands(*count))?;
            }
            let [s, rate, p50, p99, max, errors] =
                ["s", "ops/s", "p50 us", "p99 us", "max us", "errors"];
            writeln!(out, "          {s:>5} {rate:>10} {p50:>10} {p99:>10} {max:>10} {errors:>7}")?;
            for second in self.seconds_around(at) {
                write!(out, "          {:>5.0}", seconds(second.at_ns))?;
                write!(out, " {:>10}", thousands(second.rate() as u64))?;
                for ns in [second.p50_ns, second.p99_ns, second.max_ns] {
                    write!(out, " {:>10}", micros(ns))?;
                }
                writeln!(out, " {:>7}", thousands(second.errors))?;
            }
        }
        Ok(())
    }

    pub(super) fn faults_json(&self) -> Value {
        let span = |span: Option<SpanNs>| {
            span.map(|(from_ns, to_ns)| {
                json!({ "from_ms": from_ns / 1_000_000, "ms": (to_ns - from_ns) / 1_000_000 })
            })
        };
        let fault = |(at, fault): (usize, &FaultReport)| {
            let kinds = fault.kinds.iter().map(|(kind, count)| (kind.to_string(), json!(count)));
            let around: Vec<_> = self.seconds_around(at).map(super::json::second).collect();
            json!({
                "fault": fault.words, "server": fault.server,
                "from_ms": fault.begin_ns / 1_000_000,
                "to_ms": fault.end_ns.map(|ns| ns / 1_000_000),
                "no_writes": span(fault.no_writes), "no_reads": span(fault.no_reads),
                "failures": kinds.collect::<serde_json::Map<_, _>>(), "series": around,
            })
        };
        self.faults.iter().enumerate().map(fault).collect()
    }

    pub(super) fn write_faults_page(&self, out: &mut String) -> std::fmt::Result {
        if self.faults.is_empty() {
            return Ok(());
        }
        writeln!(out, "<h2>Faults</h2><table><tr><th>from s<th>to s<th>without writes")?;
        writeln!(out, "<th>without reads<th style=\"text-align:left\">what</tr>")?;
        for fault in &self.faults {
            let begin = seconds(fault.begin_ns);
            let end = fault.end_ns.map_or("not over".into(), |ns| format!("{:.1}", seconds(ns)));
            let (writes, reads) = (gap(fault.no_writes), gap(fault.no_reads));
            let kinds = fault.kinds.iter().map(|(kind, count)| format!("{count} x {kind}"));
            let kinds: Vec<_> = kinds.collect();
            write!(out, "<tr><td>{begin:.1}<td>{end}<td>{writes}<td>{reads}<td class=\"text\">")?;
            let words = super::plot::escaped(&format!("{}; {}", fault.title(), kinds.join(", ")));
            writeln!(out, "{words}</tr>")?;
        }
        writeln!(out, "</table>")
    }
}
