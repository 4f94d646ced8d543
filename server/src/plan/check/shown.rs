//! A comparison, as a table and as JSON.

use super::compared::{Compared, Line};
use crate::plan::numbers::{count, time};
use crate::plan::text::table;
use serde_json::{Value, json};

const HEAD: [&str; 7] = ["RATE", "WHAT", "PREDICTED", "MEASURED", "ERROR", "BY CHANCE", "ROUNDS"];

pub(super) fn in_words(lines: &[Line]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    for line in lines {
        let value = |it: Option<f64>| match (it, line.rate) {
            (None, _) => "-".to_owned(),
            (Some(rate), None) => format!("{}/s", count(rate)),
            (Some(seconds), Some(_)) => time(seconds),
        };
        let percent = |it: f64| format!("{:+.0} %", it * 100.0);
        let rate = line.rate.map_or_else(String::new, |it| format!("{}/s", count(it)));
        rows.push(vec![
            rate,
            line.what.to_owned(),
            value(line.predicted),
            value(line.middle()),
            line.error().map_or("-".to_owned(), percent),
            line.chance.map_or("-".to_owned(), |it| format!("{:.0} %", it * 100.0)),
            line.spread().map_or("-".to_owned(), |(least, most)| {
                format!("{} to {}", percent(least), percent(most))
            }),
        ]);
    }
    table(&rows)
}

pub(super) fn in_json(workload: &str, sessions: f64, compared: &Compared) -> Value {
    let lines = compared.lines.iter().map(|it| {
        json!({
            "rate": it.rate, "what": it.what, "predicted": it.predicted,
            "measured": it.middle(), "rounds": it.rounds, "error": it.error(),
            "by_chance": it.chance,
        })
    });
    let fitted = compared.fitted.iter().map(|it| {
        json!({
            "rate": it.rate, "what": it.what,
            "measured": it.middle(), "rounds": it.rounds,
        })
    });
    let (lines, fitted): (Vec<_>, Vec<_>) = (lines.collect(), fitted.collect());
    json!({
        "version": 1, "workload": workload, "sessions": sessions,
        "lines": lines, "fitted": fitted,
    })
}
