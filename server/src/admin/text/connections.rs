//! A connection as a line of `cons` or `stat`.

use super::{Peer, put};
use crate::admin::inquiry::ConnectionReport;
use std::net::SocketAddr;

/// Whether a connection is shown in full, as `cons` does, or briefly, as `stat` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All of it.
    Full,
    /// Its address and its numbers of requests queued, received and sent.
    Brief,
}

/// One connection, with its line end.
pub fn connection(out: &mut Vec<u8>, report: &ConnectionReport, detail: Detail) {
    // The bits of Java's SelectionKey: 1 to read, 4 to write.
    let interest = u8::from(report.is_reading) | u8::from(report.is_writing) << 2;
    let ConnectionReport { queued, received, sent, latency, .. } = *report;
    put!(out, " {}[{interest:x}]", Peer(report.peer));
    put!(out, "(queued={queued},recved={received},sent={sent}");
    if detail == Detail::Full && report.session.0 != 0 {
        put!(out, ",sid=0x{:x}", report.session.0);
        put!(out, ",lop={}", report.last_op.map_or("NA", |op| op.short_name()));
        put!(out, ",est={},to={}", report.established_ms, report.timeout_ms);
        if report.last_cxid >= 0 {
            put!(out, ",lcxid=0x{:x}", report.last_cxid);
        }
        put!(out, ",lzxid=0x{:x}", report.last_zxid.0);
        put!(out, ",lresp={},llat={}", report.last_response_ms, report.last_latency_ms);
        let (min, avg, max) = match latency.count {
            0 => (0, 0, 0),
            count => (latency.min, latency.sum / count, latency.max),
        };
        put!(out, ",minlat={min},avglat={avg},maxlat={max}");
    }
    out.extend_from_slice(b")\n");
}

/// The connection that asks. Its shard no longer has it, but stock lists it.
pub fn asker(out: &mut Vec<u8>, peer: SocketAddr) {
    put!(out, " {}[0](queued=0,recved=1,sent=0)\n", Peer(peer));
}
