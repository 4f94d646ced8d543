//! The commands that lead clients to other servers: `shed_connections`, which ZooKeeper has from
//! 3.10 on, and `admission`, which is ours.
//!
//! Source: ZooKeeper's branch master, `Commands.runCommand` and `ShedConnectionsCommand`: names,
//! keys, texts, and in which order is refused. Differently from there, no connection is closed
//! while it is busy, and no more than some in a second; so the number in the answer is of those
//! that are going to be closed.

use super::command::Command;
use super::commands::{Members, ended, failed, is_serving};
use super::json;
use crate::admin::answer::Desk;
use crate::admin::gather::Roles;
use crate::admin::inquiry::{Caller, LeaseOrder, Mode, MovingReport, ShedCounts, Unanswered};
use crate::admin::limits::{
    ORDER_BYTES_MAX, SHED_PATIENCE_MS, SHED_PATIENCE_MS_MAX, SHED_PER_SECOND, SHED_PER_SECOND_MAX,
};
use crate::admin::moving::shed_orders;
use crate::admin::text::NOT_SERVING;
use crate::gate::{LEASE_CONNECTIONS_MAX, LEASE_MS_MAX};
use hyper::StatusCode;
use model::error::ErrorCode;
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use tracing::info;

/// Who sends a request.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// From where.
    pub(super) peer: IpAddr,
    /// The header `Authorization`.
    pub(super) text: Option<String>,
}

/// A status and a text.
type Said = (StatusCode, String);

/// What is to be shed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shed {
    amount: Amount,
    per_second: u32,
    patience_ms: u32,
}

/// How much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
    Percentage(u32),
    Count(u32),
}

/// Runs a command that was posted, given any of its names. `body` is `None` if it was not received.
pub(super) async fn run(desk: &Desk, asked: &str, claim: Claim, body: Option<&[u8]>) -> Said {
    let peer = claim.peer;
    if let Err(refused) = admit(desk, asked, claim).await {
        return refused;
    }
    let members = match body.map(<[u8]>::trim_ascii) {
        None => Err(format!("The body was not received, or has more than {ORDER_BYTES_MAX} bytes")),
        Some(b"") => Err("Request body is required".to_owned()),
        Some(text) => serde_json::from_slice::<Value>(text)
            .map_err(|error| format!("Invalid JSON or failed to read request body: {error}")),
    };
    let members = members.map(|read| match read {
        Value::Object(members) => members,
        _ => Map::new(),
    });
    let is_shed = Command::named(asked) == Some(Command::ShedConnections);
    let name = if is_shed { Command::ShedConnections } else { Command::Admission }.name();
    let done = match members {
        Err(why) => Err(why),
        Ok(members) if is_shed => match Shed::read(&members) {
            Ok(shed) => Ok(begin(&desk.roles, shed, peer).await),
            Err(why) => Err(why),
        },
        Ok(members) => match lease(&members) {
            Ok(order) => Ok(lend(&desk.roles, order, peer).await),
            Err(why) => Err(why),
        },
    };
    match done {
        Ok(Ok(members)) => (StatusCode::OK, json::print(&ended(members, name, None))),
        Ok(Err(Unanswered)) => (StatusCode::OK, failed(name, NOT_SERVING.to_owned())),
        Err(why) => {
            let members = Map::from_iter([("error".to_owned(), why.into())]);
            (StatusCode::BAD_REQUEST, json::print(&ended(members, name, None)))
        }
    }
}

/// The answer to a GET of a command that can only be posted.
pub(super) async fn refuse(desk: &Desk, asked: &str, claim: Claim) -> Said {
    if let Err(refused) = admit(desk, asked, claim).await {
        return refused;
    }
    let why = format!("{asked} is not understood as GET: send it as POST");
    (StatusCode::INTERNAL_SERVER_ERROR, failed(asked, why))
}

