//! The page of metrics in Prometheus's text format.

use crate::admin::answer::Desk;
use crate::admin::families::{self, Metric, Sample};
use crate::admin::host;
use crate::admin::inquiry::Unanswered;
use crate::admin::room::Held;
use crate::admin::text::double;
use std::collections::HashSet;
use std::fmt::Write as _;
use tokio::task::spawn_blocking;

/// The samples that are requested; all of them if none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(HashSet<String>);

impl Names {
    /// Adds the names that a query or a form gives as `name[]`.
    pub(super) fn add(&mut self, form: &[u8]) {
        let named = form_urlencoded::parse(form).filter(|(key, _)| key == "name[]");
        self.0.extend(named.map(|(_, name)| name.into_owned()));
    }

    /// The requested samples of a metric, if there are any.
    fn of(&self, mut metric: Metric) -> Option<Metric> {
        if !self.0.is_empty() {
            metric.samples.retain(|sample| self.0.contains(&sample.name));
        }
        (self.0.is_empty() || !metric.samples.is_empty()).then_some(metric)
    }
}

/// The page, or the requested part of it.
pub(super) async fn page(desk: &Desk, names: Names, held: &mut Held) -> Result<String, Unanswered> {
    let totals = desk.totals().await?;
    let process = desk.process().await;
    let usage = spawn_blocking(host::usage).await.unwrap_or_default();
    held.make(move || text(families::all(&totals, process, usage), &names)).await
}

fn text(metrics: Vec<Metric>, names: &Names) -> String {
    let metrics = metrics.into_iter().filter_map(|metric| names.of(metric));
    let mut page = String::new();
    for Metric { name, kind, help, samples } in metrics {
        let _ = write!(page, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
        for Sample { name, labels, value } in samples {
            page.push_str(&name);
            if !labels.is_empty() {
                page.push('{');
                for (label, value) in labels {
                    let _ = write!(page, "{label}=\"{}\",", escaped(&value));
                }
                page.push('}');
            }
            let _ = writeln!(page, " {}", double(value));
        }
    }
    page
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
