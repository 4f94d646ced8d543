//! The page: one file with tables and plots, which fetches nothing.

use std::fmt::Write as _;

use super::plot::{Curve, Mark, Plot, Scale, escaped};
use super::{FaultReport, Results};
use crate::tally::{Code, Second, micros, thousands};

const STYLE: &str = "\
body{font:15px/1.45 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 20px;\
color:#1b1b1b;background:#fff}\
h1{font-size:22px;margin:0 0 4px}h2{font-size:16px;margin:30px 0 6px}\
p{margin:4px 0}.about{color:#555}.bad{color:#a80000;font-weight:600}\
.good{color:#00692f;font-weight:600}\
table{border-collapse:collapse;margin:8px 0}td,th{padding:3px 12px 3px 0;text-align:right;\
border-bottom:1px solid #e3e3e3;font-variant-numeric:tabular-nums}\
th{font-weight:600;color:#444}td:first-child,th:first-child,td.text{text-align:left}\
svg{width:100%;height:auto;display:block}\
.legend span{margin-right:18px;white-space:nowrap}\
.legend i{display:inline-block;width:14px;height:3px;margin-right:6px;vertical-align:middle}";

impl Results {
    pub(super) fn page(&self) -> String {
        let mut out = String::new();
        self.write_page(&mut out).expect("writing to a String does not fail");
        out
    }

