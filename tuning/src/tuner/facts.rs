//! Reads what is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use nix::sys::resource::Resource;

use super::file::File;
use crate::host::{Limit, Mount, Needs, existing, limit, mount_of};
use crate::placement::{Placement, PlacementOptions, placement};
use crate::topology::device::names;
use crate::topology::{Device, DeviceKind, Kernel, Topology};

/// What the answers depend on.
#[derive(Clone, Debug)]
pub struct Questions {
    /// What the server needs.
    pub needs: Needs,
    /// What is configured of the placement.
    pub options: PlacementOptions,
    /// The log is written through the page cache.
    pub is_buffered: bool,
    /// Connections that the server's socket lets wait.
    pub listen_backlog: u32,
    /// Whether the kernel's clock is kept right by something; `None` if that is not known.
    pub is_in_time: Option<bool>,
}

/// What is known of the machine.
#[derive(Clone, Debug)]
pub struct Facts {
    pub(super) files: BTreeMap<String, File>,
    pub(super) questions: Questions,
    pub(super) placement: Placement,
    /// All processors, ascending.
    pub(super) cpus: Vec<u32>,
    /// How many memory nodes there are.
    pub(super) nodes: usize,
    pub(super) disks: Vec<Device>,
    pub(super) nics: Vec<Device>,
    pub(super) log_mount: Option<Mount>,
    pub(super) open_files: Limit,
    pub(super) locked_memory: Limit,
    /// A program runs that moves interrupts by itself.
    pub(super) is_balanced: bool,
}

const FILES: [&str; 20] = [
    "/sys/devices/system/cpu/cpufreq/policy*/scaling_governor",
    "/sys/devices/system/cpu/cpufreq/policy*/scaling_available_governors",
    "/sys/devices/system/cpu/cpufreq/boost",
    "/sys/devices/system/cpu/intel_pstate/no_turbo",
    "/sys/devices/system/clocksource/clocksource0/current_clocksource",
    "/sys/devices/system/clocksource/clocksource0/available_clocksource",
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/sys/kernel/mm/transparent_hugepage/defrag",
    "/sys/kernel/mm/ksm/run",
    "/proc/cmdline",
    "/proc/swaps",
    "/proc/sys/net/core/busy_read",
    "/proc/sys/net/core/busy_poll",
    "/proc/sys/net/core/somaxconn",
    "/proc/sys/net/ipv4/tcp_max_syn_backlog",
    "/proc/sys/net/ipv4/tcp_syncookies",
    "/proc/sys/vm/swappiness",
    "/proc/sys/kernel/io_uring_disabled",
    "/proc/sys/kernel/io_uring_group",
    "/proc/sys/kernel/numa_balancing",
];
const DISK_FILES: [&str; 6] =
    ["scheduler", "nomerges", "write_cache", "wbt_lat_usec", "read_ahead_kb", "rotational"];
const IDLE_FILES: [&str; 3] = ["latency", "name", "disable"];

impl Facts {
    /// Reads the settings. The topology may be another machine's, if `kernel` is.
    pub fn read(kernel: &Kernel, topology: &Topology, questions: Questions) -> Facts {
        let log_dir: PathBuf = existing(&questions.needs.log_dir);
        let disks = kernel.disks_below(&log_dir);
        let devices = kernel.devices(&disks);
        let options = PlacementOptions { log_disks: disks, ..questions.options.clone() };
        let mut topology = topology.clone();
        // Those that decide where the server's loops are, if it knows any.
        if topology.devices.is_empty() {
            topology.devices.clone_from(&devices);
        }
        let placement = placement(&topology, &options);
        let (nics, disks): (Vec<_>, Vec<_>) =
            devices.into_iter().partition(|it| it.kind == DeviceKind::Nic);
        let mut facts = Facts {
            files: BTreeMap::new(),
            cpus: topology.cpus(),
            nodes: topology.cores.iter().map(|it| it.numa_node).collect::<BTreeSet<_>>().len(),
            log_mount: None,
            open_files: limit(Resource::RLIMIT_NOFILE),
            locked_memory: limit(Resource::RLIMIT_MEMLOCK),
            is_balanced: runs(kernel, "irqbalance"),
            questions,
            placement,
            disks,
            nics,
        };
        let patterns = facts.patterns();
        for name in patterns.iter().flat_map(|pattern| kernel.matching(pattern)) {
            if let Ok(file) = kernel.read(&name) {
                facts.files.insert(name, file);
            }
        }
        let mounts = std::fs::read_to_string(kernel.proc.join("self/mountinfo"));
        facts.log_mount = mount_of(&log_dir, &mounts.unwrap_or_default());
        facts
    }

    fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = FILES.iter().map(|it| (*it).to_owned()).collect();
        for disk in &self.disks {
            let file = |file: &&str| format!("/sys/block/{}/queue/{file}", disk.name);
            patterns.extend(DISK_FILES.iter().map(file));
        }
        for nic in &self.nics {
            let queues = format!("/sys/class/net/{}/queues", nic.name);
            patterns.push(format!("{queues}/rx-*/rps_cpus"));
            patterns.push(format!("{queues}/tx-*/xps_cpus"));
        }
        for device in self.disks.iter().chain(&self.nics) {
            let file = |number: u32| format!("/proc/irq/{number}/smp_affinity_list");
            patterns.extend(device.interrupts.iter().map(|it| file(it.number)));
        }
        for cpu in self.loop_cpus() {
            let folder = format!("/sys/devices/system/cpu/cpu{cpu}/cpuidle");
            patterns.extend(IDLE_FILES.iter().map(|file| format!("{folder}/state*/{file}")));
        }
        patterns
    }

    /// A file that could be read.
    pub(super) fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }

    /// The value of a file.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.file(name).map(|file| &*file.value)
    }

    /// The files that were read with such names, ascending by number.
    pub(super) fn named<'a>(&'a self, begin: &str, end: &str) -> Vec<&'a str> {
        let names = self.files.keys().map(String::as_str);
        let mut names: Vec<&str> =
            names.filter(|it| it.starts_with(begin) && it.ends_with(end)).collect();
        names.sort_by_key(|it| (it.len(), *it));
        names
    }

    /// The processors that loops are pinned to; none if they are not pinned.
    pub(super) fn loop_cpus(&self) -> Vec<u32> {
        let mut cpus: Vec<u32> = self.placement.loops.iter().filter_map(|it| it.cpu).collect();
        cpus.sort_unstable();
        cpus
    }

    /// How many loops serve connections.
    pub(super) fn shards(&self) -> u32 {
        self.placement.shard_count()
    }
}

/// Whether a program of this name runs.
fn runs(kernel: &Kernel, program: &str) -> bool {
    let is_number = |name: &String| name.bytes().all(|it| it.is_ascii_digit());
    let processes = names(&kernel.proc).into_iter().filter(is_number);
    let name = |process: String| std::fs::read(kernel.proc.join(process).join("comm"));
    processes.filter_map(|it| name(it).ok()).any(|it| it.trim_ascii() == program.as_bytes())
}
