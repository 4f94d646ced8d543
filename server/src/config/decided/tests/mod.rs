mod readings;

use std::{collections::BTreeSet, net::Ipv4Addr, path::Path};

use crate::config::{ConfigError, Decided, Origin, Sources, Written, keys, load};

use engine::acl::scheme::{DigestAlgorithm, Ensemble, Schemes};

use model::host::Host;

use super::{Durability, Endpoint, Files, Notice, decide, ensemble, parts, settle::Settled};

/// A minimal file, to which others are added.
const ENOUGH: &str = "clientPort=2181\ndataDir=/d\n";

fn sources(file: &str) -> Sources {
    Sources { file: Some(("zoo.cfg".into(), file.as_bytes().to_vec())), ..Sources::default() }
}

fn decided(file: &str) -> Decided {
    load(&sources(file)).unwrap()
}

/// Decides the minimal file with these lines added; they begin at line 3.
fn with(lines: &str) -> Decided {
    decided(&format!("{ENOUGH}{lines}"))
}

fn errors(file: &str) -> Vec<String> {
    load(&sources(file)).unwrap_err().iter().map(ToString::to_string).collect()
}

fn errors_with(lines: &str) -> Vec<String> {
    errors(&format!("{ENOUGH}{lines}"))
}

fn notices(decided: &Decided) -> Vec<String> {
    decided.notices.iter().map(ToString::to_string).collect()
}

#[test]
fn the_table_is_complete() {
    let written = Written::default();
    let mut settled = Settled::new(&written);
    let (own, ensemble) = ensemble::check(&mut settled, Files::of(&Sources::default()));
    parts::config(&mut settled, own, ensemble);
    let honoured: BTreeSet<&str> = keys::all()
        .filter(|key| key.support == keys::Support::Honoured)
        .map(|key| key.name)
        .collect();
    let queried = settled.queried();
    let idle: Vec<&&str> = honoured.difference(&queried).collect();
    assert!(idle.is_empty(), "nothing reads these: {idle:?}");
    let others: Vec<_> = queried.difference(&honoured).collect();
    // Asked for only to be refused.
    let refused = ["sslQuorum", "peerType"];
    let is_refused = |name: &str| name.starts_with("quorum.auth.") || refused.contains(&name);
    assert!(others.iter().all(|name| is_refused(name)), "{others:?}");
}

#[test]
fn without_a_file_the_server_is_a_trial_server() {
    let config = load(&Sources::default()).unwrap().config;
    let local = Endpoint { host: Host::Ipv4(Ipv4Addr::LOCALHOST), port: 2181 };
    assert_eq!(config.listen.endpoint, local);
    assert_eq!(config.storage.data_dir, Path::new("data"));
    assert_eq!(config.storage.data_log_dir, Path::new("data"));
    assert_eq!(config.sessions.timeout_min_ms, 6_000);
    assert_eq!(config.sessions.timeout_max_ms, 60_000);
    assert_eq!(config.requests.jute_bytes_max, 1_048_575);
    assert_eq!(config.requests.jute_extra_bytes, 1_048_575);
    assert_eq!(config.connections.per_address_max, Some(60));
    assert_eq!(config.connections.total_max, None);
    assert_eq!(config.log.segment_bytes, 64 << 20);
    assert_eq!(config.log.durability, Durability::Auto);
    assert_eq!(config.storage.snapshot_log_bytes_max, Some(4 << 30));
    assert_eq!(config.storage.purge, None);
    assert_eq!(config.four_letter_words.0, ["srvr".to_owned()].into());
    assert_eq!(config.placement, super::Placement::default());
}

#[test]
fn the_sample_file_is_read() {
    let sample = "# The number of milliseconds of each tick\ntickTime=2000\n\
        # limits\ninitLimit=10\nsyncLimit=5\n# the directory\ndataDir=/tmp/zookeeper\n\
        # the port\nclientPort=2181\n#maxClientCnxns=60\n#autopurge.snapRetainCount=3\n\n\
        ## Metrics Providers\n#metricsProvider.httpPort=7000\n";
    let decided = decided(sample);
    let config = &decided.config;
    assert_eq!(config.sessions.tick_ms, 2_000);
    assert_eq!(config.sessions.timeout_max_ms, 40_000);
    assert_eq!(config.listen.endpoint, Endpoint { host: Host::Any, port: 2181 });
    assert_eq!(config.storage.data_log_dir, Path::new("/tmp/zookeeper"));
    assert!(notices(&decided).is_empty());
}

