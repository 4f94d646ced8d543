//! How a server deals with the others of its ensemble: what it waits for, and how long.

use crate::config::keys::{Outcome, Reading, Value};
use crate::config::{ConfigError, Origin};

use engine::zab::CatchUp;

use super::super::settle::Settled;

/// How a server deals with the others of its ensemble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// Ticks to reach a leader in; `None` means `initLimit`.
    pub connect_limit: Option<u32>,
    /// Between two attempts to reach a leader, in ms.
    pub reconnect_ms: u32,
    /// How long connecting to an election port may take, in ms; `None` for as long as the system
    /// tries.
    pub election_connect_ms: Option<u32>,
    /// How long a connection to the election port may take to introduce itself, in ms; `None` means
    /// `syncLimit` ticks.
    pub hello_ms: Option<u32>,
    /// How often binding the election port is tried; `None` until it succeeds.
    pub bind_attempts: Option<u32>,
    /// Whether connections of elections probe a silent peer.
    pub keep_alive: bool,
    /// How long an election waits before it repeats its vote, in ms: at first, and at most.
    pub notify_ms: (u32, u32),
    /// How long a leader without an epoch puts up with a voter that looks for a leader again, in
    /// ms; `None` until `initLimit` ends it.
    pub epoch_wait_ms: Option<u32>,
    /// Where followers serve observers; `None` if they do not.
    pub observers_port: Option<u16>,
    /// Whether what goes to a leader is sent at once, and what goes to learners.
    pub no_delay: [bool; 2],
    /// Whether it says to others that it has several addresses.
    pub says_all_addresses: bool,
    /// How long each of a server's addresses is tried at first, if it has several, in ms.
    pub check_ms: Option<u32>,
    /// How learners catch up with it when it leads.
    pub catch_up: CatchUp,
}

/// How often binding is tried where `electionPortBindRetry` is negative.
const BIND_ATTEMPTS: u32 = 3;

/// The largest number of a server whose nodes may have a time to live.
const EXTENDED_ID_MAX: i64 = 254;

impl Links {
    /// What was written. Most of these keys are read by a server of an ensemble only, so only there
    /// can a value be wrong.
    pub(super) fn of(settled: &mut Settled<'_>, is_in_ensemble: bool) -> Self {
        let connect = settled.text("cnxTimeout");
        let connect_ms = match Reading::Int.read(&connect) {
            Outcome::Plain(Value::Whole(ms)) => u32::try_from(ms).ok(),
            _ => None,
        };
        if is_in_ensemble && connect_ms.is_none() {
            settled.fail_value("cnxTimeout", "a whole number of ms, at least 0");
        }
        let mut at_least = |key: &'static str, least: u32| {
            let written = settled.whole(key);
            let counts = u32::try_from(written).unwrap_or(0).max(least);
            if is_in_ensemble && written < i64::from(least) {
                let origin = settled.origin(key);
                settled.warn(format!("{origin}: {key}={written} means {least}: set it to more"));
            }
            counts
        };
        let notify_ms = (
            at_least("fastleader.minNotificationInterval", 1),
            at_least("fastleader.maxNotificationInterval", 1),
        );
        let reconnect_ms = at_least("leaderConnectDelayDuringRetryMs", 0);
        let check_ms = at_least("multiAddress.reachabilityCheckTimeoutMs", 1);
        let says_all_addresses = settled.flag("multiAddress.enabled");
        let is_checking = settled.flag("multiAddress.reachabilityCheckEnabled");
        // Bounds below 1 are refused.
        let bound = |key| usize::try_from(settled.whole(key)).unwrap_or(0).max(1);
        let catch_up = CatchUp {
            snapshots_max: bound("leader.maxConcurrentSnapSyncs"),
            diffs_max: bound("leader.maxConcurrentDiffSyncs"),
            is_snapshot_forced: settled.flag("forceSnapshotSync"),
        };
        let written = settled.whole("electionPortBindRetry");
        let attempts = u32::try_from(written).unwrap_or_else(|_| {
            if is_in_ensemble {
                let origin = settled.origin("electionPortBindRetry");
                settled.warn(format!(
                    "{origin}: electionPortBindRetry={written} means {BIND_ATTEMPTS}, as in \
                     ZooKeeper; 0 means until it succeeds"
                ));
            }
            BIND_ATTEMPTS
        });
        let observers_port = settled.positive("observerMasterPort");
        let is_port = observers_port.is_none_or(|port| u16::try_from(port).is_ok());
        if is_in_ensemble && !is_port {
            settled.fail_value("observerMasterPort", "a port, at most 65535; 0 for none");
        }
        Self {
            observers_port: observers_port.and_then(|port| u16::try_from(port).ok()),
            connect_limit: settled.positive("connectToLearnerMasterLimit"),
            reconnect_ms,
            election_connect_ms: connect_ms.filter(|&ms| ms > 0),
            hello_ms: settled.positive("quorumCnxnTimeoutMs"),
            bind_attempts: Some(attempts).filter(|&attempts| attempts > 0),
            keep_alive: settled.flag("tcpKeepAlive"),
            notify_ms,
            epoch_wait_ms: u32::try_from(settled.whole("leader.maxTimeToWaitForEpoch")).ok(),
            no_delay: [settled.flag("follower.nodelay"), settled.flag("leader.nodelay")],
            catch_up,
            says_all_addresses,
            check_ms: Some(check_ms).filter(|_| says_all_addresses && is_checking),
        }
    }
}

/// Refuses a number that ZooKeeper's servers cannot serve with.
pub(super) fn check_number(settled: &mut Settled<'_>, number: i64) {
    if settled.flag("extendedTypesEnabled") && number > EXTENDED_ID_MAX {
        let with = format!(
            "this is server {number}, and only the numbers up to {EXTENDED_ID_MAX} leave room for \
             these types: give the server a smaller one in myid and in its server.N line"
        );
        settled.fail_conflict("extendedTypesEnabled", with);
    }
}

/// Refuses bounds with which no server of an ensemble could lead.
pub(super) fn check_bounds(settled: &mut Settled<'_>) {
    for key in ["leader.maxConcurrentSnapSyncs", "leader.maxConcurrentDiffSyncs"] {
        let Some((value, origin)) = settled.written(key) else { continue };
        if matches!(Reading::IntOrDefault.read(&value), Outcome::Plain(Value::Whole(..=0))) {
            let (key, expected) = (key.to_owned(), "at least 1".to_owned());
            settled.fail(ConfigError::Value {
                origin: Origin::clone(&origin),
                key,
                value,
                expected,
            });
        }
    }
}
