//! What one client has been told, every other sees: order across connections, whichever shard each
//! connection is on. Everything runs with one shard (fused with the ordering role) and with four.

mod moves;
mod pairs;
mod streams;

use std::sync::OnceLock;

use harness::Server;

/// The two placements; to another server the key is an unknown one.
fn servers() -> &'static [Server; 2] {
    static SERVERS: OnceLock<[Server; 2]> = OnceLock::new();
    SERVERS.get_or_init(|| {
        ["1", "4"]
            .map(|count| Server::config().set("ring.shards", count).set("tickTime", "200").start())
    })
}
