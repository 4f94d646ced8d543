//! `wchs`, `wchc` and `wchp`. As on stock these show the watches of nodes and their data, not those
//! of children.

use super::put;
use crate::admin::inquiry::{WatchCounts, WatchReport};
use model::session::SessionId;
use std::sync::Arc;

/// `wchs`.
pub fn summary(out: &mut Vec<u8>, counts: WatchCounts) {
    let WatchCounts { connections, paths, watches } = counts;
    put!(out, "{connections} connections watching {paths} paths\nTotal watches:{watches}\n");
}

/// A connection in `wchc`; `is_continued` if its line is written already.
pub fn by_session(out: &mut Vec<u8>, report: &WatchReport, is_continued: bool) {
    if !is_continued {
        put!(out, "0x{:x}\n", report.session.0);
    }
    for path in &report.paths {
        out.push(b'\t');
        out.extend_from_slice(path);
        out.push(b'\n');
    }
}

/// Who watches what.
pub type ByPath = Vec<(Arc<[u8]>, SessionId)>;

/// `wchp`: each path, and who watches it.
pub fn by_path(out: &mut Vec<u8>, mut watches: ByPath) {
    watches.sort_by(|a, b| a.0.cmp(&b.0));
    for watchers in watches.chunk_by(|a, b| a.0 == b.0) {
        out.extend_from_slice(&watchers[0].0);
        out.push(b'\n');
        for (_, session) in watchers {
            put!(out, "\t0x{:x}\n", session.0);
        }
    }
}
