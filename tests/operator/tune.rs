//! `ringkeeper tune`: a made-up machine is judged, changed, and put back, also when it refuses.

use super::{Folder, assert_says};
use harness::server::our_binary;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const SWAPPINESS: &str = "proc/sys/vm/swappiness";
const SCHEDULER: &str = "sys/devices/pci0/0000:01:00.0/block/nvme0n1/queue/nomerges";
const BOOT_ID: &str = "proc/sys/kernel/random/boot_id";
const IRQ: &str = "proc/irq/41/smp_affinity_list";
const RPS: &str = "sys/devices/pci0/0000:02:00.0/net/eth0/queues/rx-0/rps_cpus";

/// Files as the kernel shows them, for a machine of 32 cores.
struct Machine(Folder);

impl Machine {
    fn new() -> Self {
        let machine = Self(Folder::new());
        let (disk, nic) = ("sys/devices/pci0/0000:01:00.0", "sys/devices/pci0/0000:02:00.0");
        for (path, text) in [
            (SWAPPINESS, "60"),
            ("proc/swaps", "Filename\n/dev/sda2"),
            (BOOT_ID, "first"),
            ("proc/cmdline", "quiet"),
            ("proc/sys/net/core/somaxconn", "128"),
            ("proc/sys/kernel/io_uring_disabled", "0"),
            ("proc/interrupts", " 41:  7  IR-PCI-MSI 0-edge  eth0-rx-0"),
            (IRQ, "3"),
            (SCHEDULER, "0"),
            (&format!("{disk}/block/nvme0n1/queue/write_cache"), "write back"),
            (&format!("{disk}/block/nvme0n1/queue/rotational"), "0"),
            (&format!("{nic}/msi_irqs/41"), "msix"),
            (&format!("{nic}/net/eth0/operstate"), "up"),
            (&format!("{nic}/net/eth0/queues/tx-0/xps_cpus"), "00"),
            (RPS, "00"),
        ] {
            machine.write(path, text);
        }
        let device = fs::metadata(machine.0.path()).unwrap().dev();
        let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
        for (from, to) in [
            ("sys/block/nvme0n1", format!("{disk}/block/nvme0n1")),
            (&format!("sys/dev/block/{major}:{minor}"), format!("{disk}/block/nvme0n1")),
            ("sys/class/net/eth0", format!("{nic}/net/eth0")),
            (&format!("{nic}/net/eth0/device"), nic.to_owned()),
            ("sys/bus/pci/devices/0000:02:00.0", nic.to_owned()),
        ] {
            let from = machine.at(from);
            fs::create_dir_all(from.parent().unwrap()).unwrap();
            symlink(machine.at(&to), from).unwrap();
        }
        machine
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{text}\n")).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap().trim().to_owned()
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.at(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn record(&self) -> PathBuf {
        self.at("var/record.json")
    }

    /// What a command prints, and its status.
    fn tune(&self, word: &str, more: &[&str]) -> (String, i32) {
        let mut command = Command::new(our_binary());
        command.current_dir(self.0.path()).args(["tune", word]);
        command.args(["--sys", "sys", "--proc", "proc"]).args(more);
        if word != "undo" {
            command.args(["--synthetic", "Package:1 L3:1 L2:32 Core:1 PU:1"]);
        }
        if ["apply", "undo", "measure"].contains(&word) {
            command.arg("--record").arg(self.record());
        }
        let done = command.env_remove("JVMFLAGS").output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (text.into_owned(), done.status.code().expect("it ended by itself"))
    }

    /// A command that succeeds and says this.
    fn done(&self, word: &str, more: &[&str], parts: &[&str]) -> String {
        let (text, status) = self.tune(word, more);
        assert_eq!(status, 0, "{text}");
        assert_says(&text, parts);
        text
    }

    /// A command that fails and says this.
    fn refused(&self, word: &str, parts: &[&str]) {
        let (text, status) = self.tune(word, &[]);
        assert_eq!(status, 1, "{text}");
        assert_says(&text, parts);
    }

    /// Every file of the kernel, with its text.
    fn all(&self) -> BTreeMap<PathBuf, String> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_symlink() {
                    continue;
                }
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    let text = fs::read_to_string(&path).unwrap().trim().replace("00000000", "00");
                    found.insert(path, text);
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(&self.at("sys"), &mut found);
        walk(&self.at("proc"), &mut found);
        found
    }
}

#[test]
fn the_machine_is_judged_and_nothing_is_changed() {
    let machine = Machine::new();
    let before = machine.all();
    let text = machine.done("check", &[], &["SETTING", "ringkeeper tune apply --only swappiness"]);
    assert!(!text.contains("io-uring") && text.contains("--long shows them"), "{text}");
    let long = machine.done("check", &["--long"], &["io-uring: 0, as advised", "boost: not here"]);
    assert!(long.lines().all(|line| line.len() <= 110), "{long}");
    let (text, status) = machine.tune("check", &["--json", "--only", "swappiness,write-cache"]);
    let json: Value = serde_json::from_str(&text).unwrap();
    let settings = json["settings"].as_array().unwrap();
    assert_eq!((status, &json["version"], settings.len()), (0, &1.into(), 2), "{text}");
    assert_eq!(settings[0]["setting"], "write-cache");
    assert_eq!(settings[0]["change"], "by hand");
    assert_eq!(settings[1]["weight"], "warning");
    assert_eq!(settings[1]["files"][0]["file"], "/proc/sys/vm/swappiness");
    assert_eq!(settings[1]["files"][0]["advised"], "1");
    machine.done(
        "apply",
        &["--dry-run"],
        &["/proc/sys/vm/swappiness: 60 -> 1", "5 files would be"],
    );
    assert!(machine.all() == before && !machine.record().exists(), "nothing is changed");
    for (more, expected) in [
        (["--only", "swapiness"], "there is no such setting; there are governor, boost"),
        (["--set", "ring.shards=many"], "ring.shards"),
    ] {
        let (text, status) = machine.tune("apply", &more);
        assert!(status == 2 && text.contains(expected), "{status}: {text}");
    }
    assert!(machine.all() == before && !machine.record().exists(), "nothing is changed");
}

#[test]
fn what_was_applied_is_undone() {
    let machine = Machine::new();
    let before = machine.all();
    machine.done("apply", &["--only", "swappiness"], &["1 file changed", "60 -> 1"]);
    assert_eq!(machine.read(SWAPPINESS), "1");
    // Others are added to the record, and something else writes in between.
    machine.write(SWAPPINESS, "30");
    machine.done("apply", &[], &["5 files changed", "by hand", "write-cache (nvme0n1)"]);
    assert_eq!((machine.read(IRQ), machine.read(SCHEDULER)), ("0".into(), "2".into()));
    machine.done("apply", &[], &["nothing to change"]);
    machine.done(
        "undo",
        &[],
        &["swappiness: /proc/sys/vm/swappiness: restored: 1 -> 60", "5 files restored"],
    );
    assert_eq!(machine.all(), before, "the first values, not those of the second time");
    assert!(!machine.record().exists());
    machine.done("undo", &[], &["nothing to undo"]);
}

#[test]
fn only_what_apply_wrote_is_undone() {
    let machine = Machine::new();
    machine.done("apply", &[], &["5 files changed"]);
    machine.write(SWAPPINESS, "10");
    machine.write(SCHEDULER, "0");
    fs::remove_file(machine.at(IRQ)).unwrap();
    machine.refused(
        "undo",
        &[
            "swappiness: left, something else has set it since: 10, was 60",
            "nomerges: is as before already",
            "not restored: No such file",
            "2 files restored",
            "1 of the files could not be changed",
        ],
    );
    assert_eq!(machine.read(SWAPPINESS), "10");
    // What could not be restored stays in the record, and only that.
    machine.write(IRQ, "0");
    machine.done("undo", &[], &["restored: 0 -> 3", "1 file restored"]);
    assert_eq!(machine.read(IRQ), "3");
}

#[test]
fn after_a_new_start_nothing_is_left_to_undo() {
    let machine = Machine::new();
    let before = machine.all();
    machine.done("apply", &[], &["5 files changed"]);
    for (path, text) in &before {
        fs::write(path, format!("{text}\n")).unwrap();
    }
    machine.write(BOOT_ID, "second");
    // Somebody made one of the values permanent.
    machine.write(SWAPPINESS, "1");
    machine.done(
        "undo",
        &[],
        &[
            "started again since: nothing is left to undo",
            "swappiness: left, something else has set it since",
        ],
    );
    assert_eq!(machine.read(SWAPPINESS), "1");
    // A record of an earlier start says nothing about what is there now.
    machine.write(SWAPPINESS, "60");
    machine.done("apply", &[], &["5 files changed"]);
    machine.write(BOOT_ID, "third");
    machine.write(SWAPPINESS, "40");
    machine.done("apply", &[], &["of an earlier start", "1 file changed"]);
    machine.done("undo", &[], &["restored: 1 -> 40", "1 file restored"]);
    assert_eq!(machine.read(SWAPPINESS), "40");
}

#[test]
fn a_record_that_is_not_as_it_was_written_is_refused() {
    let machine = Machine::new();
    machine.done("apply", &[], &["5 files changed"]);
    let (text, after) = (fs::read_to_string(machine.record()).unwrap(), machine.all());
    let edited = text.replace("\"60\"", "\"70\"");
    let elsewhere = text.replace("/proc/sys/vm/swappiness", "/proc/../../x");
    let newer = text.replace("\"format\": 1", "\"format\": 2");
    let torn = text[..text.len() / 2].to_owned();
    for (record, expected) in [
        (edited, "somebody has edited it"),
        (elsewhere, "somebody has edited it"),
        (newer, "has format 2, this version knows up to 1"),
        (torn, "is not a complete record"),
        (String::new(), "is not a complete record"),
    ] {
        fs::write(machine.record(), &record).unwrap();
        machine.refused("undo", &[expected, "nothing was changed"]);
        machine.write(SWAPPINESS, "60");
        machine.refused("apply", &[expected, "nothing was changed"]);
        machine.write(SWAPPINESS, "1");
        assert!(machine.all() == after, "{expected}");
        assert_eq!(fs::read_to_string(machine.record()).unwrap(), record, "it is left");
    }
    fs::write(machine.record(), &text).unwrap();
    machine.done("undo", &[], &["5 files restored"]);
}

#[test]
fn what_cannot_be_changed_is_named_and_the_rest_is_done() {
    let machine = Machine::new();
    machine.mode(SWAPPINESS, 0o444);
    machine.done(
        "check",
        &[],
        &["blocked", "not from here: 1 of 1 files: the kernel does not let"],
    );
    machine.refused(
        "apply",
        &[
            "/proc/sys/vm/swappiness is still 60: the kernel does not let",
            "4 files changed",
            "1 of the files could not be changed",
        ],
    );
    assert_eq!((machine.read(SWAPPINESS), machine.read(SCHEDULER)), ("60".into(), "2".into()));
    assert!(!fs::read_to_string(machine.record()).unwrap().contains("swappiness"));
    machine.mode(SCHEDULER, 0o444);
    machine.refused("undo", &["nomerges: not restored, is still 2", "3 files restored"]);
    machine.mode(SCHEDULER, 0o644);
    machine.done("undo", &[], &["1 file restored"]);
    // Not even a record, if nothing can be.
    fs::remove_dir_all(machine.at("var")).unwrap();
    machine.mode(SWAPPINESS, 0o444);
    let (text, status) = machine.tune("apply", &["--only", "swappiness"]);
    assert!(status == 1 && text.contains("is still 60") && !machine.at("var").exists(), "{text}");
    // Files that are hidden, as in a container: said, and no error.
    for hidden in ["sys", "proc/sys/vm", "proc/irq"] {
        fs::remove_dir_all(machine.at(hidden)).unwrap();
    }
    machine.done("check", &["--long"], &["swappiness: not here", "nomerges: not here"]);
    machine.done("apply", &[], &["somaxconn: 128 -> 1024, 1 file"]);
    // The record's place cannot be written: nothing is changed.
    machine.done("undo", &[], &["1 file restored"]);
    fs::remove_dir_all(machine.at("var")).unwrap();
    fs::write(machine.at("var"), "").unwrap();
    machine.refused("apply", &["var/record.json cannot be", "nothing was changed"]);
    assert_eq!(machine.read("proc/sys/net/core/somaxconn"), "128");
}

#[test]
fn the_scripts_do_the_same() {
    let (machine, other) = (Machine::new(), Machine::new());
    let before = machine.all();
    let forth = machine.done("script", &[], &["#!/bin/sh", "set -u", "# Why: ", "write-cache"]);
    let back = machine.done("script", &["--undo"], &["#!/bin/sh"]);
    let run = |text: &str, flag: &str| {
        let path = machine.at("script.sh");
        fs::write(&path, text).unwrap();
        let done = Command::new("sh").arg(flag).arg(&path).current_dir(machine.0.path()).output();
        done.unwrap()
    };
    assert!(run(&forth, "-n").status.success() && run(&back, "-n").status.success());
    assert_eq!(machine.all(), before, "printing and checking change nothing");
    assert!(run(&forth, "-u").status.success());
    other.done("apply", &[], &["5 files changed"]);
    let relative = |machine: &Machine| -> Vec<String> { machine.all().into_values().collect() };
    assert_eq!(relative(&machine), relative(&other));
    assert!(run(&back, "-u").status.success());
    assert_eq!(machine.all(), before);
    // What is refused does not stop the rest.
    fs::remove_file(machine.at(SWAPPINESS)).unwrap();
    fs::create_dir(machine.at(SWAPPINESS)).unwrap();
    let done = run(&forth, "-u");
    assert_eq!(done.status.code(), Some(1));
    assert_says(&String::from_utf8_lossy(&done.stderr), &["swappiness is not changed"]);
    assert_eq!(machine.read("proc/sys/net/core/somaxconn"), "1024");
}

#[test]
fn what_a_change_is_worth_is_measured_and_put_back() {
    let machine = Machine::new();
    let before = machine.all();
    let only = ["--only", "swappiness", "--rounds", "2", "--seconds", "1"];
    let text = machine.done("measure", &only, &["as it is", "swappiness", "GAIN", "nothing was"]);
    assert_eq!(text.lines().filter(|line| line.starts_with("swappiness ")).count(), 1, "{text}");
    assert_eq!(machine.all(), before);
    let left = fs::read_dir(machine.0.path()).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name().into_string().unwrap();
        name.starts_with("ringkeeper-measure")
    });
    assert_eq!(left.count(), 0);
    // What is changed already cannot be compared with what was.
    machine.done("apply", &["--only", "swappiness"], &["swappiness: 60 -> 1"]);
    machine.refused("measure", &["`ringkeeper tune undo` first"]);
    machine.done("undo", &[], &["1 file restored"]);
    // What cannot be written from here is left out, and the rest is measured.
    machine.mode(SWAPPINESS, 0o444);
    let both = ["--only", "swappiness,somaxconn", "--rounds", "2", "--seconds", "1"];
    let text = machine.done("measure", &both, &["as it is", "somaxconn ", "nothing was"]);
    assert!(!text.lines().any(|line| line.starts_with("swappiness ")), "{text}");
    assert_eq!(machine.read("proc/sys/net/core/somaxconn"), "128");
    let none = ["--only", "open-files"];
    machine.done("measure", &none, &["nothing to measure"]);
}
