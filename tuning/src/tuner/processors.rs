//! Processors: their frequencies, their sleep, the time, what the kernel does on them.

use super::{About, Advice, Facts, Setting, Tuner};
use crate::host::Severity;
use crate::placement::list;

/// A loop that sleeps is woken for the next request: a processor that takes longer than this to
/// wake up is felt in every request that comes after a pause.
const IDLE_LATENCY_US_MAX: u64 = 20;
/// From here on it is as long as a write takes on a good disk.
const IDLE_LATENCY_US_LONG: u64 = 100;
/// Read without a system call.
const FAST_CLOCKS: [&str; 4] =
    ["tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"];

const CPU: &str = "/sys/devices/system/cpu/";
const CLOCK: &str = "/sys/devices/system/clocksource/clocksource0/";

pub(super) fn judge(facts: &Facts) -> Vec<Setting> {
    vec![
        governor(facts),
        boost(facts),
        c_states(facts),
        clock_source(facts),
        time_sync(facts),
        boot_line(facts),
    ]
}

fn governor(facts: &Facts) -> Setting {
    let names = facts.named(&format!("{CPU}cpufreq/policy"), "/scaling_governor");
    let count = names.len();
    let about = About::of(
        Tuner::Governor,
        &if count == 1 { "1 policy".to_owned() } else { format!("{count} policies") },
    );
    if names.is_empty() {
        let about = About::machine(Tuner::Governor);
        return about
            .absent("the frequencies are not decided here, but by the firmware or the host");
    }
    let has_it = |name: &&str| {
        let available = name.replace("scaling_governor", "scaling_available_governors");
        let offered = facts.value(&available).unwrap_or_default();
        offered.split_whitespace().any(|word| word == "performance")
            || facts.value(name) == Some("performance")
    };
    let names: Vec<&str> = names.into_iter().filter(has_it).collect();
    if names.is_empty() {
        return about.absent("the kernel offers no governor that keeps the frequency up");
    }
    let wanted = names.iter().map(|name| ((*name).to_owned(), "performance".to_owned()));
    about.write(
        facts,
        Severity::Note,
        wanted.collect(),
        "with any other governor a core slows down between requests, and the first ones after a \
         pause wait until it is fast again; it costs power",
    )
}

fn boost(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::Boost);
    let (name, on) = match facts.value(&format!("{CPU}cpufreq/boost")) {
        Some(value) => (format!("{CPU}cpufreq/boost"), value == "1"),
        None => match facts.value(&format!("{CPU}intel_pstate/no_turbo")) {
            Some(value) => (format!("{CPU}intel_pstate/no_turbo"), value == "0"),
            None => {
                return about.absent("whether cores may be faster than nominal is not shown here");
            }
        },
    };
    let why = "every write passes the one loop with ordering, and a core that may be faster than \
               nominal makes all of them faster; times vary a little more";
    if on {
        return about.keep("on", why);
    }
    let value = if name.ends_with("no_turbo") { "0" } else { "1" };
    about.by_hand(
        Some("off".to_owned()),
        (Severity::Note, "on"),
        format!(
            "if it was not switched off for heat, power or equal times: echo {value} > {name}, \
             or in the firmware"
        ),
        why,
    )
}

fn c_states(facts: &Facts) -> Setting {
    let cpus = facts.loop_cpus();
    if cpus.is_empty() {
        return About::machine(Tuner::CStates).absent(
            "no loop has a processor of its own, and keeping all of them awake would cost more \
             than it brings",
        );
    }
    let about = About::of(Tuner::CStates, &format!("cpu{}", list(&cpus)));
    let folders = cpus.iter().map(|cpu| format!("{CPU}cpu{cpu}/cpuidle/state"));
    let states: Vec<&str> = folders.flat_map(|it| facts.named(&it, "/latency")).collect();
    if states.is_empty() {
        return about.absent("how deep processors sleep is not decided here, but by the host");
    }
    let latency = |name: &str| facts.value(name).and_then(|it| it.parse().ok()).unwrap_or(0u64);
    let switch = |name: &str| name.replace("/latency", "/disable");
    let deep: Vec<&str> = states
        .into_iter()
        .filter(|name| latency(name) > IDLE_LATENCY_US_MAX)
        .filter(|name| facts.value(&switch(name)) == Some("0"))
        .collect();
    let shallow = format!("up to {IDLE_LATENCY_US_MAX} us");
    let Some(longest) = deep.iter().map(|name| latency(name)).max() else {
        return about.keep(shallow, "these processors use no state that takes longer to leave");
    };
    let severity = if longest >= IDLE_LATENCY_US_LONG { Severity::Warning } else { Severity::Note };
    let wanted = deep.iter().map(|name| (switch(name), "1".to_owned())).collect();
    let mut setting = about.write(
        facts,
        severity,
        wanted,
        format!(
            "a loop that sleeps is woken by the next request, and from the deepest state its \
             processor needs {longest} us for that; states of up to {IDLE_LATENCY_US_MAX} us stay \
             allowed, and other processors sleep as before; it costs power"
        ),
    );
    // The files say only whether a state is switched off.
    setting.found = Some(format!("up to {longest} us"));
    if let Advice::Write { advised, .. } = &mut setting.advice {
        *advised = shallow;
    }
    setting
}

