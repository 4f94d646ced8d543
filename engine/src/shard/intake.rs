//! What a client says, put where it belongs: answered this turn, handed over, or parked.

use super::connection::Parked;
use super::long::has_room;
use super::{Farewell, Phase, Queued, Shard, Stream};
use crate::acl::identity::Verdict;
use crate::batch::ConnectionId;
use crate::limits::{IDENTITIES_MAX, PARKED_KEPT_MAX, TURN_REPLY_BYTES_MAX};
use crate::message::{Connect, ToOrdering, Write};
use model::error::ErrorCode;
use model::jute::Reader;
use model::op::Op;
use model::record::Record;
use model::request::{ConnectRequest, Request, RequestHeader};
use model::response;
use model::zxid::Zxid;
use std::sync::Arc;

/// Why a connection ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Its first packet is no connect request.
    NotConnect,
    /// It has seen more of the history than this server has.
    ZxidAhead {
        /// What it has seen.
        seen: Zxid,
        /// Where this server is.
        here: Zxid,
    },
    /// A large request beyond what may be in flight of such.
    TooMuch {
        /// Its length in bytes.
        found: u64,
        /// What large requests may take together.
        max: u64,
    },
    /// A request that is too short for its header, or an auth or sasl packet that is none.
    Malformed,
    /// It means another ensemble.
    OtherEnsemble,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConnect => f.write_str("its first packet is no connect request"),
            Self::ZxidAhead { seen, here } => {
                write!(f, "it has seen zxid {seen}, this server is at {here}")
            }
            Self::TooMuch { found, max } => write!(
                f,
                "a large request of {found} bytes while {max} may be in flight in all \
                 (largeRequestMaxBytes)"
            ),
            Self::Malformed => f.write_str("its packet is too short to be a request"),
            Self::OtherEnsemble => {
                f.write_str("it means another ensemble: its name is not one of ensembleAuthName")
            }
        }
    }
}

impl Shard {
    /// Takes one packet of a connection that [`Self::is_reading`]. After an `Err` nothing follows:
    /// the connection ends when what came before is worked off.
    pub fn frame(&mut self, id: ConnectionId, packet: &[u8]) -> Result<(), Refused> {
        let taken = self.take(id, packet);
        if taken.is_err() {
            self.finish(id);
        }
        taken
    }

    fn take(&mut self, id: ConnectionId, packet: &[u8]) -> Result<(), Refused> {
        let now_ms = self.now.mono_ms;
        let Some(connection) = self.connections.get_mut(id.slot as usize) else { return Ok(()) };
        if connection.serial != id.serial || connection.stream != Stream::Open {
            return Ok(());
        }
        connection.counts.received += 1;
        self.counts.received += 1;
        self.meters.bytes_received += 4 + packet.len() as u64;
        connection.last_request_ms = now_ms;
        connection.take_share(self.turn);
        if !connection.is_touched {
            connection.is_touched = true;
            self.hearing.touch(id.slot);
        }
        match connection.phase {
            Phase::Opening => {
                let wish = ConnectRequest::decode(packet).map_err(|_| Refused::NotConnect)?;
                self.meters.requests += 1;
                self.meters.connects += 1;
                self.meters.revalidations += u64::from(wish.session_id != 0);
                connection.phase = Phase::Connecting;
                self.enqueue(id.slot, 0, Op::CreateSession, packet, now_ms);
                Ok(())
            }
            Phase::Established => self.request(id, packet),
            Phase::Connecting | Phase::Closing => Ok(()),
        }
    }