/// Whether someone may command that.
async fn admit(desk: &Desk, asked: &str, claim: Claim) -> Result<(), Said> {
    let refused = |status, why: &str| Err((status, failed(asked, why.to_owned())));
    if !is_serving(desk).await {
        return refused(StatusCode::OK, NOT_SERVING);
    }
    let Some(text) = claim.text else {
        return refused(StatusCode::UNAUTHORIZED, "Auth info is missing for the command");
    };
    let authorized = match credentials(&text) {
        Some((scheme, auth)) => {
            let (scheme, auth) = (scheme.into(), auth.map(Into::into));
            desk.roles.authorize(Caller { address: claim.peer, scheme, auth }).await
        }
        None => Ok(Err(ErrorCode::AuthFailed)),
    };
    match authorized {
        Ok(Ok(())) => Ok(()),
        Ok(Err(ErrorCode::NoAuth)) => refused(StatusCode::FORBIDDEN, "Not authorized"),
        Ok(Err(_)) => refused(StatusCode::UNAUTHORIZED, "Not authenticated"),
        Err(Unanswered) => refused(StatusCode::OK, NOT_SERVING),
    }
}

/// The scheme and the credentials of a header, as Java splits it: blanks at the end do not count.
fn credentials(text: &str) -> Option<(&str, Option<&str>)> {
    let mut parts = text.trim_end_matches(' ').split(' ');
    match (parts.next()?, parts.next(), parts.next()) {
        (scheme, auth, None) => Some((scheme, auth)),
        _ => None,
    }
}

async fn begin(roles: &Roles, shed: Shed, peer: IpAddr) -> Result<Members, Unanswered> {
    let reports = roles.moving_reports().await?;
    let held: Vec<u64> = reports.iter().map(|report| report.connections).collect();
    let all = held.iter().sum::<u64>();
    let count = match shed.amount {
        Amount::Percentage(percentage) => (all * u64::from(percentage) + 50) / 100,
        Amount::Count(count) => u64::from(count).min(all),
    };
    roles.shed(&shed_orders(count, &held, shed.per_second, shed.patience_ms)).await?;
    info!(%peer, count, of = all, per_second = shed.per_second, "connections are being shed");
    let mut members = Map::new();
    members.insert("connections_shed".to_owned(), count.into());
    let (name, requested) = match shed.amount {
        Amount::Percentage(percentage) => ("percentage_requested", percentage),
        Amount::Count(count) => ("count_requested", count),
    };
    members.insert(name.to_owned(), requested.into());
    Ok(members)
}

async fn lend(roles: &Roles, order: LeaseOrder, peer: IpAddr) -> Result<Members, Unanswered> {
    roles.lend(order).await?;
    let LeaseOrder { at_most, for_ms } = order;
    info!(%peer, at_most, for_ms, "admission of connections is bounded for a time");
    report(roles).await
}

