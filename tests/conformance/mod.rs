//! What clients may rely on, checked reply by reply against any server.

mod acl;
mod addresses;
mod children;
mod containers;
mod ends;
mod handshake;
mod hostile;
mod keys;
mod limits;
mod multi;
mod nodes;
mod quota;
mod restart;
mod schemes;
mod sessions;
pub(crate) mod shedding;
mod surface;
mod watches;
mod words;
mod zxids;

use std::sync::OnceLock;

use harness::{Client, Server};

/// The server shared by tests that do not disturb others: each works below a node of its own.
fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| Server::config().start())
}

/// A client of the shared server, and a fresh node for a test to work under.
fn client_at(path: &str) -> Client {
    let mut client = Client::connect(shared().address());
    client.make(path);
    client
}

/// Replaces each run of digits by one `#`.
fn sharp(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            other => out.push(other),
        }
    }
    out
}
