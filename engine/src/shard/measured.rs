//! What a shard counts: for itself and for each connection, in the same call.
//!
//! Invariant: a packet that counts for a connection counts for its shard (guard:
//! `crate::tests::meters::what_connections_count_their_shard_counts`).
//!
//! Lives in: each shard. Not here: counts that bound something (`budget`).

use crate::acl::identity::Verdict;
use crate::meter::{Tally, Traffic};
use model::op::Op;
use model::response::EventKind;
use model::zxid::Zxid;

/// What a shard has done since it started or was reset.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShardCounts {
    /// Packets from clients.
    pub received: u64,
    /// Packets to clients, events included.
    pub sent: u64,
    /// Answers, and how long they took in total, at least and at most, in ms.
    pub answered: u64,
    /// Sum of the latencies, in ms.
    pub latency_ms_sum: u64,
    /// The shortest, in ms.
    pub latency_ms_min: u64,
    /// The longest, in ms.
    pub latency_ms_max: u64,
    /// Credentials that were refused.
    pub auth_failed: u64,
    /// Length of the last response, in bytes.
    pub response_bytes_last: u64,
    /// Length of the longest response, in bytes.
    pub response_bytes_max: u64,
    /// Length of the shortest response, in bytes.
    pub response_bytes_min: u64,
}

/// What a shard has measured since it started or was reset.
#[derive(Clone, Debug, Default)]
pub struct ShardMeters {
    /// Bytes from clients, the lengths of packets included.
    pub bytes_received: u64,
    /// Bytes of replies, without the lengths of packets, pings and connects left out.
    pub response_bytes: u64,
    /// Bytes of events, likewise.
    pub event_bytes: u64,
    /// Requests, connects among them, credentials not.
    pub requests: u64,
    /// Connects.
    pub connects: u64,
    /// Connects that name a session.
    pub revalidations: u64,
    /// Requests refused because too many bytes of large ones were in flight.
    pub large_refused: u64,
    /// Credentials of the scheme `ensemble`.
    pub ensemble_auth: EnsembleAuth,
    /// How long reads took, in ms.
    pub reads: Tally,
    /// How long writes took, in ms.
    pub updates: Tally,
    /// Connections notified of a creation, deletion, change of data, change of children; an event
    /// without watchers is not counted.
    pub notified: [Tally; 4],
    /// Bytes read, by the part of the tree.
    pub read_traffic: Traffic,
}

/// Credentials of the scheme `ensemble`, by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnsembleAuth {
    /// They named this ensemble.
    pub accepted: u64,
    /// They named another.
    pub refused: u64,
    /// There was nothing to compare.
    pub skipped: u64,
}

/// What the word `cons` shows about a connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionCounts {
    /// Packets from it.
    pub received: u64,
    /// Packets to it.
    pub sent: u64,
    /// Its last request.
    pub last_op: Option<Op>,
    /// The last request's number.
    pub last_cxid: i64,
    /// The last zxid in a reply to it.
    pub last_zxid: Zxid,
    /// When it was last answered, in ms of the monotonic clock.
    pub last_response_ms: u64,
    /// How long the last answer took, in ms.
    pub last_latency_ms: u64,
    /// The shortest answer, in ms.
    pub latency_ms_min: u64,
    /// The longest answer, in ms.
    pub latency_ms_max: u64,
    /// All answers together, in ms.
    pub latency_ms_sum: u64,
    /// Count of answers in that sum.
    pub answered: u64,
    /// When it was accepted, in ms of the wall clock.
    pub established_ms: i64,
}

/// A reply in its connection's output.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) op: Op,
    pub(super) xid: i32,
    pub(super) zxid: Zxid,
    /// Without the length of the packet itself.
    pub(super) bytes: u64,
    pub(super) received_ms: u64,
    pub(super) now_ms: u64,
}

impl Answered {
    fn took_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.received_ms)
    }
}

impl ConnectionCounts {
    pub(super) fn new(established_ms: i64) -> Self {
        Self {
            received: 0,
            sent: 0,
            last_op: None,
            last_cxid: -1,
            last_zxid: Zxid(-1),
            last_response_ms: 0,
            last_latency_ms: 0,
            latency_ms_min: u64::MAX,
            latency_ms_max: 0,
            latency_ms_sum: 0,
            answered: 0,
            established_ms,
        }
    }

    fn answered(&mut self, reply: &Answered) {
        let took_ms = reply.took_ms();
        self.sent += 1;
        self.last_op = Some(reply.op);
        if reply.op != Op::Ping {
            self.last_cxid = i64::from(reply.xid);
        }
        self.last_zxid = reply.zxid;
        self.last_response_ms = reply.now_ms;
        self.last_latency_ms = took_ms;
        self.latency_ms_min = self.latency_ms_min.min(took_ms);
        self.latency_ms_max = self.latency_ms_max.max(took_ms);
        self.latency_ms_sum += took_ms;
        self.answered += 1;
    }

    /// Resets what the word `crst` resets.
    pub(super) fn reset(&mut self) {
        let established_ms = self.established_ms;
        *self = Self::new(established_ms);
    }
}