    fn request(&mut self, id: ConnectionId, packet: &[u8]) -> Result<(), Refused> {
        let mut reader = Reader::new(packet);
        let header = RequestHeader::decode(&mut reader).map_err(|_| Refused::Malformed)?;
        let (xid, body) = (header.xid, reader.rest());
        let Some(op) = Op::of(header.op).filter(|op| is_asked_by_clients(*op)) else {
            // As stock: an answer of its own, and the end of the connection.
            let error = ErrorCode::Unimplemented;
            self.finish_with(id.slot, Some(Farewell { xid, zxid: Zxid(-1), error }));
            return Ok(());
        };
        if op == Op::Auth {
            return self.authenticate(id, xid, body);
        }
        if !self.is_authenticated(id.slot) && op != Op::Sasl {
            let error = ErrorCode::SessionClosedRequireSaslAuth;
            self.finish_with(id.slot, Some(Farewell { xid, zxid: Zxid::ZERO, error }));
            return Ok(());
        }
        let connection = &mut self.connections[id.slot as usize];
        if connection.is_gone && !op.is_ordered() {
            connection.give_back_share();
            return Ok(());
        }
        if op == Op::Sasl && !is_sasl(body) {
            return Err(Refused::Malformed);
        }
        let large_bytes = self.large_bytes_of(packet, op)?;
        self.meters.requests += u64::from(op != Op::Sasl);
        self.place(id.slot, xid, op, body, large_bytes);
        Ok(())
    }

    /// Puts a request where it belongs by what waits before it.
    fn place(&mut self, slot: u32, xid: i32, op: Op, body: &[u8], large_bytes: u64) {
        let received_ms = self.now.mono_ms;
        let connection = &mut self.connections[slot as usize];
        connection.large_bytes += large_bytes;
        self.large_bytes += large_bytes;
        let must_wait =
            if op.is_ordered() { connection.must_wait() } else { connection.is_blocked() };
        if must_wait {
            connection.parked_bytes += body.len() + size_of::<Parked>();
            self.parked_bytes += body.len() + size_of::<Parked>();
            self.parked_count += 1;
            let body = body.into();
            connection.parked.push_back(Parked { xid, op, body, large_bytes, received_ms });
        } else if op.is_ordered() {
            self.hand_over(slot, xid, op, body, large_bytes);
        } else {
            self.enqueue(slot, xid, op, body, received_ms);
        }
    }

    fn enqueue(&mut self, slot: u32, xid: i32, op: Op, body: &[u8], received_ms: u64) {
        let start = self.queue_bytes.len();
        self.queue_bytes.extend_from_slice(body);
        let body = start..self.queue_bytes.len();
        let serial = self.connections[slot as usize].serial;
        self.queue.push(Queued { slot, serial, xid, op, body, received_ms });
    }

    fn hand_over(&mut self, slot: u32, xid: i32, op: Op, body: &[u8], large_bytes: u64) {
        let connection = &mut self.connections[slot as usize];
        connection.in_flight += 1;
        self.in_flight += 1;
        if op == Op::CloseSession {
            connection.phase = Phase::Closing;
            if connection.is_gone {
                // No client waits for the answer.
                self.released.push((slot, connection.serial));
            }
        }
        let start = self.bundle.bytes.len() as u32;
        self.bundle.bytes.extend_from_slice(body);
        self.bundle.writes.push(Write {
            connection: ConnectionId { shard: self.index, slot, serial: connection.serial },
            session: connection.session,
            xid,
            op,
            body: start..self.bundle.bytes.len() as u32,
            received_ms: self.now.mono_ms,
            large_bytes,
        });
    }

