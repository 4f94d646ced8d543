//! What the admin thread asks of shards so that clients go to other servers: to shed connections,
//! to admit fewer for a time, and to report both.

use super::inquiry::Reply;
use model::error::ErrorCode;
use std::net::IpAddr;

/// An inquiry to a shard about its clients' moves.
#[derive(Debug)]
pub enum MovingInquiry {
    /// Whether someone may command that.
    Authorize(Caller, Reply<Result<(), ErrorCode>>),
    /// Shed some connections from now on, in place of what was left of the order before.
    Shed(ShedOrder, Reply<()>),
    /// Admit no more connections than that. All shards have one gate: one of them is asked.
    Lend(LeaseOrder, Reply<()>),
    /// How far that is.
    Report(Reply<MovingReport>),
}

/// Who commands something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Where.
    pub address: IpAddr,
    /// The scheme of the credentials.
    pub scheme: Vec<u8>,
    /// The credentials, if any.
    pub auth: Option<Vec<u8>>,
}

/// One shard's part of an order to shed connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShedOrder {
    /// Connections of this shard.
    pub count: u32,
    /// Connections of all shards.
    pub of: u32,
    /// Connections of all shards that may be closed in a second.
    pub per_second: u32,
    /// How long one that is busy is waited for, beside the time that the pace takes, in ms.
    pub patience_ms: u32,
}

/// Admits no more connections than this for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseOrder {
    /// Connections of all shards.
    pub at_most: u32,
    /// In ms; 0 ends it now.
    pub for_ms: u64,
}

/// What a shard knows of its clients' moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MovingReport {
    /// Its connections.
    pub connections: u64,
    /// The last order to shed connections.
    pub shed: ShedCounts,
    /// The bound for all shards, and how long it still counts, in ms.
    pub lease: Option<(u32, u64)>,
}

/// How far an order to shed connections is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShedCounts {
    /// Connections that are still to be closed.
    pub being_shed: u32,
    /// Connections that were closed.
    pub shed: u32,
    /// Connections that were left, because they were busy until the end.
    pub left_busy: u32,
}

/// An order to shed so many connections of all, each shard in proportion to what it `held`.
pub fn shed_orders(count: u64, held: &[u64], per_second: u32, patience_ms: u32) -> Vec<ShedOrder> {
    let of = count as u32;
    let order = |count| ShedOrder { count: count as u32, of, per_second, patience_ms };
    shares(count, held).into_iter().map(order).collect()
}

/// A number divided in proportion to others, without a rest.
fn shares(count: u64, by: &[u64]) -> Vec<u64> {
    let all = by.iter().sum::<u64>();
    let mut before = 0;
    let (mut seen, mut shares) = (0, Vec::with_capacity(by.len()));
    for part in by {
        seen += part;
        let until = (count * seen).checked_div(all).unwrap_or(0);
        shares.push(until - before);
        before = until;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::shares;

    #[test]
    fn shares_are_in_proportion_and_nothing_is_left() {
        assert_eq!(shares(10, &[1, 1, 2]), [2, 3, 5]);
        assert_eq!(shares(1, &[5, 5, 5]), [0, 0, 1]);
        assert_eq!(shares(0, &[5, 5]), [0, 0]);
        assert_eq!(shares(0, &[0, 0]), [0, 0]);
        for count in 0..=60 {
            let shares = shares(count, &[7, 0, 13, 40]);
            assert_eq!(shares.iter().sum::<u64>(), count);
            assert!(shares.iter().zip([7, 0, 13, 40]).all(|(share, held)| *share <= held));
        }
    }
}
