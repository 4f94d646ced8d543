//! What `balance` prints.

use super::BalanceError;
use super::fleet::{Fleet, Which};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// Where it is printed.
pub(super) struct Report<'a, W> {
    out: &'a mut W,
    is_json: bool,
    notes: Vec<String>,
}

impl<'a, W: Write> Report<'a, W> {
    /// Nothing yet.
    pub(super) fn new(out: &'a mut W, is_json: bool) -> Self {
        Self { out, is_json, notes: Vec::new() }
    }

    /// A line for a person to follow; in JSON all of them come at the end.
    pub(super) fn note(&mut self, line: String) -> Result<(), BalanceError> {
        if self.is_json {
            self.notes.push(line);
            return Ok(());
        }
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(BalanceError::Output)
    }

    /// How many clients each server has, and that nothing was done.
    pub(super) fn nothing_done(
        mut self,
        fleet: &Fleet,
        counts: &[(Which, u64)],
    ) -> Result<(), BalanceError> {
        self.note("nothing was done".to_owned())?;
        if self.is_json {
            return self.end(fleet, [counts; 2], Duration::ZERO);
        }
        let width = counts.iter().map(|(at, _)| fleet.name(*at).len()).max().unwrap_or(0);
        for (at, count) in counts {
            self.note(format!("{:width$}  {count:>7}", fleet.name(*at)))?;
        }
        Ok(())
    }

    /// How many clients each server had and has.
    pub(super) fn end(
        mut self,
        fleet: &Fleet,
        [before, after]: [&[(Which, u64)]; 2],
        time: Duration,
    ) -> Result<(), BalanceError> {
        let seconds = (time.as_secs_f64() * 10.0).round() / 10.0;
        let now = |at: Which| after.iter().find(|(of, _)| *of == at).map(|(_, count)| *count);
        if self.is_json {
            let servers: Vec<Value> = before
                .iter()
                .map(|(at, count)| {
                    json!({ "server": fleet.name(*at), "before": count, "after": now(*at) })
                })
                .collect();
            let notes = std::mem::take(&mut self.notes);
            return self.json(&json!({ "servers": servers, "seconds": seconds, "notes": notes }));
        }
        let width = before.iter().map(|(at, _)| fleet.name(*at).len()).max().unwrap_or(0);
        for (at, count) in before {
            let name = fleet.name(*at);
            let now = now(*at).map_or_else(|| "?".to_owned(), |count| count.to_string());
            self.note(format!("{name:width$}  {count:>7} -> {now:>7}"))?;
        }
        self.note(format!("done in {seconds} s"))
    }

    /// A value as JSON.
    pub(super) fn json(&mut self, value: &Value) -> Result<(), BalanceError> {
        writeln!(self.out, "{value:#}").map_err(BalanceError::Output)
    }
}
