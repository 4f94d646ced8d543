//! Balancing without an operator (`ring.balance=on`): a server that has more clients than its share
//! leads some elsewhere.
//!
//! From time to time it asks the other servers of its ensemble, of ours or of ZooKeeper, how many
//! clients they have; `srvr` says that on every server. What it has above the mean and a tolerance
//! it sheds down to the mean, as the command `shed_connections` does. Clients choose where they go,
//! so that one round does not make servers even, but each brings them nearer.
//!
//! **Invariants**: nothing is shed while someone balances by commands, nor by a server that does
//! not know of another that serves (guard: `tests`); if those that were shed come back, since no
//! other server takes them, it waits ever longer before it tries again (guard:
//! `tests::in_vain_is_ever_more_rarely`).

use super::Facts;
use super::gather::Roles;
use super::inquiry::{Mode, Unanswered};
use super::limits::SHED_PATIENCE_MS;
use super::moving::shed_orders;
use super::text::conf::EnsembleConf;
use crate::asking;
use crate::config::decided::Balancing;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{debug, info};

/// A server whose clients come back waits at most so many times as long.
const RARER_MAX: u32 = 64;

/// Sheds what is too much, from time to time, for as long as the thread runs.
pub(super) async fn balance(settings: Balancing, facts: &Facts, roles: &Roles) {
    let Some(ensemble) = &facts.conf.ensemble else {
        return info!("ring.balance=on has no effect: there is no other server");
    };
    let mut pace = Pace::default();
    loop {
        sleep(settings.every * pace.rarer()).await;
        // A server that serves nobody is asked again later.
        let _ = round(settings, ensemble, roles, &mut pace).await;
    }
}

async fn round(
    settings: Balancing,
    ensemble: &EnsembleConf,
    roles: &Roles,
    pace: &mut Pace,
) -> Result<(), Unanswered> {
    let ordering = roles.ordering_counts().await?;
    let reports = roles.moving_reports().await?;
    let is_commanded =
        reports.iter().any(|report| report.lease.is_some() || report.shed.being_shed > 0);
    if is_commanded || !ordering.is_serving || ordering.mode == Mode::ReadOnly {
        return Ok(());
    }
    let held: Vec<u64> = reports.iter().map(|report| report.connections).collect();
    let own = held.iter().sum();
    pace.judge(own);
    let addresses = others(ensemble);
    let asked = spawn_blocking(move || addresses.iter().filter_map(|it| clients_of(it)).collect());
    let others: Vec<u64> = asked.await.unwrap_or_default();
    let surplus = surplus(own, &others, settings.tolerance_percent);
    let count = surplus.min(settings.most());
    debug!(own, ?others, surplus, "balancing looked at the servers");
    if count == 0 {
        *pace = Pace::default();
        return Ok(());
    }
    info!(count, of = own, ?others, "clients are led to servers that have fewer (ring.balance)");
    pace.shed = Some((own, count));
    roles.shed(&shed_orders(count, &held, settings.per_second, SHED_PATIENCE_MS)).await
}

/// Where the other servers serve clients: what their lines say; one that does not say that is taken
/// to use the port of this one.
fn others(ensemble: &EnsembleConf) -> Vec<String> {
    let servers = ensemble.servers.get();
    let members = servers.membership().members().iter().filter(|(id, _)| **id != ensemble.me);
    let port = ensemble.client_address().port();
    members.map(|(_, member)| member.clients_at(port).to_string()).collect()
}

/// How many clients a server has; unset if it serves none.
fn clients_of(address: &str) -> Option<u64> {
    let told = asking::ask_in_short(address).ok()?;
    let serves = !matches!(told.mode, asking::Mode::None | asking::Mode::ReadOnly);
    // One of them is this question.
    serves.then(|| told.clients.saturating_sub(1))
}

/// How many connections a server has above its share, if that is more than is tolerated.
fn surplus(own: u64, others: &[u64], tolerance_percent: u32) -> u64 {
    if others.is_empty() {
        return 0;
    }
    let all = own + others.iter().sum::<u64>();
    let mean = all.div_ceil(others.len() as u64 + 1);
    let tolerated = (mean * u64::from(tolerance_percent)).div_ceil(100).max(1);
    if own > mean + tolerated { own - mean } else { 0 }
}

/// How often is looked, by what came of it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Pace {
    /// Rounds in a row whose clients came back.
    in_vain: u32,
    /// How many connections there were before the last round that shed some, and how many it shed.
    shed: Option<(u64, u64)>,
}

impl Pace {
    /// So many times as rarely as configured.
    fn rarer(&self) -> u32 {
        (1 << self.in_vain.min(16)).min(RARER_MAX)
    }

    /// Looks what came of the round before.
    fn judge(&mut self, own: u64) {
        if let Some((before, count)) = self.shed.take() {
            let has_led = 2 * before.saturating_sub(own) >= count;
            self.in_vain = if has_led { 0 } else { self.in_vain + 1 };
        }
    }
}

impl Balancing {
    /// What a round sheds at most: it is over before the next one looks.
    fn most(&self) -> u64 {
        (u64::from(self.per_second) * (self.every / 2).as_secs().max(1)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_above_the_share_and_the_tolerance_is_too_much() {
        assert_eq!(surplus(300, &[0, 0], 10), 200);
        assert_eq!(surplus(100, &[100, 100], 10), 0);
        // The mean is 100: ten more are tolerated.
        assert_eq!(surplus(110, &[95, 95], 10), 0);
        assert_eq!(surplus(112, &[94, 94], 10), 12);
        // One more is no reason to move anybody.
        assert_eq!((surplus(2, &[1, 0], 0), surplus(3, &[0, 0], 0)), (0, 2));
        assert_eq!(surplus(500, &[], 10), 0, "there is nowhere to go");
        assert_eq!(surplus(0, &[7], 10), 0);
    }

    #[test]
    fn all_that_is_shed_finds_room() {
        for counts in [[900_u64, 0, 0], [500, 400, 0], [10, 9, 2], [1, 1, 1]] {
            let all: u64 = counts.iter().sum();
            let too_much: u64 = (0..3)
                .map(|at| {
                    let others: Vec<_> =
                        (0..3).filter(|it| *it != at).map(|it| counts[it]).collect();
                    surplus(counts[at], &others, 10)
                })
                .sum();
            let room: u64 = counts.iter().map(|count| all.div_ceil(3).saturating_sub(*count)).sum();
            assert!(too_much <= room, "{counts:?}");
        }
    }

    #[test]
    fn in_vain_is_ever_more_rarely() {
        let mut pace = Pace::default();
        let mut rarer = Vec::new();
        for _ in 0..8 {
            pace.shed = Some((100, 40));
            pace.judge(90);
            rarer.push(pace.rarer());
        }
        assert_eq!(rarer, [2, 4, 8, 16, 32, 64, 64, 64]);
        pace.shed = Some((100, 40));
        pace.judge(80);
        assert_eq!(pace.rarer(), 1, "half of them have stayed away");
        pace.judge(100);
        assert_eq!(pace.rarer(), 1, "nothing was shed");
    }

    #[test]
    fn a_round_is_over_before_the_next() {
        let of = |seconds, per_second| {
            let every = Duration::from_secs(seconds);
            Balancing { every, per_second, tolerance_percent: 10 }.most()
        };
        assert_eq!([of(60, 20), of(1, 20), of(3_600, 1)], [600, 20, 1_800]);
    }
}
