//! The commands of the admin server: stock's names, stock's keys, in stock's order.

use crate::admin::answer::Desk;
use crate::admin::gather::Roles;
use crate::admin::http::command::Command;
use crate::admin::http::{ensemble, json, moving};
use crate::admin::inquiry::{ConnectionReport, LastMaxMin, Mode, Unanswered};
use crate::admin::limits::{ANSWER_BYTES_MAX, CONNECTION_BYTES, PATH_BYTES};
use crate::admin::room::{Held, Size};
use crate::admin::text::dump::Sessions;
use crate::admin::text::{NOT_SERVING, Peer, conf};
use crate::admin::totals::Totals;
use crate::admin::values::Value as Reported;
use hyper::StatusCode;
use model::session::SessionId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a command reports, as named members.
pub(super) type Members = Map<String, Value>;

/// What a command reports.
enum Answer {
    /// A few numbers.
    Short(Value),
    /// To be formatted from what was gathered, which may take a while.
    Gathered(Box<dyn FnOnce() -> Value + Send>),
}

impl Answer {
    fn gathered(make: impl FnOnce() -> Value + Send + 'static) -> Self {
        Self::Gathered(Box::new(make))
    }

    fn members(self) -> Members {
        let shown = match self {
            Self::Short(shown) => shown,
            Self::Gathered(make) => make(),
        };
        match shown {
            Value::Object(members) => members,
            _ => Members::new(),
        }
    }
}

/// Sessions with paths; one may continue in the next.
type PathsOfSessions = Vec<(SessionId, Vec<Arc<[u8]>>)>;

/// The page that lists the commands.
pub(super) fn index(url: &str) -> String {
    let mut page = String::new();
    for name in Command::all().map(Command::name) {
        let _ = write!(page, "<a href=\"{url}/{name}\">{name}</a>\n<br/>\n");
    }
    page
}

/// What a command's answer grows with.
pub(in crate::admin) fn size(asked: &str) -> Size {
    Command::named(asked).map_or(Size::Short, Command::size)
}

/// Runs a command, given any of its names. Returns its answer as text.
pub(in crate::admin) async fn run(
    desk: &Desk,
    asked: &str,
    query: &str,
    held: &mut Held,
) -> (StatusCode, String) {
    let Some(command) = Command::named(asked) else {
        return (StatusCode::OK, failed(asked, unknown(asked)));
    };
    let name = command.name();
    if matches!(command, Command::Snapshot | Command::Restore) && is_serving(desk).await {
        let why = "taking and restoring snapshots by command is not built yet".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, failed(name, why));
    }
    let shown = match answer(desk, command, query).await {
        Ok(answer) => held.make(move || json::print(&ended(answer.members(), name, None))).await,
        Err(unanswered) => Err(unanswered),
    };
    (StatusCode::OK, shown.unwrap_or_else(|Unanswered| failed(name, NOT_SERVING.to_owned())))
}

/// The answer to a command that failed.
pub(super) fn failed(name: &str, why: String) -> String {
    json::print(&ended(Members::new(), name, Some(why)))
}

fn unknown(asked: &str) -> String {
    format!("Unknown command: {asked}")
}

/// Appends the command and its error to what it reports.
pub(super) fn ended(mut members: Members, name: &str, error: Option<String>) -> Value {
    members.insert("command".to_owned(), name.into());
    if !members.contains_key("error") {
        members.insert("error".to_owned(), error.into());
    }
    Value::Object(members)
}

/// Whether the server serves clients.
pub(super) async fn is_serving(desk: &Desk) -> bool {
    desk.roles.ordering_counts().await.is_ok_and(|counts| counts.is_serving)
}

