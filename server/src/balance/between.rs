//! `balance move`: some clients are led from one server to another. Meanwhile no other server
//! admits any.

use super::BalanceError;
use super::args::{MoveArgs, PaceArgs};
use super::even::{ROUND, counts};
use super::fleet::{Closed, Fleet, Which};
use super::report::Report;
use super::stop::Stop;
use std::io::Write;
use std::time::Instant;

/// After so many looks at which no client has come, none will.
const STALLED_LOOKS: u32 = 20;

/// Moves some clients.
pub(super) fn between(args: &MoveArgs, out: &mut impl Write) -> Result<(), BalanceError> {
    args.pace.check()?;
    let fleet = Fleet::of(&args.servers)?;
    let (from, to) = (fleet.find(&args.from)?, fleet.find(&args.to)?);
    if from == to {
        return Err(BalanceError::Same(args.from.clone()));
    }
    let stop = Stop::watch()?;
    let mut report = Report::new(out, args.servers.json);
    let seen = fleet.see_all(&fleet.all())?;
    fleet.assert_one_ensemble()?;
    let before = counts(&seen);
    if !seen[to].1.is_open() {
        return Err(BalanceError::Closed(args.to.clone()));
    }
    if seen[from].1.connections < u64::from(args.count) {
        let (server, found) = (args.from.clone(), seen[from].1.connections);
        return Err(BalanceError::TooFew { server, found, wanted: args.count });
    }
    if args.pace.dry_run {
        let (count, one, other) = (args.count, &args.from, &args.to);
        report.note(format!("{count} clients of {one} would be led to {other}"))?;
        return report.nothing_done(&fleet, &before);
    }
    // What somebody keeps closed stays so, and need not be closed.
    let others = seen.iter().filter(|(at, seen)| *at != to && !seen.is_drained());
    let others: Vec<_> = others.map(|(at, _)| *at).collect();
    fleet.authorize(&others)?;
    let begin = Instant::now();
    let mut moving = Moving {
        fleet: &fleet,
        pace: &args.pace,
        closed: Closed::new(&fleet),
        others,
        from,
        to,
        wanted: seen[to].1.connections + u64::from(args.count),
    };
    let done = moving.run(u64::from(args.count), &stop, &mut report);
    let Moving { closed, .. } = moving;
    closed.open();
    done?;
    report.end(&fleet, [&before, &counts(&fleet.see_all(&fleet.all())?)], begin.elapsed())
}

struct Moving<'a> {
    fleet: &'a Fleet,
    pace: &'a PaceArgs,
    closed: Closed<'a>,
    others: Vec<Which>,
    from: Which,
    to: Which,
    /// Connections that the destination is to have.
    wanted: u64,
}

impl Moving<'_> {
    fn run(
        &mut self,
        count: u64,
        stop: &Stop,
        report: &mut Report<'_, impl Write>,
    ) -> Result<(), BalanceError> {
        let end = Instant::now() + self.pace.time_max(count);
        self.close(report)?;
        self.closed
            .shed(self.from, count, self.pace)
            .map_err(|error| self.left(self.from, error))?;
        let (mut last, mut looks) = (0, 0);
        loop {
            self.close(report)?;
            let from = self.fleet.see(self.from).map_err(|error| self.left(self.from, error))?;
            let to = self.fleet.see(self.to).map_err(|error| self.left(self.to, error))?;
            let is_over = from.being_shed == 0;
            if is_over && to.connections + from.left_busy >= self.wanted {
                let server = self.fleet.name(self.from).to_owned();
                return match from.left_busy {
                    0 => Ok(()),
                    count => Err(BalanceError::Busy { count, server }),
                };
            }
            looks = if to.connections == last { looks + 1 } else { 0 };
            last = to.connections;
            if is_over && looks >= STALLED_LOOKS {
                let underway = self.wanted.saturating_sub(to.connections + from.left_busy);
                return Err(BalanceError::Astray(underway));
            }
            if Instant::now() >= end {
                return Err(BalanceError::Late(self.pace.timeout));
            }
            stop.sleep(ROUND)?;
        }
    }

    /// Closes all but the destination for a moment, or renews that.
    fn close(&mut self, report: &mut Report<'_, impl Write>) -> Result<(), BalanceError> {
        let mut away = Vec::new();
        for at in &self.others {
            match self.closed.close(*at, 0) {
                Err(error) if error.is_away() && *at != self.from => away.push(*at),
                result => result.map_err(|error| self.left(*at, error))?,
            }
        }
        for at in away {
            self.others.retain(|other| *other != at);
            report.note(format!("{} has left", self.fleet.name(at)))?;
        }
        Ok(())
    }

    fn left(&self, at: Which, error: BalanceError) -> BalanceError {
        if !error.is_away() {
            return error;
        }
        let server = self.fleet.name(at).to_owned();
        BalanceError::Left { server, why: error.to_string() }
    }
}
