//! Where the threads of a server run.

use super::END_MAX;
use harness::server::next_free_port;
use harness::{Server, is_reference};
use std::collections::BTreeMap;
use std::fs;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

/// The threads of a process by name, and the processors that each may run on, as the kernel lists
/// them.
fn threads(pid: u32) -> BTreeMap<String, String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let named = tasks.filter_map(|task| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once('\t')?.1.to_owned())
        };
        Some((field("Name:")?, field("Cpus_allowed_list:")?))
    });
    named.collect()
}

/// The first and the last processor that this process may use.
fn two_cpus() -> Option<[u32; 2]> {
    let allowed = threads(process::id()).into_values().next()?;
    let cpus = allowed.split([',', '-']).filter_map(|cpu| cpu.parse().ok());
    let cpus: Vec<u32> = cpus.collect();
    Some([*cpus.first()?, *cpus.last().filter(|last| **last != cpus[0])?])
}

/// The ensemble is never formed: the other server does not exist, and its name is looked up by a
/// thread that the core loop starts.
#[test]
fn whatever_is_no_core_loop_runs_beside_it() {
    let Some([_, own]) = two_cpus().filter(|_| !is_reference()) else { return };
    let [quorum, election] = [next_free_port(), next_free_port()];
    let lines = format!(
        "tickTime=500\ninitLimit=10\nsyncLimit=5\nadmin.enableServer=false\n\
         ring.shards=1\nring.cpus={own}\n\
         server.1=127.0.0.1:{quorum}:{election}\nserver.2=localhost:1:2\n"
    );
    let mut server = Server::config().text(&lines).prepare();
    fs::write(server.folder().join("data/myid"), "1").unwrap();
    server.launch();
    let end = Instant::now() + END_MAX;
    let own = own.to_string();
    let mut found = threads(server.pid());
    // They move when they begin to run. With a quota, or if both processors are of one core, there
    // is nothing to pin to, and the server says so.
    while found.get("rk-core-0").is_none_or(|cpus| *cpus != own)
        || found.get("peer-names").is_none_or(|cpus| has(cpus, &own))
    {
        let log = server.log();
        if log.contains("No core loop is pinned") {
            return;
        }
        assert!(Instant::now() < end, "{found:?}\n{log}");
        thread::sleep(Duration::from_millis(10));
        found = threads(server.pid());
    }
    assert_eq!(found.remove("rk-core-0"), Some(own.clone()));
    for name in ["rk-background", "rk-pages", "rk-signals", "rk-admin", "peer-names"] {
        assert!(found.contains_key(name), "{name}: {found:?}");
    }
    // A thread of the kernel runs where io_uring lets it.
    found.retain(|name, _| !name.starts_with("iou-"));
    let shared: Vec<_> = found.iter().filter(|(_, cpus)| has(cpus, &own)).collect();
    assert!(shared.is_empty(), "{shared:?}");
}

/// Whether a list of the kernel has this processor.
fn has(cpus: &str, cpu: &str) -> bool {
    let number = |text: &str| text.parse::<u32>().expect("a number");
    let within = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        (number(first)..=number(last)).contains(&number(cpu))
    };
    cpus.split(',').any(within)
}
