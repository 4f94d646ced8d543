//! Where a key counts, and what its text means.

use std::path::Path;

use crate::config::{Notice, decided::Purge, load};

use super::{ENOUGH, decided, errors, errors_with, notices, sources, with};

#[test]
fn a_wrong_value_names_file_line_key_value_and_bounds() {
    assert_eq!(
        errors_with(
            "tickTime=0\nmaxClientCnxns=x\n\nsyncEnabled=yes\nring.pin=maybe\n\
            connection_throttle_drop_increase=much\nring.cpus=3-1\nclientPortAddress=[::1"
        ),
        [
            "zoo.cfg:8: connection_throttle_drop_increase=much: must be a decimal number; less \
             than 0 means 0, more than 1 1",
            "zoo.cfg:4: maxClientCnxns=x: must be a whole number",
            "zoo.cfg:9: ring.cpus=3-1: must be a list of processors from 0 to 8191, such as 0-3,8",
            "zoo.cfg:7: ring.pin=maybe: must be one of auto, never, in any case",
            "zoo.cfg:6: syncEnabled=yes: must be true or false",
            "zoo.cfg:3: tickTime=0: must be a whole number of at least 1",
            "zoo.cfg:10: clientPortAddress=[::1: must be a name, an IPv4 address, or an IPv6 \
             address with or without brackets",
        ]
    );
    assert_eq!(
        errors("clientPort=65536\ndataDir=/d"),
        ["zoo.cfg:1: clientPort=65536: must be a whole number from 0 to 65535"]
    );
}

#[test]
fn a_value_that_means_another_causes_a_warning() {
    let decided = with("skipACL=YES\nforceSync=false\nsnapCount=many\nadmin.enableServer=no");
    assert!(!decided.config.access.skip_acl);
    assert!(decided.config.admin.commands.is_some());
    assert_eq!(decided.config.storage.snapshot_txn_count, 100_000);
    assert_eq!(
        notices(&decided)[..4],
        [
            "zoo.cfg:3: skipACL=YES means no, as in ZooKeeper: it takes exactly yes; anything \
             else means no",
            "zoo.cfg:4: forceSync=false means yes, as in ZooKeeper: it takes exactly no; anything \
             else means yes",
            "zoo.cfg:5: snapCount=many means the default, 100000, as in ZooKeeper: it takes a \
             whole number, hexadecimal after 0x, octal after 0; anything else means the default; \
             less than 2 means 2",
            "zoo.cfg:6: admin.enableServer=no means true, as in ZooKeeper: it takes exactly \
             false; anything else means true",
        ]
    );
    assert!(decided.notices[..4].iter().all(|it| matches!(it, Notice::Warning(_))));
}

#[test]
fn an_unknown_key_is_ignored_with_a_warning() {
    let decided = with("ticktime=1\nmystery.key=2");
    assert_eq!(
        decided.notices,
        [
            Notice::Warning(
                "zoo.cfg:3: ticktime is unknown and ignored: did you mean tickTime?".into()
            ),
            Notice::Warning("zoo.cfg:4: mystery.key is unknown and ignored".into()),
        ]
    );
}

#[test]
fn flags_of_the_java_machine_are_read_as_zookeeper_reads_them() {
    let mut sources = sources(ENOUGH);
    sources.server_jvm_flags = "-Xmx4g -Dzookeeper.snapCount=5 -Djute.maxbuffer=4194304".into();
    sources.jvm_flags = "-Dzookeeper.snapCount=6 -Djava.x=y -DsnapCount=7 -Dzookeeper.tickTime=1 \
        -Dfsync.warningthresholdms=9 -Dzookeeper.what=1"
        .into();
    let decided = load(&sources).unwrap();
    assert_eq!(decided.config.storage.snapshot_txn_count, 6);
    assert_eq!(decided.config.requests.jute_bytes_max, 4_194_304);
    assert_eq!(decided.config.log.flush_warning_ms, 9);
    assert_eq!(decided.config.sessions.tick_ms, 3_000);
    assert_eq!(
        notices(&decided),
        [
            "JVMFLAGS: -DsnapCount is ignored, as in ZooKeeper: write -Dzookeeper.snapCount",
            "JVMFLAGS: -Dzookeeper.tickTime is ignored, as in ZooKeeper: tickTime counts in \
             the configuration file only",
            "JVMFLAGS: zookeeper.what is unknown and ignored",
            "SERVER_JVMFLAGS: snapCount: JVMFLAGS counts",
        ]
    );
}

#[test]
fn the_file_counts_over_properties_and_settings_over_the_file() {
    let mut sources = sources(&format!("{ENOUGH}snapCount=50\nsnapCount=60\nmaxCnxns=7"));
    sources.jvm_flags = "-Dzookeeper.snapCount=5".into();
    assert_eq!(load(&sources).unwrap().config.storage.snapshot_txn_count, 60);
    sources.sets = vec!["snapCount=70".into(), "maxCnxns=8".into(), "zookeeper.maxCnxns=9".into()];
    let config = load(&sources).unwrap().config;
    assert_eq!(config.storage.snapshot_txn_count, 70);
    assert_eq!(config.connections.total_max, Some(8));
}

