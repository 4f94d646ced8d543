//! The answer for programs. Times are seconds, sizes bytes, rates a second.

use super::Shown;
use super::answer::Point;
use super::basis::{Basis, Law, Origin};
use super::fields::{CURVE, FIELDS};
use super::question::Question;
use super::text::{NOT_MODELLED, assumed, origin};
use super::words;
use planning::ensemble::{Latency, OneLost, Operation};
use planning::numeric::Estimate;
use planning::{Layout, Load, OrderingCore, Refusal};
use serde_json::{Map, Value, json};

/// Of the form.
const VERSION: u32 = 1;

/// A number; `null` if it is not finite.
fn finite(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}

fn load(load: &Load) -> Value {
    json!({
        "reads_per_s": load.reads_per_s, "writes_per_s": load.writes_per_s,
        "sessions": load.sessions, "session_timeout_s": load.session_timeout_s,
        "nodes": load.nodes, "node_bytes": load.node_bytes, "watches": load.watches,
    })
}

fn layout(layout: &Layout) -> Value {
    let ordering = match layout.ordering {
        OrderingCore::Own => "own",
        OrderingCore::SharedWithShard => "shared",
    };
    json!({
        "servers": layout.servers, "observers": layout.observers, "shards": layout.shards,
        "ordering": ordering, "cores": layout.cores(),
    })
}

fn latency(latency: Option<Latency>) -> Value {
    latency.map_or(
        Value::Null,
        |it| json!({ "mean_s": it.mean_s, "p50_s": it.p50_s, "p99_s": it.p99_s }),
    )
}

fn operation(operation: &Operation) -> Value {
    let stages = operation.stages.iter().map(|it| {
        json!({
            "stage": words::stage(it.stage), "utilisation": finite(it.utilisation),
            "wait_s": it.wait_s.map(finite),
        })
    });
    let sizes = &operation.sizes;
    json!({
        "stages": stages.collect::<Vec<_>>(),
        "busiest": words::stage(operation.bottleneck().stage),
        "reads": latency(operation.reads), "writes": latency(operation.writes),
        "writes_per_batch": operation.batch_mean,
        "each_server": {
            "memory_bytes": sizes.memory_bytes, "disk_bytes": sizes.disk_bytes,
            "log_bytes_per_s": sizes.log_bytes_per_s, "sent_bytes_per_s": sizes.sent_bytes_per_s,
            "received_bytes_per_s": sizes.received_bytes_per_s,
        },
    })
}

fn estimate(it: &Estimate) -> Value {
    json!({ "value": finite(it.value), "low": finite(it.low), "high": finite(it.high) })
}

fn costs(basis: &Basis) -> Value {
    let mut map = Map::new();
    let with = |name: &str, value: Value| {
        let mut entry = json!({ "value": value, "from": origin(basis, name) });
        if let Some(Origin::Fitted(it)) = basis.origins.get(name) {
            entry["confidence_95"] = estimate(it);
        }
        entry
    };
    for field in FIELDS {
        let value = json!((field.read)(&basis.costs));
        map.insert(field.name.to_owned(), with(field.name, value));
    }
    let points = basis.costs.device.curve.points().iter().map(|it| json!([it.bytes, it.seconds]));
    map.insert(CURVE.to_owned(), with(CURVE, points.collect()));
    Value::Object(map)
}

fn law(law: &Law) -> Value {
    let it = &law.law;
    json!({
        "one_per_s": estimate(&it.one_per_s), "contention": estimate(&it.contention),
        "coherency": estimate(&it.coherency), "peak": it.peak(), "limit_per_s": it.limit_per_s(),
        "r_squared": finite(it.r_squared), "residuals": it.residuals,
    })
}

fn point(point: &Point) -> Value {
    json!({ "rate": point.rate, "reads": latency(point.reads), "writes": latency(point.writes) })
}

/// Everything that is shown.
pub(super) fn answer(shown: &Shown<'_>) -> Value {
    let (answer, basis) = (shown.answer, shown.basis);
    let prediction = &answer.prediction;
    let most = &prediction.capacity;
    let steps = prediction.steps.iter();
    let steps = steps.map(|it| json!({ "step": words::step(it.step), "gain": finite(it.gain) }));
    let fits = basis.fits.iter().map(|it| {
        json!({
            "name": it.name, "steps": it.steps, "saturated": it.fitted.saturated,
            "p50_errors": it.fitted.p50_errors, "p99_errors": it.fitted.p99_errors,
        })
    });
    let one_lost = match &prediction.one_lost {
        OneLost::NoQuorum => Value::Null,
        OneLost::Operating(it) => operation(it),
    };
    json!({
        "version": VERSION,
        "carried": answer.refused(shown.question).is_none(),
        "layout": layout(&answer.layout),
        "load": load(&shown.question.load),
        "p99_s": shown.question.p99_s,
        "now": operation(&prediction.now),
        "highest": {
            "factor": most.factor, "reads_per_s": most.reads_per_s,
            "writes_per_s": most.writes_per_s, "limit": words::limit(most.limit),
        },
        "steps": steps.collect::<Vec<_>>(),
        "one_lost": one_lost,
        "after_losses": answer.after_losses.as_ref().map(operation),
        "curve": answer.curve.iter().map(point).collect::<Vec<_>>(),
        "costs": costs(basis),
        "fits": fits.collect::<Vec<_>>(),
        "scalability": basis.law.as_ref().map(law),
        "assumed": assumed(shown),
        "not_modelled": NOT_MODELLED,
    })
}

/// Why there is no plan.
pub(super) fn refused(basis: &Basis, question: &Question, refusal: &Refusal) -> Value {
    json!({
        "version": VERSION,
        "carried": false,
        "refused": words::refusal(refusal),
        "load": load(&question.load),
        "p99_s": question.p99_s,
        "costs": costs(basis),
    })
}
