//! The answer for a terminal.

use super::Shown;
use super::basis::{Basis, Law, Origin};
use super::chart::chart;
use super::fields::{CURVE, FIELDS, Field, Unit};
use super::layout::words as layout_words;
use super::numbers::{bytes, count, percent, time};
use super::words;
use planning::ensemble::{Latency, OneLost, Operation};
use planning::measured::ASSUMED;
use std::fmt::Write as _;

/// What the model leaves out, whatever is asked.
pub(super) const NOT_MODELLED: [&str; 6] = [
    "bursts: requests arrive at random, independent of each other",
    "stalls of a device or a machine, and whatever else runs there",
    "elections and servers that catch up",
    "snapshots that share the log's device",
    "requests of one session that wait for each other: a write behind a read waits for the writes \
     before that",
    "how much cheaper a request is in a turn with many: costs are those of a busy server",
];

/// Rows of cells as lines, each column as wide as its widest cell; from the second column on, cells
/// are at the right if they are numbers.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|it| it.get(column)).map(|it| it.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let wide = widths[column];
            let is_number = cell.starts_with(|it: char| it.is_ascii_digit() || it == '+');
            if is_number && column > 0 { format!("{cell:>wide$}") } else { format!("{cell:wide$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// Everything.
pub(super) fn text(shown: &Shown<'_>) -> String {
    let mut text = head(shown);
    if let Some(observed) = &shown.observed {
        let rows: Vec<_> = observed.measured.iter().map(|(name, it)| row([name, it])).collect();
        text += &section("MEASURED", &table(&rows));
    }
    let prediction = &shown.answer.prediction;
    text = text + "\n" + &stages(&prediction.now);
    text = text + "\n" + &requests(&prediction.now);
    text += &section("HIGHEST RATE", &format!("{}\n", highest(shown)));
    text += &section("NEXT STEPS, by the highest rate that each brings", &steps(shown));
    text += &section("ONE SERVER LOST", &format!("{}\n", lost(shown)));
    text += &section("EACH SERVER", &table(&sizes(shown)));
    text += &section("P99 BY RATE", &chart(&shown.answer.curve, shown.question.p99_s));
    if let Some(law) = &shown.basis.law {
        text += &section("SCALABILITY", &scalability(law));
    }
    text += &section("COSTS", &table(&costs(shown.basis)));
    if !shown.basis.fits.is_empty() {
        text += &section("ERRORS OF THE FIT, predicted by measured", &errors(shown.basis));
    }
    text += &section("ASSUMED", &list(&assumed(shown)));
    text + &section("NOT MODELLED", &list(&NOT_MODELLED.map(str::to_owned)))
}

fn section(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("\n{title}\n{body}") }
}

fn list(lines: &[String]) -> String {
    lines.iter().fold(String::new(), |text, line| text + "- " + line + "\n")
}

/// Of the whole plan, in a line each.
pub(super) fn summary(shown: &Shown<'_>) -> Vec<(&'static str, String)> {
    let (question, answer) = (shown.question, shown.answer);
    let load = &question.load;
    let kind = if answer.is_smallest { " (the smallest that carry it)" } else { "" };
    let survives = match (answer.is_smallest, question.survives) {
        (true, 0) => ", with all servers".to_owned(),
        (true, 1) => ", with one server lost too".to_owned(),
        (true, count) => format!(", with {count} servers lost too"),
        (false, _) => String::new(),
    };
    vec![
        ("servers", format!("{}{kind}", layout_words(&answer.layout))),
        (
            "requests",
            format!(
                "{} reads and {} writes a second",
                count(load.reads_per_s),
                count(load.writes_per_s)
            ),
        ),
        ("clients", format!("{} sessions, {} watches", count(load.sessions), count(load.watches))),
        ("data", format!("{} nodes of {}", count(load.nodes), bytes(load.node_bytes))),
        ("bound", format!("a p99 of {}{survives}", time(question.p99_s))),
    ]
}

fn head(shown: &Shown<'_>) -> String {
    summary(shown)
        .iter()
        .fold(String::new(), |text, (name, it)| text + &format!("{name:8}  {it}\n"))
}

fn stages(operation: &Operation) -> String {
    let mut rows = vec![row(["STAGE", "BUSY", "MEAN WAIT"])];
    for stage in &operation.stages {
        let wait = stage.wait_s.map_or("grows for ever".to_owned(), time);
        rows.push(row([words::stage(stage.stage), &percent(stage.utilisation), &wait]));
    }
    table(&rows)
}

fn requests(operation: &Operation) -> String {
    let mut rows = vec![row(["REQUESTS", "MEAN", "P50", "P99"])];
    for (name, latency) in [("reads", operation.reads), ("writes", operation.writes)] {
        if let Some(Latency { mean_s, p50_s, p99_s }) = latency {
            rows.push(row([name, &time(mean_s), &time(p50_s), &time(p99_s)]));
        }
    }
    if rows.len() > 1 { table(&rows) } else { "no latency: a stage is too busy\n".to_owned() }
}

/// What is sustainable, and what ends it.
pub(super) fn highest(shown: &Shown<'_>) -> String {
    let most = &shown.answer.prediction.capacity;
    format!(
        "{} reads and {} writes a second, {:.2} times the load; then {}",
        count(most.reads_per_s),
        count(most.writes_per_s),
        most.factor,
        words::limit(most.limit)
    )
}

fn steps(shown: &Shown<'_>) -> String {
    let steps = &shown.answer.prediction.steps;
    if steps.is_empty() {
        return "none of a shard, a core, an observer, a faster device, core or network\n".into();
    }
    let gain = |it: f64| if it.is_finite() { percent(it - 1.0) } else { "from none".to_owned() };
    let rows: Vec<_> = steps
        .iter()
        .map(|it| row([words::step(it.step), &format!("+{}", gain(it.gain))]))
        .collect();
    table(&rows)
}

/// What one lost server does to the others.
pub(super) fn lost(shown: &Shown<'_>) -> String {
    match &shown.answer.prediction.one_lost {
        OneLost::NoQuorum => "no quorum is left: no client is served until it returns".to_owned(),
        OneLost::Operating(operation) => {
            let busiest = operation.bottleneck();
            let mut text = format!(
                "the {} is busiest, {}",
                words::stage(busiest.stage),
                percent(busiest.utilisation)
            );
            for (name, latency) in [("reads", operation.reads), ("writes", operation.writes)] {
                if let Some(latency) = latency {
                    let _ = write!(text, "; p99 of {name} {}", time(latency.p99_s));
                }
            }
            match words::excess(operation, shown.question.p99_s) {
                Some(why) => format!("the others do not carry the load: {why}"),
                None => text,
            }
        }
    }
}

/// What each server needs.
pub(super) fn sizes(shown: &Shown<'_>) -> Vec<Vec<String>> {
    let sizes = &shown.answer.prediction.now.sizes;
    vec![
        row(["cores", &count(shown.answer.layout.cores() as f64)]),
        row(["memory", &bytes(sizes.memory_bytes)]),
        row(["disk", &bytes(sizes.disk_bytes)]),
        row(["log", &format!("{}/s", bytes(sizes.log_bytes_per_s))]),
        row(["sent", &format!("{}/s", bytes(sizes.sent_bytes_per_s))]),
        row(["received", &format!("{}/s", bytes(sizes.received_bytes_per_s))]),
    ]
}

fn scalability(law: &Law) -> String {
    let (it, mut rows) = (&law.law, vec![row(["", "VALUE", "95 % FROM", "TO"])]);
    let estimates = [
        ("throughput of one, a second", it.one_per_s, 1),
        ("contention", it.contention, 6),
        ("coherency", it.coherency, 8),
    ];
    for (name, estimate, digits) in estimates {
        let shown =
            [estimate.value, estimate.low, estimate.high].map(|it| format!("{it:.digits$}"));
        rows.push(row([name, &shown[0], &shown[1], &shown[2]]));
    }
    let mut text = table(&rows);
    let peak = match (it.peak(), it.limit_per_s()) {
        (Some(n), Some(most)) => format!("peak {} a second at {}", count(most), count(n)),
        (_, Some(most)) => format!("no peak; never above {} a second", count(most)),
        _ => "no peak: it scales linearly".to_owned(),
    };
    let _ = writeln!(text, "{peak}; the law explains {:.3} of the variance", it.r_squared);
    let mut rows = vec![row(["N", "MEASURED", "FITTED", "RESIDUAL"])];
    for (seen, residual) in law.observations.iter().zip(&it.residuals) {
        let cells = [count(seen.n), count(seen.per_s), count(seen.per_s - residual)];
        rows.push([cells.to_vec(), vec![count(*residual)]].concat());
    }
    text + &table(&rows)
}

/// A cost as a person reads it.
fn value(field: &Field, value: f64) -> String {
    match field.unit {
        Unit::Seconds => time(value),
        Unit::Bytes => bytes(value),
        Unit::BytesPerSecond => format!("{}/s", bytes(value)),
        Unit::Plain => format!("{value:.2}"),
    }
}

/// Where a cost is from.
pub(super) fn origin(basis: &Basis, name: &str) -> &'static str {
    match basis.origins.get(name) {
        Some(Origin::Fitted(_)) => "fitted",
        Some(Origin::Probe) => "probe",
        Some(Origin::Profile) => "profile",
        Some(Origin::File) => "file",
        None if ASSUMED.contains(&name) => "assumed",
        None => "shipped",
    }
}