    /// The session's writes are answered, or no client waits for that: what was parked behind them
    /// continues, the end of the stream last.
    pub(super) fn release(&mut self, slot: u32, serial: u32) {
        let unsent_bytes_max = self.unsent_bytes_max();
        let listings = self.longs.iter().filter(|long| long.is_listing()).count();
        loop {
            let Some(connection) = self.connections.get_mut(slot as usize) else { return };
            if connection.serial != serial || connection.stream == Stream::Ended {
                return;
            }
            let is_gone = connection.is_gone;
            let Some(first) = connection.parked.front() else { return self.come_to_end(slot) };
            if connection.phase == Phase::Closing {
                // Its session has come to its end, and what was asked behind that with it.
                if is_gone {
                    self.end(slot);
                }
                return;
            }
            if connection.is_in_progress() {
                // Asked again when that has ended.
                return;
            }
            let op = first.op;
            if !is_gone {
                if !op.is_ordered() && connection.in_flight > 0 {
                    return;
                }
                if connection.out.len() > unsent_bytes_max {
                    // Asked again when that is taken.
                    return;
                }
                let is_full = !has_room(op, self.longs.len(), listings);
                let is_over = is_full || self.reply_bytes > TURN_REPLY_BYTES_MAX;
                if !op.is_ordered() && is_over {
                    return self.released.push((slot, serial));
                }
            }
            if !connection.has_share(self.turn) {
                return self.released.push((slot, serial));
            }
            let Some(parked) = connection.parked.pop_front() else { return };
            connection.take_share(self.turn);
            connection.parked_bytes -= parked.body.len() + size_of::<Parked>();
            self.parked_bytes -= parked.body.len() + size_of::<Parked>();
            self.parked_count -= 1;
            if connection.parked.is_empty() && connection.parked.capacity() > PARKED_KEPT_MAX {
                connection.parked = std::collections::VecDeque::new();
            }
            let Parked { xid, op, body, large_bytes, received_ms } = parked;
            if op.is_ordered() {
                self.hand_over(slot, xid, op, &body, large_bytes);
            } else if !is_gone {
                self.enqueue(slot, xid, op, &body, received_ms);
            }
        }
    }

    /// Parks what a connection has handed over in this turn, before what is parked already.
    pub(super) fn take_back_writes(&mut self, slot: u32, serial: u32) {
        let Some(connection) = self.connections.get_mut(slot as usize) else { return };
        if connection.serial != serial || connection.in_flight == 0 {
            return;
        }
        let mut taken = Vec::new();
        let waiting = self.to_ordering.iter_mut().filter_map(|message| match message {
            ToOrdering::Writes(bundle) => Some(bundle),
            _ => None,
        });
        for bundle in waiting.chain([&mut self.bundle]) {
            let bytes = &bundle.bytes;
            bundle.writes.retain(|write| {
                let is_its = write.connection.slot == slot && write.connection.serial == serial;
                if is_its {
                    let body =
                        Box::from(&bytes[write.body.start as usize..write.body.end as usize]);
                    let Write { xid, op, large_bytes, received_ms, .. } = *write;
                    if op == Op::CloseSession {
                        connection.phase = Phase::Established;
                    }
                    taken.push(Parked { xid, op, body, large_bytes, received_ms });
                }
                !is_its
            });
        }
        for parked in taken.into_iter().rev() {
            connection.in_flight -= 1;
            self.in_flight -= 1;
            connection.parked_bytes += parked.body.len() + size_of::<Parked>();
            self.parked_bytes += parked.body.len() + size_of::<Parked>();
            self.parked_count += 1;
            connection.parked.push_front(parked);
        }
    }

    /// What a write counts as a large request; reads are answered before the next is taken.
    fn large_bytes_of(&mut self, packet: &[u8], op: Op) -> Result<u64, Refused> {
        let (found, max) = (packet.len() as u64, self.large_bytes_max);
        match self.settings.large {
            Some(large) if op.is_ordered() && found > large.threshold_bytes => {
                let is_over = self.large_bytes + found > max;
                self.meters.large_refused += u64::from(is_over);
                if is_over { Err(Refused::TooMuch { found, max }) } else { Ok(found) }
            }
            _ => Ok(0),
        }
    }

    fn is_authenticated(&self, slot: u32) -> bool {
        let Some(schemes) = &self.settings.enforced_schemes else { return true };
        let identities = &self.connections[slot as usize].identities;
        schemes.iter().any(|scheme| identities.has_scheme(scheme))
    }

