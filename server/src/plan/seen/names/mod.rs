//! What a server says, as numbers under the names of the metrics page, whoever said it.
//!
//! Three forms say the same: `zk_cnt_readlatency 12` (`mntr`), `zk_readlatency_count 12` (`mntr` of
//! a server whose metrics have a page), `readlatency_count 12` (the page). Quantiles are
//! `zk_p99_readlatency`, or `readlatency{quantile="0.99",}`. Here they are `readlatency_count` and
//! `readlatency{0.99}`.

use std::collections::BTreeMap;

/// Numbers by their names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    numbers: BTreeMap<String, f64>,
    /// `leader`, `follower`, `observer`, `standalone`; empty where it is not said.
    pub(super) state: String,
}

impl Table {
    /// A number, if it was said.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// The numbers whose names begin with this.
    pub(super) fn beginning<'a>(&'a self, name: &'a str) -> impl Iterator<Item = f64> + 'a {
        let all = self.numbers.range(name.to_owned()..);
        all.take_while(move |it| it.0.starts_with(name)).map(|it| *it.1)
    }

    fn add(&mut self, name: &str, value: &str) {
        // What was not measured yet is NaN.
        if let Some(value) = value.trim().parse().ok().filter(|it: &f64| it.is_finite()) {
            self.numbers.insert(name.to_owned(), value);
        }
    }
}

/// What `mntr` answered; `None` if that is something else.
pub(super) fn of_words(text: &str) -> Option<Table> {
    let mut table = Table::default();
    for line in text.lines() {
        let Some((name, value)) = line.strip_prefix("zk_").and_then(|it| it.split_once('\t'))
        else {
            continue;
        };
        if name == "server_state" {
            value.trim().clone_into(&mut table.state);
        } else {
            table.add(&common(name), value);
        }
    }
    (table.number("znode_count").is_some()).then_some(table)
}

/// A page of metrics; `None` if it is of something else.
pub(super) fn of_page(text: &str) -> Option<Table> {
    let mut table = Table::default();
    for line in text.lines().filter(|it| !it.starts_with('#')) {
        // Labels may have blanks in them; the value has none.
        if let Some((name, value)) = line.trim().rsplit_once(' ') {
            table.add(&common(name), value);
        }
    }
    (table.number("znode_count").is_some()).then_some(table)
}

/// The name that all forms share.
fn common(name: &str) -> String {
    if let Some((metric, labels)) = name.split_once('{') {
        let labels = labels.trim_end_matches('}').trim_end_matches(',');
        let label = labels.split_once('=').map_or("", |it| it.1).trim_matches('"');
        return format!("{metric}{{{label}}}");
    }
    if let Some((number, kind)) = name.strip_prefix("shard_").and_then(|it| it.split_once('_'))
        && number.bytes().all(|it| it.is_ascii_digit())
    {
        return format!("shard_{kind}{{{number}}}");
    }
    for (word, quantile) in [("p50_", "0.5"), ("p99_", "0.99")] {
        if let Some(metric) = name.strip_prefix(word) {
            return format!("{metric}{{{quantile}}}");
        }
    }
    name.strip_prefix("cnt_").map_or_else(|| name.to_owned(), |metric| format!("{metric}_count"))
}

#[cfg(test)]
mod tests;
