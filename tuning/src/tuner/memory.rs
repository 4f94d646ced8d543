//! Memory, and what the server may use of the kernel.

use super::{About, Facts, Setting, Tuner};
use crate::host::Severity;

const PAGES: &str = "/sys/kernel/mm/";
const NOT_SHOWN: &str = "the kernel does not show it here";

pub(super) fn judge(facts: &Facts) -> Vec<Setting> {
    vec![
        swappiness(facts),
        huge_pages(facts),
        defragmentation(facts),
        ksm(facts),
        numa_balancing(facts),
        io_uring(facts),
        locked_memory(facts),
        open_files(facts),
    ]
}

fn swappiness(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::Swappiness);
    let name = "/proc/sys/vm/swappiness";
    let Some(value) = facts.value(name) else { return about.absent(NOT_SHOWN) };
    // The first line is a head.
    match facts.value("/proc/swaps").map(|it| it.lines().count()) {
        None => return about.keep(value, "whether memory can be swapped out is not shown here"),
        Some(0 | 1) => return about.keep(value, "there is nothing to swap to"),
        Some(_) => {}
    }
    let why = "the whole tree is in memory; a loop that touches a page that was written out waits \
               for the disk, with all its connections; 1 still avoids running out of memory";
    if value.parse().unwrap_or(0u64) <= 1 {
        return about.keep(value, why);
    }
    about.write(facts, Severity::Warning, vec![(name.to_owned(), "1".to_owned())], why)
}

fn huge_pages(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::HugePages);
    let name = format!("{PAGES}transparent_hugepage/enabled");
    let Some(value) = facts.value(&name) else { return about.absent(NOT_SHOWN) };
    let why = "the server asks for huge pages where the tree is, and a look-up then misses the TLB \
               less often";
    if value != "never" {
        return about.keep(value, why);
    }
    about.write(facts, Severity::Warning, vec![(name, "madvise".to_owned())], why)
}

fn defragmentation(facts: &Facts) -> Setting {
    let about = About::of(Tuner::HugePages, "defrag");
    let name = format!("{PAGES}transparent_hugepage/defrag");
    let Some(value) = facts.value(&name) else { return about.absent(NOT_SHOWN) };
    let why = "with always, any program that needs memory may have to wait until pages have been \
               moved together, the server's loops included";
    if value != "always" {
        return about.keep(value, why);
    }
    about.write(facts, Severity::Note, vec![(name, "madvise".to_owned())], why)
}

fn ksm(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::Ksm);
    let name = format!("{PAGES}ksm/run");
    let Some(value) = facts.value(&name) else { return about.absent(NOT_SHOWN) };
    let why = "a thread of the kernel compares pages of memory on whatever processor it likes, and \
               the server gains nothing by it; a host of virtual machines may, so leave it there";
    if value != "1" {
        return about.keep(value, why);
    }
    about.write(facts, Severity::Note, vec![(name, "0".to_owned())], why)
}

fn numa_balancing(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::NumaBalancing);
    let name = "/proc/sys/kernel/numa_balancing";
    let Some(value) = facts.value(name) else { return about.absent(NOT_SHOWN) };
    if facts.nodes < 2 {
        return about.keep(value, "there is one memory node, nothing is moved");
    }
    if facts.loop_cpus().is_empty() {
        return about.keep(value, "loops are not pinned, so memory may well have to follow them");
    }
    let why = format!(
        "loops are pinned and their memory is where they are, in {} nodes; to find out, the \
         kernel keeps making pages inaccessible, and the loops fault on them",
        facts.nodes
    );
    let advised = match value {
        "1" => "0",
        // The second bit moves what is rarely used to slower memory.
        "3" => "2",
        _ => return about.keep(value, why),
    };
    about.write(facts, Severity::Warning, vec![(name.to_owned(), advised.to_owned())], why)
}

/// Never changed: whoever has switched it off did so for security.
fn io_uring(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::IoUring);
    let why = "the loops do all their input and output by io_uring";
    let Some(value) = facts.value("/proc/sys/kernel/io_uring_disabled") else {
        return about.absent("this kernel cannot switch it off, or does not show it here");
    };
    let group = facts.value("/proc/sys/kernel/io_uring_group").unwrap_or("-1");
    match value {
        "0" => about.keep(value, why),
        "1" => about.by_hand(
            Some(format!("1, group {group}")),
            (Severity::Warning, "0, or the server's group"),
            "sysctl kernel.io_uring_group=GID with a group of the server's user, or run the server \
             with CAP_SYS_ADMIN, or sysctl kernel.io_uring_disabled=0",
            why,
        ),
        _ => about.by_hand(
            Some(value.to_owned()),
            (Severity::Error, "0, or 1 with a group"),
            "the server cannot start; somebody has switched it off for the whole machine, ask them \
             about sysctl kernel.io_uring_disabled=1 with kernel.io_uring_group",
            why,
        ),
    }
}

fn locked_memory(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::LockedMemory);
    let needed = facts.questions.needs.locked_bytes.div_ceil(1024);
    let why = "rings of the background count against it; this is the limit of this command, the \
               server's may be set elsewhere";
    let found = match facts.locked_memory.soft {
        u64::MAX => "unlimited".to_owned(),
        bytes => format!("{} KiB", bytes / 1024),
    };
    if facts.locked_memory.soft / 1024 >= needed {
        return about.keep(found, why);
    }
    about.by_hand(
        Some(found),
        (Severity::Error, &format!("{needed} KiB")),
        format!("LimitMEMLOCK={needed}K in the systemd unit, or ulimit -l {needed}"),
        why,
    )
}

fn open_files(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::OpenFiles);
    let (to_start, to_serve) = facts.questions.needs.open_files();
    let why = "a connection is an open file; the server raises its limit as far as it may, this is \
               how far this command may";
    // The server raises the soft one.
    let found = facts.open_files.hard;
    let severity = match found {
        _ if found >= to_serve => return about.keep(found.to_string(), why),
        _ if found < to_start => Severity::Error,
        _ => Severity::Warning,
    };
    about.by_hand(
        Some(found.to_string()),
        (severity, &to_serve.to_string()),
        format!("LimitNOFILE={to_serve} in the systemd unit, or ulimit -Hn {to_serve}"),
        why,
    )
}
