//! What is wrong with the machine's settings, why it matters, and how to fix it.
//!
//! [`Facts::read`] reads the settings, [`check`] judges them.

use std::{fmt, path::PathBuf};

mod clock;
mod facts;
#[cfg(test)]
mod tests;

pub use clock::is_in_time;
pub use facts::{Facts, Limit, Mount, raise_soft_limit};
pub(crate) use facts::{chosen, existing, limit, mount_of};
pub use nix::sys::resource::Resource;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It costs a little.
    Note,
    /// It costs a lot, or fails at some point.
    Warning,
    /// The server cannot do what it is configured to.
    Error,
}

/// One thing to fix. Displayed, it is a line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// What was found, with its number.
    pub what: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. To fix: {}", self.what, self.why, self.fix)
    }
}

/// What the server needs of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Connections of clients at a time, as far as they are limited.
    pub connections_max: Option<u32>,
    /// Memory that will be locked, for rings and registered buffers.
    pub locked_bytes: u64,
    /// The directory of the log.
    pub log_dir: PathBuf,
}

/// Files that the server opens besides connections: segments, snapshots, rings, eventfds.
const FILES_BESIDE_CONNECTIONS: u64 = 256;
/// Connections to be ready for if no limit is set.
const CONNECTIONS_EXPECTED: u64 = 10_000;
/// The oldest kernel that has what the core loop requires.
const KERNEL_FLOOR: (u32, u32) = (5, 19);
/// The first kernel that has everything that a core loop can use.
const KERNEL_FULL: (u32, u32) = (6, 1);

impl Needs {
    /// Open files: to start at all, and to serve the expected number of connections.
    pub fn open_files(&self) -> (u64, u64) {
        let connections = self.connections_max.map_or(CONNECTIONS_EXPECTED, u64::from);
        (FILES_BESIDE_CONNECTIONS, FILES_BESIDE_CONNECTIONS + connections)
    }
}

/// All findings, the most severe first.
pub fn check(facts: &Facts, needs: &Needs) -> Vec<Finding> {
    let mut findings: Vec<Finding> = [
        open_files(facts, needs),
        locked_memory(facts, needs),
        kernel(facts),
        huge_pages(facts),
        governor(facts),
        file_system(facts),
        times(facts),
    ]
    .into_iter()
    .flatten()
    .collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}

fn open_files(facts: &Facts, needs: &Needs) -> Option<Finding> {
    let (to_start, to_serve) = needs.open_files();
    let soft = facts.open_files.soft;
    let severity = match soft {
        _ if soft < to_start => Severity::Error,
        _ if soft < to_serve => Severity::Warning,
        _ => return None,
    };
    Some(Finding {
        severity,
        what: format!("{soft} files may be open, {to_serve} are needed"),
        why: "a connection is an open file, and new ones are refused when there are no more",
        fix: format!("LimitNOFILE={to_serve} in the systemd unit, or ulimit -n {to_serve}"),
    })
}

fn locked_memory(facts: &Facts, needs: &Needs) -> Option<Finding> {
    let soft = facts.locked_memory.soft;
    if soft >= needs.locked_bytes {
        return None;
    }
    let kib = needs.locked_bytes.div_ceil(1024);
    Some(Finding {
        severity: Severity::Warning,
        what: format!("{} KiB of memory may be locked, {kib} are needed", soft / 1024),
        why: "the kernel may refuse to create an io_uring",
        fix: format!("LimitMEMLOCK={kib}K in the systemd unit, or ulimit -l {kib}"),
    })
}

fn kernel(facts: &Facts) -> Option<Finding> {
    let found = version(&facts.kernel_release)?;
    let (severity, why) = if found < KERNEL_FLOOR {
        (Severity::Error, "its io_uring lacks what a core loop requires")
    } else if found < KERNEL_FULL {
        (Severity::Note, "its io_uring lacks DEFER_TASKRUN, which makes a core loop faster")
    } else {
        return None;
    };
    Some(Finding {
        severity,
        what: format!("the kernel is {}", facts.kernel_release),
        why,
        fix: format!("run Linux {}.{} or newer", KERNEL_FULL.0, KERNEL_FULL.1),
    })
}

/// The first two numbers of a release such as `6.18.44-x`.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|character: char| !character.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn huge_pages(facts: &Facts) -> Option<Finding> {
    if facts.huge_pages.as_deref() != Some("never") {
        return None;
    }
    Some(Finding {
        severity: Severity::Warning,
        what: "transparent huge pages are switched off".to_owned(),
        why: "the tree is in small pages, and a look-up misses the TLB more often",
        fix: "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled".to_owned(),
    })
}

fn governor(facts: &Facts) -> Option<Finding> {
    let others: Vec<&str> =
        facts.governors.iter().map(String::as_str).filter(|it| *it != "performance").collect();
    if others.is_empty() {
        return None;
    }
    Some(Finding {
        severity: Severity::Note,
        what: format!("the frequency governor is {}", others.join(", ")),
        why: "cores slow down between requests, and the first ones after a pause wait for them",
        fix: "cpupower frequency-set -g performance".to_owned(),
    })
}

fn file_system(facts: &Facts) -> Option<Finding> {
    let mount = facts.log_mount.as_ref()?;
    let (severity, why) = match mount.kind.as_str() {
        "tmpfs" | "ramfs" => (Severity::Warning, "nothing in memory survives a restart"),
        "overlay" | "aufs" | "fuse" => {
            (Severity::Warning, "layers between the log and the device make every flush slower")
        }
        kind if kind.starts_with("nfs") || kind.starts_with("fuse.") || kind == "cifs" => {
            (Severity::Warning, "a file system over the network stalls with the network")
        }
        "btrfs" | "zfs" => {
            (Severity::Note, "a file system that copies on write makes appends of the log slower")
        }
        _ => return None,
    };
    Some(Finding {
        severity,
        what: format!("the log is on {} ({})", mount.point.display(), mount.kind),
        why,
        fix: "set dataLogDir to a local ext4 or xfs".to_owned(),
    })
}

fn times(facts: &Facts) -> Option<Finding> {
    let mount = facts.log_mount.as_ref()?;
    let kept = mount.options.iter().any(|option| option == "lazytime");
    if kept || mount.kind != "ext4" {
        return None;
    }
    let point = mount.point.display();
    Some(Finding {
        severity: Severity::Note,
        what: format!("{point} is mounted without lazytime"),
        why: "a write to the log also writes the time of the write to the journal",
        fix: format!("mount -o remount,lazytime {point}, and the same in /etc/fstab"),
    })
}
