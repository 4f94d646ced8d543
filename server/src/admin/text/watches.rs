//! `wchs`, `wchc` and `wchp`. As on stock these tell of the watches of nodes and their data, not
//! of those of children.

use super::put;
use crate::admin::inquiry::{WatchCounts, WatchReport};
use model::session::SessionId;
use std::collections::BTreeMap;
use std::sync::Arc;

/// `wchs`.
pub fn summary(out: &mut Vec<u8>, counts: WatchCounts) {
    let WatchCounts { connections, paths, watches } = counts;
    put!(out, "{connections} connections watching {paths} paths\nTotal watches:{watches}\n");
}

/// A connection in `wchc`; `is_continued` if its line stands already.
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

/// Who watches what, by path.
pub type ByPath = BTreeMap<Arc<[u8]>, Vec<SessionId>>;

/// A path in `wchp`.
pub fn by_path(out: &mut Vec<u8>, path: &[u8], sessions: &[SessionId]) {
    out.extend_from_slice(path);
    out.push(b'\n');
    for session in sessions {
        put!(out, "\t0x{:x}\n", session.0);
    }
}