#[test]
fn what_is_written_where_zookeeper_does_not_look_does_not_count() {
    let mut sources = sources(&format!(
        "{ENOUGH}jute.maxbuffer=2000000\nzookeeper.skipACL=yes\nreadonlymode.enabled=true\n\
         zookeeper.jute.maxbuffer=7"
    ));
    sources.jvm_flags = "-DskipACL=yes -Dzookeeper.jute.maxbuffer=5".into();
    let decided = load(&sources).unwrap();
    assert_eq!(decided.config.requests.jute_bytes_max, 1_048_575);
    assert!(!decided.config.access.skip_acl);
    assert!(!decided.config.four_letter_words.allows("isro"));
    assert_eq!(
        notices(&decided),
        [
            "JVMFLAGS: -DskipACL is ignored, as in ZooKeeper: write -Dzookeeper.skipACL",
            "JVMFLAGS: -Dzookeeper.jute.maxbuffer is ignored, as in ZooKeeper: write \
             -Djute.maxbuffer",
            "zoo.cfg:3: jute.maxbuffer is ignored, as in ZooKeeper: it counts as \
             -Djute.maxbuffer in JVMFLAGS, or here as --set jute.maxbuffer",
            "zoo.cfg:4: zookeeper.skipACL is ignored, as in ZooKeeper: in the configuration \
             file the key is skipACL",
            "zoo.cfg:5: readonlymode.enabled is ignored, as in ZooKeeper: it counts as \
             -Dreadonlymode.enabled in JVMFLAGS, or here as --set readonlymode.enabled",
            "zoo.cfg:6: zookeeper.jute.maxbuffer is ignored, as in ZooKeeper: it counts as \
             -Djute.maxbuffer in JVMFLAGS, or here as --set jute.maxbuffer",
        ]
    );
    sources.jvm_flags = "-Djute.maxbuffer=3000000".into();
    assert_eq!(load(&sources).unwrap().config.requests.jute_bytes_max, 3_000_000);
    sources.sets = vec!["jute.maxbuffer=4000000".into()];
    assert_eq!(load(&sources).unwrap().config.requests.jute_bytes_max, 4_000_000);
}

#[test]
fn a_property_with_the_prefix_counts_over_one_without() {
    let mut sources = sources(ENOUGH);
    sources.jvm_flags =
        "-Dzookeeper.fsync.warningthresholdms=5 -Dfsync.warningthresholdms=6".into();
    assert_eq!(load(&sources).unwrap().config.log.flush_warning_ms, 5);
}

#[test]
fn an_unknown_key_of_our_own_is_an_error() {
    assert_eq!(
        errors_with("ring.shard=4\nring.log.level=inof\nring.other=1")[..2],
        [
            "zoo.cfg:3: ring.shard: there is no such key: did you mean ring.shards?",
            "zoo.cfg:5: ring.other: there is no such key; `ringkeeper config` prints all keys",
        ]
    );
    let level = &errors_with("ring.log.level=inof")[0];
    assert!(
        level.starts_with("zoo.cfg:3: ring.log.level=inof: must be a level (error, "),
        "{level}"
    );
}

#[test]
fn bytes_outside_ascii_are_warned_of() {
    let decided = decided("clientPort=2181\ndataDir=/d\u{e4}\n");
    assert_eq!(decided.config.storage.data_dir, Path::new("/d\u{c3}\u{a4}"));
    assert!(notices(&decided)[0].starts_with("zoo.cfg:2: dataDir has characters outside ASCII"));
}

#[test]
fn what_was_decided_can_be_listed() {
    let decided = with("skipACL=Yes\nDigestAuthenticationProvider.superDigest=super:xyz");
    let lines: Vec<_> = decided.settings.iter().map(ToString::to_string).collect();
    assert!(lines.contains(&"skipACL=no (zoo.cfg:3)".to_owned()));
    assert!(lines.contains(&"tickTime=3000 (default)".to_owned()));
    assert!(lines.contains(&"dataLogDir is unset".to_owned()));
    assert!(lines.iter().all(|line| !line.contains("xyz")), "a secret");
}

#[test]
fn ticks_and_sizes_are_multiplied_as_java_does() {
    assert_eq!(with("tickTime=107374182").config.sessions.timeout_max_ms, 2_147_483_640);
    assert_eq!(errors_with("tickTime=107374183").len(), 1);
    let tick = with("tickTime=3600001\nminSessionTimeout=-2\nmaxSessionTimeout=0").config.sessions;
    assert_eq!((tick.timeout_min_ms, tick.timeout_max_ms), (1, 1));
    let limit = |kib: &str| with(&format!("snapSizeLimitInKb={kib}")).config.storage;
    assert_eq!(limit("9223372036854775807").snapshot_log_bytes_max, None);
    assert_eq!(limit("16").snapshot_log_bytes_max, Some(16 << 10));
}

#[test]
fn numbers_are_raised_where_zookeeper_raises_them() {
    let decided = with("autopurge.snapRetainCount=1\nautopurge.purgeInterval=24\nsnapCount=1");
    let purge = Some(Purge { retain_count: 3, interval_hours: 24 });
    assert_eq!(decided.config.storage.purge, purge);
    assert_eq!(decided.config.storage.snapshot_txn_count, 2);
    assert_eq!(
        notices(&decided),
        [
            "zoo.cfg:3: autopurge.snapRetainCount=1 means 3, as in ZooKeeper: it takes a whole \
             number; less than 3 means 3",
            "zoo.cfg:5: snapCount=1 means 2, as in ZooKeeper: it takes a whole number, \
             hexadecimal after 0x, octal after 0; anything else means the default; less than 2 \
             means 2",
        ]
    );
}
