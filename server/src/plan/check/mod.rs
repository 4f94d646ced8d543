//! `plan --check`: what the model predicts of a server, beside what is measured of it.
//!
//! Costs are fitted to a ramp of reads and one of writes, as many as the workload has, or to the
//! reports that were given. From them the highest rate of the workload is predicted, and the
//! latencies at parts of it; then these are measured, in rounds, and the medians count. Nothing
//! that is predicted was part of what was fitted, except where the workload is one of the ramps.
//!
//! - `measure`: runs of the load generator, in this process.

mod measure;

use super::args::PlanArgs;
use super::basis::Basis;
use super::error::PlanError;
use super::numbers::{count, time};
use super::question::{Question, Seen};
use super::report::{Latencies, Report};
use super::text::table;
use super::{seen, words, write, write_json};
use crate::output::say;
use measure::Bench;
use planning::ensemble::{Latency, capacity, operate};
use planning::{Costs, Layout, Load};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// The rates that are measured, as parts of the highest that is predicted.
const PARTS: [f64; 3] = [0.5, 0.7, 0.85];
/// What the generator can be asked for.
const RATE_MIN: f64 = 1.0;

/// One line of the comparison.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    /// Requests a second that were due; none for the highest rate.
    rate: Option<f64>,
    what: &'static str,
    predicted: Option<f64>,
    measured: Option<f64>,
}

impl Line {
    /// Predicted by measured, less 1.
    fn error(&self) -> Option<f64> {
        let measured = self.measured.filter(|it| *it > 0.0)?;
        Some(self.predicted? / measured - 1.0)
    }
}

/// Measures, and prints predictions beside it.
pub(super) fn check(
    args: &PlanArgs,
    reports: &[Report],
    out: &mut impl Write,
) -> Result<(), PlanError> {
    let [server] = &args.server[..] else {
        return Err(PlanError::Contradiction(
            "--check loads one server: name one by --server (clients of an ensemble are at all of \
             its servers, and the generator is at one)",
        ));
    };
    let workload = args.check.workload.as_deref().unwrap_or_default();
    let bench = Bench::new(server, workload, args.check.seconds);
    say(&format!("the workload {workload} is looked at"));
    let looked = bench.look()?;
    let layout = match &args.measured_on {
        Some(words) => words.0.clone(),
        None => seen::layout_of(server)?,
    };
    let seen = Seen { load: looked.load.clone(), layout: layout.clone() };
    let question = Question::of(args, Some(&seen))?;
    let (load, layout) = (&question.load, &layout);
    let made = if reports.is_empty() { ramps(&bench, load, question.p99_s)? } else { Vec::new() };
    let mut reports = if reports.is_empty() { made } else { reports.to_vec() };
    let measured_on = args.measured_on.clone().or(Some(super::LayoutWords(layout.clone())));
    let basis = fitted(&PlanArgs { measured_on, ..args.clone() }, &mut reports)?;
    let most = capacity(&basis.costs, load, layout, question.p99_s)?;
    let predicted = most.reads_per_s + most.writes_per_s;
    say("the highest rate of the workload is measured");
    let mut lines = vec![Line {
        rate: None,
        what: "highest rate",
        predicted: Some(predicted),
        measured: bench.highest(question.p99_s)?,
    }];
    lines.extend(points(&bench, &basis.costs, (load, layout), predicted, args.check.rounds)?);
    let limit = words::limit(most.limit);
    if let Some(path) = &args.json {
        write_json(path, &in_json(workload, &lines, &limit), out)?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        write(&in_words(&lines, &limit), out)?;
    }
    Ok(())
}

/// Costs from as many reports as show some: what a disturbed ramp does not show stays as shipped.
fn fitted(args: &PlanArgs, reports: &mut Vec<Report>) -> Result<Basis, PlanError> {
    loop {
        match Basis::of(args, reports) {
            Err(PlanError::Fit { path, error }) => {
                say(&format!("{}: {error}; its costs are those that are shipped", path.display()));
                reports.retain(|it| it.path != path);
            }
            other => return other,
        }
    }
}

/// A ramp of reads and one of writes, as far as the load has them.
fn ramps(bench: &Bench, load: &Load, p99_s: f64) -> Result<Vec<Report>, PlanError> {
    let mut made = Vec::new();
    for (op, rate) in [("get", load.reads_per_s), ("set", load.writes_per_s)] {
        if rate > 0.0 {
            say(&format!("a ramp of {op} is measured"));
            made.push(bench.ramp(op, load, p99_s)?);
        }
    }
    Ok(made)
}

