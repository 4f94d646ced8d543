//! Adding, checking, removing and restoring watches.

use super::Client;
use crate::opcode;
use crate::wire::Body;

/// The watches a client sets again after reconnecting.
#[derive(Debug, Clone, Default)]
#[allow(missing_docs)] // The names are the protocol's own.
pub struct Watches<'a> {
    pub relative_zxid: i64,
    pub data: &'a [&'a str],
    pub exist: &'a [&'a str],
    pub child: &'a [&'a str],
    pub persistent: &'a [&'a str],
    pub recursive: &'a [&'a str],
}

impl Client {
    /// addWatch; mode 0 is persistent, 1 persistent and recursive
    pub fn add_watch(&mut self, path: &str, mode: i32) -> Result<(), i32> {
        self.typed(opcode::ADD_WATCH, &Body::new().string(path).int(mode), |r| {
            assert_eq!(r.int(), 0, "the body of addWatch's reply");
        })
    }

    /// checkWatches; 1 children, 2 data, 3 any, 4 persistent, 5 recursive
    pub fn check_watches(&mut self, path: &str, kind: i32) -> Result<(), i32> {
        self.typed(opcode::CHECK_WATCHES, &Body::new().string(path).int(kind), |_| ())
    }

    /// removeWatches; kinds as in [`Self::check_watches`]
    pub fn remove_watches(&mut self, path: &str, kind: i32) -> Result<(), i32> {
        self.typed(opcode::REMOVE_WATCHES, &Body::new().string(path).int(kind), |_| ())
    }

    /// setWatches, without the persistent ones
    pub fn set_watches(&mut self, watches: &Watches<'_>) {
        self.set_watches_as(opcode::SET_WATCHES, &watches_body(watches));
    }

    /// setWatches2
    pub fn set_watches2(&mut self, watches: &Watches<'_>) {
        let body = watches_body(watches).strings(watches.persistent).strings(watches.recursive);
        self.set_watches_as(opcode::SET_WATCHES2, &body);
    }

    /// setWatches, without the persistent ones; false if the server has closed.
    pub fn try_set_watches(&mut self, watches: &Watches<'_>) -> bool {
        let reply = self.try_exchange(-8, opcode::SET_WATCHES, &watches_body(watches));
        reply.is_some_and(|reply| reply.err == 0)
    }

    fn set_watches_as(&mut self, kind: i32, body: &Body) {
        self.send(-8, kind, body);
        let reply = self.reply(-8);
        assert_eq!((reply.err, reply.body.len()), (0, 0));
    }
}

fn watches_body(watches: &Watches<'_>) -> Body {
    Body::new()
        .long(watches.relative_zxid)
        .strings(watches.data)
        .strings(watches.exist)
        .strings(watches.child)
}
