//! The parts of the configuration, one function for each.

use crate::config::keys::{self, Property};
use crate::config::written::Origin;
use engine::settings::LocalSessions;
use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use super::{
    AdminServer, Balancing, Config, Connections, Durability, FourLetterWords, LargeRequests, Log,
    Logging, MetricsProvider, Placement, Purge, Requests, SEGMENT_BYTES_MIN, Sessions, Storage,
    Throttle, Tree, access,
    ensemble::{Ensemble, Own},
    listening,
    settle::{NOT_SHOWN, Settled, is_secret},
};

/// The shortest time that a server of an ensemble looks for a leader before it serves read-only
/// clients, as in ZooKeeper's `QuorumPeer`; a longer tick counts instead.
const READ_ONLY_AFTER_MS_MIN: u64 = 2000;

/// All four-letter words.
pub(in crate::config) const WORDS: [&str; 18] = [
    "conf", "cons", "crst", "dirs", "dump", "envi", "gtmk", "hash", "isro", "mntr", "ruok", "srst",
    "srvr", "stat", "stmk", "wchc", "wchp", "wchs",
];
/// How much longer than a request a stored txn may be at least, as ZooKeeper's bound.
const EXTRA_BYTES_MIN: u32 = 1_024;
const MIB: u64 = 1 << 20;

pub(super) fn config(settled: &mut Settled<'_>, own: Own, ensemble: Option<Ensemble>) -> Config {
    let requests = requests(settled);
    let log = log(settled, &requests);
    Config {
        listen: listening::clients(settled, own),
        families: listening::families(settled),
        connections: connections(settled, ensemble.as_ref()),
        ensemble,
        sessions: sessions(settled),
        requests,
        tree: tree(settled),
        access: access::access(settled),
        storage: storage(settled),
        log,
        four_letter_words: four_letter_words(settled),
        placement: placement(settled),
        profile: settled.maybe_text("ring.profile").map(PathBuf::from),
        admin: admin(settled),
        logging: logging(settled),
        initial: settled.file_text().lines().map(without_secret).collect(),
        properties: properties(settled),
    }
}

fn without_secret(line: &str) -> String {
    match line.split_once(['=', ':', ' ']) {
        Some((key, _)) if is_secret(key) => format!("{key}={NOT_SHOWN}\n"),
        _ => format!("{line}\n"),
    }
}

/// What was written, as Java's properties would hold it.
fn properties(settled: &Settled<'_>) -> Vec<(String, String)> {
    let mut properties = Vec::new();
    for entry in settled.entries() {
        let property = keys::find(&entry.key).map(|key| key.property);
        let name = match (&entry.origin, property) {
            (Origin::JvmFlags | Origin::ServerJvmFlags, _)
            | (Origin::Set, Some(Property::Bare)) => entry.key.clone(),
            (_, Some(Property::FileOnly)) => continue,
            _ => format!("zookeeper.{}", entry.key),
        };
        let value = if is_secret(&name) { NOT_SHOWN } else { &entry.value };
        properties.push((name, value.to_owned()));
    }
    properties
}

fn admin(settled: &mut Settled<'_>) -> AdminServer {
    let provider = match settled.text("metricsProvider.className").rsplit('.').next() {
        Some("NullMetricsProvider") => MetricsProvider::Null,
        Some("PrometheusMetricsProvider") => MetricsProvider::Prometheus,
        _ => MetricsProvider::Default,
    };
    let commands = listening::http(settled, "admin.serverAddress", "admin.serverPort");
    let metrics = listening::http(settled, "metricsProvider.httpHost", "metricsProvider.httpPort");
    let url = settled.maybe_text("admin.commandURL").unwrap_or_default();
    let is_enabled = settled.flag("admin.enableServer");
    if is_enabled && !url.is_empty() && !url.starts_with('/') {
        settled.fail_value("admin.commandURL", "a path that begins with /");
    }
    AdminServer {
        commands: is_enabled.then_some(commands),
        is_wanted: settled.is_written("admin.serverPort")
            || settled.is_written("admin.serverAddress"),
        url: format!("/{}", url.trim_matches('/')),
        // Jetty waits forever if this is not positive.
        idle_ms: settled.positive("admin.idleTimeout").unwrap_or(u32::MAX),
        provider,
        has_old_date: settled.text("ring.versionLine") == "3.4",
        metrics: (provider == MetricsProvider::Prometheus).then_some(metrics),
        balancing: balancing(settled),
    }
}

fn balancing(settled: &Settled<'_>) -> Option<Balancing> {
    let balancing = Balancing {
        every: Duration::from_secs(settled.natural("ring.balance.seconds").into()),
        tolerance_percent: settled.natural("ring.balance.tolerancePercent"),
        per_second: settled.natural("ring.balance.perSecond"),
    };
    (settled.text("ring.balance") == "on").then_some(balancing)
}