    fn authenticate(&mut self, id: ConnectionId, xid: i32, body: &[u8]) -> Result<(), Refused> {
        let request = Request::decode(Op::Auth, body);
        let Ok(Request::Auth { scheme, auth }) = request else { return Err(Refused::Malformed) };
        let connection = &mut self.connections[id.slot as usize];
        let mut identities = (*connection.identities).clone();
        let view = self.reader.view();
        let key = || view.lookup(b"/key").and_then(Record::data);
        let verdict = identities.authenticate(scheme, auth, &self.settings.schemes, key);
        match verdict {
            Verdict::Accepted | Verdict::Refused => {}
            Verdict::ThisEnsemble => self.meters.ensemble_auth.accepted += 1,
            Verdict::AnyEnsemble => self.meters.ensemble_auth.skipped += 1,
            Verdict::OtherEnsemble => {
                self.meters.ensemble_auth.refused += 1;
                return Err(Refused::OtherEnsemble);
            }
        }
        if verdict == Verdict::Refused || identities.ids().len() > IDENTITIES_MAX {
            self.counts.auth_failed += 1;
            let error = ErrorCode::AuthFailed;
            self.finish_with(id.slot, Some(Farewell { xid, zxid: Zxid::ZERO, error }));
            return Ok(());
        }
        if identities != *connection.identities {
            let identities = Arc::new(identities);
            connection.identities = identities.clone();
            let session = connection.session;
            self.say(ToOrdering::Identified { connection: id, session, identities });
        }
        self.answer_at_once(id.slot, xid, Zxid::ZERO, ErrorCode::Ok);
        Ok(())
    }

    pub(super) fn answer_at_once(&mut self, slot: u32, xid: i32, zxid: Zxid, error: ErrorCode) {
        let connection = &mut self.connections[slot as usize];
        response::put_reply(connection.writable(&mut self.buffers), xid, zxid, error, &[]);
        self.counts.response_of(16);
        connection.counts.sent += 1;
        self.counts.sent += 1;
        Self::mark_dirty(&mut self.connections, &mut self.dirty, slot);
    }

    /// A connect request whose turn has come: checked against the view, then handed over.
    pub(super) fn connect(
        &mut self,
        slot: u32,
        packet: &[u8],
        received_ms: u64,
    ) -> Result<(), Refused> {
        let request = ConnectRequest::decode(packet).map_err(|_| Refused::NotConnect)?;
        let (seen, here) = (Zxid(request.last_zxid_seen), self.reader.view().meta().zxid);
        if seen > here {
            return Err(Refused::ZxidAhead { seen, here });
        }
        let (min, max) = (self.settings.timeout_ms_min, self.settings.timeout_ms_max);
        let timeout_ms = request.timeout_ms.max(min).min(max);
        let connection = &mut self.connections[slot as usize];
        connection.timeout_ms = timeout_ms;
        connection.session = model::session::SessionId(request.session_id);
        let connect = Connect {
            connection: ConnectionId { shard: self.index, slot, serial: connection.serial },
            identities: connection.identities.clone(),
            received_ms,
            session: connection.session,
            password: request.password.try_into().ok(),
            timeout_ms,
            has_read_only: request.read_only.is_some(),
        };
        self.say(ToOrdering::Connect(connect));
        Ok(())
    }
}

/// Operations that a client may name; what removes containers is the server's own.
const fn is_asked_by_clients(op: Op) -> bool {
    !matches!(op, Op::Error | Op::Check | Op::CreateSession | Op::DeleteContainer)
}

/// Whether this is a step of SASL. As stock where SASL is not configured: a null token ends the
/// connection, any other is answered without an error and without a token, so that the client has
/// nothing to go on with and gives up.
fn is_sasl(body: &[u8]) -> bool {
    matches!(Request::decode(Op::Sasl, body), Ok(Request::Sasl { token: Some(_) }))
}
