//! `ringkeeper plan`: how many servers of what kind a load needs, and what breaks first.
//!
//! What a person has is of three kinds, which may be combined: reports of `ringkeeper bench`, a
//! running server, and numbers. They become a *basis*, the costs of one request, each with where it
//! is from, and a *question*, a load and a bound, with servers or with what there may be of them.
//! The model of `planning` answers; here it is asked and its answer shown.
//!
//! - `args`, `error`, `files`, `layout`: the command line, and why it fails;
//! - `report`, `seen`, `question`: from reports, from running servers and from numbers to a load;
//! - `basis`, `fields`, `costs_file`: what one request costs, and costs as files;
//! - `answer`: what the model says;
//! - `text`, `chart`, `page`, `picture`, `json`: how that is shown; `numbers`, `words`: in what
//!   form;
//! - `check`: predictions beside measurements.
//!
//! **Invariants**
//!
//! - Every number that was not given is shown as assumed, with its value (guard:
//!   `question::tests::what_is_not_given_is_said`).
//! - Equal inputs give equal output, byte for byte (guard: the picture in docs/, in
//!   `tests/operator/plan.rs`).
//! - Whatever a file or a server says, the end is an answer or an error that names it.
//!
//! **What is deliberately not here**: the model and every formula (`planning`), measuring
//! (`generator`, `tuning::probe`).

mod answer;
mod args;
mod basis;
mod chart;
mod check;
mod costs_file;
mod error;
mod fields;
mod files;
mod json;
mod layout;
mod numbers;
mod page;
mod picture;
mod question;
mod report;
mod seen;
mod text;
mod words;

pub use args::{CheckArgs, CostArgs, MostArgs, PlanArgs, RequiredArgs};
pub use error::{CostsFileError, PlanError, ReportError};
pub use layout::LayoutWords;
pub use report::ReportArg;

use answer::Answer;
use basis::Basis;
use question::{Question, Seen};
use report::Report;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// `ringkeeper plan`.
///
/// # Errors
/// The input is wrong, or no servers carry the load.
pub fn plan(args: &PlanArgs, out: &mut impl Write) -> Result<(), PlanError> {
    if args.check.check {
        return check::check(args, out);
    }
    files::check(args)?;
    let reports: Vec<Report> =
        args.reports.iter().map(Report::read).collect::<Result<_, PlanError>>()?;
    let observed = seen::observe(args)?;
    let reported = reported(args, &reports);
    let seen = observed.as_ref().map(|it| &it.seen).or(reported.as_ref());
    let question = Question::of(args, seen)?;
    let basis = Basis::of(args, &reports)?;
    let answer = match Answer::of(&basis, &question) {
        Err(PlanError::Refused(refusal)) => {
            if let Some(path) = &args.json {
                write_json(path, &json::refused(&basis, &question, &refusal), out)?;
            }
            return Err(PlanError::Refused(refusal));
        }
        other => other?,
    };
    let shown = Shown { basis: &basis, question: &question, answer: &answer, observed };
    if let Some(path) = &args.html {
        std::fs::write(path, page::page(&shown)).map_err(PlanError::file(path))?;
    }
    if let Some(path) = &args.svg {
        std::fs::write(path, picture::latencies(&shown)).map_err(PlanError::file(path))?;
    }
    if let Some(path) = &args.json {
        write_json(path, &json::answer(&shown), out)?;
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        write(&text::text(&shown), out)?;
    }
    // What was measured is carried, whatever is predicted of it.
    let refused = answer.refused(&question).filter(|_| args.layout.is_some());
    refused.map_or(Ok(()), Err)
}

/// Everything that is shown.
struct Shown<'a> {
    basis: &'a Basis,
    question: &'a Question,
    answer: &'a Answer,
    observed: Option<seen::Observed>,
}

/// The load of the reports: of the first that mixes reads and writes, or of all kinds together.
fn reported(args: &PlanArgs, reports: &[Report]) -> Option<Seen> {
    let layout = args.measured_on.as_ref().map_or_else(layout::smallest, |it| it.0.clone());
    let mixed = reports.iter().find(|it| it.kind() == report::Kind::Mixed);
    let load = mixed.or(reports.first())?.load.clone();
    Some(Seen { load, layout })
}

fn write_json(path: &Path, value: &Value, out: &mut impl Write) -> Result<(), PlanError> {
    let text = format!("{value:#}\n");
    if path == Path::new("-") {
        return write(&text, out);
    }
    std::fs::write(path, text).map_err(PlanError::file(path))
}

fn write(text: &str, out: &mut impl Write) -> Result<(), PlanError> {
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(PlanError::Output)
}
