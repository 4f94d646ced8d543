//! Each key read as `ZooKeeper` reads it: some thousands of pairs of key and value.
//!
//! `readings.tsv` records how `ZooKeeper` 3.9.5 read a line of zoo.cfg or one system property:
//! whether it starts, and the resulting value of the key. `make keys` records it again, from
//! `ZooKeeper`'s own classes (`Readings.java`); to add a pair, add a row with its first three
//! fields. The tests query `ringkeeper config --values` for the same.

mod files;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::{env, process};

use harness::server::our_binary;

/// Fewer would prove little.
const PAIRS_MIN: usize = 1_500;

/// A key, which of its values, and why we differ there intentionally.
type Difference = (&'static str, fn(&str) -> bool, &'static str);

/// Where we differ intentionally.
const DIFFERENCES: [Difference; 6] = [
    ("connection_throttle_tokens", is_negative, "no session could ever be opened"),
    ("connection_throttle_fill_time", is_negative_or_0, "no session could be opened again"),
    ("connection_throttle_fill_count", is_negative_or_0, "no session could be opened again"),
    ("nio.sessionlessCnxnTimeout", is_negative, "no session could be opened in no time"),
    ("tickTime", is_negative, "time would run backwards"),
    ("preAllocSize", is_beyond_counting, "its bytes overflow; segments are of 8 GiB at most"),
];

fn is_negative(value: &str) -> bool {
    value.starts_with('-')
}

fn is_negative_or_0(value: &str) -> bool {
    is_negative(value) || value == "0"
}

fn is_beyond_counting(value: &str) -> bool {
    value.len() > 16
}

/// A row of the recorded readings.
#[derive(Debug)]
struct Reading<'a> {
    is_line: bool,
    name: &'a str,
    value: &'a str,
    starts: bool,
    held: &'a str,
}

impl<'a> Reading<'a> {
    fn of(row: &'a str) -> Self {
        let fields: Vec<_> = row.split('\t').collect();
        let [source, name, value, outcome, held] = fields[..] else { panic!("five fields: {row}") };
        assert!(["file", "flag"].contains(&source), "{row}");
        assert!(["starts", "parse", "run"].contains(&outcome), "{row}");
        Self { is_line: source == "file", name, value, starts: outcome == "starts", held }
    }

    /// The key that the name is about.
    fn key(&self) -> &'a str {
        self.name.strip_prefix("zookeeper.").unwrap_or(self.name)
    }

    /// The lines of zoo.cfg, the same as for `ZooKeeper`.
    fn zoo_cfg(&self) -> String {
        let mut lines = String::from("dataDir=/nonexistent\nclientPortAddress=127.0.0.1\n");
        if self.name != "clientPort" {
            lines += "clientPort=0\n";
        }
        if !self.key().starts_with("admin.") {
            lines += "admin.enableServer=false\n";
        } else if self.key() != "admin.serverPort" {
            lines += "admin.serverPort=0\nadmin.serverAddress=127.0.0.1\n";
        }
        if self.is_line {
            lines = lines + self.name + "=" + self.value + "\n";
        }
        lines
    }

    /// `Err` with what differs here.
    fn compare(&self, folder: &Path) -> Result<(), String> {
        let file = folder.join("zoo.cfg");
        fs::write(&file, self.zoo_cfg()).unwrap();
        let flag = format!("-D{}={}", self.name, self.value);
        let output = Command::new(our_binary())
            .args(["config", "--values"])
            .arg(&file)
            .env("JVMFLAGS", if self.is_line { "" } else { &flag })
            .env_remove("SERVER_JVMFLAGS")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        if self.starts != output.status.success() {
            // Features that are not built must not be requested.
            let is_unbuilt = self.starts && said.contains("not built yet");
            return if is_unbuilt { Ok(()) } else { Err(format!("does not agree: {said}")) };
        }
        let values = String::from_utf8_lossy(&output.stdout);
        let Some(here) = held_here(self.key(), &values).filter(|_| self.starts) else {
            return Ok(());
        };
        let there = held_there(self.key(), self.held);
        if there == "-" || there == here { Ok(()) } else { Err(format!("holds {here}")) }
    }
}

