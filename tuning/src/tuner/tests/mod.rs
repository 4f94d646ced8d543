mod tree;

use super::{Advice, Blocked, Setting, TUNERS, Tuner, WriteError, settings, text_of, value};
use crate::host::Severity;
use crate::topology::Topology;
use tree::{Tree, line};

const CPU: &str = "/sys/devices/system/cpu";

/// Two sockets of eight cores with two threads each; the network and the log's disk are at the
/// first one. Nothing is as advised.
fn two_sockets() -> (Tree, Topology) {
    let tree = Tree::new();
    tree.disk(
        "nvme0n1",
        "0000:01:00.0",
        &[(30, "nvme0q0", "0"), (31, "nvme0q1", "1"), (32, "nvme0q2", "2")],
    );
    let irqs = [(40, "eth0-rx-0", "1"), (41, "eth0-rx-1", "0"), (42, "eth0-tx-0", "17")];
    tree.nic("eth0", "0000:02:00.0", (1, 2), &irqs);
    for policy in 0..16 {
        let folder = format!("{CPU}/cpufreq/policy{policy}");
        tree.write(&[
            (&format!("{folder}/scaling_governor"), "powersave"),
            (&format!("{folder}/scaling_available_governors"), "performance powersave"),
        ]);
    }
    for cpu in 0..32 {
        for (state, latency) in [(0, "0"), (1, "2"), (2, "20"), (3, "133")] {
            let folder = format!("{CPU}/cpu{cpu}/cpuidle/state{state}");
            tree.write(&[
                (&format!("{folder}/latency"), latency),
                (&format!("{folder}/disable"), "0"),
            ]);
        }
    }
    tree.write(&[
        ("/sys/devices/system/cpu/cpufreq/boost", "1"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet"),
        ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "hpet tsc acpi_pm"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]"),
        ("/sys/kernel/mm/transparent_hugepage/defrag", "[always] defer madvise never"),
        ("/sys/kernel/mm/ksm/run", "1"),
        ("/proc/cmdline", "quiet nohz_full=1"),
        ("/proc/swaps", "Filename Type Size Used Priority\n/dev/sda2 partition 1 0 -2"),
        ("/proc/sys/net/core/busy_read", "0"),
        ("/proc/sys/net/core/busy_poll", "50"),
        ("/proc/sys/net/core/somaxconn", "128"),
        ("/proc/sys/net/ipv4/tcp_max_syn_backlog", "512"),
        ("/proc/sys/net/ipv4/tcp_syncookies", "0"),
        ("/proc/sys/vm/swappiness", "60"),
        ("/proc/sys/kernel/io_uring_disabled", "1"),
        ("/proc/sys/kernel/numa_balancing", "1"),
        ("/proc/771/comm", "irqbalance"),
        ("/proc/self/mountinfo", "1 0 8:1 / / rw,relatime - ext4 /dev/x rw"),
        ("/sys/block/nvme0n1/queue/scheduler", "none [mq-deadline]"),
        ("/sys/block/nvme0n1/queue/nomerges", "0"),
        ("/sys/block/nvme0n1/queue/write_cache", "write back"),
        ("/sys/block/nvme0n1/queue/read_ahead_kb", "4096"),
    ]);
    (tree, Topology::uniform(2, 8, 2))
}

