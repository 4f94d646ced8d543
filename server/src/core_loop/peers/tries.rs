//! Where a server is tried, and for how long.
//!
//! With several addresses (`multiAddress.enabled`) one may be dead without saying so, and waiting
//! for it must not use up the time for the others. So each gets a short time first, and the usual
//! time afterwards, should all of them be slow. (ZooKeeper pings them first, and connects to those
//! that answer, or to all.)

use std::net::SocketAddr;

/// An attempt to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Try {
    /// Where to.
    pub(super) address: SocketAddr,
    /// How long it may take, in ms.
    pub(super) limit_ms: u64,
}

/// The attempts to reach a server, in order; `check_ms` is the short time, if there is one.
pub(super) fn tries(addresses: &[SocketAddr], check_ms: Option<u32>, limit_ms: u64) -> Vec<Try> {
    let at_most = |limit_ms| addresses.iter().map(move |&address| Try { address, limit_ms });
    let check_ms = check_ms.map(u64::from).filter(|ms| addresses.len() > 1 && *ms < limit_ms);
    check_ms.into_iter().flat_map(at_most).chain(at_most(limit_ms)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_addresses_are_tried_briefly_first() {
        let [one, other] = ["127.0.0.1:1", "127.0.0.2:1"].map(|it| it.parse().unwrap());
        let of = |tries: Vec<Try>| -> Vec<_> {
            tries.into_iter().map(|it| (it.address, it.limit_ms)).collect()
        };
        let both = [(one, 9), (other, 9), (one, 50), (other, 50)];
        assert_eq!(of(tries(&[one, other], Some(9), 50)), both);
        assert_eq!(of(tries(&[one, other], None, 50)), both[2..]);
        assert_eq!(of(tries(&[one, other], Some(50), 50)), both[2..]);
        assert_eq!(of(tries(&[one], Some(9), 50)), [(one, 50)]);
    }
}
