//! `balance status`: how clients are spread.

use super::BalanceError;
use super::args::StatusArgs;
use super::fleet::{Fleet, Load, Seen};
use super::report::Report;
use super::stop::Stop;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

/// Between the two looks that show requests a second.
const BETWEEN: Duration = Duration::from_secs(1);

/// A line of the table.
struct Row {
    server: String,
    role: String,
    seen: Seen,
    per_second: f64,
}

/// What there is.
pub(super) fn status(args: &StatusArgs, out: &mut impl Write) -> Result<(), BalanceError> {
    let fleet = Fleet::of(&args.servers)?;
    let stop = Stop::watch()?;
    let mut report = Report::new(out, args.servers.json);
    let both = |fleet: &Fleet, at| Ok((fleet.load(at)?, fleet.see(at)?));
    let begin = Instant::now();
    let first = fleet.ask(&fleet.all(), both);
    stop.sleep(BETWEEN)?;
    let second = fleet.ask(&fleet.all(), both);
    let seconds = begin.elapsed().as_secs_f64();
    let (mut rows, mut away) = (Vec::new(), Vec::new());
    for ((at, before), (_, after)) in first.into_iter().zip(second) {
        match (before, after) {
            (Ok(before), Ok(after)) => rows.push(row(fleet.name(at), &before.0, after, seconds)),
            (Err(error), _) | (_, Err(error)) => away.push(error),
        }
    }
    if rows.is_empty() {
        return away.into_iter().next().map_or(Ok(()), Err);
    }
    // They are shown, but have no clients to exchange.
    let strangers = fleet.assert_one_ensemble().err().map(|error| error.to_string());
    if args.servers.json {
        let away: Vec<_> = away.iter().map(ToString::to_string).collect();
        let total = rows.iter().map(|row| row.seen.connections).sum::<u64>();
        let rows: Vec<_> = rows.iter().map(Row::json).collect();
        return report.json(&json!({
            "servers": rows, "connections": total, "away": away, "strangers": strangers,
        }));
    }
    for line in table(&rows) {
        report.note(line)?;
    }
    for error in away {
        report.note(error.to_string())?;
    }
    if let Some(strangers) = strangers {
        report.note(strangers)?;
    }
    Ok(())
}

fn row(server: &str, before: &Load, (after, seen): (Load, Seen), seconds: f64) -> Row {
    let received = after.received.saturating_sub(before.received);
    let per_second = received as f64 / seconds;
    Row { server: server.to_owned(), role: after.role, seen, per_second }
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "server": self.server,
            "role": self.role,
            "serves_clients": self.seen.serves,
            "connections": self.seen.connections,
            "requests_per_second": self.per_second.round(),
            "being_shed": self.seen.being_shed,
            "at_most": self.seen.lease.map(|(at_most, _)| at_most),
            "ends_in_ms": self.seen.lease.map(|(_, ms)| ms),
        })
    }

    fn admits(&self) -> String {
        match self.seen.lease {
            _ if !self.seen.serves => "none".to_owned(),
            None => "all".to_owned(),
            Some((at_most, ms)) => format!("{at_most} for {} s", ms.div_ceil(1_000)),
        }
    }
}

/// Each server against its share of all clients.
fn table(rows: &[Row]) -> Vec<String> {
    let open = rows.iter().filter(|row| row.seen.is_open()).count().max(1) as u64;
    let total = rows.iter().map(|row| row.seen.connections).sum::<u64>();
    let share = total as f64 / open as f64;
    let width = rows.iter().map(|row| row.server.len()).max().unwrap_or(0).max(6);
    let mut lines = vec![format!(
        "{:width$}  {:10}  {:>11}  {:>10}  {:>9}  admits",
        "server", "role", "connections", "requests/s", "to share"
    )];
    for row in rows {
        let own = if row.seen.is_open() { share } else { 0.0 };
        // A zero has no sign of its own.
        let above = (row.seen.connections as f64 - own).round() + 0.0;
        lines.push(format!(
            "{:width$}  {:10}  {:>11}  {:>10.0}  {above:>+9.0}  {}",
            row.server,
            row.role,
            row.seen.connections,
            row.per_second,
            row.admits()
        ));
    }
    lines.push(format!("{total} connections, {share:.1} for each server that admits clients"));
    lines
}

#[cfg(test)]
mod tests {
    use super::{Row, Seen, table};

    #[test]
    fn a_drained_server_has_no_share() {
        let row = |server: &str, connections, lease| Row {
            server: server.to_owned(),
            role: "follower".to_owned(),
            seen: Seen { serves: true, connections, lease, ..Seen::default() },
            per_second: 12.4,
        };
        let rows = [row("a:1", 30, None), row("b:1", 10, None), row("c:1", 2, Some((0, 60_000)))];
        let lines = table(&rows);
        assert!(lines[0].starts_with("server  role"), "{lines:#?}");
        assert!(lines[1].contains("12         +9  all"), "{lines:#?}");
        assert!(lines[2].contains("        -11  all"), "{lines:#?}");
        assert!(lines[3].ends_with("         +2  0 for 60 s"), "{lines:#?}");
        assert_eq!(lines[4], "42 connections, 21.0 for each server that admits clients");
    }
}
