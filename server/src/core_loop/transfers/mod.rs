//! Snapshots that go over learner links, each on a thread of its own that has the link's socket.
//!
//! A link is lent ([`Peers::lend`](super::peers::Peers::lend)) behind everything that was sent over
//! it; the thread writes or reads the snapshot, and the link goes back with its result. A link that
//! is closed meanwhile is shut down, which ends its thread; so does silence of the other side.
//!
//! **Invariants**
//!
//! - A pin is dropped before its link is given back (guard: `tests::a_tree_goes_over_a_link`).
//! - Whatever is sent, memory follows what has come (guard: `convert::stock::stream`,
//!   `core_loop::peers::inbox`).
//!
//! **What is deliberately not here**: what becomes of a tree that has come (`incoming`).
//!
//! Lives in: the core loop of the ordering role, and a thread for each snapshot under way.

mod arriving;
#[cfg(test)]
mod tests;

pub(super) use arriving::{ArrivalError, Arrived, Expected};

use super::inbox::{LoopInbox, LoopMessage};
use super::peers::Lent;
use crate::threads;
use convert::export;
use engine::state::State;
use engine::tree::Pin;
use engine::zab::LinkId;
use model::zxid::Zxid;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a link is lent for.
pub(super) enum Purpose {
    /// This version is sent.
    Send(Pin<State>),
    /// A tree comes.
    Receive(Expected),
}

/// The links that are lent, or are to be.
#[derive(Default)]
pub(super) struct Transfers {
    asked: BTreeMap<LinkId, Purpose>,
    /// The sockets of those that a thread has.
    busy: BTreeMap<LinkId, TcpStream>,
}

/// What a thread has done.
pub struct Transferred {
    pub(super) lent: Lent,
    /// How long it took.
    pub(super) took: Duration,
    pub(super) outcome: Outcome,
}

/// The same without what it was done with.
pub(super) enum Outcome {
    /// The tree at this zxid was sent, in so many bytes.
    Sent(Zxid, io::Result<u64>),
    /// A tree has come.
    Received(Result<Arrived, ArrivalError>),
}

impl fmt::Debug for Transferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transferred").field("lent", &self.lent).finish_non_exhaustive()
    }
}

impl Transfers {
    /// The link is to be lent for this.
    pub(super) fn ask(&mut self, link: LinkId, purpose: Purpose) {
        self.asked.insert(link, purpose);
    }

    /// The link has ended, or is closed: what it was to be lent for is void, and a thread that has
    /// it ends soon.
    pub(super) fn end(&mut self, link: LinkId) {
        self.asked.remove(&link);
        if let Some(socket) = self.busy.get(&link) {
            // Where it is not connected any more there is nothing to end.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// The server stops.
    pub(super) fn end_all(&mut self) {
        self.asked.clear();
        for socket in self.busy.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// A thread gets the link, and sends its result to `inbox`; it gives up on another side that
    /// takes or says nothing for `silence`. The link comes back at once if it is not needed any
    /// more.
    ///
    /// # Errors
    /// No thread, or no descriptor; the link is closed then.
    pub(super) fn begin(
        &mut self,
        lent: Lent,
        silence: Duration,
        inbox: &Arc<LoopInbox>,
    ) -> io::Result<Option<Lent>> {
        let Some(purpose) = self.asked.remove(&lent.link) else { return Ok(Some(lent)) };
        let (own, of_thread) = (lent.socket.try_clone()?, lent.socket.try_clone()?);
        let (link, inbox) = (lent.link, inbox.clone());
        let work = move || {
            disk::background::give_way();
            let socket = TcpStream::from(of_thread);
            let transferred = transfer(lent, &socket, purpose, silence);
            inbox.send(LoopMessage::Transferred(Box::new(transferred)));
        };
        threads::spawn("rk-snapshot", work)?;
        self.busy.insert(link, TcpStream::from(own));
        Ok(None)
    }

    /// A thread has ended.
    pub(super) fn ended(&mut self, link: LinkId) {
        self.busy.remove(&link);
    }
}

/// Does on a thread what a link was lent for. After an error its socket is shut down.
fn transfer(
    mut lent: Lent,
    socket: &TcpStream,
    purpose: Purpose,
    silence: Duration,
) -> Transferred {
    let began = Instant::now();
    let outcome = match purpose {
        Purpose::Send(pin) => {
            let zxid = pin.view().meta().zxid;
            Outcome::Sent(zxid, send(&pin, socket, silence))
        }
        Purpose::Receive(expected) => {
            Outcome::Received(arriving::receive(expected, &mut lent, socket, silence))
        }
    };
    if matches!(outcome, Outcome::Sent(_, Err(_)) | Outcome::Received(Err(_))) {
        let _ = socket.shutdown(Shutdown::Both);
    }
    Transferred { lent, took: began.elapsed(), outcome }
}

fn send(pin: &Pin<State>, socket: &TcpStream, silence: Duration) -> io::Result<u64> {
    socket.set_write_timeout(Some(silence))?;
    let bytes = export::send(pin.view(), socket)?;
    socket.set_write_timeout(None)?;
    Ok(bytes)
}