/// A bound on connects, if there are any tokens at all. In stock the tokens count global sessions,
/// and each session takes several tokens if sessions have weights.
fn throttle(settled: &Settled<'_>, ensemble: Option<&Ensemble>) -> Option<Throttle> {
    let tokens = settled.natural("connection_throttle_tokens");
    let is_weighed = settled.flag("connection_throttle_weight_enabled");
    let local = settled.natural("connection_throttle_local_session_weight");
    let weight = |key: &'static str| {
        let weight = settled.natural(key).max(local);
        if is_weighed { weight } else { 1 }
    };
    let session = weight("connection_throttle_global_session_weight");
    let renewal = weight("connection_throttle_renew_session_weight");
    let is_local = ensemble.is_some_and(|it| it.local_sessions != LocalSessions::Off);
    let fill = settled.natural("connection_throttle_fill_count");
    let throttle = Throttle {
        tokens_max: tokens.saturating_mul(session),
        fill_ms: settled.natural("connection_throttle_fill_time"),
        fill_tokens: fill.saturating_mul(session),
        // Only -1 means never; below it, the probability changes at every connect.
        freeze_ms: match settled.whole("connection_throttle_freeze_time") {
            -1 => None,
            ms => Some(u32::try_from(ms).unwrap_or(0)),
        },
        drop_increase: settled.millionths("connection_throttle_drop_increase"),
        drop_decrease: settled.millionths("connection_throttle_drop_decrease"),
        decrease_ratio: settled.millionths("connection_throttle_decrease_ratio"),
        session_tokens: if is_local && is_weighed { local } else { session },
        renewal_tokens: renewal,
    };
    (throttle.tokens_max > 0).then_some(throttle)
}

fn connections(settled: &Settled<'_>, ensemble: Option<&Ensemble>) -> Connections {
    Connections {
        per_address_max: settled.positive("maxClientCnxns"),
        per_address_written: settled.whole("maxClientCnxns"),
        total_max: settled.positive("maxCnxns"),
        tcp_keep_alive: settled.flag("clientTcpKeepAlive"),
        sessionless_timeout_ms: settled.natural("nio.sessionlessCnxnTimeout"),
        throttle: throttle(settled, ensemble),
    }
}

fn sessions(settled: &mut Settled<'_>) -> Sessions {
    let tick_ms = settled.int("tickTime");
    let bound = |settled: &Settled<'_>, key, ticks| match settled.int(key) {
        // As Java multiplies: a long tick makes a negative bound, and that a conflict below.
        -1 => tick_ms.wrapping_mul(ticks),
        written => written,
    };
    let timeout_min_ms = bound(settled, "minSessionTimeout", 2);
    let timeout_max_ms = bound(settled, "maxSessionTimeout", 20);
    if timeout_min_ms > timeout_max_ms {
        let key = ["minSessionTimeout", "maxSessionTimeout", "tickTime"]
            .into_iter()
            .find(|key| settled.is_written(key))
            .unwrap_or("tickTime");
        let with = format!(
            "the shortest timeout, {timeout_min_ms} ms, is longer than the longest, \
             {timeout_max_ms} ms"
        );
        settled.fail_conflict(key, with);
    }
    let at_least_1 = |ms: i32| u32::try_from(ms).unwrap_or(0).max(1);
    Sessions {
        tick_ms: at_least_1(tick_ms),
        timeout_min_ms: at_least_1(timeout_min_ms),
        timeout_min_written_ms: timeout_min_ms,
        timeout_max_written_ms: timeout_max_ms,
        timeout_max_ms: at_least_1(timeout_max_ms),
        close_txn_lists_paths: settled.flag("closeSessionTxn.enabled"),
        read_only_after_ms: settled
            .flag("readonlymode.enabled")
            .then(|| u64::from(at_least_1(tick_ms)).max(READ_ONLY_AFTER_MS_MIN)),
    }
}

fn requests(settled: &Settled<'_>) -> Requests {
    let jute_bytes_max = settled.natural("jute.maxbuffer");
    let extra = settled.maybe_natural("jute.maxbuffer.extrasize").unwrap_or(jute_bytes_max);
    let large_total = settled.natural("largeRequestMaxBytes");
    let large_from = settled.positive("largeRequestThreshold");
    Requests {
        jute_bytes_max,
        // Both together must fit the length field of a frame.
        jute_extra_bytes: extra.max(EXTRA_BYTES_MIN).min(i32::MAX as u32 - jute_bytes_max),
        // Both bound the same here: requests that are not answered yet.
        confirms_syncs: settled.text("ring.sync") == "quorum",
        outstanding_max: settled
            .positive("request_throttle_max_requests")
            .unwrap_or(u32::MAX)
            .min(settled.natural("globalOutstandingLimit")),
        large: large_from
            .map(|threshold_bytes| LargeRequests { threshold_bytes, total_bytes_max: large_total }),
    }
}

fn tree(settled: &Settled<'_>) -> Tree {
    Tree {
        extended_types_enabled: settled.flag("extendedTypesEnabled"),
        emulate_353_ttl: settled.flag("emulate353TTLNodes"),
        enforce_quota: settled.flag("enforceQuota"),
        digest_enabled: settled.flag("digest.enabled"),
        container_check_interval_ms: settled.natural("znode.container.checkIntervalMs"),
        // ZooKeeper divides a minute by it to pause: below 0 there is no pause, at 0 no deletion.
        container_per_minute_max: u32::try_from(settled.whole("znode.container.maxPerMinute"))
            .unwrap_or(u32::MAX),
        container_never_used_ms_max: settled.positive("znode.container.maxNeverUsedIntervalMs"),
    }
}

