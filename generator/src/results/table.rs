//! The table for people.

use std::fmt::Write as _;

use super::Results;
use crate::tally::{Code, micros, thousands};

impl Results {
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        self.write_table(&mut text).expect("writing to a String does not fail");
        text
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}, {:.1} s", self.title, self.seconds_measured())?;
        if self.has_answers() {
            self.write_rows(out)?;
            self.write_used(out)?;
        } else {
            writeln!(out, "nothing was answered")?;
        }
        for (code, count) in &self.errors {
            writeln!(out, "errors    {}: {}", Code(*code), thousands(*count))?;
        }
        let misses =
            [("lost", self.lost), ("dropped", self.dropped), ("unanswered", self.unanswered)];
        for (name, count) in misses.into_iter().filter(|miss| miss.1 > 0) {
            writeln!(out, "{name:<9} {}", thousands(count))?;
        }
        for incident in &self.journal.incidents {
            let (from, to) = (incident.from_ns as f64 / 1e9, incident.to_ns as f64 / 1e9);
            let (words, count) = (self.journal.words(incident), thousands(incident.count));
            let excused = if incident.is_excused { " (a fault's)" } else { "" };
            writeln!(out, "incident  {from:.1} s to {to:.1} s, {count} x {words}{excused}")?;
        }
        self.write_faults(out)?;
        if let Some(verdict) = &self.verdict {
            let (checked, violations) = (thousands(verdict.checked), verdict.violations);
            let audited = thousands(verdict.audited);
            write!(out, "verified  {checked} answers, and {audited} at the end")?;
            writeln!(out, ", {} violations", thousands(violations))?;
            for text in &verdict.reported {
                writeln!(out, "violation {text}")?;
            }
        }
        self.write_ramp(out)
    }

    fn write_rows(&self, out: &mut String) -> std::fmt::Result {
        let width = self.rows.iter().map(|row| row.name.len()).max().unwrap_or(0).max(9);
        let head = ["", "count/s", "p50 us", "p99 us", "p999 us", "max us"];
        let [name, rate, p50, p99, p999, max] = head;
        writeln!(out, "{name:<width$} {rate:>11} {p50:>10} {p99:>10} {p999:>10} {max:>10}")?;
        for row in &self.rows {
            let rate = thousands((row.ns.len() as f64 / self.seconds_measured()) as u64);
            write!(out, "{:<width$} {rate:>11}", row.name)?;
            for quantile in [0.5, 0.99, 0.999, 1.0] {
                write!(out, " {:>10}", micros(row.ns.value_at_quantile(quantile)))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }

    fn write_used(&self, out: &mut String) -> std::fmt::Result {
        if let Some(server) = self.used.server {
            writeln!(
                out,
                "server    {:.2} CPU-us per {}{}, {:.2} switches and {:.0} bytes \
                 written per {}, {} MiB resident",
                self.per_op(server.cpu_us),
                self.unit,
                self.core_share(server.cpu_us),
                self.per_op(server.switches),
                self.per_op(server.write_bytes),
                self.unit,
                thousands(server.rss_bytes >> 20),
            )?;
        }
        writeln!(
            out,
            "generator {:.2} CPU-us per {}{}",
            self.per_op(self.used.own_cpu_us),
            self.unit,
            self.core_share(self.used.own_cpu_us),
        )?;
        if let Some(others) = self.used.others {
            writeln!(out, "others    {:.0} % of the machine", others * 100.0)?;
        }
        Ok(())
    }

    fn write_ramp(&self, out: &mut String) -> std::fmt::Result {
        let Some(ramp) = &self.ramp else { return Ok(()) };
        for point in &ramp.points {
            writeln!(
                out,
                "ramp      {:>10}/s requested {:>10}/s answered  p99 {} us  {}",
                thousands(point.rate as u64),
                thousands(point.achieved as u64),
                micros(point.p99_ns),
                if point.is_kept { "kept" } else { "too slow" },
            )?;
        }
        let limit = micros(ramp.limit_ns);
        match ramp.best() {
            Some(best) => {
                let rate = thousands(best.rate as u64);
                writeln!(out, "ramp      {rate}/s keeps a p99 of {limit} us")
            }
            None => writeln!(out, "ramp      no rate kept a p99 of {limit} us"),
        }
    }
}
