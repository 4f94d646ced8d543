use proptest::prelude::*;

use super::*;
use crate::distribution::Grid;
use crate::load::OrderingCore;
use crate::queue::bulk::Bulk;
use crate::tests::cases;

fn load(reads_per_s: f64, writes_per_s: f64) -> Load {
    Load { reads_per_s, writes_per_s, ..Load::default() }
}

/// One server without clients' time: a write is its shard, its core, its disk.
#[test]
fn a_quorum_of_one_is_the_own_disk() {
    let mut costs = Costs::example();
    (costs.network.client_round_trip_s, costs.network.server_round_trip_s) = (0.0, 1.0);
    let load = Load { sessions: 0.0, ..load(0.0, 20_000.0) };
    let writes = operate(&costs, &load, &Layout::of_servers(1)).unwrap().writes.unwrap();
    let curve = &costs.device.curve;
    let service_s = |batch: f64| curve.seconds_at(batch * load.record_bytes(&costs));
    let queue =
        Bulk { rate: 20_000.0, batch_max: 3_000.0, slots: 4, service_s: &service_s, scv: 0.1 };
    let disk = queue.steady().unwrap().response(Grid::to(5e-4)).mean_s();
    let cores = costs.cores.ordering_write_s + costs.cores.shard_write_s;
    assert!(writes.mean_s > disk + cores);
    assert!(writes.mean_s < disk + 1.15 * cores, "{} {disk} {cores}", writes.mean_s);
}

#[test]
fn utilisations_are_work_by_time() {
    let costs = Costs::example();
    let load = Load { sessions: 0.0, ..load(300_000.0, 30_000.0) };
    let found = operate(&costs, &load, &Layout::of_servers(3)).unwrap();
    let of = |stage| found.stages.iter().find(|it| it.stage == stage).unwrap().utilisation;
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
    assert!(near(of(Stage::Shard), (300e3 * 3e-6 + 30e3 * 4e-6) / 12.0));
    assert!(near(of(Stage::Ordering), 30e3 * (4e-6 + 2.0 * 0.5e-6)));
    let sent = 100e3 * 320.0 + 10e3 * 120.0 + 30e3 * 2.0 * 320.0;
    assert!(near(of(Stage::Network), sent / 1.25e9));
    assert!(near(found.sizes.sent_bytes_per_s, sent));
    assert_eq!(found.bottleneck().stage, Stage::Ordering);
}

#[test]
fn sizes_are_sums() {
    let costs = Costs::example();
    let load = Load { nodes: 1e6, sessions: 3e4, watches: 6e4, ..load(0.0, 100.0) };
    let sizes = operate(&costs, &load, &Layout::of_servers(3)).unwrap().sizes;
    let memory = 64e6 + 1e6 * 350.0 + 3e4 * 200.0 + 1e4 * 4096.0 + 2e4 * 100.0;
    assert!((sizes.memory_bytes - memory).abs() < 1.0);
    assert!((sizes.log_bytes_per_s - 32_000.0).abs() < 1e-6);
    assert!((sizes.disk_bytes - 4.0 * (350e6 + 1e5 * 320.0)).abs() < 1.0);
}

#[test]
fn what_one_lost_server_leaves() {
    let costs = Costs::example();
    let busy = load(800_000.0, 10_000.0);
    let lost = |servers| one_lost(&costs, &busy, &Layout::of_servers(servers)).unwrap();
    assert_eq!(lost(1), OneLost::NoQuorum);
    assert_eq!(lost(2), OneLost::NoQuorum);
    let OneLost::Operating(two) = lost(3) else { panic!("two of three are a quorum") };
    let three = operate(&costs, &busy, &Layout::of_servers(3)).unwrap();
    assert!(two.stages[0].utilisation > 1.4 * three.stages[0].utilisation);
    // Both that are left must answer, rather than the faster one of two.
    let calm = load(0.0, 1_000.0);
    let OneLost::Operating(two) = one_lost(&costs, &calm, &Layout::of_servers(3)).unwrap() else {
        panic!("two of three are a quorum")
    };
    let three = operate(&costs, &calm, &Layout::of_servers(3)).unwrap();
    assert!(two.sizes.memory_bytes > three.sizes.memory_bytes);
}