async fn answer(desk: &Desk, command: Command, query: &str) -> Result<Answer, Unanswered> {
    if !command.is_always_answered() && !is_serving(desk).await {
        return Err(Unanswered);
    }
    Ok(Answer::Short(match command {
        Command::Admission => Value::Object(moving::report(&desk.roles).await?),
        Command::Configuration => configuration(&desk.facts.conf),
        Command::ConnectionStatReset => {
            desk.roles.reset_connections().await?;
            json!({})
        }
        Command::Connections => {
            let all = connections(&desk.roles).await?;
            return Ok(Answer::gathered(
                move || json!({ "connections": listed(&all, true), "secure_connections": [] }),
            ));
        }
        Command::Dirs => {
            let sizes = desk.sizes().await;
            json!({ "datadir_size": sizes.data_bytes, "logdir_size": sizes.log_bytes })
        }
        Command::Dump => return dump(&desk.roles).await,
        Command::Environment => environment(desk).await,
        Command::GetTraceMask => json!({ "tracemask": desk.trace_mask.load(Ordering::Relaxed) }),
        Command::SetTraceMask => set_trace_mask(desk, query),
        Command::Hash => digests(&desk.roles).await?,
        Command::InitialConfiguration => {
            // Stock's servers of an ensemble do not keep it.
            let kept = desk.facts.conf.ensemble.is_none().then_some(&desk.facts.initial);
            json!({ "initial_configuration": kept })
        }
        Command::IsReadOnly => {
            let mode = desk.roles.ordering_counts().await?.mode;
            json!({ "read_only": mode == Mode::ReadOnly })
        }
        Command::LastSnapshot => last_snapshot(&desk.roles).await?,
        Command::Leader => ensemble::leader(desk).await?,
        Command::Monitor => return monitor(desk).await,
        Command::Observers => ensemble::observers(desk).await?,
        Command::ServerStats => server_stats(desk).await?,
        Command::Stats => {
            let mut stats = server_stats(desk).await?;
            let all = connections(&desk.roles).await?;
            return Ok(Answer::gathered(move || {
                stats["connections"] = listed(&all, false);
                stats["secure_connections"] = json!([]);
                stats
            }));
        }
        Command::StatReset => {
            desk.reset_counts(false).await?;
            json!({})
        }
        Command::SystemProperties => system_properties(desk).await,
        Command::VotingView => ensemble::voting_view(desk).await?,
        Command::WatchSummary => watch_summary(desk).await?,
        Command::Watches => return watches(&desk.roles).await,
        Command::WatchesByPath => return watches_by_path(&desk.roles).await,
        Command::Zabstate => ensemble::zabstate(desk).await?,
        Command::ObserverConnectionStatReset => {
            desk.roles.reset_observers().await?;
            json!({})
        }
        Command::Ruok | Command::ShedConnections | Command::Snapshot | Command::Restore => {
            json!({})
        }
    }))
}

/// As `json!`, but without copying its arguments.
fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn configuration(conf: &conf::Conf) -> Value {
    json!({
        "client_port": conf.client_port(),
        "data_dir": conf.data_dir.to_string_lossy(),
        "data_log_dir": conf.data_log_dir.to_string_lossy(),
        "tick_time": conf.tick_ms,
        "max_client_cnxns": conf.per_address_max,
        "min_session_timeout": conf.timeout_min_ms,
        "max_session_timeout": conf.timeout_max_ms,
        "server_id": conf.server_id(),
        "client_port_listen_backlog": conf.backlog,
    })
}

async fn connections(roles: &Roles) -> Result<Vec<ConnectionReport>, Unanswered> {
    let mut all = Vec::new();
    let add = |report: &ConnectionReport| {
        all.push(*report);
        room(all.len() * CONNECTION_BYTES)
    };
    // What does not fit is left out.
    let _ = roles.connections(add).await?;
    Ok(all)
}

fn listed(connections: &[ConnectionReport], is_full: bool) -> Value {
    connections.iter().map(|report| connection(report, is_full)).collect()
}

fn connection(report: &ConnectionReport, is_full: bool) -> Value {
    let address = Peer(report.peer).to_string();
    let mut shown = json!({
        "remote_socket_address": address.trim_start_matches('/'),
        "interest_ops": u8::from(report.is_reading) | u8::from(report.is_writing) << 2,
        "outstanding_requests": report.queued,
        "packets_received": report.received,
        "packets_sent": report.sent,
    });
    if is_full {
        let latency = report.latency;
        let (min, max) = if latency.count == 0 { (0, 0) } else { (latency.min, latency.max) };
        shown["session_id"] = report.session.0.into();
        shown["last_operation"] = report.last_op.map_or("NA", |op| op.short_name()).into();
        shown["established"] = report.established_ms.into();
        shown["session_timeout"] = report.timeout_ms.into();
        shown["last_cxid"] = report.last_cxid.into();
        shown["last_zxid"] = report.last_zxid.0.into();
        shown["last_response_time"] = report.last_response_ms.into();
        shown["last_latency"] = report.last_latency_ms.into();
        shown["min_latency"] = min.into();
        shown["avg_latency"] = latency.sum.checked_div(latency.count).unwrap_or(0).into();
        shown["max_latency"] = max.into();
    }
    shown
}

