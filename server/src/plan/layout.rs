//! Servers in words: `servers=3,observers=0,shards=4,ordering=own`.

use planning::{Layout, OrderingCore};
use std::collections::BTreeSet;
use std::str::FromStr;

/// The most of anything that is counted here.
const COUNT_MAX: usize = 1_000;

/// A layout as written; what is not, is as for one server of one core.
#[derive(Clone, Debug, PartialEq)]
pub struct LayoutWords(pub(super) Layout);

impl FromStr for LayoutWords {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut layout = smallest();
        let mut ordering = None;
        let mut known = BTreeSet::new();
        for word in text.split(',') {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                format!("{word} has no value: write servers=3,observers=0,shards=4,ordering=own")
            })?;
            if !known.insert(name) {
                return Err(format!("{name} is given twice: write it once"));
            }
            let least = usize::from(name != "observers");
            let count = || match value.parse::<usize>() {
                Ok(count) if (least..=COUNT_MAX).contains(&count) => Ok(count),
                _ => Err(format!("{name}={value}: give a number from {least} to {COUNT_MAX}")),
            };
            match name {
                "servers" => layout.servers = count()?,
                "observers" => layout.observers = count()?,
                "shards" => layout.shards = count()?,
                "ordering" if value == "own" => ordering = Some(OrderingCore::Own),
                "ordering" if value == "shared" => ordering = Some(OrderingCore::SharedWithShard),
                "ordering" => return Err(format!("ordering={value}: write own or shared")),
                _ => {
                    let known = "servers, observers, shards or ordering";
                    return Err(format!("{name} is not known: write {known}"));
                }
            }
        }
        layout.ordering = ordering.unwrap_or(ordering_of(layout.shards));
        Ok(Self(layout))
    }
}

/// One server of one core: a shard, and the ordering role beside it.
pub(super) fn smallest() -> Layout {
    Layout { shards: 1, ordering: OrderingCore::SharedWithShard, ..Layout::of_servers(1) }
}

/// Where the ordering role is, unless it is said: a server of two cores or fewer has one loop.
pub(super) fn ordering_of(shards: usize) -> OrderingCore {
    if shards == 1 { OrderingCore::SharedWithShard } else { OrderingCore::Own }
}

/// `3 servers, 1 observer, each with 4 shards and a core for ordering`.
pub(super) fn words(layout: &Layout) -> String {
    let plural = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        _ => format!("{count} {word}s"),
    };
    let observers = match layout.observers {
        0 => String::new(),
        count => format!(" and {}", plural(count, "observer")),
    };
    let ordering = match layout.ordering {
        OrderingCore::Own => "and a core for ordering",
        OrderingCore::SharedWithShard => "with ordering on the core of one",
    };
    let each = if layout.servers + layout.observers == 1 { "" } else { "each " };
    let servers = plural(layout.servers, "server");
    format!("{servers}{observers}, {each}{} {ordering}", plural(layout.shards, "shard"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Layout, String> {
        text.parse::<LayoutWords>().map(|it| it.0)
    }

    #[test]
    fn what_is_not_written_is_the_smallest() {
        let one = read("servers=1").unwrap();
        assert_eq!((one.shards, one.ordering), (1, OrderingCore::SharedWithShard));
        let three = read("servers=3,observers=2,shards=4").unwrap();
        assert_eq!((three.servers, three.observers, three.cores()), (3, 2, 5));
        let shared = read("shards=4,ordering=shared").unwrap();
        assert_eq!((shared.servers, shared.cores()), (1, 4));
        assert_eq!(
            words(&three),
            "3 servers and 2 observers, each 4 shards and a core for ordering"
        );
        assert_eq!(words(&one), "1 server, 1 shard with ordering on the core of one");
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("servers", "has no value"),
            ("servers=0", "from 1 to 1000"),
            ("shards=-1", "from 1 to 1000"),
            ("shards=1e3", "from 1 to 1000"),
            ("ordering=mine", "own or shared"),
            ("racks=2", "racks is not known"),
            ("servers=3,servers=5", "servers is given twice"),
            ("", "has no value"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert_eq!(read("observers=0").unwrap().observers, 0);
    }
}