/// A value that `ZooKeeper` reads differently than it looks is read in the same way here, with a
/// warning.
#[test]
fn missing_keys_that_must_be_written_are_reported() {
    assert_eq!(
        errors("tickTime=2000"),
        [
            "clientPort is not set: clients could not connect; ZooKeeper's own files have \
             clientPort=2181",
            "dataDir is not set: it is where the snapshots are kept",
        ]
    );
}

#[test]
fn values_that_do_not_go_together_are_errors() {
    assert_eq!(
        errors_with("minSessionTimeout=9000\nmaxSessionTimeout=8000"),
        ["zoo.cfg:3: minSessionTimeout: the shortest timeout, 9000 ms, is longer than the \
          longest, 8000 ms"]
    );
    assert_eq!(
        errors_with("enforce.auth.enabled=true"),
        ["zoo.cfg:3: enforce.auth.enabled: enforce.auth.schemes must then be set"]
    );
    assert_eq!(
        errors_with("enforce.auth.enabled=true\nenforce.auth.schemes=digest, sasl"),
        ["zoo.cfg:4: enforce.auth.schemes=digest, sasl: must be available schemes: digest, \
             ip, and those of authProvider.* (ensemble, key, sasl, x509)"]
    );
    assert_eq!(
        errors_with("DigestAuthenticationProvider.digestAlg=SHA-3"),
        ["zoo.cfg:3: DigestAuthenticationProvider.digestAlg=SHA-3: must be one of MD2, MD5, \
             SHA-1, SHA-224, SHA-256, SHA-384, SHA-512, SHA-512/224, SHA-512/256, SHA3-224, \
             SHA3-256, SHA3-384, SHA3-512"]
    );
}

#[test]
fn what_is_not_built_and_must_not_be_ignored_is_refused() {
    assert_eq!(
        errors_with("secureClientPort=2281\nsessionRequireClientSASLAuth=true"),
        [
            "zoo.cfg:3: secureClientPort: TLS is not built yet: remove the line, and end TLS in a \
             proxy in front",
            "zoo.cfg:4: sessionRequireClientSASLAuth: SASL is not built yet, and without it no \
             client could be admitted",
        ]
    );
    with("sessionRequireClientSASLAuth=false\npeerType=observer");
}

/// Numbers at which Java's arithmetic overflows.
#[test]
fn a_segment_holds_two_of_the_longest_txns() {
    let of = |set: &str| {
        let sources = Sources { sets: vec![set.to_owned()], ..sources(ENOUGH) };
        load(&sources).unwrap().config
    };
    assert_eq!(with("preAllocSize=1").config.log.segment_bytes, 16 << 20);
    assert_eq!(with("preAllocSize=20000").config.log.segment_bytes, 20 << 20);
    assert_eq!(with("ring.log.segmentMb=128").config.log.segment_bytes, 128 << 20);
    let large = of("jute.maxbuffer=52428800");
    assert_eq!(large.log.segment_bytes, 200 << 20);
    let largest = of("jute.maxbuffer=2147483647");
    assert_eq!(largest.requests.jute_extra_bytes, 0);
    assert_eq!(largest.log.segment_bytes, 4 << 30);
}

#[test]
fn durability_is_never_given_up() {
    let unforced = with("forceSync=no");
    assert_eq!(unforced.config.log.durability, Durability::Auto);
    assert_eq!(
        notices(&unforced),
        ["no effect: forceSync (zoo.cfg:3): a write is never acknowledged before it is durable"]
    );
    for (word, durability) in [
        ("DSYNC", Durability::Dsync),
        ("flush", Durability::Flush),
        ("buffered", Durability::Buffered),
    ] {
        let decided = with(&format!("ring.log.durability={word}"));
        assert_eq!(decided.config.log.durability, durability);
        assert_eq!(decided.notices, []);
    }
}

