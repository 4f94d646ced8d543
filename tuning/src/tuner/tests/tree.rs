//! Trees of files as the kernel shows machines.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::host::Needs;
use crate::placement::PlacementOptions;
use crate::topology::{Kernel, Topology};
use crate::tuner::{Advice, Facts, Questions, Setting, Tuner, settings};

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A directory of one test, removed at its end.
pub(super) struct Tree {
    pub(super) top: PathBuf,
    pub(super) kernel: Kernel,
}

impl Tree {
    pub(super) fn new() -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let top = std::env::temp_dir().join(format!("ringkeeper-tuner-{}-{number}", process::id()));
        fs::create_dir_all(top.join("log")).unwrap();
        let kernel = Kernel { sys: top.join("sys"), proc: top.join("proc") };
        Self { top, kernel }
    }

    /// Name by name, below the two roots.
    pub(super) fn write(&self, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = self.kernel.path(name).unwrap();
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
    }

    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.kernel.path(name).unwrap()).unwrap().trim_end().to_owned()
    }

    pub(super) fn forbid(&self, name: &str) {
        let path = self.kernel.path(name).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o444)).unwrap();
    }

    fn link(&self, from: &str, to: &str) {
        let from = self.kernel.path(from).unwrap();
        fs::create_dir_all(from.parent().unwrap()).unwrap();
        symlink(self.kernel.path(to).unwrap(), from).unwrap();
    }

    /// A disk on the PCI bus, with the log on it.
    pub(super) fn disk(&self, name: &str, pci: &str, irqs: &[(u32, &str, &str)]) {
        let device = format!("/sys/devices/pci0000:00/{pci}");
        let folder = format!("{device}/block/{name}");
        for file in [
            ("scheduler", "[none] mq-deadline kyber"),
            ("nomerges", "2"),
            ("write_cache", "write through"),
            ("wbt_lat_usec", "2000"),
            ("read_ahead_kb", "128"),
            ("rotational", "0"),
        ] {
            self.write(&[(&format!("{folder}/queue/{}", file.0), file.1)]);
        }
        self.link(&format!("/sys/block/{name}"), &folder);
        self.pci(&device, pci, irqs);
        let device = fs::metadata(self.top.join("log")).unwrap().dev();
        let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
        self.link(&format!("/sys/dev/block/{major}:{minor}"), &folder);
    }

    /// An interface on the PCI bus with so many queues of both kinds.
    pub(super) fn nic(
        &self,
        name: &str,
        pci: &str,
        queues: (u32, u32),
        irqs: &[(u32, &str, &str)],
    ) {
        let device = format!("/sys/devices/pci0000:00/{pci}");
        let folder = format!("{device}/net/{name}");
        self.write(&[(&format!("{folder}/operstate"), "up")]);
        self.link(&format!("{folder}/device"), &device);
        for queue in 0..queues.0 {
            self.write(&[(&format!("{folder}/queues/rx-{queue}/rps_cpus"), "00000000")]);
        }
        for queue in 0..queues.1 {
            self.write(&[(&format!("{folder}/queues/tx-{queue}/xps_cpus"), "00000000")]);
        }
        self.link(&format!("/sys/class/net/{name}"), &folder);
        self.pci(&device, pci, irqs);
    }

    fn pci(&self, device: &str, pci: &str, irqs: &[(u32, &str, &str)]) {
        self.write(&[
            (&format!("{device}/numa_node"), "0"),
            (&format!("{device}/local_cpulist"), "0-7,16-23"),
        ]);
        self.link(&format!("/sys/bus/pci/devices/{pci}"), device);
        let table = self.kernel.proc.join("interrupts");
        let mut lines = fs::read_to_string(&table).unwrap_or_default();
        for (number, name, cpus) in irqs {
            self.write(&[
                (&format!("{device}/msi_irqs/{number}"), "msix"),
                (&format!("/proc/irq/{number}/smp_affinity_list"), cpus),
                (&format!("/proc/irq/{number}/effective_affinity_list"), cpus),
            ]);
            lines.push_str(
                &[&format!(" {number}:"), "0 7 IR-PCI-MSI 1-edge", *name, "\n"].join(" "),
            );
        }
        fs::create_dir_all(table.parent().unwrap()).unwrap();
        fs::write(table, lines).unwrap();
    }

    pub(super) fn questions(&self) -> Questions {
        Questions {
            needs: Needs {
                connections_max: Some(100),
                locked_bytes: 0,
                log_dir: self.top.join("log"),
            },
            options: PlacementOptions::default(),
            is_buffered: false,
            listen_backlog: 1_024,
            is_in_time: Some(true),
        }
    }

    pub(super) fn facts(&self, topology: &Topology) -> Facts {
        Facts::read(&self.kernel, topology, self.questions())
    }

    pub(super) fn settings(&self, topology: &Topology) -> Vec<Setting> {
        settings(&self.facts(topology))
    }

    /// The one setting of this kind, whatever it is of.
    pub(super) fn one(&self, topology: &Topology, tuner: Tuner) -> Setting {
        let mut found = self.settings(topology);
        found.retain(|it| it.tuner == tuner);
        assert!(!found.is_empty(), "{tuner}");
        found.remove(0)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        // A directory that stays behind does no harm.
        let _ = fs::remove_dir_all(&self.top);
    }
}

/// A setting in a line.
pub(super) fn line(setting: &Setting) -> String {
    let Setting { tuner, subject, found, advice, .. } = setting;
    let found = found.as_deref().unwrap_or("?");
    let advice = match advice {
        Advice::Keep => "kept".to_owned(),
        Advice::Absent => "absent".to_owned(),
        Advice::Write { severity, advised, changes } => {
            format!("{advised}, {severity:?}, {}", changes.len())
        }
        Advice::ByHand { severity, advised, .. } => format!("{advised}, {severity:?}, by hand"),
    };
    format!("{tuner} {subject}: {found}: {advice}")
}