/// A virtual machine with two cores: everything is in one loop, which is not pinned.
fn virtual_machine() -> (Tree, Topology) {
    let tree = Tree::new();
    tree.disk("vda", "0000:00:02.0", &[(36, "virtio1-req.0", "1")]);
    tree.nic("eth0", "0000:00:04.0", (1, 1), &[(41, "virtio3-rx", "1")]);
    tree.write(&[
        ("/sys/block/vda/queue/rotational", "1"),
        ("/sys/block/vda/queue/scheduler", "none [mq-deadline]"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock"),
        ("/proc/swaps", "Filename Type Size Used Priority"),
        ("/proc/sys/vm/swappiness", "60"),
        ("/proc/sys/net/core/somaxconn", "4096"),
        ("/proc/sys/net/ipv4/tcp_max_syn_backlog", "128"),
        ("/proc/sys/net/ipv4/tcp_syncookies", "1"),
        ("/proc/sys/kernel/numa_balancing", "1"),
        ("/proc/771/comm", "irqbalance"),
        ("/proc/cmdline", "quiet"),
    ]);
    (tree, Topology::uniform(1, 2, 1))
}

fn lines(settings: &[Setting]) -> Vec<String> {
    settings.iter().map(line).filter(|it| !it.starts_with('o') && !it.starts_with("loc")).collect()
}

#[test]
fn two_sockets_are_judged() {
    let (tree, topology) = two_sockets();
    let expected = [
        "governor 16 policies: powersave: performance, Note, 16",
        "boost : on: kept",
        "c-states cpu1-15: up to 133 us: up to 20 us, Warning, 15",
        "clock-source : hpet: tsc, Warning, 1",
        "time-sync : in sync: kept",
        "boot-line : nohz_full=1: nohz_full=1-15 rcu_nocbs=1-15 isolcpus=managed_irq,1-15 \
         irqaffinity=0,16, Note, by hand",
        "disk-scheduler nvme0n1: mq-deadline: none, Note, 1",
        "nomerges nvme0n1: 0: 2, Note, 1",
        "write-cache nvme0n1: write back: write through, if safe, Note, by hand",
        "writeback-throttling nvme0n1: 2000: kept",
        "read-ahead nvme0n1: 4096: 128, Note, 1",
        "lazytime /: no lazytime: lazytime, Note, by hand",
        "interrupts nvme0n1: cpu0-2: kept",
        "interrupts eth0: 1 | 17: 0 | 16, Warning, 2",
        "interrupts irqbalance: runs: IRQBALANCE_BANNED_CPULIST=1-15, Note, by hand",
        "rps eth0: none: 0,16, Note, 1",
        "xps eth0: none: 1,3,5,7,9,11,13,15-16,18,20,22,24,26,28,30 | \
         0,2,4,6,8,10,12,14,17,19,21,23,25,27,29,31, Note, 2",
        "coalescing eth0: ?: adaptive, or rx-usecs below 20, Note, by hand",
        "busy-poll : read 0, poll 50: kept",
        "somaxconn : 128: 1024, Warning, 1",
        "syn-backlog : 512: 4096, Note, 1",
        "swappiness : 60: 1, Warning, 1",
        "huge-pages : never: madvise, Warning, 1",
        "huge-pages defrag: always: madvise, Note, 1",
        "ksm : 1: 0, Note, 1",
        "numa-balancing : 1: 0, Warning, 1",
        "io-uring : 1, group -1: 0, or the server's group, Warning, by hand",
    ];
    assert_eq!(lines(&tree.settings(&topology)), expected);
    // The processors with a loop, and no others: their second threads may sleep.
    let states = tree.one(&topology, Tuner::CStates);
    let names: Vec<&str> = states.changes().iter().map(|it| &*it.name).collect();
    assert_eq!(names[0], format!("{CPU}/cpu1/cpuidle/state3/disable"));
    assert!(states.why.contains("133 us"), "{}", states.why);
    // A queue of NVMe is placed by the kernel; the one for commands is not disturbing anybody.
    let disk = tree.one(&topology, Tuner::Interrupts);
    assert!(disk.why.contains("2 of them are spread by the kernel itself"), "{}", disk.why);
}

#[test]
fn a_virtual_machine_is_judged() {
    let (tree, topology) = virtual_machine();
    let expected = [
        "governor : ?: absent",
        "boost : ?: absent",
        "c-states : ?: absent",
        "clock-source : kvm-clock: kept",
        "time-sync : in sync: kept",
        "boot-line : ?: absent",
        "disk-scheduler vda: mq-deadline: none, Note, 1",
        "nomerges vda: 2: kept",
        "write-cache vda: write through: kept",
        "writeback-throttling vda: 2000: kept",
        "read-ahead vda: 128: kept",
        "lazytime : ?: absent",
        "interrupts vda: cpu1: kept",
        "interrupts eth0: cpu1: kept",
        "rps eth0: none: kept",
        "xps eth0: ?: absent",
        "coalescing eth0: ?: adaptive, or rx-usecs below 20, Note, by hand",
        "busy-poll : ?: absent",
        "somaxconn : 4096: kept",
        "syn-backlog : 128: kept",
        "swappiness : 60: kept",
        "huge-pages : ?: absent",
        "huge-pages defrag: ?: absent",
        "ksm : ?: absent",
        "numa-balancing : 1: kept",
        "io-uring : ?: absent",
    ];
    assert_eq!(lines(&tree.settings(&topology)), expected);
}

#[test]
fn a_container_shows_half_and_lets_nothing_be_changed() {
    let (tree, topology) = two_sockets();
    for hidden in ["sys/block", "sys/class", "sys/devices/system/cpu/cpufreq", "proc/sys/vm"] {
        std::fs::remove_dir_all(tree.top.join(hidden)).unwrap();
    }
    let read_only = "/proc/sys/kernel/numa_balancing";
    tree.forbid(read_only);
    let settings = tree.settings(&topology);
    for tuner in [Tuner::Governor, Tuner::DiskScheduler, Tuner::Rps, Tuner::Swappiness] {
        let absent = settings.iter().filter(|it| it.tuner == tuner);
        assert!(
            absent.clone().count() == 1 && absent.clone().all(|it| it.advice == Advice::Absent)
        );
    }
    let numa = tree.one(&topology, Tuner::NumaBalancing);
    assert_eq!(numa.changes()[0].blocked, Some(Blocked::ReadOnlyFile));
    let refused = tree.kernel.write(read_only, "0").unwrap_err();
    assert!(matches!(refused, WriteError::Blocked(Blocked::ReadOnlyFile)), "{refused}");
    // The same with a quota: nothing is pinned, so nothing is kept free.
    let shared = Topology { quota_cpus: Some(2.0), ..topology };
    assert_eq!(tree.one(&shared, Tuner::NumaBalancing).advice, Advice::Keep);
    let one_node = Topology::uniform(1, 16, 1);
    assert_eq!(tree.one(&one_node, Tuner::NumaBalancing).advice, Advice::Keep);
    // Nothing at all is shown.
    std::fs::remove_dir_all(tree.top.join("sys")).unwrap();
    std::fs::remove_dir_all(tree.top.join("proc")).unwrap();
    for setting in tree.settings(&shared) {
        let limits = [Tuner::TimeSync, Tuner::LockedMemory, Tuner::OpenFiles];
        let known = limits.contains(&setting.tuner);
        assert!(known || setting.advice == Advice::Absent, "{}", line(&setting));
    }
}

/// Values one by one, on two sockets.
#[test]
fn what_decides_is_on_the_machine() {
    let (tree, topology) = two_sockets();
    let queue = "/sys/block/nvme0n1/queue";
    let clock = "/sys/devices/system/clocksource/clocksource0";
    for (tuner, name, text, expected) in [
        (Tuner::Boost, format!("{CPU}/cpufreq/boost"), "0", "off: on, Note, by hand"),
        (
            Tuner::Governor,
            format!("{CPU}/cpufreq/policy3/scaling_governor"),
            "schedutil",
            "powersave | schedutil: performance, Note, 16",
        ),
        (
            Tuner::Governor,
            format!("{CPU}/cpufreq/policy3/scaling_available_governors"),
            "powersave",
            "powersave: performance, Note, 15",
        ),
        (
            Tuner::CStates,
            format!("{CPU}/cpu2/cpuidle/state3/latency"),
            "90",
            "up to 133 us: up to 20 us, Warning, 15",
        ),
        (
            Tuner::CStates,
            format!("{CPU}/cpu2/cpuidle/state3/disable"),
            "1",
            "up to 133 us: up to 20 us, Warning, 14",
        ),
        (
            Tuner::ClockSource,
            format!("{clock}/available_clocksource"),
            "hpet acpi_pm",
            "hpet: tsc, Note, by hand",
        ),
        (Tuner::ClockSource, format!("{clock}/current_clocksource"), "tsc", "tsc: kept"),
        (Tuner::DiskScheduler, format!("{queue}/scheduler"), "[mq-deadline]", "mq-deadline: kept"),
        (Tuner::DiskScheduler, format!("{queue}/rotational"), "1", "mq-deadline: kept"),
        (Tuner::Nomerges, format!("{queue}/rotational"), "1", "0: kept"),
        (Tuner::ReadAhead, format!("{queue}/rotational"), "1", "4096: kept"),
        (Tuner::WriteCache, format!("{queue}/write_cache"), "write through", "write through: kept"),
        (Tuner::SynBacklog, "/proc/sys/net/ipv4/tcp_syncookies".into(), "1", "512: kept"),
        (Tuner::SynBacklog, "/proc/sys/net/ipv4/tcp_max_syn_backlog".into(), "8192", "8192: kept"),
        (Tuner::Swappiness, "/proc/swaps".into(), "Filename", "60: kept"),
        (Tuner::Swappiness, "/proc/sys/vm/swappiness".into(), "0", "0: kept"),
        (Tuner::NumaBalancing, "/proc/sys/kernel/numa_balancing".into(), "2", "2: kept"),
        (Tuner::NumaBalancing, "/proc/sys/kernel/numa_balancing".into(), "3", "3: 2, Warning, 1"),
        (Tuner::Ksm, "/sys/kernel/mm/ksm/run".into(), "2", "2: kept"),
        (
            Tuner::IoUring,
            "/proc/sys/kernel/io_uring_disabled".into(),
            "2",
            "2: 0, or 1 with a group, Error, by hand",
        ),
        (Tuner::IoUring, "/proc/sys/kernel/io_uring_disabled".into(), "0", "0: kept"),
        (
            Tuner::Xps,
            "/sys/class/net/eth0/queues/tx-1/xps_cpus".into(),
            "0000ff00",
            "none | 8-15: kept",
        ),
    ] {
        let before = tree.kernel.read(&name).map(|file| file.text);
        tree.write(&[(&name, text)]);
        let found = line(&tree.one(&topology, tuner));
        assert!(found.ends_with(&format!(": {expected}")), "{name} = {text}: {found}");
        tree.write(&[(&name, before.unwrap().trim_end())]);
    }
}

#[test]
fn what_decides_is_in_the_configuration() {
    let (tree, topology) = two_sockets();
    let judged = |change: &dyn Fn(&mut super::Questions), tuner: Tuner| {
        let mut questions = tree.questions();
        change(&mut questions);
        let facts = super::Facts::read(&tree.kernel, &topology, questions);
        line(settings(&facts).iter().find(|it| it.tuner == tuner).unwrap())
    };
    let buffered = judged(&|it| it.is_buffered = true, Tuner::WritebackThrottling);
    assert_eq!(buffered, "writeback-throttling nvme0n1: 2000: 0, Warning, 1");
    let few = judged(&|it| it.listen_backlog = 100, Tuner::Somaxconn);
    assert_eq!(few, "somaxconn : 128: kept");
    let late = judged(&|it| it.is_in_time = Some(false), Tuner::TimeSync);
    assert_eq!(late, "time-sync : not in sync: in sync, Note, by hand");
    let one = judged(&|it| it.options.shards = Some(1), Tuner::Rps);
    assert_eq!(one, "rps eth0: none: kept");
    let loose = judged(&|it| it.options.unpinned = true, Tuner::Interrupts);
    assert_eq!(loose, "interrupts nvme0n1: cpu0-2: kept");
    let locked = judged(&|it| it.needs.locked_bytes = u64::MAX - 1024, Tuner::LockedMemory);
    assert!(locked.contains("KiB, Error, by hand") || locked.contains("unlimited"), "{locked}");
    let files = judged(&|it| it.needs.connections_max = Some(u32::MAX), Tuner::OpenFiles);
    assert!(files.contains("Warning, by hand") || files.ends_with("kept"), "{files}");
}

#[test]
fn what_was_written_is_as_advised_afterwards() {
    let (tree, topology) = two_sockets();
    let before = tree.settings(&topology);
    let changes: Vec<_> = before.iter().flat_map(Setting::changes).collect();
    for change in &changes {
        // The kernel brackets the choice that was written; a file does not.
        tree.kernel.write(&change.name, &change.advised).unwrap();
    }
    // Where interrupts are taken follows from where they may be.
    tree.write(&[("/proc/irq/40/effective_affinity_list", "0")]);
    tree.write(&[("/proc/irq/42/effective_affinity_list", "16")]);
    let left: Vec<_> = tree.settings(&topology);
    let left: Vec<String> = left.iter().filter(|it| !it.changes().is_empty()).map(line).collect();
    assert!(changes.len() > 40 && left.is_empty(), "{left:?}");
    assert_eq!(tree.text("/sys/class/net/eth0/queues/rx-0/rps_cpus"), "00010001");
    for change in &changes {
        tree.kernel.write(&change.name, &change.found).unwrap();
    }
    tree.write(&[("/proc/irq/40/effective_affinity_list", "1")]);
    tree.write(&[("/proc/irq/42/effective_affinity_list", "17")]);
    let again: Vec<_> =
        tree.settings(&topology).iter().flat_map(Setting::changes).cloned().collect();
    let as_choice = |name: &str| name.ends_with("/scheduler") || name.contains("hugepage");
    let plain = |all: Vec<super::Change>| {
        all.into_iter().filter(|it| !as_choice(&it.name)).collect::<Vec<_>>()
    };
    assert_eq!(plain(again), plain(changes.into_iter().cloned().collect()));
}

#[test]
fn values_have_one_form() {
    let (rps, irq) = ("/sys/class/net/x/queues/rx-0/rps_cpus", "/proc/irq/1/smp_affinity_list");
    for (name, text, expected) in [
        (rps, "00000001,8000000f\n", "0-3,31-32"),
        (rps, "0", "none"),
        (rps, "g", "g"),
        (irq, "3,1-2\n", "1-3"),
        ("/sys/block/x/queue/scheduler", "none [mq-deadline]\n", "mq-deadline"),
        ("/sys/block/x/queue/write_cache", "write back\n", "write back"),
        ("/proc/sys/vm/swappiness", "60\n", "60"),
    ] {
        assert_eq!(value(name, text), expected, "{text}");
    }
    assert_eq!(text_of(rps, "0-3,31-32"), "00000001,8000000f");
    assert_eq!(text_of(rps, "none"), "00000000");
    assert_eq!(text_of(irq, "0-3"), "0-3");
}

#[test]
fn only_files_below_the_two_roots_are_written() {
    let tree = Tree::new();
    tree.write(&[("/sys/there", "1"), ("/proc/there", "1")]);
    let outside = tree.top.join("log/x");
    std::fs::write(&outside, "1").unwrap();
    let absolute = outside.to_str().unwrap().to_owned();
    for name in ["/sys/../log/x", "/proc/./../log/x", "/sys//log/x", "/etc/x", "sys/x", &absolute] {
        assert!(tree.kernel.write(name, "2").is_err(), "{name}");
        assert!(tree.kernel.read(name).is_err(), "{name}");
    }
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "1");
    assert!(tree.kernel.write("/sys/absent", "2").is_err());
    // What takes a value and does not keep it.
    std::os::unix::fs::symlink("/dev/null", tree.top.join("sys/null")).unwrap();
    let refused = tree.kernel.write("/sys/null", "2").unwrap_err();
    assert!(matches!(&refused, WriteError::Other { now } if now.is_empty()), "{refused}");
    assert!(!tree.top.join("sys/absent").exists(), "nothing is created");
}