async fn dump(roles: &Roles) -> Result<Answer, Unanswered> {
    let live = roles.sessions().await?;
    let (mut owned, mut bytes) = (PathsOfSessions::new(), 0);
    let step = roles.ephemerals(|report, _| {
        bytes += bytes_of(&report.paths);
        owned.push((report.session, report.paths.clone()));
        room(bytes)
    });
    let _ = step.await?;
    Ok(Answer::gathered(move || {
        let mut by_expiry = Members::new();
        // A learner's leader decides that.
        let live = if live.is_tracking { live.by_expiry() } else { Sessions::default() };
        // As in ZooKeeper, global sessions take the place of local ones that expire with them.
        for sessions in live.local.iter().chain([&live.sessions]) {
            for set in sessions.chunk_by(|a, b| a.expires_ms == b.expires_ms) {
                let ids: Vec<_> = set.iter().map(|entry| entry.session.0).collect();
                by_expiry.insert(set[0].expires_ms.to_string(), ids.into());
            }
        }
        object([
            ("expiry_time_to_session_ids", Value::Object(by_expiry)),
            ("session_id_to_ephemeral_paths", by_session(owned)),
        ])
    }))
}

/// Each session with all of its paths.
fn by_session(gathered: PathsOfSessions) -> Value {
    let mut sessions = BTreeMap::<String, Vec<Value>>::new();
    for (session, paths) in gathered {
        let paths = paths.iter().map(|path| String::from_utf8_lossy(path).into());
        sessions.entry(session.0.to_string()).or_default().extend(paths);
    }
    sessions.into_iter().collect()
}