/// Numbers beyond which `ZooKeeper` behaves as at them, and which we hold in their place; with what
/// `ZooKeeper` multiplies the number by.
const LIMITS: [(&str, f64, f64, f64); 8] = [
    ("globalOutstandingLimit", 1.0, f64::MAX, 1.0),
    ("jute.maxbuffer", 0.0, f64::MAX, 1.0),
    ("fsync.warningthresholdms", 0.0, u32::MAX as f64, 1.0),
    ("znode.container.maxNeverUsedIntervalMs", 0.0, u32::MAX as f64, 1.0),
    ("connection_throttle_drop_increase", 0.0, 1.0, 1.0),
    ("connection_throttle_drop_decrease", 0.0, 1.0, 1.0),
    ("connection_throttle_decrease_ratio", 0.0, 2.0, 1.0),
    // Segments of the log are within 8 GiB.
    ("preAllocSize", 1.0, 8_388_608.0, 1024.0),
];

/// `ZooKeeper`'s value, in our form.
fn held_there(key: &str, held: &str) -> String {
    let limits = LIMITS.iter().find(|(limited, ..)| *limited == key);
    let number = held.parse::<f64>().ok();
    let Some((&(_, min, max, unit), number)) = limits.zip(number) else { return held.to_owned() };
    if number.is_nan() { min } else { (number / unit).clamp(min, max) }.to_string()
}

/// The value that the command prints for a key, in `ZooKeeper`'s units; `None` if it is not
/// comparable.
fn held_here(key: &str, values: &str) -> Option<String> {
    let value_of = |key: &str| {
        let line = values.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        line.rsplit_once(" (").map(|(value, _)| value.to_owned())
    };
    let value = value_of(key);
    let number = |key: &str| value_of(key).and_then(|value| value.parse::<i64>().ok());
    match key {
        // -1 stands for a number of ticks.
        "minSessionTimeout" | "maxSessionTimeout" if value.as_deref() == Some("-1") => {
            let ticks = if key == "minSessionTimeout" { 2 } else { 20 };
            Some((number("tickTime")? * ticks).to_string())
        }
        "jute.maxbuffer.extrasize" => value.or_else(|| value_of("jute.maxbuffer")),
        "snapSizeLimitInKb" => Some(number(key)?.wrapping_mul(1024).to_string()),
        "skipACL" => value.map(|value| (value == "yes").to_string()),
        "largeRequestThreshold" => Some(number(key)?.max(-1).to_string()).map(|it| match &it[..] {
            "0" => "-1".to_owned(),
            _ => it,
        }),
        // These are observed by their effect: see `conformance::keys`.
        "DigestAuthenticationProvider.digestAlg"
        | "DigestAuthenticationProvider.superDigest"
        | "4lw.commands.whitelist"
        | "enforce.auth.schemes" => None,
        _ => value,
    }
}

#[test]
fn every_pair_of_key_and_value_is_read_as_zookeeper_reads_it() {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let readings: Vec<_> = include_str!("readings.tsv").lines().map(Reading::of).collect();
    assert!(readings.len() >= PAIRS_MIN, "{} pairs", readings.len());
    let differs = |reading: &Reading<'_>| {
        DIFFERENCES.iter().any(|(key, values, _)| *key == reading.key() && values(reading.value))
    };
    let compare = |share: &[Reading<'_>]| {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("ringkeeper-keys-{}-{number}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let wrong: Vec<_> = share
            .iter()
            .filter(|reading| !differs(reading))
            .filter_map(|reading| {
                reading.compare(&folder).err().map(|here| format!("{reading:?}: here {here}"))
            })
            .collect();
        fs::remove_dir_all(&folder).unwrap();
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let shares = readings.chunks(readings.len().div_ceil(2));
        let threads: Vec<_> = shares.map(|share| scope.spawn(move || compare(share))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{} pairs are otherwise:\n{}", wrong.len(), wrong.join("\n"));
}
