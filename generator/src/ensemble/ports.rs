//! Ports that are free, and stay free while their server is down.
//!
//! The kernel gives connections ports of a range; a server that is restarted might find its port
//! taken by a connection of ours. So ports below that range are used.

use std::fs;
use std::net::TcpListener;

/// Ports below it need privileges, or are well known.
const LEAST: u16 = 10_000;

/// So many ports that nothing listens on.
pub(super) fn free(count: usize) -> Option<Vec<u16>> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let below = range.split_whitespace().next().and_then(|word| word.parse().ok());
    let end = below.unwrap_or(32_768).max(LEAST + 1_000);
    // Two generators at once begin at different ones.
    let span = u32::from(end - LEAST);
    let first = std::process::id().wrapping_mul(61) % span;
    let mut held = Vec::new();
    for step in 0..span {
        let port = LEAST + ((first + step) % span) as u16;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            held.push((port, listener));
        }
        if held.len() == count {
            return Some(held.into_iter().map(|(port, _)| port).collect());
        }
    }
    None
}
