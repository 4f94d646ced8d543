//! Quotas: limits that clients write below `/zookeeper/quota`, and what is used of them.
//!
//! The text of both nodes is stock's (source: ZooKeeper 3.9.5, `StatsTrack`, `Quotas`). The
//! deepest node above a path that has a quota counts; the root never does.

use std::sync::Arc;

/// Where quotas live.
pub const QUOTA: &[u8] = b"/zookeeper/quota";
/// The name of the node that holds the limits.
pub const LIMITS: &[u8] = b"zookeeper_limits";
/// The name of the node that holds what is used.
pub const STATS: &[u8] = b"zookeeper_stats";

/// The text of a limits or stats node, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    values: Vec<(String, i64)>,
}

impl Track {
    /// Reads a node's data as stock does before it lets a write pass; `None` where stock fails on
    /// it: no data at all, a pair without a value, a value that is not a number.
    pub fn read(data: Option<&[u8]>) -> Option<Self> {
        const SEPARATORS: [char; 2] = [',', ';'];
        let text = String::from_utf8_lossy(data?);
        let text = text.trim_end_matches(SEPARATORS);
        let mut track = Self::default();
        if text.starts_with(SEPARATORS) {
            // What precedes it is an empty pair.
            return None;
        }
        for pair in text.split(SEPARATORS).filter(|pair| !pair.is_empty()) {
            let mut parts = pair.trim_end_matches('=').split('=');
            let (key, value) = (parts.next()?, parts.next()?);
            track.set(key, if value.is_empty() { -1 } else { value.parse().ok()? });
        }
        Some(track)
    }

    /// Reads the text as far as it can be read; the rest counts as absent.
    pub fn parse(text: &[u8]) -> Self {
        let mut track = Self::default();
        for pair in String::from_utf8_lossy(text).split([',', ';']) {
            let mut parts = pair.split('=');
            let (Some(key), Some(value)) = (parts.next(), parts.next()) else { continue };
            let value = if value.is_empty() { Some(-1) } else { value.parse().ok() };
            if let Some(value) = value {
                track.set(key, value);
            }
        }
        track
    }

    /// A value, -1 where there is none.
    pub fn value(&self, key: &str) -> i64 {
        self.values.iter().find(|(k, _)| k == key).map_or(-1, |(_, value)| *value)
    }

    /// Sets a value.
    pub fn set(&mut self, key: &str, value: i64) {
        match self.values.iter_mut().find(|(k, _)| k == key) {
            Some((_, old)) => *old = value,
            None => self.values.push((key.to_owned(), value)),
        }
    }

    /// The text as stock writes it.
    pub fn text(&self) -> Vec<u8> {
        use std::fmt::Write as _;
        let mut text = format!("count={},bytes={}", self.value("count"), self.value("bytes"));
        let others = self.values.iter().filter(|(k, _)| k != "count" && k != "bytes");
        let mut others: Vec<_> = others.collect();
        others.sort();
        if !others.is_empty() {
            text.push('=');
        }
        for (key, value) in others {
            write!(text, ";{key}={value}").expect("writing to a string succeeds");
        }
        text.into_bytes()
    }
}

/// The paths that have a quota. Few, and changed by hand: a shared sorted list.
///
/// Lives in: every version.
#[derive(Clone, Debug, Default)]
pub struct QuotaPaths {
    paths: Arc<Vec<Box<[u8]>>>,
}

impl QuotaPaths {
    /// Whether there are none, which is the common case.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Those behind `after`, or all of them: sorted.
    pub fn after(&self, after: Option<&[u8]>) -> &[Box<[u8]>] {
        let from = after.map_or(0, |after| self.paths.partition_point(|path| path[..] <= *after));
        &self.paths[from..]
    }

    /// A limits node was created.
    pub fn insert(&mut self, path: &[u8]) {
        if let Err(at) = self.paths.binary_search_by(|p| p[..].cmp(path)) {
            Arc::make_mut(&mut self.paths).insert(at, path.into());
        }
    }

    /// A limits node was deleted.
    pub fn remove(&mut self, path: &[u8]) {
        if let Ok(at) = self.paths.binary_search_by(|p| p[..].cmp(path)) {
            Arc::make_mut(&mut self.paths).remove(at);
        }
    }

    /// The deepest path with a quota at or above this one.
    pub fn above<'a>(&self, path: &'a [u8]) -> Option<&'a [u8]> {
        if self.is_empty() {
            return None;
        }
        let mut end = path.len();
        while end > 1 {
            let candidate = &path[..end];
            if candidate == b"/zookeeper" {
                return None;
            }
            if self.paths.binary_search_by(|p| p[..].cmp(candidate)).is_ok() {
                return Some(candidate);
            }
            end = candidate.iter().rposition(|&b| b == b'/')?;
        }
        None
    }
}

/// The path of a quota's node of that name.
pub fn node_path(path: &[u8], name: &[u8]) -> Vec<u8> {
    [QUOTA, path, b"/", name].concat()
}

/// The path whose quota a node below `/zookeeper/quota` describes, given that node's parent.
pub fn described(parent: &[u8]) -> Option<&[u8]> {
    parent.strip_prefix(QUOTA).filter(|rest| !rest.is_empty())
}

/// Whether a change would exceed a hard limit.
pub fn exceeds(limits: &Track, used: &Track, bytes_more: i64, count_more: i64) -> bool {
    let past = |key: &str, hard: &str, more: i64| {
        let hard = limits.value(hard);
        more != 0 && hard > -1 && used.value(key) + more > hard
    };
    past("count", "countHardLimit", count_more) || past("bytes", "byteHardLimit", bytes_more)
}
