//! `balance even`: every server gets its share of the clients.
//!
//! A server above its share sheds what is too much. Meanwhile each admits no more than its share,
//! so that clients find a place only where some are missing. A client that knows none of these
//! servers finds none: if too many are underway, all servers are opened again.

use super::BalanceError;
use super::args::{EvenArgs, PaceArgs};
use super::fleet::{Closed, Fleet, Seen, Which};
use super::report::Report;
use super::stop::Stop;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// Between two looks at the servers.
pub(super) const ROUND: Duration = Duration::from_millis(250);
/// After so many looks with the same result no client is underway.
const SETTLED_LOOKS: u32 = 3;
/// After so many none will come any more.
const STALLED_LOOKS: u32 = 20;
/// Seconds for which a shed client may be underway.
const UNDERWAY_S: u64 = 4;
/// How often a server sheds what it has left.
const SHEDS_MAX: u32 = 3;

/// Spreads the clients.
pub(super) fn even(args: &EvenArgs, out: &mut impl Write) -> Result<(), BalanceError> {
    args.pace.check()?;
    let fleet = Fleet::of(&args.servers)?;
    let stop = Stop::watch()?;
    let mut report = Report::new(out, args.servers.json);
    let mut seen = fleet.see_all(&fleet.all())?;
    fleet.assert_one_ensemble()?;
    for (at, seen) in seen.iter().filter(|(_, seen)| !seen.is_open()) {
        let why = if seen.serves { "is drained" } else { "takes no clients" };
        report.note(format!("{} {why}: it is left out", fleet.name(*at)))?;
    }
    seen.retain(|(_, seen)| seen.is_open());
    if seen.len() < 2 {
        return Err(BalanceError::NothingToSpread);
    }
    let before = counts(&seen);
    let total = total(&before);
    // Those with most clients first: they need to shed least.
    let mut members: Vec<Which> = before.iter().map(|(at, _)| *at).collect();
    members.sort_by_key(|at| Reverse(before.iter().find(|(it, _)| it == at).map(|(_, n)| *n)));
    let shares = shares(&members, total);
    for (at, count) in before.iter().filter(|(at, count)| *count > shares[at]) {
        let (name, surplus) = (fleet.name(*at), count - shares[at]);
        report.note(format!("{name} has {count} connections, {surplus} above its share"))?;
    }
    if args.pace.dry_run || is_even(&before) {
        if is_even(&before) {
            report.note("they are spread evenly".to_owned())?;
        }
        return report.nothing_done(&fleet, &before);
    }
    fleet.authorize(&members)?;
    let begin = Instant::now();
    let mut evening = Evening {
        fleet: &fleet,
        pace: &args.pace,
        closed: Closed::new(&fleet),
        members,
        first: total,
        last: 0,
        looks: 0,
        sheds: BTreeMap::new(),
    };
    let done = evening.run(&stop, &mut report);
    let Evening { closed, .. } = evening;
    closed.open();
    report.end(&fleet, [&before, &done?], begin.elapsed())
}

/// Servers whose clients are being spread.
struct Evening<'a> {
    fleet: &'a Fleet,
    pace: &'a PaceArgs,
    closed: Closed<'a>,
    members: Vec<Which>,
    /// Connections of all of them at first.
    first: u64,
    /// The same at the last look, and at how many looks in a row.
    last: u64,
    looks: u32,
    /// How often each has begun to shed.
    sheds: BTreeMap<Which, u32>,
}

