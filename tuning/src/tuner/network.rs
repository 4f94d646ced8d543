//! Interfaces, interrupts, and the kernel's limits for connections.

use std::collections::BTreeSet;

use super::{About, Facts, Setting, Tuner};
use crate::host::Severity;
use crate::placement::list;
use crate::topology::{Device, Interrupt};

/// Connections in the middle of being opened: all clients of a server that has failed come at once.
const SYN_BACKLOG_MIN: u32 = 4_096;

pub(super) fn judge(facts: &Facts) -> Vec<Setting> {
    let mut settings: Vec<Setting> =
        facts.disks.iter().chain(&facts.nics).map(|it| interrupts(facts, it)).collect();
    settings.extend(balancer(facts));
    if facts.nics.is_empty() {
        let why = "no interface with hardware behind it is shown here";
        let tuners = [Tuner::Rps, Tuner::Xps, Tuner::Coalescing];
        settings.extend(tuners.map(|tuner| About::machine(tuner).absent(why)));
    }
    for nic in &facts.nics {
        settings.extend([rps(facts, nic), xps(facts, nic), coalescing(nic)]);
    }
    settings.extend([
        busy_poll(facts),
        at_least(
            facts,
            (Tuner::Somaxconn, "/proc/sys/net/core/somaxconn"),
            (Severity::Warning, facts.questions.listen_backlog),
            "the server lets so many connections wait to be accepted, and the kernel cuts that \
             down to this value; when many clients come back at once, the others wait for a \
             repeated attempt, a second or more",
        ),
        syn_backlog(facts),
    ]);
    settings
}

/// Those that the kernel spreads by itself, a queue for each processor, and refuses to move.
fn is_managed(interrupt: &Interrupt) -> bool {
    let name = &interrupt.name;
    let queue = name.strip_prefix("nvme").and_then(|it| it.split_once('q')).map(|(_, it)| it);
    queue.is_some_and(|it| it != "0") || name.starts_with("virtio") && name.contains("-req.")
}

fn interrupts(facts: &Facts, device: &Device) -> Setting {
    let about = About::of(Tuner::Interrupts, &device.name);
    if device.interrupts.is_empty() {
        return about.absent("the kernel does not show this device's interrupts here");
    }
    let takers: BTreeSet<u32> = device.interrupts.iter().flat_map(|it| &it.cpus).copied().collect();
    let found = format!("cpu{}", list(&takers.into_iter().collect::<Vec<_>>()));
    let loops: BTreeSet<u32> = facts.loop_cpus().into_iter().collect();
    if loops.is_empty() {
        return about.keep(found, "no loop has a processor of its own to be kept free of them");
    }
    let busy: BTreeSet<u32> = loops.iter().chain(&facts.placement.idle_cpus).copied().collect();
    let (managed, free): (Vec<&Interrupt>, Vec<&Interrupt>) =
        device.interrupts.iter().partition(|it| is_managed(it));
    let disturbing = free.iter().filter(|it| !it.cpus.is_disjoint(&busy));
    // In turn, so that not all of them end on one processor.
    let targets = facts.placement.interrupt_cpus.iter().cycle();
    let wanted: Vec<(String, String)> = disturbing
        .zip(targets)
        .map(|(it, cpu)| (format!("/proc/irq/{}/smp_affinity_list", it.number), cpu.to_string()))
        .collect();
    let managed = if managed.is_empty() {
        String::new()
    } else {
        format!(
            "; {} of them are spread by the kernel itself and cannot be moved: each is taken where \
             its request was made",
            managed.len()
        )
    };
    if wanted.is_empty() {
        return about.keep(found, format!("no loop is interrupted by what can be moved{managed}"));
    }
    let why = format!(
        "an interrupt stops the loop on its processor, also in the middle of a write; processors \
         {} have no loop{managed}",
        list(&facts.placement.interrupt_cpus)
    );
    about.write(facts, Severity::Warning, wanted, why)
}

/// What would move the interrupts back.
fn balancer(facts: &Facts) -> Option<Setting> {
    let loops = facts.loop_cpus();
    if !facts.is_balanced || loops.is_empty() {
        return None;
    }
    let about = About::of(Tuner::Interrupts, "irqbalance");
    let banned = format!("IRQBALANCE_BANNED_CPULIST={}", list(&loops));
    let how = format!("{banned} in its configuration (/etc/default/irqbalance), or stop it");
    let why = "it moves interrupts every ten seconds, also to the processors of the loops, \
               whatever was written before";
    let about = about.by_hand(Some("runs".to_owned()), (Severity::Note, &banned), how, why);
    Some(about)
}