fn costs(basis: &Basis) -> Vec<Vec<String>> {
    let mut rows = vec![row(["COST", "VALUE", "FROM", "95 % FROM", "TO", "OF"])];
    for field in FIELDS {
        let shown = value(field, (field.read)(&basis.costs));
        let [low, high] = match basis.origins.get(field.name) {
            Some(Origin::Fitted(it)) => [it.low, it.high].map(|it| value(field, it)),
            _ => ["", ""].map(str::to_owned),
        };
        rows.push(row([field.name, &shown, origin(basis, field.name), &low, &high, field.about]));
    }
    let first = basis.costs.device.curve.seconds_at(4096.0);
    let [low, high] = match basis.origins.get(CURVE) {
        Some(Origin::Fitted(it)) => [it.low, it.high].map(|end| time(first * end / it.value)),
        _ => ["", ""].map(str::to_owned),
    };
    let about = "the log's device, for a batch of 4 KiB";
    rows.push(row([CURVE, &time(first), origin(basis, CURVE), &low, &high, about]));
    rows
}

fn errors(basis: &Basis) -> String {
    let mut rows = vec![row(["RAMP", "STEPS", "SATURATED", "P50", "P99"])];
    for fit in &basis.fits {
        let largest = |errors: &[f64]| {
            let most = errors.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            most.map_or_else(|| "-".to_owned(), |it| format!("{:+.0} %", it * 100.0))
        };
        let (steps, saturated) = (fit.steps.to_string(), fit.fitted.saturated.to_string());
        let (p50, p99) = (largest(&fit.fitted.p50_errors), largest(&fit.fitted.p99_errors));
        rows.push(row([&fit.name, &steps, &saturated, &p50, &p99]));
    }
    table(&rows) + "the largest of each; intervals above are those of scatter around the model\n"
}

/// Everything that was assumed.
pub(super) fn assumed(shown: &Shown<'_>) -> Vec<String> {
    let shipped = FIELDS.iter().filter(|it| origin(shown.basis, it.name) == "shipped").count();
    let mut lines = shown.question.assumed.clone();
    lines.extend(shown.basis.assumed.iter().cloned());
    lines.extend(shown.observed.iter().flat_map(|it| it.missing.iter().cloned()));
    if shipped > 0 {
        lines.push(format!(
            "{shipped} costs as shipped, measured on one small virtual machine: a report \
             (--report) and a probe (--probe) of your own servers are better"
        ));
    }
    lines.push("clients are spread evenly over the servers, and requests over the shards".into());
    lines
}
