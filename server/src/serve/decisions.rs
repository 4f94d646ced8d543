//! What the configuration means for each part.

use crate::config::Config;
use crate::random;
use engine::settings::{LargeRequests, ReconfigSettings, Settings};
use model::session::ExtendedTypes;

/// What the ids of this server's sessions begin with: as in stock, the lowest byte of its number,
/// and 1 without an ensemble.
fn server_id(config: &Config) -> u8 {
    config.ensemble.as_ref().map_or(1, |ensemble| ensemble.me.0 as u8)
}

fn reconfig(config: &Config) -> ReconfigSettings {
    let usual = ReconfigSettings::default();
    let changes = config.ensemble.as_ref().and_then(|ensemble| ensemble.changes.as_ref());
    ReconfigSettings {
        is_enabled: config.access.reconfig_enabled,
        is_standalone_allowed: changes
            .map_or(usual.is_standalone_allowed, |it| it.is_standalone_allowed),
        reading: changes.map_or(usual.reading, |it| it.reading),
    }
}

pub(super) fn settings(config: &Config) -> Settings {
    let (sessions, access, tree) = (&config.sessions, &config.access, &config.tree);
    let enforced = &access.enforced_schemes;
    Settings {
        server_id: server_id(config),
        tick_ms: u64::from(sessions.tick_ms),
        timeout_ms_min: sessions.timeout_min_ms as i32,
        timeout_ms_max: sessions.timeout_max_ms as i32,
        outstanding_max: config.requests.outstanding_max as usize,
        large: config.requests.large.as_ref().map(|large| LargeRequests {
            threshold_bytes: u64::from(large.threshold_bytes),
            total_bytes_max: u64::from(large.total_bytes_max),
        }),
        extended_types: ExtendedTypes {
            enabled: tree.extended_types_enabled,
            emulate_353: tree.emulate_353_ttl,
        },
        reap_interval_ms: u64::from(tree.container_check_interval_ms),
        reap_per_minute_max: u64::from(tree.container_per_minute_max),
        reap_never_used_ms: tree.container_never_used_ms_max.map_or(0, i64::from),
        enforce_quota: tree.enforce_quota,
        skip_acl: access.skip_acl,
        schemes: access.schemes.clone(),
        enforced_schemes: (!enforced.is_empty())
            .then(|| enforced.iter().map(|scheme| scheme.clone().into_bytes()).collect()),
        close_session_txn: sessions.close_txn_lists_paths,
        txn_digest: tree.digest_enabled,
        read_only_after_ms: sessions.read_only_after_ms,
        confirms_syncs: config.requests.confirms_syncs,
        reconfig: reconfig(config),
        local_sessions: config.ensemble.as_ref().map(|it| it.local_sessions).unwrap_or_default(),
        hash_seed: [random::bits().unwrap_or(1), random::bits().unwrap_or(2)],
    }
}