fn rps(facts: &Facts, nic: &Device) -> Setting {
    let about = About::of(Tuner::Rps, &nic.name);
    let free = &facts.placement.interrupt_cpus;
    let names = facts.named(&format!("/sys/class/net/{}/queues/rx-", nic.name), "/rps_cpus");
    if names.is_empty() {
        return about.absent("the kernel does not show this interface's queues here");
    }
    let found = super::joined(names.iter().filter_map(|name| facts.value(name)));
    if facts.loop_cpus().is_empty() {
        let why = "no processor is kept free for the kernel that could take over from another one";
        return about.keep(found, why);
    }
    if nic.queues >= facts.shards() || free.len() <= nic.queues as usize {
        let why = format!(
            "{} queues for receiving are enough for {} shards and {} processors without a loop",
            nic.queues,
            facts.shards(),
            free.len()
        );
        return about.keep(found, why);
    }
    let why = format!(
        "{} shards get what {} queues for receiving bring in, each on one processor: the kernel's \
         work for it is spread over all that have no loop",
        facts.shards(),
        nic.queues
    );
    let wanted = names.iter().map(|name| ((*name).to_owned(), list(free))).collect();
    about.write(facts, Severity::Note, wanted, why)
}

fn xps(facts: &Facts, nic: &Device) -> Setting {
    let about = About::of(Tuner::Xps, &nic.name);
    let names = facts.named(&format!("/sys/class/net/{}/queues/tx-", nic.name), "/xps_cpus");
    if names.len() < 2 {
        return about.absent("there is one queue for sending, or it is not shown here");
    }
    let found = super::joined(names.iter().filter_map(|name| facts.value(name)));
    let loops = facts.loop_cpus();
    let is_chosen = names.iter().any(|name| facts.value(name) != Some("none"));
    if is_chosen || loops.is_empty() || names.len() >= facts.cpus.len() {
        let why = "the driver or the operator has chosen, or there is nothing to choose: loops \
                   have no processors of their own, or every processor has a queue";
        return about.keep(found, why);
    }
    // Loops first: those are to share as little as possible.
    let others = facts.cpus.iter().filter(|cpu| !loops.contains(cpu));
    let all: Vec<u32> = loops.iter().chain(others).copied().collect();
    let wanted = names.iter().enumerate().map(|(number, name)| {
        let cpus: Vec<u32> = all.iter().skip(number).step_by(names.len()).copied().collect();
        ((*name).to_owned(), list(&cpus))
    });
    let why = format!(
        "{} shards share {} queues for sending, and the kernel picks one for each connection; \
         with a queue that belongs to its processor, a shard waits for fewer others",
        facts.shards(),
        names.len()
    );
    about.write(facts, Severity::Note, wanted.collect(), why)
}

fn coalescing(nic: &Device) -> Setting {
    let about = About::of(Tuner::Coalescing, &nic.name);
    if nic.pci.is_none() {
        return about.absent("this interface is no PCI device");
    }
    let name = &nic.name;
    about.by_hand(
        None,
        (Severity::Note, "adaptive, or rx-usecs below 20"),
        format!(
            "look with: ethtool -c {name}; change with: ethtool -C {name} adaptive-rx on, or \
             ethtool -C {name} rx-usecs 8 for fewer microseconds and more interrupts"
        ),
        "the device may wait for more before it interrupts, and every request waits with it; the \
         kernel shows how long only to ethtool",
    )
}

fn busy_poll(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::BusyPoll);
    let values = ["read", "poll"].map(|it| facts.value(&format!("/proc/sys/net/core/busy_{it}")));
    let [Some(read), Some(poll)] = values else {
        return about.absent("the kernel does not show it here");
    };
    let found = format!("read {read}, poll {poll}");
    about.keep(
        found,
        "loops receive by io_uring, which does not look at these values, and poll by themselves \
         (ring.spinUs); what other programs here want is left to them",
    )
}

fn syn_backlog(facts: &Facts) -> Setting {
    let name = "/proc/sys/net/ipv4/tcp_max_syn_backlog";
    let cookies = facts.value("/proc/sys/net/ipv4/tcp_syncookies");
    if let (Some("1" | "2"), Some(found)) = (cookies, facts.value(name)) {
        let why = "with SYN cookies, which are on here, the kernel does not look at this value: \
                   somaxconn is the limit";
        return About::machine(Tuner::SynBacklog).keep(found, why);
    }
    at_least(
        facts,
        (Tuner::SynBacklog, name),
        (Severity::Note, SYN_BACKLOG_MIN),
        "when a server of the ensemble fails, all its clients connect to the others at once; \
         without SYN cookies the kernel drops attempts beyond this many in the middle of it",
    )
}

/// A limit that is not to be below a number; a larger one is left.
fn at_least(
    facts: &Facts,
    (tuner, name): (Tuner, &str),
    (severity, minimum): (Severity, u32),
    why: &str,
) -> Setting {
    let about = About::machine(tuner);
    let Some(value) = facts.value(name) else {
        return about.absent("the kernel does not show it here");
    };
    if value.parse().unwrap_or(u64::MAX) >= u64::from(minimum) {
        return about.keep(value, why);
    }
    about.write(facts, severity, vec![(name.to_owned(), minimum.to_string())], why)
}
