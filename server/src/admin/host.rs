//! Facts about the process and its machine. Everything here may block: it runs on a blocking
//! thread.

use super::limits::DIRECTORY_DEPTH_MAX;
use super::text::conf::Environment;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use nix::sys::utsname::uname;
use nix::unistd::{User, gethostname, getuid};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

/// When this binary was built, in ms since 1970: the `SOURCE_DATE_EPOCH` of the build; for a
/// release, when its sources were committed; else when its file was written. 0 if none is known.
pub(super) fn built_ms() -> i64 {
    let said = option_env!("RINGKEEPER_SOURCE_SECONDS").and_then(|text| text.parse::<i64>().ok());
    let written = || {
        let path = env::current_exe().ok()?;
        let modified = fs::metadata(path).ok()?.modified().ok()?;
        i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
    };
    said.map(|seconds| seconds.saturating_mul(1000)).or_else(written).unwrap_or(0)
}

/// Bytes of the files below a directory, by their lengths. What cannot be read counts nothing.
pub(super) fn directory_bytes(path: &Path) -> u64 {
    // The directory itself may be a link; links inside are not followed, so there is no circle.
    bytes_below(path, DIRECTORY_DEPTH_MAX)
}

fn bytes_below(path: &Path, depth: usize) -> u64 {
    let Ok(entries) = fs::read_dir(path) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() && depth > 0 => bytes_below(&entry.path(), depth - 1),
        Ok(metadata) if metadata.is_file() => metadata.len(),
        _ => 0,
    });
    bytes.sum()
}

/// Open file descriptors, and the limit.
pub(super) fn descriptors() -> (u64, u64) {
    // The directory that is being read is open too.
    let open = fs::read_dir("/proc/self/fd").map_or(0, |fds| fds.count().saturating_sub(1));
    let max = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
    (open as u64, max)
}

/// What the process has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Time on processors.
    pub(super) cpu_seconds: f64,
    /// Its virtual memory.
    pub(super) virtual_bytes: u64,
    /// Its resident memory.
    pub(super) resident_bytes: u64,
}

/// What the process has used so far.
pub(super) fn usage() -> Usage {
    let spent = getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        let seconds = |time: TimeVal| time.num_microseconds() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    });
    Usage {
        cpu_seconds: spent,
        virtual_bytes: 1024 * kib_of("/proc/self/status", "VmSize:"),
        resident_bytes: 1024 * kib_of("/proc/self/status", "VmRSS:"),
    }
}

/// The environment.
pub(super) fn environment() -> Environment {
    let system = uname().ok();
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    let name = |of: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        system.as_ref().map(|system| text(of(system))).unwrap_or_default()
    };
    let user = User::from_uid(getuid()).ok().flatten();
    let (memory_free_mib, memory_max_mib) = memory_mib();
    let (user_name, user_home) = user.map(|user| (user.name, user.dir)).unwrap_or_default();
    Environment {
        host_name: gethostname().map(|name| text(&name)).unwrap_or_default(),
        temporary_dir: env::temp_dir(),
        os_name: name(|system| system.sysname()),
        os_arch: java_arch(&name(|system| system.machine())).to_owned(),
        os_version: name(|system| system.release()),
        user_name,
        user_home,
        user_dir: env::current_dir().unwrap_or_default(),
        memory_free_mib,
        memory_max_mib,
        memory_total_mib: kib_of("/proc/self/status", "VmRSS:") / 1024,
    }
}

fn java_arch(machine: &str) -> &str {
    if machine == "x86_64" { "amd64" } else { machine }
}

/// Available and total memory: of the machine, or of the control group if that is less.
fn memory_mib() -> (u64, u64) {
    let free = kib_of("/proc/meminfo", "MemAvailable:") / 1024;
    let total = kib_of("/proc/meminfo", "MemTotal:") / 1024;
    let limit = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    match limit.and_then(|limit| limit.trim().parse::<u64>().ok()).map(|bytes| bytes >> 20) {
        Some(limit) if limit < total => (free.min(limit), limit),
        _ => (free, total),
    }
}

/// The number after `key` in one of the kernel's tables, in KiB.
fn kib_of(path: &str, key: &str) -> u64 {
    let table = fs::read_to_string(path).unwrap_or_default();
    let line = table.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// The wall clock in ms since 1970.
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