/// How many connections there are, how many are admitted, and how far an order to shed some is.
pub(super) async fn report(roles: &Roles) -> Result<Members, Unanswered> {
    let ordering = roles.ordering_counts().await?;
    let reports = roles.moving_reports().await?;
    let shown = |connections: u64, shed: ShedCounts| {
        json!({
            "connections": connections,
            "being_shed": shed.being_shed,
            "shed": shed.shed,
            "left_busy": shed.left_busy,
        })
    };
    let all = reports.iter().fold(MovingReport::default(), |sum, report| MovingReport {
        connections: sum.connections + report.connections,
        shed: ShedCounts {
            being_shed: sum.shed.being_shed + report.shed.being_shed,
            shed: sum.shed.shed + report.shed.shed,
            left_busy: sum.shed.left_busy + report.shed.left_busy,
        },
        lease: sum.lease.or(report.lease),
    });
    let shards: Vec<_> =
        reports.iter().map(|report| shown(report.connections, report.shed)).collect();
    let mut members = match shown(all.connections, all.shed) {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    // Those that a leader apart from its clients, or a server without an ensemble, does not take.
    let serves = !ordering.leads_apart && ordering.mode != Mode::ReadOnly;
    members.insert("serves_clients".to_owned(), serves.into());
    members.insert("at_most".to_owned(), all.lease.map(|(at_most, _)| at_most).into());
    members.insert("ends_in_ms".to_owned(), all.lease.map(|(_, ms)| ms).into());
    members.insert("shards".to_owned(), shards.into());
    Ok(members)
}

impl Shed {
    fn read(members: &Members) -> Result<Self, String> {
        let amount = match (members.get("percentage"), members.contains_key("count")) {
            (Some(percentage), _) => match as_int(percentage) {
                percentage @ 0..=100 => Amount::Percentage(percentage as u32),
                _ => return Err("Percentage must be between 0 and 100".to_owned()),
            },
            (None, true) => Amount::Count(number(members, "count", 0, u32::MAX)?),
            (None, false) => return Err("Missing required field: percentage".to_owned()),
        };
        let optional = |name, default, min, max| {
            if members.contains_key(name) { number(members, name, min, max) } else { Ok(default) }
        };
        Ok(Self {
            amount,
            per_second: optional("per_second", SHED_PER_SECOND, 1, SHED_PER_SECOND_MAX)?,
            patience_ms: optional("patience_ms", SHED_PATIENCE_MS, 0, SHED_PATIENCE_MS_MAX)?,
        })
    }
}

fn lease(members: &Members) -> Result<LeaseOrder, String> {
    let for_ms = u64::from(number(members, "for_ms", 0, LEASE_MS_MAX as u32)?);
    if for_ms == 0 && !members.contains_key("at_most") {
        return Ok(LeaseOrder { at_most: 0, for_ms });
    }
    Ok(LeaseOrder { at_most: number(members, "at_most", 0, LEASE_CONNECTIONS_MAX)?, for_ms })
}

/// A whole number between two others.
fn number(members: &Members, name: &str, min: u32, max: u32) -> Result<u32, String> {
    let Some(value) = members.get(name) else {
        return Err(format!("Missing required field: {name}"));
    };
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    let number = number.filter(|number| (min..=max).contains(number));
    number.ok_or_else(|| format!("{name} must be a whole number between {min} and {max}"))
}

/// What stock's reader takes a value for: numbers in text count, what is none is 0.
fn as_int(value: &Value) -> i64 {
    match value {
        Value::Number(number) => {
            number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(0.0) as i64)
        }
        Value::String(text) => {
            let text = text.trim();
            text.parse().unwrap_or_else(|_| text.parse::<f64>().unwrap_or(0.0) as i64)
        }
        Value::Bool(is_true) => i64::from(*is_true),
        Value::Null | Value::Array(_) | Value::Object(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Amount, Members, Shed, credentials, lease};
    use crate::admin::inquiry::LeaseOrder;

    fn members(text: &str) -> Members {
        serde_json::from_str(text).unwrap()
    }

    fn amount(text: &str) -> Result<Amount, String> {
        Shed::read(&members(text)).map(|shed| shed.amount)
    }

    #[test]
    fn a_percentage_is_read_as_stock_does() {
        for (text, percentage) in [("50", 50), ("\"50\"", 50), ("99.9", 99), ("null", 0), ("{}", 0)]
        {
            let body = format!("{{\"percentage\": {text}}}");
            assert_eq!(amount(&body), Ok(Amount::Percentage(percentage)), "{text}");
        }
        let refused = Err("Percentage must be between 0 and 100".to_owned());
        assert_eq!(amount(r#"{"percentage": 101}"#), refused);
        assert_eq!(amount(r#"{"percentage": -1}"#), refused);
        assert_eq!(amount(r#"{"percentage": 4294967346}"#), refused);
        assert_eq!(amount("{}"), Err("Missing required field: percentage".to_owned()));
    }

    #[test]
    fn our_own_keys_are_read_strictly() {
        assert_eq!(amount(r#"{"count": 7}"#), Ok(Amount::Count(7)));
        assert!(amount(r#"{"count": "7"}"#).unwrap_err().starts_with("count must be a whole"));
        let shed = Shed::read(&members(r#"{"percentage": 1, "per_second": 5}"#)).unwrap();
        assert_eq!((shed.per_second, shed.patience_ms), (5, 30_000));
        assert!(amount(r#"{"percentage": 1, "per_second": 0}"#).is_err());
        let order = lease(&members(r#"{"at_most": 3, "for_ms": 3600000}"#));
        assert_eq!(order, Ok(LeaseOrder { at_most: 3, for_ms: 3_600_000 }));
        let open = lease(&members(r#"{"for_ms": 0}"#));
        assert_eq!(open, Ok(LeaseOrder { at_most: 0, for_ms: 0 }));
        for bad in [r#"{"at_most": 3, "for_ms": 3600001}"#, r#"{"for_ms": 1}"#, r#"{"at_most": 1}"#]
        {
            assert!(lease(&members(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_header_has_one_part_or_two() {
        assert_eq!(credentials("digest a:b"), Some(("digest", Some("a:b"))));
        assert_eq!(credentials("ip "), Some(("ip", None)));
        assert_eq!(credentials("digest a:b c"), None);
        assert_eq!(credentials(""), Some(("", None)));
    }
}