    fn write_page(&self, out: &mut String) -> std::fmt::Result {
        let title = escaped(&self.title);
        writeln!(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")?;
        writeln!(out, "<meta name=\"viewport\" content=\"width=device-width\">")?;
        writeln!(out, "<title>{title}</title>\n<style>{STYLE}</style></head><body>")?;
        writeln!(out, "<h1>{title}</h1>")?;
        if let Some((_, about)) = self.settings.iter().find(|setting| setting.0 == "about") {
            writeln!(out, "<p class=\"about\">{}</p>", escaped(about.as_str().unwrap_or("")))?;
        }
        self.write_verdict(out)?;
        self.write_faults_page(out)?;
        self.write_latencies(out)?;
        if let Some(plot) = self.ramp_plot() {
            out.push_str(&plot);
        }
        out.push_str(&self.percentile_plot());
        out.push_str(&self.time_plots());
        self.write_settings(out)?;
        writeln!(out, "</body></html>")
    }

    fn write_verdict(&self, out: &mut String) -> std::fmt::Result {
        let rate = thousands((self.ops as f64 / self.seconds_measured()) as u64);
        let (ops, seconds) = (thousands(self.ops), self.seconds_measured());
        writeln!(out, "<p>{ops} operations in {seconds:.1} s: <b>{rate}/s</b></p>")?;
        match self.outcome() {
            Ok(()) if !self.faults.is_empty() => {
                writeln!(out, "<p class=\"good\">Nothing failed but by the faults.</p>")?;
            }
            Ok(()) => writeln!(out, "<p class=\"good\">Every request was answered.</p>")?,
            Err(error) => writeln!(out, "<p class=\"bad\">{}</p>", escaped(&error.to_string()))?,
        }
        if let Some(verdict) = &self.verdict {
            let (checked, audited) = (thousands(verdict.checked), thousands(verdict.audited));
            let count = thousands(verdict.violations);
            write!(out, "<p>Verified: {checked} answers, and {audited} at the end")?;
            writeln!(out, ", {count} violations.</p>")?;
            for text in &verdict.reported {
                writeln!(out, "<p class=\"bad\">{}</p>", escaped(text))?;
            }
        }
        if !self.journal.incidents.is_empty() {
            writeln!(out, "<h2>Incidents</h2><table><tr><th>from s<th>to s<th>times")?;
            writeln!(out, "<th style=\"text-align:left\">what</tr>")?;
        }
        for incident in &self.journal.incidents {
            let (from, to) = (incident.from_ns as f64 / 1e9, incident.to_ns as f64 / 1e9);
            let count = thousands(incident.count);
            write!(out, "<tr><td>{from:.1}<td>{to:.1}<td>{count}")?;
            let words = escaped(&self.journal.words(incident));
            let excused = if incident.is_excused { " (a fault's)" } else { "" };
            writeln!(out, "<td class=\"text\">{words}{excused}</tr>")?;
        }
        if !self.journal.incidents.is_empty() {
            writeln!(out, "</table>")?;
        }
        Ok(())
    }

    fn write_latencies(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "<h2>Latencies in us</h2><table><tr><th><th>count<th>count/s")?;
        writeln!(out, "<th>p50<th>p90<th>p99<th>p99.9<th>max</tr>")?;
        for row in &self.rows {
            let rate = thousands((row.ns.len() as f64 / self.seconds_measured()) as u64);
            let count = thousands(row.ns.len());
            write!(out, "<tr><td>{}<td>{count}<td>{rate}", escaped(&row.name))?;
            for quantile in [0.5, 0.9, 0.99, 0.999, 1.0] {
                write!(out, "<td>{}", micros(row.ns.value_at_quantile(quantile)))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</table>")
    }

    fn percentile_plot(&self) -> String {
        let curves = self.rows.iter().filter(|row| !row.ns.is_empty()).map(|row| {
            let points = row.ns.iter_quantiles(8).map(|point| {
                // One in a hundred thousand is the last that is shown.
                let rest = (1.0 - point.quantile()).max(1e-5);
                (-rest.log10(), point.value_iterated_to() as f64 / 1e3)
            });
            Curve { name: row.name.to_string(), points: points.collect() }
        });
        let names = ["0", "90 %", "99 %", "99.9 %", "99.99 %", "max"];
        let ticks = names.iter().enumerate().map(|(at, name)| (at as f64, (*name).to_owned()));
        let plot = Plot {
            title: "Latency by percentile",
            x_name: "percentile",
            y_name: "us",
            y: Scale::Log,
            x_ticks: Some(ticks.collect()),
            marks: Vec::new(),
            dots: false,
            curves: curves.collect(),
        };
        if plot.curves.is_empty() { String::new() } else { plot.draw() }
    }

    fn over_time(&self, name: &str, value: impl Fn(&Second) -> Option<f64>) -> Curve {
        let point = |second: &Second| Some((second.at_ns as f64 / 1e9, value(second)?));
        Curve { name: name.into(), points: self.seconds.iter().filter_map(point).collect() }
    }

    fn time_plots(&self) -> String {
        let per_second = |count: u64, second: &Second| count as f64 * 1e9 / second.length_ns as f64;
        let plot = |title, y_name, y, curves: Vec<Curve>| {
            let curves: Vec<_> =
                curves.into_iter().filter(|line| !line.points.is_empty()).collect();
            let (x_name, x_ticks, dots) = ("s", None, false);
            let marks = self.fault_marks();
            let plot = Plot { title, x_name, y_name, y, x_ticks, marks, dots, curves };
            if plot.curves.is_empty() { String::new() } else { plot.draw() }
        };
        let mut rates = vec![self.over_time("answered", |s| Some(per_second(s.count, s)))];
        if self.seconds.iter().any(|second| second.errors > 0) {
            rates.push(self.over_time("errors", |s| Some(per_second(s.errors, s))));
        }
        let us = |ns: u64| Some(ns as f64 / 1e3);
        let latencies = vec![
            self.over_time("p50", |s| us(s.p50_ns)),
            self.over_time("p99", |s| us(s.p99_ns)),
            self.over_time("max", |s| us(s.max_ns)),
        ];
        let cpu = |s: &Second| Some(per_second(s.server?.cpu_us, s) / 1e4);
        let memory = |s: &Second| Some(s.server?.rss_bytes as f64 / f64::from(1 << 20));
        let switches = |s: &Second| Some(per_second(s.server?.switches, s));
        let written = |s: &Second| Some(per_second(s.server?.write_bytes, s) / f64::from(1 << 20));
        [
            plot("Throughput over time", "operations/s", Scale::Even, rates),
            plot("Latency over time", "us", Scale::Log, latencies),
            plot("CPU of the server", "% of a core", Scale::Even, vec![self.over_time("CPU", cpu)]),
            plot(
                "Memory of the server",
                "MiB",
                Scale::Even,
                vec![self.over_time("resident", memory)],
            ),
            plot(
                "Context switches of the server",
                "per second",
                Scale::Even,
                vec![self.over_time("switches", switches)],
            ),
            plot(
                "Disk writes of the server",
                "MiB/s",
                Scale::Even,
                vec![self.over_time("written", written)],
            ),
        ]
        .concat()
    }

    fn fault_marks(&self) -> Vec<Mark> {
        let end_s = self.seconds_measured();
        let mark = |fault: &FaultReport| Mark {
            from: fault.begin_ns as f64 / 1e9,
            to: fault.end_ns.map_or(end_s, |end_ns| end_ns as f64 / 1e9),
            name: fault.title(),
        };
        self.faults.iter().map(mark).collect()
    }

    fn ramp_plot(&self) -> Option<String> {
        let ramp = self.ramp.as_ref()?;
        let mut points = ramp.points.clone();
        points.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let line = |name: &str, of: fn(&super::RampPoint) -> u64| Curve {
            name: name.into(),
            points: points.iter().map(|p| (p.rate, of(p) as f64 / 1e3)).collect(),
        };
        let limit = ramp.limit_ns as f64 / 1e3;
        let most = points.last().map_or(1.0, |point| point.rate);
        let curves = vec![
            line("p50", |point| point.p50_ns),
            line("p99", |point| point.p99_ns),
            line("p99.9", |point| point.p999_ns),
            Curve { name: "limit of the p99".into(), points: vec![(0.0, limit), (most, limit)] },
        ];
        let title = match ramp.best() {
            Some(best) => format!(
                "Saturation: {}/s keeps a p99 of {} us",
                thousands(best.rate as u64),
                micros(ramp.limit_ns)
            ),
            None => format!("Saturation: no rate kept a p99 of {} us", micros(ramp.limit_ns)),
        };
        let latency = Plot {
            title: &title,
            x_name: "operations/s requested",
            y_name: "us",
            y: Scale::Log,
            x_ticks: None,
            marks: Vec::new(),
            dots: true,
            curves,
        };
        let answered = Curve {
            name: "answered".into(),
            points: points.iter().map(|point| (point.rate, point.achieved)).collect(),
        };
        let requested = Curve { name: "requested".into(), points: vec![(0.0, 0.0), (most, most)] };
        let throughput = Plot {
            title: "Answered and requested rate",
            x_name: "operations/s requested",
            y_name: "operations/s",
            y: Scale::Even,
            x_ticks: None,
            marks: Vec::new(),
            dots: true,
            curves: vec![answered, requested],
        };
        Some(latency.draw() + &throughput.draw())
    }

    fn write_settings(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "<h2>Settings</h2><table>")?;
        for (name, value) in &self.settings {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            writeln!(out, "<tr><td>{name}<td class=\"text\">{}</tr>", escaped(&text))?;
        }
        for (code, count) in &self.errors {
            let (name, count) = (escaped(&Code(*code).to_string()), thousands(*count));
            writeln!(out, "<tr><td>errors {name}<td class=\"text\">{count}</tr>")?;
        }
        for (name, count) in
            [("lost", self.lost), ("dropped", self.dropped), ("unanswered", self.unanswered)]
        {
            writeln!(out, "<tr><td>{name}<td class=\"text\">{}</tr>", thousands(count))?;
        }
        writeln!(out, "</table>")
    }
}
