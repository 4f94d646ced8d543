//! `dump`: sessions by the time at which they expire, their nodes, their connections.

use super::{Date, Peer, put};
use crate::admin::inquiry::{ConnectionReport, EphemeralReport, SessionExpiry};
use model::session::SessionId;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Live sessions.
#[derive(Clone, Debug, Default)]
pub struct Sessions {
    /// All that the ensemble knows.
    pub sessions: Vec<SessionExpiry>,
    /// Those that only this server knows; `None` if it makes none.
    pub local: Option<Vec<SessionExpiry>>,
    /// Whether this server decides when the first ones expire; otherwise its leader does.
    pub is_tracking: bool,
    /// The wall clock less the monotonic one, in ms.
    pub wall_offset_ms: i64,
}

impl Sessions {
    /// In the order of their expiry.
    #[must_use]
    pub fn by_expiry(mut self) -> Self {
        self.sessions.sort_unstable();
        self.local.iter_mut().for_each(|local| local.sort_unstable());
        self
    }

    fn wall_ms(&self, expires_ms: u64) -> i64 {
        self.wall_offset_ms.saturating_add_unsigned(expires_ms)
    }
}

/// The sessions, which are in the order of their expiry; those that expire elsewhere come first, in
/// the order of their ids.
pub fn sessions(out: &mut Vec<u8>, live: &Sessions) {
    put!(out, "SessionTracker dump:\n");
    if let Some(local) = &live.local {
        put!(out, "Local ");
        sets(out, live, local);
    }
    if live.is_tracking {
        if live.local.is_some() {
            put!(out, "Global ");
        }
        return sets(out, live, &live.sessions);
    }
    put!(out, "Global Sessions({}):\n", live.sessions.len());
    for entry in &live.sessions {
        put!(out, "0x{:x}\t{}ms\n", entry.session.0, entry.timeout_ms);
    }
}

/// Sessions by the time at which they expire.
fn sets(out: &mut Vec<u8>, live: &Sessions, sessions: &[SessionExpiry]) {
    let buckets = || sessions.chunk_by(|a, b| a.expires_ms == b.expires_ms);
    put!(out, "Session Sets ({})/({}):\n", buckets().count(), sessions.len());
    for bucket in buckets() {
        let at = Date(live.wall_ms(bucket[0].expires_ms));
        put!(out, "{} expire at {at}:\n", bucket.len());
        for entry in bucket {
            put!(out, "\t0x{:x}\n", entry.session.0);
        }
    }
}

/// The line before the ephemeral nodes.
pub fn ephemerals_head(out: &mut Vec<u8>, session_count: usize) {
    put!(out, "ephemeral nodes dump:\nSessions with Ephemerals ({session_count}):\n");
}

/// The nodes of a session; `is_continued` if its line is written already.
pub fn ephemerals(out: &mut Vec<u8>, report: &EphemeralReport, is_continued: bool) {
    if !is_continued {
        put!(out, "0x{:x}:\n", report.session.0);
    }
    for path in &report.paths {
        out.push(b'\t');
        out.extend_from_slice(path);
        out.push(b'\n');
    }
}

/// A connection, as far as `dump` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its peer's address.
    pub peer: SocketAddr,
    /// Its session, or 0.
    pub session: SessionId,
    /// How long it may be silent, in ms.
    pub patience_ms: u64,
    /// When something was last received from it, in ms of the monotonic clock.
    pub heard_ms: u64,
}

impl From<&ConnectionReport> for Connected {
    fn from(report: &ConnectionReport) -> Self {
        let &ConnectionReport { peer, session, heard_ms, .. } = report;
        Self { peer, session, patience_ms: report.timeout_ms.max(0) as u64, heard_ms }
    }
}

/// The connections, by the time at which silence would end them: as on stock, rounded up to steps
/// of `sessionless_ms`, which is also how long one without a session may be silent.
pub fn connections(
    out: &mut Vec<u8>,
    connected: &[Connected],
    live: &Sessions,
    sessionless_ms: u32,
) {
    let step_ms = u64::from(sessionless_ms.max(1));
    let mut sets = BTreeMap::<i64, Vec<&Connected>>::new();
    for connection in connected {
        let patience_ms =
            if connection.patience_ms == 0 { step_ms } else { connection.patience_ms };
        let end_ms = connection.heard_ms + patience_ms;
        let expiry_ms = live.wall_ms((end_ms / step_ms + 1) * step_ms);
        sets.entry(expiry_ms).or_default().push(connection);
    }
    put!(out, "Connections dump:\n");
    put!(out, "Connections Sets ({})/({}):\n", sets.len(), connected.len());
    for (expiry_ms, set) in &sets {
        put!(out, "{} expire at {}:\n", set.len(), Date(*expiry_ms));
        for connection in set {
            let (peer, session) = (Peer(connection.peer), connection.session.0);
            put!(out, "\tip: {peer} sessionId: 0x{session:x}\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Sessions, sessions};
    use crate::admin::inquiry::SessionExpiry;
    use model::session::SessionId;

    const A: SessionId = SessionId(0x0100_0028_85d6_0000);
    const B: SessionId = SessionId(0x0100_0028_85d6_0001);

    fn text(live: &Sessions) -> String {
        let mut out = Vec::new();
        sessions(&mut out, live);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_dump_of_local_sessions() {
        let expiring = |session| SessionExpiry { expires_ms: 48_000, session, timeout_ms: 30_000 };
        let wall_offset_ms = 1_795_240_900_000;
        let (sessions, local) = (vec![expiring(A)], Some(vec![expiring(B)]));
        let mut live = Sessions { sessions, local, is_tracking: true, wall_offset_ms };
        assert_eq!(
            text(&live),
            "SessionTracker dump:\nLocal Session Sets (1)/(1):\n\
             1 expire at Sat Nov 21 06:02:28 UTC 2026:\n\t0x100002885d60001\n\
             Global Session Sets (1)/(1):\n1 expire at Sat Nov 21 06:02:28 UTC 2026:\n\
             \t0x100002885d60000\n"
        );
        live.is_tracking = false;
        live.local = Some(Vec::new());
        assert_eq!(
            text(&live),
            "SessionTracker dump:\nLocal Session Sets (0)/(0):\nGlobal Sessions(1):\n\
             0x100002885d60000\t30000ms\n"
        );
    }

    #[test]
    fn a_dump_of_a_read_only_server() {
        let expiring =
            |expires_ms, session| SessionExpiry { expires_ms, session, timeout_ms: 30_000 };
        let (sessions, local) = (vec![expiring(0, A)], Some(vec![expiring(2_742_000, B)]));
        let (is_tracking, wall_offset_ms) = (false, 1_795_238_206_000);
        assert_eq!(
            text(&Sessions { sessions, local, is_tracking, wall_offset_ms }),
            "SessionTracker dump:\nLocal Session Sets (1)/(1):\n\
             1 expire at Sat Nov 21 06:02:28 UTC 2026:\n\t0x100002885d60001\n\
             Global Sessions(1):\n0x100002885d60000\t30000ms\n"
        );
    }
}