fn clock_source(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::ClockSource);
    let name = format!("{CLOCK}current_clocksource");
    let Some(current) = facts.value(&name) else {
        return about.absent("the kernel does not show it here");
    };
    let why = "a loop reads the time in every turn; from this source that takes some nanoseconds, \
               from another one a system call, often with an access to a slow device";
    if FAST_CLOCKS.contains(&current) {
        return about.keep(current, why);
    }
    let offered = facts.value(&format!("{CLOCK}available_clocksource")).unwrap_or_default();
    let offered: Vec<&str> = offered.split_whitespace().collect();
    match FAST_CLOCKS.iter().find(|it| offered.contains(it)) {
        Some(fast) => about.write(facts, Severity::Warning, vec![(name, (*fast).to_owned())], why),
        None => about.by_hand(
            Some(current.to_owned()),
            (Severity::Note, "tsc"),
            "the kernel offers no fast source; `dmesg | grep -i tsc` says why, often the firmware \
             or the host has to change",
            why,
        ),
    }
}

fn time_sync(facts: &Facts) -> Setting {
    let about = About::machine(Tuner::TimeSync);
    let why = "times of nodes and of the log are this clock's; sessions and elections do not \
               depend on it, whoever compares the logs of several servers does";
    match facts.questions.is_in_time {
        Some(true) => about.keep("in sync", why),
        Some(false) => about.by_hand(
            Some("not in sync".to_owned()),
            (Severity::Note, "in sync"),
            "run chrony or systemd-timesyncd, unless the host keeps this machine's clock right",
            why,
        ),
        None => about.absent("the kernel does not say whether its clock is in sync"),
    }
}

fn boot_line(facts: &Facts) -> Setting {
    let cpus = facts.loop_cpus();
    let about = About::machine(Tuner::BootLine);
    if cpus.is_empty() {
        return about.absent("no loop has a processor of its own to be kept free of the kernel");
    }
    let Some(line) = facts.value("/proc/cmdline") else {
        return about.absent("the kernel's parameters are not shown here");
    };
    let (loops, others) = (list(&cpus), list(&facts.placement.interrupt_cpus));
    let words = ["nohz_full=", "rcu_nocbs=", "isolcpus=", "irqaffinity="];
    let there: Vec<&str> = line
        .split_whitespace()
        .filter(|word| words.iter().any(|it| word.starts_with(it)))
        .collect();
    let found = if there.is_empty() { "none of them".to_owned() } else { there.join(" ") };
    let advised = [
        format!("nohz_full={loops}"),
        format!("rcu_nocbs={loops}"),
        format!("isolcpus=managed_irq,{loops}"),
        format!("irqaffinity={others}"),
    ];
    let why = "the kernel then keeps its timer, its callbacks and its interrupts away from the \
               processors of the loops, which shortens the slowest few requests; system calls get \
               a little slower, so measure both; isolcpus without managed_irq would hide the \
               processors from the server, too";
    if advised.iter().all(|word| there.contains(&&**word)) {
        return about.keep(found, why);
    }
    let advised = advised.join(" ");
    let how =
        "add it to the kernel's parameters in the boot loader (GRUB_CMDLINE_LINUX), and restart";
    about.by_hand(Some(found), (Severity::Note, &advised), how, why)
}