/// The directory of the snapshots and of `myid`.
pub(super) fn data_dir(settled: &Settled<'_>) -> PathBuf {
    PathBuf::from(settled.maybe_text("dataDir").unwrap_or_else(|| "data".to_owned()))
}

fn storage(settled: &mut Settled<'_>) -> Storage {
    if !settled.is_written("dataDir") && settled.has_file() {
        settled.fail_missing("dataDir", "it is where the snapshots are kept");
    }
    let data_dir = data_dir(settled);
    let data_log_dir = settled.maybe_text("dataLogDir").map(PathBuf::from);
    // As Java multiplies.
    let log_bytes = settled.whole("snapSizeLimitInKb").wrapping_mul(1024);
    Storage {
        data_log_dir: data_log_dir.unwrap_or_else(|| data_dir.clone()),
        data_dir,
        empty_votes: settled.flag("db.autocreate"),
        dir_autocreate: settled.flag("datadir.autocreate"),
        snapshot_txn_count: settled.natural("snapCount"),
        snapshot_log_bytes_max: u64::try_from(log_bytes).ok().filter(|&bytes| bytes > 0),
        sent_log_millionths: settled.positive_millionths("snapshotSizeFactor"),
        purge: purge(settled),
    }
}

fn purge(settled: &Settled<'_>) -> Option<Purge> {
    let retain_count = settled.natural("autopurge.snapRetainCount");
    let interval_hours = settled.positive("autopurge.purgeInterval")?;
    Some(Purge { retain_count, interval_hours })
}

fn log(settled: &mut Settled<'_>, requests: &Requests) -> Log {
    let flush_warning_ms = settled.natural("fsync.warningthresholdms");
    let slots = settled.maybe_natural("ring.log.slots");
    let segment_bytes_min = segment_bytes_min(requests);
    Log {
        segment_bytes: segment_bytes(settled, segment_bytes_min),
        is_segment_configured: settled.is_written("ring.log.segmentMb")
            || settled.is_written("preAllocSize"),
        segment_bytes_min,
        slots: slots.map(|slots| u8::try_from(slots).expect("the table bounds it")),
        durability: durability(settled),
        flush_warning_ms,
    }
}

fn segment_bytes_min(requests: &Requests) -> u64 {
    let stored_max = u64::from(requests.jute_bytes_max) + u64::from(requests.jute_extra_bytes);
    (2 * stored_max).next_multiple_of(MIB).max(SEGMENT_BYTES_MIN)
}

fn segment_bytes(settled: &mut Settled<'_>, needed: u64) -> u64 {
    let pre_alloc = u64::from(settled.natural("preAllocSize")) * 1024;
    let (key, wanted) = match settled.maybe_natural("ring.log.segmentMb") {
        Some(mib) => ("ring.log.segmentMb", u64::from(mib) * MIB),
        None => ("preAllocSize", pre_alloc.next_multiple_of(MIB)),
    };
    if wanted < needed {
        settled.note(format!(
            "{}: {key}: segments of the log are {} MiB, because one must hold two txns as long as \
             jute.maxbuffer allows, and {} MiB",
            settled.origin(key),
            needed / MIB,
            SEGMENT_BYTES_MIN / MIB
        ));
    }
    wanted.max(needed)
}

fn durability(settled: &Settled<'_>) -> Durability {
    match settled.text("ring.log.durability").as_str() {
        "dsync" => Durability::Dsync,
        "flush" => Durability::Flush,
        "buffered" => Durability::Buffered,
        _ => Durability::Auto,
    }
}

fn four_letter_words(settled: &mut Settled<'_>) -> FourLetterWords {
    let list = settled.text("4lw.commands.whitelist");
    let mut allowed = BTreeSet::new();
    for word in list.split(',').map(|word| word.trim_matches(|c| c <= ' ')) {
        if word == "*" {
            allowed.extend(WORDS.map(str::to_owned));
            break;
        }
        if word.is_empty() {
            continue;
        }
        if !WORDS.contains(&word) {
            let origin = settled.origin("4lw.commands.whitelist");
            settled.warn(format!("{origin}: there is no four-letter word {word}"));
        }
        allowed.insert(word.to_owned());
    }
    if settled.flag("readonlymode.enabled") {
        allowed.insert("isro".to_owned());
    }
    allowed.insert("srvr".to_owned());
    FourLetterWords(allowed)
}

fn placement(settled: &Settled<'_>) -> Placement {
    Placement {
        shards: settled.maybe_natural("ring.shards"),
        cpus: settled.maybe_cpus("ring.cpus"),
        unpinned: settled.text("ring.pin") == "never",
        spin_us: settled.maybe_natural("ring.spinUs"),
    }
}

fn logging(settled: &Settled<'_>) -> Logging {
    Logging {
        filter: settled.text("ring.log.level"),
        json: settled.text("ring.log.format") == "json",
    }
}
