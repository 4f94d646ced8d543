//! The disks of the log, and its file system.

use super::{About, Facts, Setting, Tuner};
use crate::host::Severity;

/// What the kernel itself reads ahead.
const READ_AHEAD_KB_USUAL: u64 = 128;

pub(super) fn judge(facts: &Facts) -> Vec<Setting> {
    let mut settings = vec![lazytime(facts)];
    if facts.disks.is_empty() {
        let why = "which disk the log is on is not shown here, or it is on none";
        let tuners = [
            Tuner::DiskScheduler,
            Tuner::Nomerges,
            Tuner::WriteCache,
            Tuner::WritebackThrottling,
            Tuner::ReadAhead,
        ];
        settings.extend(tuners.map(|tuner| About::machine(tuner).absent(why)));
    }
    for disk in &facts.disks {
        let queue = Queue { facts, disk: &disk.name };
        settings.extend([
            queue.scheduler(),
            queue.nomerges(),
            queue.write_cache(),
            queue.throttling(),
            queue.read_ahead(),
        ]);
    }
    settings
}

/// The settings of one disk.
struct Queue<'a> {
    facts: &'a Facts,
    disk: &'a str,
}

const NOT_SHOWN: &str = "the kernel does not show it for this disk";
const HEADS: &str =
    "the disk has heads to move: the order of requests matters there, and it is left";

impl<'a> Queue<'a> {
    fn name(&self, file: &str) -> String {
        format!("/sys/block/{}/queue/{file}", self.disk)
    }

    fn value(&self, file: &str) -> Option<&'a str> {
        self.facts.value(&self.name(file))
    }

    fn about(&self, tuner: Tuner) -> About {
        About::of(tuner, self.disk)
    }

    /// A disk of a virtual machine is said to rotate whatever it is made of, and its requests are
    /// put in order by the host.
    fn has_heads(&self) -> bool {
        self.value("rotational") == Some("1") && !self.disk.starts_with("vd")
    }

    fn scheduler(&self) -> Setting {
        let about = self.about(Tuner::DiskScheduler);
        let name = self.name("scheduler");
        let Some(file) = self.facts.file(&name) else { return about.absent(NOT_SHOWN) };
        let why = "the log has a few writes in flight and nothing to reorder; a scheduler takes \
                   processor time for each of them and may hold one back for another";
        if file.value == "none" {
            return about.keep("none", why);
        }
        if self.has_heads() {
            return about.keep(&*file.value, HEADS);
        }
        if !file.text.split_whitespace().any(|word| word == "none") {
            return about.keep(&*file.value, "the kernel offers no other for this disk");
        }
        about.write(self.facts, Severity::Note, vec![(name, "none".to_owned())], why)
    }

    fn nomerges(&self) -> Setting {
        let about = self.about(Tuner::Nomerges);
        let Some(found) = self.value("nomerges") else { return about.absent(NOT_SHOWN) };
        if self.has_heads() {
            return about.keep(found, HEADS);
        }
        let wanted = vec![(self.name("nomerges"), "2".to_owned())];
        let why = "log and snapshots are written in pieces that are as large as they should be: \
                   looking for neighbours to merge them with finds none, and takes a little time \
                   for each";
        about.write(self.facts, Severity::Note, wanted, why)
    }

    /// Never changed: a wrong answer loses what was acknowledged.
    fn write_cache(&self) -> Setting {
        let about = self.about(Tuner::WriteCache);
        let Some(found) = self.value("write_cache") else { return about.absent(NOT_SHOWN) };
        if found != "write back" {
            return about.keep(
                found,
                "what the disk has acknowledged survives a loss of power, \
                                      so a durable write needs no flush",
            );
        }
        about.by_hand(
            Some(found.to_owned()),
            (Severity::Note, "write through, if safe"),
            format!(
                "only if the maker of the disk, or the provider of the machine, promises that its \
                 cache survives a loss of power: echo 'write through' > {}; if that is not true, \
                 acknowledged writes are lost with the power",
                self.name("write_cache")
            ),
            "the disk is taken to lose its cache with the power, so every durable write is \
             followed by a flush or bypasses the cache; a disk with capacitors does not need that",
        )
    }

    fn throttling(&self) -> Setting {
        let about = self.about(Tuner::WritebackThrottling);
        let Some(found) = self.value("wbt_lat_usec") else { return about.absent(NOT_SHOWN) };
        if !self.facts.questions.is_buffered {
            return about.keep(
                found,
                "the log's direct writes are never throttled; writes of \
                                      others from the page cache are, which keeps them out of \
                                      its way",
            );
        }
        let wanted = vec![(self.name("wbt_lat_usec"), "0".to_owned())];
        let why = "ring.log.durability=buffered writes the log through the page cache, and the \
                   kernel holds such writes back in favour of reads";
        about.write(self.facts, Severity::Warning, wanted, why)
    }

    fn read_ahead(&self) -> Setting {
        let about = self.about(Tuner::ReadAhead);
        let Some(found) = self.value("read_ahead_kb") else { return about.absent(NOT_SHOWN) };
        let why = "the server reads its files directly and gains nothing by reading ahead; for \
                   others on this disk, long reads that may be in vain delay the log's writes";
        if self.has_heads() {
            return about.keep(found, HEADS);
        }
        if found.parse().unwrap_or(0) <= READ_AHEAD_KB_USUAL {
            return about.keep(found, why);
        }
        let wanted = vec![(self.name("read_ahead_kb"), READ_AHEAD_KB_USUAL.to_string())];
        about.write(self.facts, Severity::Note, wanted, why)
    }
}

fn lazytime(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::Lazytime);
    let Some(mount) = &facts.log_mount else {
        return about.absent("which file system the log is in is not shown here");
    };
    let point = mount.point.display().to_string();
    let about = About::of(Tuner::Lazytime, &point);
    if mount.kind != "ext4" {
        return about.keep(&*mount.kind, "only ext4 writes the time of each write to its journal");
    }
    let why = "a write to the log also writes the time of the write to the journal";
    if mount.options.iter().any(|option| option == "lazytime") {
        return about.keep("lazytime", why);
    }
    about.by_hand(
        Some("no lazytime".to_owned()),
        (Severity::Note, "lazytime"),
        format!("mount -o remount,lazytime {point}, and the same in /etc/fstab"),
        why,
    )
}
