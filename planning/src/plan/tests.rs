use super::*;
use crate::ensemble::{Stage, capacity};

fn requirements(reads_per_s: f64, writes_per_s: f64) -> Requirements {
    let load = Load { reads_per_s, writes_per_s, ..Load::default() };
    Requirements { load, p99_s: 0.005, survives: 1, limits: Limits::default() }
}

#[test]
fn a_small_load_needs_three_small_servers() {
    let plan = smallest(&Costs::example(), &requirements(10_000.0, 1_000.0)).unwrap();
    assert_eq!((plan.layout.servers, plan.layout.observers), (3, 0));
    assert_eq!(plan.layout.cores(), 1);
    assert!(plan.after_losses.writes.unwrap().p99_s <= 0.005);
}

#[test]
fn reads_add_shards_and_then_observers() {
    let costs = Costs::example();
    let limits = Limits { shards_max: 4, ..Limits::default() };
    let plan = |reads| {
        smallest(&costs, &Requirements { limits: limits.clone(), ..requirements(reads, 1_000.0) })
    };
    let (some, many) = (plan(1e6).unwrap().layout, plan(6e6).unwrap().layout);
    assert!(some.shards > 1 && some.observers == 0, "{some:?}");
    assert!(many.observers > 0 && many.servers == 3, "{many:?}");
    // One observer fewer does not carry it.
    let fewer = Layout { observers: many.observers - 1, shards: 4, ..many.clone() };
    assert_eq!(carried(&costs, &requirements(6e6, 1_000.0), &fewer), Ok(None));
    let refused = plan(1e9).unwrap_err();
    assert!(matches!(refused, Refusal::Reads { carried_per_s, .. } if carried_per_s > 6e6));
}

#[test]
fn writes_do_not_scale_by_servers() {
    let costs = Costs::example();
    let load = Load { writes_per_s: 1.0, ..Load::default() };
    let most = |servers| capacity(&costs, &load, &Layout::of_servers(servers), 0.01).unwrap();
    let carried = [1, 3, 5, 7].map(|servers| most(servers).writes_per_s);
    assert!(carried.is_sorted_by(|fewer, more| fewer >= more), "{carried:?}");
    let refused = smallest(&costs, &requirements(0.0, 1e6)).unwrap_err();
    let Refusal::Writes { carried_per_s, limit, .. } = refused else { panic!("{refused}") };
    assert!(carried_per_s < 2.5e5);
    assert_eq!(limit, Limit::Busy(Stage::Ordering));
    assert!(refused.to_string().contains("more servers do not help"), "{refused}");
}

/// Pings of idle sessions, and what shards do for writes, are divided by observers.
#[test]
fn what_voters_cannot_serve_observers_do() {
    let limits = Limits { shards_max: 1, ..Limits::default() };
    let mut wanted = Requirements { limits, ..requirements(1_000.0, 100.0) };
    wanted.load.sessions = 4e6;
    wanted.load.session_timeout_s = 10.0;
    let layout = smallest(&Costs::example(), &wanted).unwrap().layout;
    assert!(layout.observers > 0, "{layout:?}");
    wanted.limits.observers_max = layout.observers - 1;
    let refused = smallest(&Costs::example(), &wanted).unwrap_err();
    let Refusal::Sessions { limit, .. } = refused else { panic!("{refused}") };
    assert_eq!(limit, Limit::Busy(Stage::Shard));
    let mut costs = Costs::example();
    costs.cores.shard_write_s = 50e-6;
    let limits = Limits { shards_max: 1, ..Limits::default() };
    let wanted = Requirements { limits, ..requirements(1_000.0, 60_000.0) };
    assert!(smallest(&costs, &wanted).unwrap().layout.observers > 0);
}

/// Too few observers do not serve the pings, too many take too much of the leader for each write.
#[test]
fn a_number_of_observers_between_is_found_before_writes_are_refused() {
    let mut costs = Costs::example();
    costs.cores.peer_write_s = 20e-6;
    let limits = Limits { shards_max: 1, observers_max: 32, ..Limits::default() };
    let mut wanted = Requirements { limits, ..requirements(1_000.0, 5_500.0) };
    wanted.load.sessions = 8e6;
    wanted.load.session_timeout_s = 10.0;
    let observers = smallest(&costs, &wanted).unwrap().layout.observers;
    assert!((1..16).contains(&observers), "{observers}");
    wanted.load.reads_per_s = 1e9;
    let refused = smallest(&costs, &wanted).unwrap_err();
    let Refusal::Reads { carried_per_s, .. } = refused else { panic!("{refused}") };
    assert!(carried_per_s > 1_000.0, "{carried_per_s}");
}

/// What is said to be carried does not depend on what was asked for.
#[test]
fn a_limit_of_reads_is_exact() {
    let carried = [1e8, 1e9, 1e12].map(|reads| {
        let refused = smallest(&Costs::example(), &requirements(reads, 1_000.0)).unwrap_err();
        let Refusal::Reads { carried_per_s, .. } = refused else { panic!("{refused}") };
        carried_per_s
    });
    let near = |it: &f64| (it / carried[0] - 1.0).abs() < 0.01;
    assert!(carried[0] > 1e6 && carried.iter().all(near), "{carried:?}");
}

#[test]
fn contradictions_are_named() {
    let costs = Costs::example();
    let wanted = requirements(1_000.0, 100.0);
    let late = Requirements { p99_s: 1e-5, ..wanted.clone() };
    assert!(
        matches!(smallest(&costs, &late), Err(Refusal::Latency { floor_s, .. }) if floor_s > 1e-4)
    );
    let many = Requirements { survives: 4, ..wanted.clone() };
    let refused = Refusal::Survives { survives: 4, needed: 9, servers_max: 7 };
    assert_eq!(smallest(&costs, &many), Err(refused));
    let mut large = wanted.clone();
    large.load.nodes = 1e9;
    assert!(matches!(smallest(&costs, &large), Err(Refusal::Memory { .. })));
    large.limits.memory_bytes = 1e15;
    assert!(matches!(smallest(&costs, &large), Err(Refusal::Disk { .. })));
    let mut wide = wanted.clone();
    wide.load.node_bytes = 2e6;
    let refused = smallest(&costs, &wide).unwrap_err();
    assert!(matches!(refused, Refusal::Input(InputError::RecordExceedsBatch { .. })));
    let mut odd = wanted;
    odd.load.reads_per_s = f64::NAN;
    assert!(smallest(&costs, &odd).unwrap_err().to_string().contains("load.reads_per_s"));
}