#[test]
fn four_letter_words_are_listed() {
    let some = with("4lw.commands.whitelist=stat, ruok,,nope");
    assert_eq!(some.config.four_letter_words.0.len(), 4);
    assert!(some.config.four_letter_words.allows("ruok"));
    assert!(!some.config.four_letter_words.allows("mntr"));
    assert_eq!(some.notices.len(), 1);
    let all = with("4lw.commands.whitelist=*").config.four_letter_words;
    assert!(all.allows("mntr") && all.allows("isro") && !all.allows("*"));
    let read_only = Sources { jvm_flags: "-Dreadonlymode.enabled=true".into(), ..sources(ENOUGH) };
    assert!(load(&read_only).unwrap().config.four_letter_words.allows("isro"));
    let cut = with("4lw.commands.whitelist=stat,*,nope").config.four_letter_words;
    assert!(cut.allows("mntr") && !cut.allows("nope"));
}

#[test]
fn the_parts_that_are_off_by_default_can_be_turned_on() {
    let config = with(
        "largeRequestThreshold=1000\nring.shards=4\nring.cpus=0-1\nring.pin=never\n\
         ring.spinUs=20\nring.log.level=debug\nring.log.format=json\nring.log.slots=8\n\
         clientPortListenBacklog=100\nnio.sessionlessCnxnTimeout=700",
    )
    .config;
    assert_eq!(config.requests.large.unwrap().threshold_bytes, 1_000);
    assert_eq!(config.placement.shards, Some(4));
    assert_eq!(config.placement.cpus, Some(vec![0, 1]));
    assert!(config.placement.unpinned);
    assert_eq!(config.placement.spin_us, Some(20));
    assert!(config.logging.json);
    assert_eq!(config.log.slots, Some(8));
    assert_eq!(config.listen.backlog, Some(100));
    assert_eq!(config.connections.sessionless_timeout_ms, 700);
}

#[test]
fn classes_of_zookeeper_bring_their_schemes() {
    let class = |number, name: &str| format!("authProvider.{number}=org.apache.zookeeper.{name}\n");
    let text = [
        class(1, "server.auth.EnsembleAuthenticationProvider"),
        class(2, "server.auth.KeyAuthenticationProvider"),
        class(3, "server.auth.SASLAuthenticationProvider"),
        class(4, "server.auth.DigestAuthenticationProvider"),
        class(5, "no.such.Thing"),
        "authProvider.6=\n".to_owned(),
        "authProvider.=org.example.Nameless\n".to_owned(),
        "ensembleAuthName=a, b ,,\n".to_owned(),
        "DigestAuthenticationProvider.enabled=false\n".to_owned(),
        "DigestAuthenticationProvider.digestAlg=sha3-256\n".to_owned(),
        "reconfigEnabled=true".to_owned(),
    ];
    let decided = with(&text.concat());
    let access = &decided.config.access;
    let names = ["a", "b"].map(str::to_owned).into();
    let expected = Schemes {
        digest: Some(DigestAlgorithm::Sha3_256),
        super_digest: None,
        ensemble: Some(Ensemble::Named(names)),
        has_key: true,
        has_sasl: true,
        has_x509: false,
    };
    assert_eq!(access.schemes, expected);
    assert!(access.reconfig_enabled);
    let texts = notices(&decided);
    let unknown = texts.iter().filter(|it| it.contains("is not available and ignored")).count();
    assert_eq!(unknown, 3, "{texts:?}");
    let idle = with("ensembleAuthName=a");
    assert_eq!(idle.config.access.schemes, Schemes::default());
    assert!(notices(&idle)[0].contains("ensembleAuthName has no effect without"));
}

