//! The table of keys, for readers.

use std::fmt::Write;

use super::keys::{Effect, Key, Property, SECTIONS};

/// Renders the whole table as Markdown, a heading and a table for each section.
pub fn explain() -> String {
    let mut page = String::new();
    for section in &SECTIONS {
        let heading = format!(
            "## {}\n\n| key | as -D | value | default | here | what it is for |\n\
             | --- | --- | --- | --- | --- | --- |\n",
            section.title
        );
        if !page.is_empty() {
            page.push('\n');
        }
        page.push_str(&heading);
        for key in section.keys {
            row(&mut page, key).expect("a string takes everything");
        }
    }
    page
}

fn row(page: &mut String, key: &Key) -> std::fmt::Result {
    let name = key.name;
    let property = match key.property {
        Property::Prefixed => format!("`zookeeper.{name}`"),
        Property::Bare => format!("`{name}`"),
        Property::PrefixedOrBare => format!("`zookeeper.{name}` or `{name}`"),
        Property::FileOnly => "no".to_owned(),
    };
    let default = match key.default {
        "" => "unset".to_owned(),
        default => format!("`{default}`"),
    };
    let here = match key.effect {
        Effect::Honoured => "honoured".to_owned(),
        Effect::NoEffect(reason) => format!("no effect: {reason}"),
        Effect::NotYet(reason) => format!("not yet: {reason}"),
        Effect::Refused(reason) => format!("refused: {reason}"),
    };
    writeln!(page, "| `{name}` | {property} | {} | {default} | {here} | {} |", key.form, key.says)
}