impl ShardCounts {
    fn answered(&mut self, took_ms: u64) {
        self.sent += 1;
        self.latency_ms_min =
            if self.answered == 0 { took_ms } else { self.latency_ms_min.min(took_ms) };
        self.answered += 1;
        self.latency_ms_sum += took_ms;
        self.latency_ms_max = self.latency_ms_max.max(took_ms);
    }

    /// A reply or an event of this length.
    fn response_of(&mut self, bytes: u64) {
        self.response_bytes_last = bytes;
        self.response_bytes_max = self.response_bytes_max.max(bytes);
        self.response_bytes_min = match self.response_bytes_min {
            0 => bytes,
            min => min.min(bytes),
        };
    }
}

/// The counters of a shard.
#[derive(Debug, Default)]
pub(super) struct Measured {
    counts: ShardCounts,
    meters: ShardMeters,
}

impl Measured {
    pub(super) fn counts(&self) -> &ShardCounts {
        &self.counts
    }

    pub(super) fn meters(&self) -> &ShardMeters {
        &self.meters
    }

    /// Resets the numbers, except for refused credentials.
    pub(super) fn reset(&mut self) {
        let auth_failed = self.counts.auth_failed;
        self.counts = ShardCounts { auth_failed, ..ShardCounts::default() };
        let mut read_traffic = std::mem::take(&mut self.meters.read_traffic);
        read_traffic.reset();
        self.meters = ShardMeters { read_traffic, ..ShardMeters::default() };
    }

    /// A packet came from a connection.
    #[inline]
    pub(super) fn received(&mut self, of: &mut ConnectionCounts, bytes: usize) {
        of.received += 1;
        self.counts.received += 1;
        self.meters.bytes_received += 4 + bytes as u64;
    }

    /// It is a connect.
    pub(super) fn connect(&mut self, names_session: bool) {
        self.meters.requests += 1;
        self.meters.connects += 1;
        self.meters.revalidations += u64::from(names_session);
    }

    /// It is another request; a step of SASL is none to stock.
    #[inline]
    pub(super) fn request(&mut self, op: Op) {
        self.meters.requests += u64::from(op != Op::Sasl);
    }

    /// It is a large one beyond what may be in flight.
    pub(super) fn large_refused(&mut self) {
        self.meters.large_refused += 1;
    }

    /// The result of credentials.
    pub(super) fn credentials(&mut self, verdict: Verdict) {
        match verdict {
            Verdict::Accepted | Verdict::Refused => {}
            Verdict::ThisEnsemble => self.meters.ensemble_auth.accepted += 1,
            Verdict::AnyEnsemble => self.meters.ensemble_auth.skipped += 1,
            Verdict::OtherEnsemble => self.meters.ensemble_auth.refused += 1,
        }
    }

    /// Credentials were refused.
    pub(super) fn auth_failed(&mut self) {
        self.counts.auth_failed += 1;
    }

    /// A packet goes to a connection that answers no request in stock's sense.
    pub(super) fn packet(&mut self, of: &mut ConnectionCounts, bytes: u64) {
        self.counts.response_of(bytes);
        of.sent += 1;
        self.counts.sent += 1;
    }

    /// This many connections are notified of a change.
    pub(super) fn notified(&mut self, kind: EventKind, count: usize) {
        if count > 0 {
            self.meters.notified[kind as usize - 1].add(count as u64);
        }
    }

    /// An event goes to a connection.
    pub(super) fn event(&mut self, of: &mut ConnectionCounts, bytes: u64) {
        self.meters.event_bytes += bytes;
        self.packet(of, bytes);
    }

    /// These events, whole packets, go to a connection.
    pub(super) fn events(&mut self, of: &mut ConnectionCounts, mut packets: &[u8]) {
        while let Some((length, behind)) = packets.split_first_chunk() {
            let length = u32::from_be_bytes(*length);
            self.event(of, u64::from(length));
            packets = &behind[length as usize..];
        }
    }

    /// A read was answered.
    #[inline]
    pub(super) fn read_answered(&mut self, of: &mut ConnectionCounts, reply: &Answered) {
        if reply.op == Op::Sasl {
            return self.packet(of, reply.bytes);
        }
        self.counts.response_of(reply.bytes);
        of.answered(reply);
        self.counts.answered(reply.took_ms());
        self.meters.reads.add(reply.took_ms());
        if reply.op != Op::Ping {
            self.meters.response_bytes += reply.bytes;
        }
    }

    /// The ordering role's outcome went to a connection. A connect's reply and a session's silent
    /// end are no responses in stock's sense.
    #[inline]
    pub(super) fn outcome_answered(&mut self, of: &mut ConnectionCounts, reply: &Answered) {
        of.answered(reply);
        self.counts.answered(reply.took_ms());
        if reply.op != Op::CreateSession && reply.bytes > 0 {
            self.counts.response_of(reply.bytes);
            self.meters.response_bytes += reply.bytes;
        }
        let is_update = reply.op != Op::Sync;
        let tally = if is_update { &mut self.meters.updates } else { &mut self.meters.reads };
        tally.add(reply.took_ms());
    }

    /// A read returned this much of a node, besides its path and a Stat.
    #[inline]
    pub(super) fn read_bytes(&mut self, path: &[u8], bytes: usize) {
        let bytes = path.len() + bytes + model::stat::STAT_BYTES;
        self.meters.read_traffic.add(path, bytes as u64);
    }
}
