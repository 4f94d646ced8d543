//! The JSON for scripts: scalars first, one per line, under their established names; then lists.

use serde_json::{Map, Value, json};

use super::Results;
use crate::tally::{Code, Second};

/// Of the form: raised when a field that readers need changes its meaning.
const VERSION: u32 = 1;

const QUANTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999), ("max", 1.0)];

fn rounded(value: f64, digits: i32) -> Value {
    let unit = 10_f64.powi(digits);
    json!((value * unit).round() / unit)
}

fn micros(ns: u64) -> Value {
    rounded(ns as f64 / 1e3, 1)
}

impl Results {
    pub(super) fn json(&self) -> String {
        let mut fields = Map::new();
        for (name, value) in &self.settings {
            fields.insert((*name).into(), value.clone());
        }
        fields.insert("version".into(), json!(VERSION));
        self.add_totals(&mut fields);
        self.add_used(&mut fields);
        self.add_failures(&mut fields);
        if !self.faults.is_empty() {
            fields.insert("faults".into(), self.faults_json());
        }
        let seconds: Vec<_> = self.seconds.iter().map(second).collect();
        fields.insert("series".into(), Value::Array(seconds));
        fields.insert("latencies".into(), self.latencies());
        if let Some(ramp) = &self.ramp {
            let points = ramp.points.iter().map(|point| {
                json!({
                    "rate": rounded(point.rate, 1), "ops_per_s": rounded(point.achieved, 1),
                    "us_p50": micros(point.p50_ns), "us_p99": micros(point.p99_ns),
                    "us_p999": micros(point.p999_ns), "kept": point.is_kept,
                })
            });
            fields.insert("ramp".into(), points.collect());
        }
        let text = serde_json::to_string_pretty(&fields);
        text.expect("every key is a string") + "\n"
    }

    fn add_totals(&self, fields: &mut Map<String, Value>) {
        fields.insert("unit".into(), json!(self.unit));
        fields.insert("ops".into(), json!(self.ops));
        fields.insert("seconds".into(), rounded(self.seconds_measured(), 6));
        let rate = self.ops as f64 / self.seconds_measured();
        fields.insert("ops_per_s".into(), rounded(rate, 1));
        for row in &self.rows {
            for (word, quantile) in QUANTILES {
                let us = micros(row.ns.value_at_quantile(quantile));
                fields.insert(format!("{}_us_{word}", row.name), us);
            }
        }
        if let Some(ramp) = &self.ramp {
            let rate = ramp.best().map_or(json!(0), |best| rounded(best.rate, 1));
            fields.insert("ramp_rate".into(), rate);
            fields.insert("ramp_p99_limit_us".into(), micros(ramp.limit_ns));
        }
    }

    fn add_used(&self, fields: &mut Map<String, Value>) {
        let per_op = |count, digits| rounded(self.per_op(count), digits);
        fields.insert("generator_cpu_us_per_op".into(), per_op(self.used.own_cpu_us, 4));
        if let Some(server) = self.used.server {
            fields.insert("server_cpu_us_per_op".into(), per_op(server.cpu_us, 4));
            fields.insert("server_switches_per_op".into(), per_op(server.switches, 4));
            fields.insert("server_write_bytes_per_op".into(), per_op(server.write_bytes, 1));
            fields.insert("server_rss_bytes".into(), json!(server.rss_bytes));
            fields.insert("server_rss_bytes_max".into(), json!(server.rss_bytes_max));
        }
        if let Some(others) = self.used.others {
            fields.insert("others_share".into(), rounded(others, 4));
        }
    }

    fn add_failures(&self, fields: &mut Map<String, Value>) {
        fields.insert("errors".into(), json!(self.errors.iter().map(|e| e.1).sum::<u64>()));
        for (code, count) in &self.errors {
            fields.insert(format!("errors_of_{code}"), json!(count));
        }
        fields.insert("lost".into(), json!(self.lost));
        fields.insert("dropped".into(), json!(self.dropped));
        fields.insert("unanswered".into(), json!(self.unanswered));
        if let Some(verdict) = &self.verdict {
            fields.insert("verified".into(), json!(verdict.checked));
            fields.insert("verified_at_end".into(), json!(verdict.audited));
            fields.insert("violations".into(), json!(verdict.violations));
            fields.insert("violations_told".into(), json!(verdict.reported));
        }
        let kinds = self.errors.iter().map(|(code, count)| {
            json!({ "code": code, "name": Code(*code).to_string(), "count": count })
        });
        fields.insert("error_kinds".into(), kinds.collect());
        let incidents = self.journal.incidents.iter().map(|incident| {
            json!({
                "kind": incident.kind.name(), "server": self.journal.server_of(incident),
                "from_ms": incident.from_ns / 1_000_000,
                "to_ms": incident.to_ns / 1_000_000, "count": incident.count,
                "detail": incident.detail, "excused": incident.is_excused,
            })
        });
        fields.insert("incidents".into(), incidents.collect());
    }

    /// The whole distributions: for each row, pairs of a percentile and its latency.
    fn latencies(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let points = row.ns.iter_quantiles(4).map(|point| {
                json!([rounded(point.percentile(), 5), micros(point.value_iterated_to())])
            });
            let points: Vec<_> = points.collect();
            json!({ "name": row.name, "count": row.ns.len(), "percentiles_us": points })
        });
        rows.collect()
    }
}

pub(super) fn second(second: &Second) -> Value {
    let length_s = second.length_ns as f64 / 1e9;
    let mut value = json!({
        "at_s": rounded(second.at_ns as f64 / 1e9, 3),
        "ops_per_s": rounded(second.rate(), 1),
        "us_p50": micros(second.p50_ns), "us_p99": micros(second.p99_ns),
        "us_max": micros(second.max_ns), "errors": second.errors,
    });
    if let Some(server) = second.server {
        value["server_cpu_share"] = rounded(server.cpu_us as f64 / 1e6 / length_s, 3);
        value["server_switches"] = json!(server.switches);
        value["server_write_bytes"] = json!(server.write_bytes);
        value["server_rss_bytes"] = json!(server.rss_bytes);
    }
    value
}
