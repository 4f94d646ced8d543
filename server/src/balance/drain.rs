//! `balance drain`: all clients are led away from a server, which admits none afterwards.

use super::BalanceError;
use super::args::DrainArgs;
use super::even::{ROUND, counts};
use super::fleet::{Closed, Fleet, Seen, Which};
use super::report::Report;
use super::stop::Stop;
use std::io::Write;
use std::time::{Duration, Instant};

/// How often what is left is tried again: connections without a session, or that came meanwhile.
const SHEDS_MAX: u32 = 3;
/// How many of the clients that are left are named.
const NAMED_MAX: usize = 20;

/// Drains a server.
pub(super) fn drain(args: &DrainArgs, out: &mut impl Write) -> Result<(), BalanceError> {
    args.pace.check()?;
    let fleet = Fleet::of(&args.servers)?;
    let at = fleet.find(&args.server)?;
    let stop = Stop::watch()?;
    let mut report = Report::new(out, args.servers.json);
    let own = fleet.see(at)?;
    let others: Vec<_> = fleet.all().into_iter().filter(|other| *other != at).collect();
    fleet.assert_one_ensemble()?;
    check(args, &fleet, at, &others)?;
    let name = fleet.name(at);
    let lease = Duration::from_secs(60 * u64::from(args.minutes));
    if args.pace.dry_run {
        let (count, minutes) = (own.connections, args.minutes);
        let what = "would be led to other servers";
        report.note(format!(
            "{count} clients of {name} {what}, and none admitted for {minutes} min"
        ))?;
        return report.nothing_done(&fleet, &counts(&[(at, own)]));
    }
    fleet.authorize(&[at])?;
    let begin = Instant::now();
    let mut closed = Closed::new(&fleet);
    let count = own.connections;
    let draining = Draining { fleet: &fleet, args, at, others: &others, count };
    let left = match draining.run(&mut closed, lease, &stop) {
        Ok(left) => left,
        Err(error) => {
            closed.open();
            return Err(error);
        }
    };
    // It stays closed, also if the command took long.
    fleet.lend(at, 0, lease)?;
    let after = fleet.see_all(&[at]).map(|seen| counts(&seen)).unwrap_or_default();
    if left.connections > 0 {
        for client in fleet.clients(at).iter().take(NAMED_MAX) {
            report.note(format!("stays at {name}: {client}"))?;
        }
    }
    let minutes = args.minutes;
    report.note(format!(
        "{name} admits no clients for {minutes} min; POST admission {{\"for_ms\": 0}} opens it"
    ))?;
    report.end(&fleet, [&counts(&[(at, own)]), &after], begin.elapsed())?;
    match left.connections {
        0 => Ok(()),
        count => Err(BalanceError::Busy { count, server: name.to_owned() }),
    }
}

/// Whether its clients have somewhere to go.
fn check(args: &DrainArgs, fleet: &Fleet, at: Which, others: &[Which]) -> Result<(), BalanceError> {
    if args.force {
        return Ok(());
    }
    let seen = fleet.ask(others, Fleet::see);
    for (other, seen) in &seen {
        if seen.as_ref().is_ok_and(Seen::is_drained) {
            let other = fleet.name(*other).to_owned();
            return Err(BalanceError::OtherDrained { other });
        }
    }
    if !seen.iter().any(|(_, seen)| seen.as_ref().is_ok_and(Seen::is_open)) {
        return Err(BalanceError::Last(fleet.name(at).to_owned()));
    }
    Ok(())
}

/// A server that is being drained.
struct Draining<'a> {
    fleet: &'a Fleet,
    args: &'a DrainArgs,
    at: Which,
    others: &'a [Which],
    /// Its connections at first.
    count: u64,
}

impl Draining<'_> {
    /// Leads its clients away until none is left, or none that can be.
    fn run(
        &self,
        closed: &mut Closed<'_>,
        lease: Duration,
        stop: &Stop,
    ) -> Result<Seen, BalanceError> {
        let pace = &self.args.pace;
        let end = Instant::now() + pace.time_max(self.count);
        // Closed for a moment first: if the command is ended at once, so is this.
        closed.close(self.at, 0)?;
        self.fleet.lend(self.at, 0, lease)?;
        // Of two drains that begin at once, the later one sees the other here.
        check(self.args, self.fleet, self.at, self.others)?;
        let (mut sheds, mut before) = (0, u64::MAX);
        loop {
            let seen = self.fleet.see(self.at).map_err(|error| self.left(error))?;
            if seen.connections == 0 || Instant::now() >= end {
                return Ok(seen);
            }
            if seen.being_shed == 0 {
                // Those that were closed last may not be gone yet.
                let is_progress = seen.connections < before;
                if sheds == SHEDS_MAX || sheds > 0 && seen.left_busy > 0 && !is_progress {
                    return Ok(seen);
                }
                if sheds == 0 || !is_progress {
                    sheds += 1;
                    let shed = closed.shed(self.at, seen.connections, pace);
                    shed.map_err(|error| self.left(error))?;
                }
                before = seen.connections;
            }
            self.assert_served()?;
            stop.sleep(ROUND)?;
        }
    }

    /// Fails if no other server is there any more.
    fn assert_served(&self) -> Result<(), BalanceError> {
        let answers = self.fleet.ask(self.others, Fleet::see);
        let is_served = answers.iter().any(|(_, seen)| seen.is_ok());
        let away = answers.into_iter().find_map(|(at, seen)| Some((at, seen.err()?)));
        match away {
            Some((at, why)) if !is_served => {
                let server = self.fleet.name(at).to_owned();
                Err(BalanceError::Left { server, why: why.to_string() })
            }
            _ => Ok(()),
        }
    }

    fn left(&self, error: BalanceError) -> BalanceError {
        if !error.is_away() {
            return error;
        }
        let (server, minutes) = (self.fleet.name(self.at).to_owned(), self.args.minutes);
        BalanceError::DrainedLeft { server, why: error.to_string(), minutes }
    }
}
