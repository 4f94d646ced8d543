//! What a client sends: whether more of it may be taken, and each packet as it arrives.
//!
//! Invariant: what every connection and all together may have waiting is bounded (guards:
//! `crate::tests::stuck::a_turn_takes_its_share_of_a_pipeline`,
//! `crate::tests::stuck::a_crowd_that_receives_nothing_is_held_to_shares`).

use super::connection::BareReply;
use super::parking::Taken;
use super::{Refused, Shard};
use crate::batch::ConnectionId;
use model::error::ErrorCode;
use model::jute::JuteReader;
use model::op::Op;
use model::request::{ConnectRequest, Request, RequestHeader};
use model::zxid::Zxid;

impl Shard {
    /// Whether the connection's next request may be taken now. While it may not, its bytes wait.
    pub fn is_reading(&self, id: ConnectionId, sending_bytes: usize) -> bool {
        let connection = self.connections.find(id);
        connection.is_some_and(|held| held.is_reading(&self.turn, &self.budget, sending_bytes))
            && !self.handover.is_full()
    }

    /// A connection has sent a request that is not taken yet.
    pub fn touch(&mut self, id: ConnectionId) {
        if let Some(connection) = self.connections.find_mut(id)
            && connection.is_established()
        {
            self.activity.touch(id.slot, &mut connection.last_active, self.turn.now().mono_ms);
        }
    }

    /// Whether this packet is a connect request, and if so, whether it names a session.
    pub fn connect_of(&self, id: ConnectionId, packet: &[u8]) -> Option<bool> {
        self.connections.find(id).filter(|connection| connection.is_opening())?;
        let request = ConnectRequest::decode(packet).ok()?;
        Some(request.session_id != 0)
    }

    /// Takes one packet of a connection that [`Self::is_reading`]. After an `Err` nothing follows:
    /// the connection ends when what came before is processed.
    pub fn frame(&mut self, id: ConnectionId, packet: &[u8]) -> Result<(), Refused> {
        let taken = self.take(id, packet);
        if taken.is_err() {
            self.finish(id);
        }
        taken
    }

    fn take(&mut self, id: ConnectionId, packet: &[u8]) -> Result<(), Refused> {
        let received_ms = self.turn.now().mono_ms;
        let Some(connection) = self.connections.find_mut(id) else { return Ok(()) };
        if !connection.has_open_stream() {
            return Ok(());
        }
        self.measured.received(&mut connection.counts, packet.len());
        self.turn.take_share(&mut connection.share);
        self.activity.touch(id.slot, &mut connection.last_active, received_ms);
        if connection.is_established() {
            return self.take_request(id, packet);
        }
        if connection.is_opening() {
            let request = ConnectRequest::decode(packet).map_err(|_| Refused::NotConnect)?;
            self.measured.connect(request.session_id != 0);
            connection.begin_connecting();
            let (xid, op) = (0, Op::CreateSession);
            self.turn.push(id, Taken { xid, op, body: packet, large_bytes: 0, received_ms });
        }
        Ok(())
    }

    fn take_request(&mut self, id: ConnectionId, packet: &[u8]) -> Result<(), Refused> {
        let mut reader = JuteReader::new(packet);
        let header = RequestHeader::decode(&mut reader).map_err(|_| Refused::Malformed)?;
        let (xid, body) = (header.xid, reader.rest());
        let Some(op) = Op::of(header.op).filter(|op| is_asked_by_clients(*op)) else {
            // Like stock: a special answer, and the end of the connection.
            let error = ErrorCode::Unimplemented;
            self.finish_with(id, Some(BareReply { xid, zxid: Zxid(-1), error }));
            return Ok(());
        };
        if op == Op::Auth {
            return self.authenticate(id, xid, body);
        }
        if !self.is_authenticated(id) && op != Op::Sasl {
            let error = ErrorCode::SessionClosedRequireSaslAuth;
            self.finish_with(id, Some(BareReply { xid, zxid: Zxid::ZERO, error }));
            return Ok(());
        }
        let Some(connection) = self.connections.find_mut(id) else { return Ok(()) };
        if connection.is_gone() && !op.is_ordered() {
            connection.share.give_back();
            return Ok(());
        }
        if op == Op::Sasl && !is_sasl(body) {
            return Err(Refused::Malformed);
        }
        let large_bytes = self.large_bytes_of(packet, op)?;
        self.measured.request(op);
        let received_ms = self.turn.now().mono_ms;
        self.order(id, Taken { xid, op, body, large_bytes, received_ms });
        Ok(())
    }

    /// What a write counts as a large request; reads are answered before the next is taken.
    #[inline]
    fn large_bytes_of(&mut self, packet: &[u8], op: Op) -> Result<u64, Refused> {
        if !op.is_ordered() {
            return Ok(0);
        }
        let found = packet.len() as u64;
        self.budget.large_bytes_of(found).map_err(|max| {
            self.measured.large_refused();
            Refused::TooMuch { found, max }
        })
    }
}

/// Operations that a client may request; removal of containers is internal to the server.
const fn is_asked_by_clients(op: Op) -> bool {
    !matches!(op, Op::Error | Op::Check | Op::CreateSession | Op::DeleteContainer)
}

/// Whether this is a step of SASL. Like stock without SASL configured: a null token ends the
/// connection, any other is answered without an error and without a token, so that the client has
/// nothing to continue with and gives up.
fn is_sasl(body: &[u8]) -> bool {
    matches!(Request::decode(Op::Sasl, body), Ok(Request::Sasl { token: Some(_) }))
}
