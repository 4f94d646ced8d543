//! Access: the schemes of authentication, and which of them clients must have used.

use std::collections::BTreeSet;

use engine::acl::scheme::{DigestAlgorithm, Ensemble, Schemes};

use super::{Access, settle::Settled};

/// Where ZooKeeper's own classes for `authProvider.*` are.
const PACKAGE: &str = "org.apache.zookeeper.server.auth.";
/// A learner requires other servers to authenticate.
const LEARNER_ASKS: &str = "quorum.auth.learnerRequireSasl";
/// A server requires it.
const SERVER_ASKS: &str = "quorum.auth.serverRequireSasl";
/// Schemes that no client can use here, and why.
const NOT_SHOWN: [(&str, &str); 3] = [
    ("sasl", "SASL is not built yet"),
    ("x509", "TLS is not built yet"),
    ("ensemble", "it gives no identity"),
];

pub(super) fn access(settled: &mut Settled<'_>) -> Access {
    let skip_acl = settled.flag("skipACL");
    if skip_acl {
        settled.warn("skipACL=yes: every client may do everything".to_owned());
    }
    check_peers(settled);
    let schemes = schemes(settled);
    let enforced_schemes = enforced_schemes(settled, &schemes);
    let reconfig_enabled = settled.flag("reconfigEnabled");
    Access { skip_acl, schemes, enforced_schemes, reconfig_enabled }
}

fn schemes(settled: &mut Settled<'_>) -> Schemes {
    let algorithm = digest_algorithm(settled);
    let super_digest = settled.maybe_text("DigestAuthenticationProvider.superDigest");
    let mut schemes = Schemes {
        digest: settled.flag("DigestAuthenticationProvider.enabled").then_some(algorithm),
        super_digest: super_digest.map(String::into_bytes),
        ..Schemes::default()
    };
    let names = settled.maybe_text("ensembleAuthName");
    for (key, entry) in settled.family("authProvider.*") {
        let class = entry.value.as_str();
        match class.strip_prefix(PACKAGE) {
            Some("DigestAuthenticationProvider") => schemes.digest = Some(algorithm),
            Some("IPAuthenticationProvider") => {}
            Some("EnsembleAuthenticationProvider") => {
                schemes.ensemble = Some(ensemble(names.as_deref()));
            }
            Some("KeyAuthenticationProvider") => schemes.has_key = true,
            Some("SASLAuthenticationProvider") => schemes.has_sasl = true,
            Some("X509AuthenticationProvider") => schemes.has_x509 = true,
            _ => settled.warn(format!(
                "{}: {key}: the class {class} is not available and ignored, as ZooKeeper does \
                 with a class that it cannot load; available are the classes of {PACKAGE}*",
                entry.origin
            )),
        }
    }
    if names.is_some() && schemes.ensemble.is_none() {
        settled.warn(format!(
            "{}: ensembleAuthName has no effect without \
             authProvider.1={PACKAGE}EnsembleAuthenticationProvider, as in ZooKeeper",
            settled.origin("ensembleAuthName")
        ));
    }
    schemes
}

fn digest_algorithm(settled: &mut Settled<'_>) -> DigestAlgorithm {
    const KEY: &str = "DigestAuthenticationProvider.digestAlg";
    DigestAlgorithm::of_name(&settled.text(KEY)).unwrap_or_else(|| {
        let names: Vec<_> = DigestAlgorithm::names().collect();
        settled.fail_value(KEY, &format!("one of {}", names.join(", ")));
        DigestAlgorithm::Sha1
    })
}

/// The names between commas, as Java splits them: without the empty ones at the end.
fn ensemble(names: Option<&str>) -> Ensemble {
    let Some(names) = names else { return Ensemble::Any };
    // Java's split gives one empty part for an empty text.
    let text = if names.is_empty() { names } else { names.trim_end_matches(',') };
    Ensemble::Named(text.split(',').map(|name| name.trim().to_owned()).collect())
}

fn enforced_schemes(settled: &mut Settled<'_>, schemes: &Schemes) -> BTreeSet<String> {
    const KEY: &str = "enforce.auth.schemes";
    let enabled = settled.flag("enforce.auth.enabled");
    let enforced = names(settled.maybe_text(KEY));
    if !enabled {
        return BTreeSet::new();
    }
    if enforced.is_empty() {
        let with = "enforce.auth.schemes must then be set".to_owned();
        settled.fail_conflict("enforce.auth.enabled", with);
    }
    if enforced.contains("digest") && schemes.digest.is_none() {
        let with = "DigestAuthenticationProvider.enabled is false".to_owned();
        settled.fail_conflict(KEY, with);
    } else if enforced.iter().any(|scheme| schemes.of_name(scheme.as_bytes()).is_none()) {
        settled.fail_value(
            KEY,
            "available schemes: digest, ip, and those of authProvider.* (ensemble, key, sasl, \
             x509)",
        );
    }
    let mut shown = enforced.len();
    for (scheme, why) in NOT_SHOWN.iter().filter(|(scheme, _)| enforced.contains(*scheme)) {
        shown -= 1;
        let origin = settled.origin(KEY);
        settled.warn(format!("{origin}: {KEY}: no client can use the scheme {scheme}: {why}"));
    }
    if shown == 0 && (enforced.contains("sasl") || enforced.contains("x509")) {
        let with = "no client could be admitted: SASL and TLS are not built yet".to_owned();
        settled.fail_conflict(KEY, with);
    }
    enforced
}

/// The names between commas as Java splits them: empty names at the end are dropped, and an empty
/// text is one empty name.
fn names(list: Option<String>) -> BTreeSet<String> {
    let list = list.unwrap_or_default();
    match list.trim_end_matches(',') {
        "" => BTreeSet::new(),
        names => names.split(',').map(|name| name.trim_matches(|c| c <= ' ').to_owned()).collect(),
    }
}

/// Servers that require more of each other than they offer: there is no ensemble, but `ZooKeeper`
/// does not start with this, and its author should know before there is one.
fn check_peers(settled: &mut Settled<'_>) {
    let shows = settled.flag("quorum.auth.enableSasl");
    let learner_asks = settled.flag(LEARNER_ASKS);
    let server_asks = settled.flag(SERVER_ASKS);
    if (learner_asks || server_asks) && !shows {
        let key = if server_asks { SERVER_ASKS } else { LEARNER_ASKS };
        settled.fail_conflict(key, "quorum.auth.enableSasl must then be true".to_owned());
    }
    if server_asks && !learner_asks {
        let with = "quorum.auth.learnerRequireSasl must then be true".to_owned();
        settled.fail_conflict(SERVER_ASKS, with);
    }
}