#[test]
fn names_match_by_parts_and_are_in_order() {
    let tree = Tree::new();
    for name in ["p10/a", "p2/a", "p2/b", "q/a", "p/a"] {
        tree.write(&[(&format!("/sys/x/{name}"), "1")]);
    }
    assert_eq!(tree.kernel.matching("/sys/x/p*/a"), ["/sys/x/p/a", "/sys/x/p2/a", "/sys/x/p10/a"]);
    assert_eq!(tree.kernel.matching("/sys/y/*/a"), Vec::<String>::new());
}

#[test]
fn every_setting_explains_itself() {
    for (tree, topology) in [two_sockets(), virtual_machine()] {
        for setting in tree.settings(&topology) {
            assert!(setting.why.len() > 20 && !setting.why.ends_with('.'), "{}", setting.why);
            if let Advice::ByHand { how, .. } = &setting.advice {
                assert!(how.len() > 10 && !how.ends_with('.'), "{how}");
            }
            assert!(setting.severity() != Some(Severity::Error), "{}", line(&setting));
        }
    }
    let (tree, topology) = two_sockets();
    let judged = tree.settings(&topology);
    for (tuner, name) in TUNERS {
        assert!(judged.iter().any(|it| it.tuner == tuner), "{name} is judged");
        assert_eq!(tuner.to_string(), name);
    }
}
