//! Paths: every path that a workload uses.

use std::fmt::Write as _;

use crate::paths::{run_number, with_ancestors};
use crate::workload::Workload;

/// The paths below a root. Which path a key has depends on width and depth alone.
///
/// ```text
/// ROOT/w<width>d<depth>/00000/../k0000000   keys, with `depth` levels of folders
/// ROOT/made-<run>/c00000/n<number>          nodes made by a client
/// ROOT/services/s00000/                     ephemeral nodes
/// ROOT/locks/l00000/  ROOT/queues/q00000/   recipes
/// ```
pub(super) struct Tree {
    root: String,
    width: u64,
    depth: u64,
    pub(super) key_count: u64,
    run: u32,
}

impl Tree {
    pub(super) fn new(root: &str, workload: &Workload) -> Self {
        Self {
            root: root.to_owned(),
            width: workload.keys.width.value(),
            depth: workload.keys.depth.value(),
            key_count: workload.keys.count.value(),
            run: run_number(),
        }
    }

    /// The root and its ancestors, then the folder of each purpose, in the order of their creation.
    pub(super) fn tops(&self) -> Vec<String> {
        let root = &self.root;
        let mut tops: Vec<_> = with_ancestors(root).map(str::to_owned).collect();
        tops.push(self.top());
        tops.push(format!("{root}/made-{:08x}", self.run));
        tops.extend(["services", "locks", "queues"].map(|name| format!("{root}/{name}")));
        tops
    }

    /// The folder of all keys.
    pub(super) fn top(&self) -> String {
        format!("{}/w{}d{}", self.root, self.width, self.depth)
    }

    /// How many folders there are on a level; the keys are in those of the last level, `depth - 1`.
    pub(super) fn folder_count(&self, level: u64) -> u64 {
        let below = self.depth - level;
        (0..below).fold(self.key_count, |count, _| count.div_ceil(self.width)).max(1)
    }

    pub(super) fn depth(&self) -> u64 {
        self.depth
    }

    pub(super) fn folder(&self, level: u64, number: u64) -> String {
        let mut path = self.top();
        for above in (0..=level).rev() {
            let part = (0..above).fold(number, |number, _| number / self.width);
            // The first level has the rest; the others have digits to the base of width.
            let part = if above == level { part } else { part % self.width };
            write!(path, "/{part:05}").expect("writing to a String does not fail");
        }
        path
    }

    pub(super) fn folder_of_key(&self, key: u64) -> String {
        self.folder(self.depth - 1, key / self.width)
    }

    pub(super) fn key(&self, key: u64) -> String {
        format!("{}/k{key:07}", self.folder_of_key(key))
    }

    /// The key whose path this is.
    pub(super) fn key_of(&self, path: &[u8]) -> Option<u64> {
        let below = path.strip_prefix(self.root.as_bytes())?;
        let at = below.iter().rposition(|byte| *byte == b'/')?;
        let number = below[at..].strip_prefix(b"/k")?;
        std::str::from_utf8(number).ok()?.parse().ok()
    }

    pub(super) fn made_folder(&self, client: usize) -> String {
        format!("{}/made-{:08x}/c{client:05}", self.root, self.run)
    }

    pub(super) fn made(&self, client: usize, number: u64) -> String {
        format!("{}/n{number:09}", self.made_folder(client))
    }

    pub(super) fn service(&self, number: u64) -> String {
        format!("{}/services/s{number:05}", self.root)
    }

    /// An ephemeral node: unique for all clients of all runs.
    pub(super) fn instance(&self, service: u64, client: usize, number: u64) -> String {
        format!("{}/i{:08x}-{client:05}-{number:09}", self.service(service), self.run)
    }

    pub(super) fn locks(&self) -> String {
        format!("{}/locks", self.root)
    }

    pub(super) fn lock(&self, number: u64) -> String {
        format!("{}/locks/l{number:05}", self.root)
    }

    pub(super) fn queue(&self, number: u64) -> String {
        format!("{}/queues/q{number:05}", self.root)
    }
}
