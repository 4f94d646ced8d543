//! Which session a client requests, and its identities.
//!
//! Invariant: the ordering role knows every identity of a connection before it receives a write
//! that was taken behind it (guards: the transcripts `engine/src/tests/transcripts/acls.txt` and
//! `src/tests/transcripts/enforced.txt`).

use super::connection::BareReply;
use super::{Refused, Shard};
use crate::acl::identity::Verdict;
use crate::batch::ConnectionId;
use crate::limits::IDENTITIES_MAX;
use crate::message::{Connect, Served, ToOrdering};
use model::error::ErrorCode;
use model::op::Op;
use model::record::NodeRecord;
use model::request::{ConnectRequest, Request};
use model::session::SessionId;
use model::zxid::Zxid;
use std::sync::Arc;

impl Shard {
    /// A connect request whose turn has come: checked against the view, then handed over.
    pub(super) fn connect(
        &mut self,
        id: ConnectionId,
        packet: &[u8],
        received_ms: u64,
    ) -> Result<(), Refused> {
        let request = ConnectRequest::decode(packet).map_err(|_| Refused::NotConnect)?;
        match self.served {
            Served::All => (),
            // A client from before there were read-only servers does not know what it would get.
            Served::ReadOnly if request.read_only == Some(true) => (),
            Served::ReadOnly => return Err(Refused::NotReadOnly),
            Served::Nobody | Served::NobodyMore => return Err(Refused::NotServing),
        }
        let (seen, here) = (Zxid(request.last_zxid_seen), self.reader.view().meta().zxid);
        if seen > here {
            return Err(Refused::ZxidAhead { seen, here });
        }
        let (min, max) = (self.settings.timeout_ms_min, self.settings.timeout_ms_max);
        let timeout_ms = request.timeout_ms.max(min).min(max);
        let Some(connection) = self.connections.find_mut(id) else { return Ok(()) };
        let session = SessionId(request.session_id);
        connection.ask_for(session, timeout_ms);
        self.handover.push(ToOrdering::Connect(Connect {
            connection: id,
            identities: connection.identities().clone(),
            received_ms,
            session,
            password: request.password.try_into().ok(),
            timeout_ms,
            read_only: request.read_only,
        }));
        Ok(())
    }

    /// A connection was given its session: the ordering role must know what it authenticated as
    /// meanwhile.
    pub(super) fn announce(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.find(id) else { return };
        if connection.identities().ids().len() > 1 {
            let session = connection.session();
            let identities = connection.identities().clone();
            self.handover.push(ToOrdering::Identified { connection: id, session, identities });
        }
    }

    /// Whether a connection has authenticated as every client must.
    #[inline]
    pub(super) fn is_authenticated(&self, id: ConnectionId) -> bool {
        let Some(schemes) = &self.settings.enforced_schemes else { return true };
        self.connections.find(id).is_some_and(|connection| {
            schemes.iter().any(|scheme| connection.identities().has_scheme(scheme))
        })
    }

    /// Checks credentials, and answers them at once.
    pub(super) fn authenticate(
        &mut self,
        id: ConnectionId,
        xid: i32,
        body: &[u8],
    ) -> Result<(), Refused> {
        let request = Request::decode(Op::Auth, body);
        let Ok(Request::Auth { scheme, auth }) = request else { return Err(Refused::Malformed) };
        let Some(connection) = self.connections.find_mut(id) else { return Ok(()) };
        let mut identities = (**connection.identities()).clone();
        let view = self.reader.view();
        let key = || view.lookup(b"/key").and_then(NodeRecord::data);
        let verdict = identities.authenticate(scheme, auth, &self.settings.schemes, key);
        self.measured.credentials(verdict);
        if verdict == Verdict::OtherEnsemble {
            return Err(Refused::OtherEnsemble);
        }
        if verdict == Verdict::Refused || identities.ids().len() > IDENTITIES_MAX {
            self.measured.auth_failed();
            let error = ErrorCode::AuthFailed;
            self.finish_with(id, Some(BareReply { xid, zxid: Zxid::ZERO, error }));
            return Ok(());
        }
        if identities != **connection.identities() {
            let identities = Arc::new(identities);
            connection.identify(identities.clone());
            let session = connection.session();
            self.handover.push(ToOrdering::Identified { connection: id, session, identities });
        }
        let accepted = BareReply { xid, zxid: Zxid::ZERO, error: ErrorCode::Ok };
        connection.reply(accepted, &mut self.outgoing, &mut self.measured);
        Ok(())
    }
}
