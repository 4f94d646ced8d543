//! What the paths of all measurements have in common.

use std::time::{SystemTime, UNIX_EPOCH};

/// The root and its ancestors, in the order in which they are created.
pub(crate) fn with_ancestors(root: &str) -> impl Iterator<Item = &str> {
    let ends = (1..root.len()).filter(|&at| root.as_bytes()[at] == b'/');
    ends.chain((!root.is_empty()).then_some(root.len())).map(|end| &root[..end])
}

/// A number of this run, for names: runs against one server must not meet each other's nodes.
pub(crate) fn run_number() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u32)
}

#[cfg(test)]
mod tests {
    use super::with_ancestors;

    #[test]
    fn ancestors_come_first() {
        let of = |root| with_ancestors(root).collect::<Vec<_>>();
        assert_eq!(of("/bench"), ["/bench"]);
        assert_eq!(of("/a/bc/d"), ["/a", "/a/bc", "/a/bc/d"]);
        assert_eq!(of(""), [""; 0]);
    }
}