#[test]
fn the_capacity_is_where_the_bound_is_met() {
    let costs = Costs::example();
    let (unit, layout) = (load(9_000.0, 1_000.0), Layout::of_servers(3));
    let found = capacity(&costs, &unit, &layout, 0.000_6).unwrap();
    let p99_s = |factor: f64| {
        let operation = operate(&costs, &unit.scaled(factor), &layout).unwrap();
        operation.writes.map_or(f64::INFINITY, |it| it.p99_s)
    };
    assert!(matches!(found.limit, Limit::WriteLatency(_)), "{found:?}");
    assert!(p99_s(found.factor) <= 0.000_6 && p99_s(found.factor * 1.01) > 0.000_6);
    let none = capacity(&costs, &unit, &layout, 1e-5).unwrap();
    assert_eq!((none.factor.to_bits(), none.limit), (0, Limit::Idle));
}

#[test]
fn steps_help_the_bottleneck() {
    let costs = Costs::example();
    let first = |load: &Load, layout: &Layout| {
        next_steps(&costs, load, layout, 0.01).unwrap().first().map(|it| it.step)
    };
    let one = Layout { shards: 1, ..Layout::of_servers(3) };
    assert_eq!(first(&load(1e5, 10.0), &one), Some(Step::Shard));
    let shared = Layout { ordering: OrderingCore::SharedWithShard, ..one };
    let gains = next_steps(&costs, &load(0.0, 1e4), &shared, 0.01).unwrap();
    assert!(gains.iter().any(|it| it.step == Step::OwnOrderingCore && it.gain > 1.1), "{gains:?}");
    assert!(gains.iter().all(|it| it.step != Step::Observer), "{gains:?}");
}

#[test]
fn a_prediction_holds_all_of_it() {
    let (costs, layout) = (Costs::example(), Layout::of_servers(3));
    let load = load(100_000.0, 20_000.0);
    let found = predict(&costs, &load, &layout, 0.002).unwrap();
    assert_eq!(found.now, operate(&costs, &load, &layout).unwrap());
    assert_eq!(found.one_lost, one_lost(&costs, &load, &layout).unwrap());
    assert!(found.now.is_carried() && found.capacity.factor > 1.0);
    assert!(found.steps.is_sorted_by(|a, b| a.gain >= b.gain));
    assert!(predict(&costs, &load, &layout, 0.0).is_err());
}

#[test]
fn inputs_without_sense_are_named() {
    let mut costs = Costs::example();
    let one = Layout::of_servers(1);
    let none = operate(&costs, &load(1.0, 1.0), &Layout::of_servers(0)).unwrap_err();
    assert!(none.to_string().starts_with("layout.servers is 0"), "{none}");
    let negative = operate(&costs, &load(-1.0, 1.0), &one).unwrap_err();
    assert!(negative.to_string().contains("load.reads_per_s is -1"), "{negative}");
    costs.cores.scv = f64::INFINITY;
    assert!(operate(&costs, &load(1.0, 1.0), &one).is_err());
}

proptest! {
    #![proptest_config(cases(5, 24))]

    #[test]
    fn load_is_monotone(
        reads in 1e3..8e5_f64,
        writes in 1e2..1.5e5_f64,
        more in 1.02..1.3_f64,
        servers in 1_usize..6,
        observers in 0_usize..3,
    ) {
        let costs = Costs::example();
        let layout = Layout { observers, ..Layout::of_servers(servers) };
        let less = operate(&costs, &load(reads, writes), &layout).unwrap();
        let more = operate(&costs, &load(reads * more, writes * more), &layout).unwrap();
        for (less, more) in less.stages.iter().zip(&more.stages) {
            prop_assert!(less.utilisation <= more.utilisation);
        }
        // The grid's steps are half a percent.
        let grows = |less: Option<Latency>, more: Option<Latency>| match (less, more) {
            (Some(less), Some(more)) => {
                less.mean_s <= more.mean_s * 1.005 && less.p99_s <= more.p99_s * 1.01
            }
            (None, Some(_)) => false,
            _ => true,
        };
        prop_assert!(grows(less.reads, more.reads), "{:?} {:?}", less.reads, more.reads);
        prop_assert!(grows(less.writes, more.writes), "{:?} {:?}", less.writes, more.writes);
    }
}