async fn environment(desk: &Desk) -> Value {
    let lines = conf::lines(desk.version(), &desk.environment().await);
    Value::Object(lines.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// In place of Java's properties: those about the machine that have a meaning here, and those set
/// by the configuration.
async fn system_properties(desk: &Desk) -> Value {
    let environment = conf::lines(desk.version(), &desk.environment().await);
    let machine = environment.into_iter().filter(|(name, value)| {
        let is_of_machine = ["os.", "user.", "java.io"].iter().any(|stem| name.starts_with(stem));
        is_of_machine && !name.starts_with("os.memory") && value != "<NA>"
    });
    let mut shown: BTreeMap<String, String> =
        machine.map(|(name, value)| (name.to_owned(), value)).collect();
    shown.extend(desk.facts.properties.iter().cloned());
    json!(shown)
}

fn set_trace_mask(desk: &Desk, query: &str) -> Value {
    let mut arguments = form_urlencoded::parse(query.as_bytes());
    let argument = arguments.find(|(name, _)| name == "traceMask").map(|(_, text)| text);
    let wanted = "setTraceMask requires long traceMask argument";
    match argument.map(|text| (text.clone(), text.parse::<i64>())) {
        Some((_, Ok(mask))) => {
            desk.trace_mask.store(mask, Ordering::Relaxed);
            json!({ "tracemask": mask })
        }
        Some((text, Err(_))) => json!({ "error": format!("{wanted}, got {text}") }),
        None => json!({ "error": wanted }),
    }
}

async fn last_snapshot(roles: &Roles) -> Result<Value, Unanswered> {
    let last = roles.ordering_counts().await?.last_snapshot;
    let (zxid, at_ms) = last.map_or((-1, -1000), |(zxid, at_ms)| (zxid.0, at_ms));
    Ok(json!({ "zxid": format!("{zxid:x}"), "timestamp": at_ms.div_euclid(1000) }))
}

async fn digests(roles: &Roles) -> Result<Value, Unanswered> {
    let digests = roles.digests().await?;
    let shown: Vec<_> = digests
        .into_iter()
        .map(|(zxid, digest)| {
            // Java has signed numbers only.
            json!({ "zxid": zxid.0, "digest": digest as i64, "digest_version": 2 })
        })
        .collect();
    Ok(json!({ "digests": shown }))
}

async fn monitor(desk: &Desk) -> Result<Answer, Unanswered> {
    let (version, monitored) = (desk.version(), desk.monitored().await?);
    Ok(Answer::gathered(move || {
        let version = ("version".to_owned(), version.to_string().into());
        let values = monitored.values().into_iter().map(|(name, value)| (name, number(&value)));
        std::iter::once(version).chain(values).collect()
    }))
}

fn number(value: &Reported) -> Value {
    match value {
        Reported::Text(text) => text.as_str().into(),
        // What does not fit JSON's numbers is reported as text.
        other => {
            let text = other.to_string();
            serde_json::from_str(&text).unwrap_or_else(|_| text.into())
        }
    }
}

async fn server_stats(desk: &Desk) -> Result<Value, Unanswered> {
    let (totals, process, sizes) = (desk.counts().await?, desk.process().await, desk.sizes().await);
    let (shards, ordering) = (&totals.shards, &totals.ordering);
    let responses = sizes_of(shards.response_bytes);
    let mut stats = json!({
        "version": desk.version().to_string(),
        "read_only": ordering.mode == Mode::ReadOnly,
        "server_stats": {
            "packets_sent": shards.sent,
            "packets_received": shards.received,
            "fsync_threshold_exceed_count": ordering.slow_flushes,
            "client_response_stats": responses,
            "provider_null": false,
            "data_dir_size": sizes.data_bytes,
            "log_dir_size": sizes.log_bytes,
            "last_processed_zxid": ordering.zxid.0,
            "outstanding_requests": shards.outstanding,
            "server_state": ordering.mode.name(),
            "avg_latency": number(&Reported::Mean(shards.latency)),
            "max_latency": totals.latency_max(),
            "min_latency": totals.latency_min(),
            "num_alive_client_connections": shards.connections,
            "uptime": process.uptime_ms,
            "auth_failed_count": shards.auth_failed,
            "non_mtlsremote_conn_count": 0,
            "non_mtlslocal_conn_count": 0,
        },
        "client_response": responses,
    });
    if let Some(leading) = ordering.leading() {
        stats["proposal_stats"] = sizes_of(leading.proposal_bytes);
    }
    stats["node_count"] = ordering.node_count.into();
    Ok(stats)
}

fn sizes_of(sizes: Option<LastMaxMin>) -> Value {
    let [last, max, min] =
        sizes.map_or([-1; 3], |s| [s.last, s.max, s.min].map(|bytes| bytes as i64));
    json!({ "last_buffer_size": last, "min_buffer_size": min, "max_buffer_size": max })
}

async fn watch_summary(desk: &Desk) -> Result<Value, Unanswered> {
    let Totals { shards, .. } = desk.counts().await?;
    let counts = desk.roles.watch_counts(shards.data_watches).await?;
    Ok(json!({
        "num_connections": counts.connections,
        "num_paths": counts.paths,
        "num_total_watches": counts.watches,
    }))
}

async fn watches(roles: &Roles) -> Result<Answer, Unanswered> {
    let watches = gather_watches(roles).await?;
    Ok(Answer::gathered(move || object([("session_id_to_watched_paths", by_session(watches))])))
}

async fn watches_by_path(roles: &Roles) -> Result<Answer, Unanswered> {
    let watches = gather_watches(roles).await?;
    Ok(Answer::gathered(move || {
        let mut sessions_by_path = BTreeMap::<String, Vec<i64>>::new();
        for (session, paths) in watches {
            for path in paths {
                let path = String::from_utf8_lossy(&path).into_owned();
                sessions_by_path.entry(path).or_default().push(session.0);
            }
        }
        object([("path_to_session_ids", sessions_by_path.into_iter().collect())])
    }))
}

async fn gather_watches(roles: &Roles) -> Result<PathsOfSessions, Unanswered> {
    let (mut watches, mut bytes) = (PathsOfSessions::new(), 0);
    let step = roles.watches(|report, _| {
        bytes += bytes_of(&report.paths);
        watches.push((report.session, report.paths.clone()));
        room(bytes)
    });
    let _ = step.await?;
    Ok(watches)
}

/// The memory that paths need while an answer is made of them.
fn bytes_of(paths: &[Arc<[u8]>]) -> usize {
    paths.iter().map(|path| path.len() + PATH_BYTES).sum()
}

/// Breaks if the answer is full.
fn room(bytes: usize) -> ControlFlow<()> {
    if bytes < ANSWER_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
}
