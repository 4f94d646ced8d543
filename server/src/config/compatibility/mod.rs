//! The page of compatibility: what differs from `ZooKeeper` 3.9.5, and the state of every
//! operation, word, command, metric, key and property, from the tables that the server uses.

mod differences;
mod tables;
#[cfg(test)]
mod tests;

use crate::admin::metrics::{Counter, Measure};
use crate::config::keys::{Key, Property, SECTIONS, Support};
use differences::DIFFERENCES;
use std::fmt::Write as _;
use tables::{COMMANDS, JAVA, OPERATIONS, STATES, WORDS};

/// The text above the tables.
const HEAD: &str = "\
# Compatibility with ZooKeeper 3.9.5

`ringkeeper config --compatibility` prints this page. What is not listed here as different is meant
to be the same, and any other difference is a bug. Ringkeeper is a standalone server so far.

";

/// Renders the page as Markdown.
pub(super) fn page() -> String {
    let mut page = HEAD.to_owned();
    table(
        &mut page,
        "Differences from ZooKeeper",
        &["what", "ZooKeeper", "here", "why"],
        DIFFERENCES.iter().map(|row| row.map(str::to_owned).to_vec()),
    );
    table(
        &mut page,
        "Operations",
        &["number", "operation", "here"],
        OPERATIONS
            .iter()
            .map(|(number, name, here)| vec![number.to_string(), code(name), (*here).to_owned()]),
    );
    table(
        &mut page,
        "Four-letter words",
        &["word", "here"],
        WORDS.iter().map(|(word, here)| vec![code(word), (*here).to_owned()]),
    );
    table(
        &mut page,
        "Commands of the admin server",
        &["command", "here"],
        COMMANDS.iter().map(|(name, here)| vec![code(name), (*here).to_owned()]),
    );
    metrics(&mut page);
    keys(&mut page);
    page
}

fn table<const N: usize>(
    page: &mut String,
    title: &str,
    heads: &[&str; N],
    rows: impl Iterator<Item = Vec<String>>,
) {
    let rule = vec!["---"; N].join(" | ");
    let _ = write!(page, "## {title}\n\n| {} |\n| {rule} |\n", heads.join(" | "));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
    page.push('\n');
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn metrics(page: &mut String) {
    page.push_str(
        "## Metrics\n\n`mntr`, the command `monitor` and the page for Prometheus have every name \
         that ZooKeeper's have, in\nits order. These are always zero here:\n\n",
    );
    let counters = Counter::ALL.iter().map(|counter| (counter.name(), counter.absent()));
    let measures = Measure::ALL.iter().map(|measure| (measure.name(), measure.absent()));
    let absent: Vec<_> =
        counters.chain(measures).filter_map(|(name, why)| Some((name, why?))).collect();
    let mut reasons: Vec<_> = absent.iter().map(|(_, why)| *why).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        let names = absent.iter().filter(|(_, why)| *why == reason).map(|(name, _)| code(name));
        let _ = writeln!(page, "- {reason}: {}", names.collect::<Vec<_>>().join(", "));
    }
    page.push_str(
        "\n`writes_refused` is ours: whether writes are refused because the disk is full; `srvr` \
         says why. So is what is shown of each shard, `shard_N_connections` and more.\n\n",
    );
}

fn keys(page: &mut String) {
    page.push_str("## Keys and properties\n\n");
    for (name, meaning) in STATES {
        let _ = writeln!(page, "- **{name}**: {meaning}");
    }
    page.push_str("\n| key | as -D | here |\n| --- | --- | --- |\n");
    let sections = SECTIONS.iter().filter(|section| section.title != "Ringkeeper's own");
    for key in sections.flat_map(|section| section.keys) {
        let _ = writeln!(page, "| `{}` | {} | {} |", key.name, property(key), here(key));
    }
    for (name, why) in JAVA {
        let _ = writeln!(page, "| | `{name}` | ignored: {why} |");
    }
}

fn property(key: &Key) -> String {
    let name = key.name;
    match key.property {
        Property::Prefixed | Property::PrefixedOnly => format!("`zookeeper.{name}`"),
        Property::Bare => code(name),
        Property::PrefixedOrBare => format!("`zookeeper.{name}`, `{name}`"),
        Property::FileOnly => String::new(),
    }
}

fn here(key: &Key) -> String {
    match key.support {
        Support::Honoured => "same".to_owned(),
        Support::NoEffect(reason) => format!("ignored: {reason}"),
        Support::NotYet(reason) => format!("not yet: {reason}"),
        Support::Refused(reason) => format!("refused: {reason}"),
    }
}
