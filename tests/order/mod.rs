//! What one client was told, every other sees: the order of things across connections, whichever
//! shard each connection lives on. Everything runs with one shard (fused with the ordering role)
//! and with four.

mod moves;
mod pairs;
mod streams;

use std::sync::OnceLock;

use harness::Server;

/// The two placements; another server takes the key for one it does not know.
fn servers() -> &'static [Server; 2] {
    static SERVERS: OnceLock<[Server; 2]> = OnceLock::new();
    SERVERS.get_or_init(|| {
        ["1", "4"]
            .map(|count| Server::config().set("ring.shards", count).set("tickTime", "200").start())
    })
}
