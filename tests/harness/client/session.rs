//! The session's own operations: pings, credentials, close.

use super::Client;
use super::exchange::decode_reply;
use crate::opcode;
use crate::wire::Body;

impl Client {
    /// A ping and its reply.
    pub fn ping(&mut self) {
        self.post_ping();
        self.await_ping();
    }

    /// The same; false if the server has closed.
    pub fn try_ping(&mut self) -> bool {
        let reply = self.try_exchange(-2, opcode::PING, &Body::new());
        reply.is_some_and(|reply| reply.err == 0)
    }

    /// Sends a ping; [`Self::await_ping`] awaits the reply.
    pub fn post_ping(&mut self) {
        self.send(-2, opcode::PING, &Body::new());
    }

    /// The reply to a ping.
    pub fn await_ping(&mut self) {
        let reply = self.reply(-2);
        assert_eq!((reply.err, reply.body.len()), (0, 0));
    }

    /// Closes the session and waits until the server has closed the connection.
    pub fn close(mut self) {
        let reply = self.call(opcode::CLOSE_SESSION, &Body::new());
        assert_eq!((reply.err, reply.body.len()), (0, 0));
        self.assert_closed();
    }

    /// Adds credentials to the connection.
    pub fn add_auth(&mut self, scheme: &str, credentials: &[u8]) -> Result<(), i32> {
        self.send(-4, opcode::AUTH, &Body::new().int(0).string(scheme).buffer(credentials));
        let reply = self.reply(-4);
        decode_reply(&reply, |_| ())
    }

    /// The connection's identities, as scheme and user.
    pub fn who_am_i(&mut self) -> Vec<(String, String)> {
        self.typed(opcode::WHO_AM_I, &Body::new(), |r| r.vector(|r| (r.string(), r.string())))
            .expect("whoAmI never fails")
    }
}
