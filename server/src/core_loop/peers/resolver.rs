//! Looking up where servers are.
//!
//! A name is looked up anew for each attempt to connect, since servers move; on a thread of its
//! own, since the system's resolver may take as long as it likes. The thread is begun by the first
//! name, and ends with the resolver once its last look-up has returned. Numbers need no thread.
//!
//! Invariant: at most one look-up a server and kind of link is under way (guard:
//! `tests::names::a_slow_name_is_looked_up_once_at_a_time`).

use crate::config::decided::{Endpoint, Families};
use crate::threads;
use model::host::Host;
use model::peer::address::Address;
use model::server::ServerId;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Finds the socket's address of a server's address; may block.
pub type Lookup = Arc<dyn Fn(&Address) -> io::Result<SocketAddr> + Send + Sync>;

/// Makes the loop that owns the resolver take a turn, from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The system's resolver: the one address of a name that a Java server would take.
pub fn system_lookup(families: Families) -> Lookup {
    Arc::new(move |address| Endpoint::from(address.clone()).socket_address(families))
}

/// What a look-up is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sought {
    /// An election link to this server.
    Election(ServerId),
    /// A learner link to this server.
    Learner(ServerId),
}

/// The addresses that were found, at least one; or why the last of them was not.
pub(super) type Found = io::Result<Vec<SocketAddr>>;

type Request = (Sought, Vec<Address>);

/// The thread, as the loop sees it.
struct Thread {
    requests: Sender<Request>,
    answers: Receiver<(Sought, Found)>,
}

/// Looks up addresses.
pub(super) struct Resolver {
    lookup: Lookup,
    wake: Wake,
    /// Once there was a name.
    thread: Option<Thread>,
    under_way: BTreeSet<Sought>,
}

impl Resolver {
    /// Without a thread yet. `wake` is called when an answer has come.
    pub(super) fn new(lookup: Lookup, wake: Wake) -> Self {
        Self { lookup, wake, thread: None, under_way: BTreeSet::new() }
    }

    /// Looks up addresses: at once if there is no name among them, else [`Self::answer`] has them
    /// later. While a look-up for the same purpose is under way, its answer counts.
    pub(super) fn look_up(&mut self, sought: Sought, addresses: Vec<Address>) -> Option<Found> {
        if !addresses.iter().any(|address| matches!(address.host, Host::Named(_))) {
            return Some(found(&self.lookup, &addresses));
        }
        if !self.under_way.insert(sought) {
            return None;
        }
        if let Err(error) = self.ask((sought, addresses)) {
            self.under_way.remove(&sought);
            return Some(Err(error));
        }
        None
    }

    fn ask(&mut self, request: Request) -> io::Result<()> {
        if self.thread.is_none() {
            self.thread = Some(begin(self.lookup.clone(), self.wake.clone())?);
        }
        let asked = self.thread.as_ref().map(|thread| thread.requests.send(request));
        if asked.is_some_and(|asked| asked.is_ok()) {
            return Ok(());
        }
        self.thread = None;
        Err(io::Error::other("the thread that looks up names has ended"))
    }

    /// The next answer that has come.
    pub(super) fn answer(&mut self) -> Option<(Sought, Found)> {
        let (sought, found) = self.thread.as_ref()?.answers.try_recv().ok()?;
        self.under_way.remove(&sought);
        Some((sought, found))
    }
}

fn begin(lookup: Lookup, wake: Wake) -> io::Result<Thread> {
    let (requests, asked) = channel::<Request>();
    let (answered, answers) = channel();
    let work = move || {
        for (sought, addresses) in asked {
            if answered.send((sought, found(&lookup, &addresses))).is_err() {
                return;
            }
            wake();
        }
    };
    threads::spawn("peer-names", work)?;
    Ok(Thread { requests, answers })
}

/// Why an address is not known, with its name and the way out.
fn unknown(address: &Address, error: &io::Error) -> io::Error {
    let why = match &address.host {
        Host::Named(name) => format!(
            "{name} is not known ({error}): add it to DNS or /etc/hosts, or correct the server.N \
             line"
        ),
        _ => format!("{address}: {error}"),
    };
    io::Error::new(error.kind(), why)
}

fn found(lookup: &Lookup, addresses: &[Address]) -> Found {
    let mut found = Vec::new();
    let mut failure = None;
    for address in addresses {
        match lookup(address) {
            Ok(address) if found.contains(&address) => (),
            Ok(address) => found.push(address),
            Err(error) => failure = Some(unknown(address, &error)),
        }
    }
    let none = || io::Error::new(io::ErrorKind::NotFound, "no address is known");
    if found.is_empty() { Err(failure.unwrap_or_else(none)) } else { Ok(found) }
}