impl Evening<'_> {
    fn run(
        &mut self,
        stop: &Stop,
        report: &mut Report<'_, impl Write>,
    ) -> Result<Vec<(Which, u64)>, BalanceError> {
        let end = Instant::now() + self.pace.time_max(self.first);
        let mut even_looks = 0;
        loop {
            let seen = self.look(report)?;
            let counts = counts(&seen);
            let total = total(&counts);
            let is_shedding = seen.iter().any(|(_, seen)| seen.being_shed > 0);
            self.remember(total, is_shedding);
            // Clients may come and go all the while.
            even_looks = if is_even(&counts) && !is_shedding { even_looks + 1 } else { 0 };
            if even_looks >= SETTLED_LOOKS {
                return Ok(counts);
            }
            self.assert_arriving(total)?;
            let shares = self.shares(total);
            let is_above = |(at, count): &(Which, u64)| *count > shares[at];
            if self.is_settled(STALLED_LOOKS) && !counts.iter().any(is_above) {
                return Ok(counts);
            }
            for (at, seen) in seen {
                match self.lead(at, seen, shares[&at]) {
                    Err(error) if error.is_away() => self.leave(at, &error, report)?,
                    result => result?,
                }
            }
            if Instant::now() >= end {
                return Err(BalanceError::Late(self.pace.timeout));
            }
            stop.sleep(ROUND)?;
        }
    }

    /// What those say that are still there.
    fn look(
        &mut self,
        report: &mut Report<'_, impl Write>,
    ) -> Result<Vec<(Which, Seen)>, BalanceError> {
        let mut all = Vec::new();
        for (at, seen) in self.fleet.ask(&self.members, Fleet::see) {
            match seen {
                Ok(seen) => all.push((at, seen)),
                Err(error) if error.is_away() => self.leave(at, &error, report)?,
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// One has left: the others go on without it.
    fn leave(
        &mut self,
        at: Which,
        why: &BalanceError,
        report: &mut Report<'_, impl Write>,
    ) -> Result<(), BalanceError> {
        let server = self.fleet.name(at).to_owned();
        self.members.retain(|it| *it != at);
        if self.members.len() < 2 {
            return Err(BalanceError::Left { server, why: why.to_string() });
        }
        report.note(format!("{server} has left: its clients are spread over the others"))?;
        // Its clients come to the others, or are gone with it.
        self.looks = 0;
        Ok(())
    }

    /// The share of each server; all of them together are the clients, with those that are
    /// underway. Those that had most at first get what division leaves.
    fn shares(&self, total: u64) -> BTreeMap<Which, u64> {
        let is_settled = self.is_settled(SETTLED_LOOKS) && total >= self.first;
        let all = if is_settled { total } else { total.max(self.first) };
        shares(&self.members, all)
    }

    fn remember(&mut self, total: u64, is_shedding: bool) {
        self.looks = if is_shedding || total != self.last { 0 } else { self.looks + 1 };
        self.last = total;
    }

    fn is_settled(&self, looks: u32) -> bool {
        self.looks >= looks
    }

    /// Fails if clients that were shed find no place.
    fn assert_arriving(&self, total: u64) -> Result<(), BalanceError> {
        let underway = self.first.saturating_sub(total);
        let servers = self.sheds.len().max(1) as u64;
        let is_much = underway > (UNDERWAY_S * servers * u64::from(self.pace.per_second)).max(50);
        if is_much || underway > 0 && self.is_settled(STALLED_LOOKS) {
            return Err(BalanceError::Astray(underway));
        }
        Ok(())
    }

    fn lead(&mut self, at: Which, seen: Seen, share: u64) -> Result<(), BalanceError> {
        self.closed.close(at, share)?;
        if seen.being_shed > 0 || seen.connections <= share {
            return Ok(());
        }
        let sheds = self.sheds.entry(at).or_default();
        if *sheds == SHEDS_MAX {
            let server = self.fleet.name(at).to_owned();
            return Err(BalanceError::Busy { count: seen.connections - share, server });
        }
        *sheds += 1;
        self.closed.shed(at, seen.connections - share, self.pace)
    }
}

/// A number divided among servers: the first ones get what division leaves.
fn shares(members: &[Which], all: u64) -> BTreeMap<Which, u64> {
    let count = members.len() as u64;
    let share = |place: u64| all / count + u64::from(place < all % count);
    (0..).zip(members).map(|(place, at)| (*at, share(place))).collect()
}

/// Each server's connections.
pub(super) fn counts(seen: &[(Which, Seen)]) -> Vec<(Which, u64)> {
    seen.iter().map(|(at, seen)| (*at, seen.connections)).collect()
}

fn total(counts: &[(Which, u64)]) -> u64 {
    counts.iter().map(|(_, count)| count).sum()
}

/// Whether each has its share: within a twentieth, or one client if they are few.
fn is_even(counts: &[(Which, u64)]) -> bool {
    let share = total(counts) as f64 / counts.len() as f64;
    let tolerance = (share / 20.0).max(1.0);
    counts.iter().all(|(_, count)| (*count as f64 - share).abs() <= tolerance)
}

#[cfg(test)]
mod tests {
    use super::{is_even, shares};

    #[test]
    fn even_is_within_a_twentieth_or_one() {
        let even = |counts: &[u64]| {
            let counts: Vec<_> = counts.iter().copied().enumerate().collect();
            is_even(&counts)
        };
        assert!(even(&[100, 105, 95]) && even(&[0, 0, 1]) && even(&[4, 5, 6]));
        assert!(!even(&[100, 106, 94]) && !even(&[300, 0, 0]) && !even(&[3, 3, 0]));
    }

    /// Whoever finds its place last, it is there: and then they are even.
    #[test]
    fn shares_are_as_many_as_clients() {
        let of = |all| shares(&[2, 0, 1], all).into_values().collect::<Vec<_>>();
        assert_eq!([of(40), of(41), of(42), of(0)], [[13, 13, 14], [14, 13, 14], [14; 3], [0; 3]]);
    }
}