#[test]
fn schemes_that_no_client_can_use_do_not_lock_all_clients_out() {
    let sasl = "authProvider.1=org.apache.zookeeper.server.auth.SASLAuthenticationProvider\n";
    let enforced = format!("{sasl}enforce.auth.enabled=true\nenforce.auth.schemes=");
    assert_eq!(
        errors_with(&format!("{enforced}sasl")),
        ["zoo.cfg:5: enforce.auth.schemes: no client could be admitted: SASL and TLS are not \
             built yet"]
    );
    let decided = with(&format!("{enforced}sasl,digest"));
    assert_eq!(decided.config.access.enforced_schemes.len(), 2);
}

#[test]
fn keys_without_effect_do_not_stop_the_start() {
    let decided = with("nio.numWorkerThreads=4\nssl.keyStore.password=");
    assert_eq!(decided.notices.len(), 2);
    assert!(decided.notices.iter().all(|it| matches!(it, Notice::Note(_))));
    let texts = notices(&decided);
    assert!(
        texts.contains(
            &"no effect: nio.numWorkerThreads (zoo.cfg:3): threads are placed by ring.shards and \
          ring.cpus"
                .to_owned()
        )
    );
}

#[test]
fn errors_are_reported_with_their_origin() {
    let mut sources = sources(ENOUGH);
    sources.sets = vec!["tickTime=x".into()];
    let texts = decide(&Written::read(&sources).unwrap(), Files::of(&sources)).unwrap_err();
    assert!(matches!(&texts[..], [ConfigError::Value { origin: Origin::Set, .. }]));
}

#[test]
fn the_table_can_be_read() {
    let page = crate::config::explain();
    assert_eq!(page.matches("\n## ").count(), keys::SECTIONS.len());
    assert_eq!(page.lines().filter(|line| line.starts_with("| `")).count(), keys::all().count());
    assert!(page.contains("| `snapCount` | `zookeeper.snapCount` | "));
    assert!(
        page.lines().filter(|line| line.starts_with('|')).all(|it| it.matches('|').count() == 7)
    );
}

#[test]
fn a_key_that_is_not_built_yet_says_so() {
    let decided = with("admin.snapshot.enabled=true\npathStats.enabled=true");
    assert_eq!(
        notices(&decided),
        [
            "no effect: admin.snapshot.enabled (zoo.cfg:3): taking and restoring snapshots by \
             command is not built yet",
            "no effect: pathStats.enabled (zoo.cfg:4): statistics by path are not built yet",
        ]
    );
}

#[test]
fn throttles_and_ports_are_decided() {
    let config = with(
        "connection_throttle_tokens=10\nconnection_throttle_weight_enabled=true\n\
         connection_throttle_drop_increase=0.5\nrequest_throttle_max_requests=7\n\
         admin.serverPort=8081\nmetricsProvider.className=\
         org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\n\
         DigestAuthenticationProvider.superDigest=super:xyz",
    )
    .config;
    let throttle = config.connections.throttle.unwrap();
    let weighed = (throttle.tokens_max, throttle.session_tokens, throttle.renewal_tokens);
    assert_eq!(weighed, (30, 3, 2), "tokens are meant for new sessions, which take three each");
    assert_eq!((throttle.drop_increase, throttle.freeze_ms), (500_000, None));
    assert_eq!(config.requests.outstanding_max, 7);
    assert_eq!(config.admin.commands.as_ref().unwrap().to_string(), "*:8081");
    assert!(config.admin.is_wanted);
    assert_eq!(config.admin.metrics.unwrap().to_string(), "*:7000");
    assert!(!config.initial.contains("xyz"), "{}", config.initial);
    let hidden = config.properties.iter().find(|(name, _)| name.ends_with("superDigest"));
    assert_eq!(hidden.unwrap().1, "(not shown)");
    let plain = with("").config;
    assert_eq!((plain.connections.throttle, plain.admin.metrics), (None, None));
    assert!(!plain.admin.is_wanted);
}

/// The page for operators is the table itself.
#[test]
fn the_page_of_keys_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    let text = std::fs::read_to_string(page).unwrap_or_default();
    assert!(
        text == crate::config::explain(),
        "docs/configuration.md does not match the table: regenerate it with \
         `ringkeeper config > docs/configuration.md`"
    );
}