/// Latencies at parts of the highest rate: all rates in a round, so that whatever else the machine
/// does meets all of them.
fn points(
    bench: &Bench,
    costs: &Costs,
    (load, layout): (&Load, &Layout),
    most: f64,
    rounds: u32,
) -> Result<Vec<Line>, PlanError> {
    let rates = PARTS.map(|part| (part * most).round().max(RATE_MIN));
    let mut found: [Vec<Report>; 3] = Default::default();
    for round in 1..=rounds {
        for (rate, found) in rates.iter().zip(&mut found) {
            say(&format!("round {round} of {rounds}: {} a second", count(*rate)));
            found.extend(bench.open_loop(*rate)?);
        }
    }
    let unit = load.reads_per_s + load.writes_per_s;
    let mut lines = Vec::new();
    for (rate, found) in rates.into_iter().zip(&found) {
        let then = operate(costs, &load.scaled(rate / unit), layout)?;
        lines.extend(compared(rate, (then.reads, then.writes), found));
    }
    Ok(lines)
}

type Pick = (&'static str, fn(&Latency) -> f64, f64);

fn compared(
    rate: f64,
    (reads, writes): (Option<Latency>, Option<Latency>),
    found: &[Report],
) -> Vec<Line> {
    const PICKS: [[Pick; 2]; 2] = [
        [("p50 of reads", |it| it.p50_s, 0.5), ("p99 of reads", |it| it.p99_s, 0.99)],
        [("p50 of writes", |it| it.p50_s, 0.5), ("p99 of writes", |it| it.p99_s, 0.99)],
    ];
    let of: [fn(&Report) -> &Latencies; 2] = [|it| &it.reads, |it| &it.writes];
    let mut lines = Vec::new();
    for ((picks, of), predicted) in PICKS.into_iter().zip(of).zip([reads, writes]) {
        for (what, pick, part) in picks {
            let measured = median(found.iter().filter_map(|it| of(it).quantile_s(part)).collect());
            let predicted = predicted.as_ref().map(pick);
            if measured.is_some() || predicted.is_some() {
                lines.push(Line { rate: Some(rate), what, predicted, measured });
            }
        }
    }
    lines
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = values.get(middle)?;
    if values.len() % 2 == 1 {
        Some(*upper)
    } else {
        Some(f64::midpoint(values[middle - 1], *upper))
    }
}

fn in_words(lines: &[Line], limit: &str) -> String {
    let mut rows =
        vec![["RATE", "WHAT", "PREDICTED", "MEASURED", "ERROR"].map(str::to_owned).to_vec()];
    for line in lines {
        let value = |it: Option<f64>| match (it, line.rate) {
            (None, _) => "-".to_owned(),
            (Some(rate), None) => format!("{}/s", count(rate)),
            (Some(seconds), Some(_)) => time(seconds),
        };
        let error = line.error().map_or("-".to_owned(), |it| format!("{:+.0} %", it * 100.0));
        let rate = line.rate.map_or_else(String::new, |it| format!("{}/s", count(it)));
        rows.push(vec![
            rate,
            line.what.to_owned(),
            value(line.predicted),
            value(line.measured),
            error,
        ]);
    }
    format!("{}predicted: at the highest rate {limit}\n", table(&rows))
}

fn in_json(workload: &str, lines: &[Line], limit: &str) -> Value {
    let lines = lines.iter().map(|it| {
        json!({
            "rate": it.rate, "what": it.what, "predicted": it.predicted,
            "measured": it.measured, "error": it.error(),
        })
    });
    let lines: Vec<_> = lines.collect();
    json!({ "version": 1, "workload": workload, "limit": limit, "lines": lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0]), Some(2.5));
    }

    #[test]
    fn errors_are_of_what_was_measured() {
        let line = |rate, predicted, measured| Line { rate, what: "x", predicted, measured };
        let lines = [
            line(None, Some(30_000.0), Some(20_000.0)),
            line(Some(10.0), Some(1e-3), Some(2e-3)),
            line(Some(10.0), None, Some(2e-3)),
        ];
        let text = in_words(&lines, "the log's device is busy");
        let expected =
            "RATE  WHAT  PREDICTED  MEASURED  ERROR\n      x      30,000/s  20,000/s  +50 %\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("10/s  x       1.00 ms   2.00 ms  -50 %\n"), "{text}");
        assert_eq!(in_json("w", &lines, "")["lines"][2]["error"], Value::Null);
    }
}
