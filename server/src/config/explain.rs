//! The table of keys, for readers.

use std::fmt::Write;

use super::keys::{Key, Property, SECTIONS, Support};

/// The text above the tables.
const HEAD: &str = "\
# Configuration keys

`ringkeeper config` prints this page. A key is written in the configuration file or after `--set`
under its name, in `JVMFLAGS` as the column *as -D* says, and nowhere else. The column *value* says
how ZooKeeper 3.9.5 reads it, and so how it is read here: if a misspelled value means another one,
there is a warning at start; if it is refused, the server does not start.
`ringkeeper config --values` prints the value that each key has. The column *here* means:

- **honoured**: it does what it does in ZooKeeper.
- **no effect**: there is nothing here that it could affect. It is noted at start and ignored.
- **not yet**: what it configures is not built. It is noted at start, and the server runs without
  it.
- **refused**: what it configures is not built, and running without it would not be what was
  configured: with any value but the default the server does not start.
";

/// Renders the whole table as Markdown, a heading and a table for each section.
pub fn explain() -> String {
    let mut page = HEAD.to_owned();
    for section in &SECTIONS {
        let heading = format!(
            "## {}\n\n| key | as -D | value | default | here | what it is for |\n\
             | --- | --- | --- | --- | --- | --- |\n",
            section.title
        );
        page.push('\n');
        page.push_str(&heading);
        for key in section.keys {
            row(&mut page, key).expect("writing to a String does not fail");
        }
    }
    page
}

fn row(page: &mut String, key: &Key) -> std::fmt::Result {
    let name = key.name;
    let property = match key.property {
        Property::Prefixed => format!("`zookeeper.{name}`"),
        Property::Bare => format!("`{name}`, and not in the file"),
        Property::PrefixedOrBare => format!("`zookeeper.{name}` or `{name}`"),
        Property::PrefixedOnly => format!("`zookeeper.{name}`, and not in the file"),
        Property::FileOnly => "no".to_owned(),
    };
    let default = match key.default {
        "" => "unset".to_owned(),
        default => format!("`{default}`"),
    };
    let here = match key.support {
        Support::Honoured => "honoured".to_owned(),
        Support::NoEffect(reason) => format!("no effect: {reason}"),
        Support::NotYet(reason) => format!("not yet: {reason}"),
        Support::Refused(reason) => format!("refused: {reason}"),
    };
    let value = match (key.reading_in_file, key.allowed(true)) {
        (Some(_), as_property) => {
            format!("in the file: {}; as -D: {as_property}", key.allowed(false))
        }
        (None, value) => value.to_string(),
    };
    writeln!(page, "| `{name}` | {property} | {value} | {default} | {here} | {} |", key.says)
}
