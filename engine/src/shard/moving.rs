//! Which clients may be led to another server without harm, and who may ask for that.
//!
//! A client that loses its connection attaches its session again, here or elsewhere. That costs it
//! nothing as long as no request is unanswered, and as long as other servers know its session.
//!
//! Invariant: a connection with a request that is not answered, or with bytes that have not left,
//! is never movable (guard: `crate::tests::moving::what_is_busy_is_not_movable`).

use super::Shard;
use super::connection::Connection;
use crate::acl::identity::{Identities, Verdict};
use crate::batch::ConnectionId;
use model::acl::perms;
use model::error::ErrorCode;
use model::record::NodeRecord;
use model::session::SessionId;
use std::net::IpAddr;

impl Shard {
    /// Whether the client of a connection has a session that other servers know. A local session
    /// would be lost by a move.
    pub fn has_global_session(&self, id: ConnectionId) -> bool {
        self.connections.find(id).is_some_and(|connection| {
            connection.is_established() && self.knows(connection.session())
        })
    }

    /// Whether the client of a connection can be led to another server now: every server knows its
    /// session, and nothing is under way between it and this shard.
    pub fn is_movable(&self, id: ConnectionId) -> bool {
        self.connections
            .find(id)
            .is_some_and(|connection| connection.is_at_rest() && self.knows(connection.session()))
    }

    fn knows(&self, session: SessionId) -> bool {
        self.reader.view().meta().sessions.contains_key(&session)
    }

    /// Whether someone at this address with these credentials has every permission on the root, as
    /// commands require that change what a server does. Only these credentials count: an address is
    /// an identity for the scheme `ip` alone.
    ///
    /// # Errors
    /// `AuthFailed` if the credentials prove nothing, `NoAuth` if they do not suffice.
    pub fn authorizes(
        &self,
        address: IpAddr,
        scheme: &[u8],
        auth: Option<&[u8]>,
    ) -> Result<(), ErrorCode> {
        let view = self.reader.view();
        let key = || view.lookup(b"/key").and_then(NodeRecord::data);
        let mut identities = Identities::default();
        let verdict = identities.authenticate(Some(scheme), auth, &self.settings.schemes, key);
        if scheme == b"ip" {
            identities = Identities::of_address(address);
        }
        if verdict != Verdict::Accepted || identities.ids().is_empty() {
            return Err(ErrorCode::AuthFailed);
        }
        let root = view.lookup(b"/").expect("every tree has a root");
        let acls = &view.meta().acls;
        let may = |wanted| acls.may(root.acl(), wanted, &identities, &self.settings);
        let all = [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];
        if all.into_iter().all(may) { Ok(()) } else { Err(ErrorCode::NoAuth) }
    }
}

impl Connection {
    /// Whether it has a session, and nothing is under way in either direction.
    fn is_at_rest(&self) -> bool {
        self.is_established()
            && self.has_open_stream()
            && !self.is_gone()
            && !self.is_blocked()
            && self.outstanding() == 0
            && self.unsent_bytes() == 0
    }
}
