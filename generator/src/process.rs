//! What a process has used, as the kernel reports it: `/proc/PID`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};

use super::error::BenchError;

/// What a process has used up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Usage {
    /// User and system time of all its threads, also of those that have ended.
    pub(super) cpu_us: u64,
    /// Context switches of the current threads, voluntary and involuntary.
    pub(super) switches: u64,
    /// Bytes that it caused to be written to storage. 0 if the kernel does not report them.
    pub(super) write_bytes: u64,
    /// Resident memory now.
    pub(super) rss_bytes: u64,
    /// Peak resident memory.
    pub(super) rss_bytes_max: u64,
}

impl Usage {
    /// What was used since `earlier`; memory as it is now.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            cpu_us: self.cpu_us.saturating_sub(earlier.cpu_us),
            switches: self.switches.saturating_sub(earlier.switches),
            write_bytes: self.write_bytes.saturating_sub(earlier.write_bytes),
            ..self
        }
    }
}

/// A process whose usage is read.
pub(super) struct Process {
    pid: u32,
    folder: PathBuf,
}

impl Process {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, folder: Path::new("/proc").join(pid.to_string()) }
    }

    pub(super) fn usage(&self) -> Result<Usage, BenchError> {
        self.read().map_err(|source| BenchError::Process { pid: self.pid, source })
    }

    fn read(&self) -> Result<Usage, io::Error> {
        let stat = fs::read_to_string(self.folder.join("stat"))?;
        let status = fs::read_to_string(self.folder.join("status"))?;
        // Readable by the owner only.
        let io = fs::read_to_string(self.folder.join("io")).unwrap_or_default();
        let mut switches = 0;
        // A thread may end while they are listed, and after.
        for task in fs::read_dir(self.folder.join("task"))?.flatten() {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            switches += field(&status, "voluntary_ctxt_switches:")
                + field(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(Usage {
            cpu_us: cpu_ticks(&stat) * tick_us(),
            switches,
            write_bytes: field(&io, "write_bytes:"),
            rss_bytes: field(&status, "VmRSS:") << 10,
            rss_bytes_max: field(&status, "VmHWM:") << 10,
        })
    }
}

/// The number that follows a name at the start of a line.
pub(super) fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|rest| rest.split_ascii_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// utime and stime. The name in parentheses before them may hold anything.
pub(super) fn cpu_ticks(stat: &str) -> u64 {
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_ascii_whitespace().skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum()
}

/// What all CPUs of this machine have spent since it started, in us: working, and in total. Both 0
/// if the kernel does not report them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MachineTime {
    pub(super) busy_us: u64,
    pub(super) total_us: u64,
}

impl MachineTime {
    pub(super) fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal, and parts of those.
    pub(super) fn parse(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let words = line.split_ascii_whitespace().skip(1).take(8);
        let ticks: Vec<u64> = words.map(|word| word.parse().unwrap_or(0)).collect();
        let total_us = ticks.iter().sum::<u64>() * tick_us();
        let idle_us = ticks.iter().skip(3).take(2).sum::<u64>() * tick_us();
        Self { busy_us: total_us - idle_us, total_us }
    }
}

fn tick_us() -> u64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100).max(1) as u64;
    1_000_000 / ticks
}

/// CPU time of this process in us.
pub(super) fn own_cpu_us() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| {
        (usage.user_time().num_microseconds() + usage.system_time().num_microseconds()) as u64
    })
}

/// The process that listens on an address of this machine, if it is visible to us.
pub(super) fn listener_of(address: SocketAddr) -> Option<u32> {
    if !address.ip().is_loopback() {
        return None;
    }
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let inode =
        tables.into_iter().flatten().find_map(|table| listener_inode(&table, address.port()))?;
    let socket = PathBuf::from(format!("socket:[{inode}]"));
    let holds = |folder: &Path| {
        let files = fs::read_dir(folder.join("fd")).into_iter().flatten().flatten();
        files.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|link| link == socket))
    };
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        holds(&entry.path()).then_some(pid)
    })
}

/// The inode of the socket that listens on a port, in a table of the kernel's.
pub(super) fn listener_inode(table: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).find_map(|line| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (words.get(1)?, words.get(3)?, words.get(9)?);
        let (_, found) = local.rsplit_once(':')?;
        let is_it = *state == LISTEN && u16::from_str_radix(found, 16) == Ok(port);
        if is_it { inode.parse().ok() } else { None }
    })
}
