use std::collections::BTreeSet;

use super::{Placement, PlacementOptions, Role, SHARDS_MAX, SPIN_US_DEFAULT, placement};
use crate::topology::Topology;

fn place(topology: &Topology) -> Placement {
    placement(topology, &PlacementOptions::default())
}

fn with_shards(topology: &Topology, shards: u32) -> Placement {
    placement(topology, &PlacementOptions { shards: Some(shards), ..PlacementOptions::default() })
}

fn with_quota(cores: u32, threads: u32, cpus: f64) -> Topology {
    Topology { quota_cpus: Some(cpus), ..Topology::uniform(1, cores, threads) }
}

fn is_fused(placed: &Placement) -> bool {
    placed.loops.len() == 1
}

fn cpus(placed: &Placement) -> Vec<Option<u32>> {
    placed.loops.iter().map(|it| it.cpu).collect()
}

fn text(placed: &Placement) -> String {
    placed.reasons.join("\n")
}

#[test]
fn one_and_two_cores_are_fused_and_not_pinned() {
    for cores in [1, 2] {
        let placed = place(&Topology::uniform(1, cores, 1));
        assert!(is_fused(&placed));
        assert_eq!(placed.loops[0].roles, [Role::Ordering, Role::Shard(0)]);
        assert_eq!((placed.loops[0].cpu, placed.loops[0].spin_us), (None, 0));
        assert_eq!(placed.background_cpus.len(), cores as usize);
    }
    // Two threads of one core are one core.
    assert!(is_fused(&place(&Topology::uniform(1, 1, 2))));
}

#[test]
fn three_cores_have_a_loop_each_and_share_them_with_the_background() {
    let placed = place(&Topology::uniform(1, 3, 1));
    assert_eq!(placed.shard_count(), 2);
    assert_eq!(cpus(&placed), [None, None, None]);
}

#[test]
fn four_cores_leave_one() {
    let placed = place(&Topology::uniform(1, 4, 1));
    assert_eq!(placed.loops[0].roles, [Role::Ordering]);
    assert_eq!(cpus(&placed), [Some(1), Some(2), Some(3)]);
    assert_eq!(placed.background_cpus, [0]);
    assert!(placed.loops.iter().all(|it| it.spin_us == SPIN_US_DEFAULT));
}

#[test]
fn second_threads_are_used_by_the_background_only() {
    let placed = place(&Topology::uniform(1, 8, 2));
    assert_eq!(placed.shard_count(), 6);
    assert_eq!(cpus(&placed), (1..8).map(Some).collect::<Vec<_>>());
    assert_eq!(placed.background_cpus, [0, 8]);
}

#[test]
fn shards_are_near_ordering_first() {
    // The first core of package 0 is left free, so package 1 has more cores for loops.
    let placed = place(&Topology::uniform(2, 4, 2));
    assert_eq!(cpus(&placed), [4, 5, 6, 7, 1, 2, 3].map(Some));
    assert_eq!(placed.background_cpus, [0, 8]);
    let few = with_shards(&Topology::uniform(2, 4, 2), 2);
    assert_eq!(cpus(&few), [4, 5, 6].map(Some));
}

#[test]
fn shared_caches_draw_shards() {
    let mut topology = Topology::uniform(1, 8, 1);
    for core in &mut topology.cores {
        core.l3 = core.cpus[0] % 2;
    }
    assert_eq!(cpus(&with_shards(&topology, 3)), [1, 3, 5, 7].map(Some));
}

#[test]
fn a_quota_limits_loops_and_forbids_pinning_and_spinning() {
    let small = place(&with_quota(16, 2, 1.5));
    assert!(is_fused(&small));
    assert_eq!((small.loops[0].cpu, small.loops[0].spin_us), (None, 0));
    assert!(text(&small).contains("grants 1.5 processors"), "{}", text(&small));
    let large = place(&with_quota(16, 2, 6.0));
    assert_eq!(large.loops.len(), 5);
    assert!(cpus(&large).iter().all(Option::is_none));
    assert!(is_fused(&place(&with_quota(16, 1, 0.2))));
}

#[test]
fn the_number_of_shards_can_be_configured() {
    let fused = with_shards(&Topology::uniform(1, 8, 1), 1);
    assert!(is_fused(&fused));
    assert_eq!(cpus(&fused), [Some(1)]);
    let four = with_shards(&Topology::uniform(1, 8, 1), 4);
    assert_eq!(four.loops.len(), 5);
    assert_eq!(four.loops[0].roles, [Role::Ordering]);
    // Seven cores for loops: seven shards leave none for ordering alone.
    let seven = with_shards(&Topology::uniform(1, 8, 1), 7);
    assert_eq!(seven.loops.len(), 7);
    assert_eq!(seven.loops[0].roles, [Role::Ordering, Role::Shard(0)]);
    assert!(cpus(&seven).iter().all(Option::is_some));
}

#[test]
fn four_shards_on_two_cores_neither_pin_nor_spin() {
    let placed = with_shards(&Topology::uniform(1, 2, 1), 4);
    assert_eq!(placed.loops.len(), 4);
    assert_eq!(placed.loops[0].roles, [Role::Ordering, Role::Shard(0)]);
    assert!(placed.loops.iter().all(|it| it.cpu.is_none() && it.spin_us == 0));
}

#[test]
fn the_processors_can_be_configured() {
    let options = |cpus: &[u32]| PlacementOptions {
        cpus: Some(cpus.to_vec()),
        ..PlacementOptions::default()
    };
    let eight = Topology::uniform(1, 8, 1);
    let four = placement(&eight, &options(&[2, 3, 4, 5]));
    // Other cores are left over, so that none of these has to be.
    assert_eq!(cpus(&four), [2, 3, 4, 5].map(Some));
    assert_eq!(four.background_cpus, [0, 1, 6, 7]);
    let one = placement(&eight, &options(&[7]));
    assert_eq!(cpus(&one), [Some(7)]);
    assert_eq!(one.loops[0].spin_us, SPIN_US_DEFAULT);
    let none = placement(&eight, &options(&[99]));
    assert_eq!(none.shard_count(), 6);
    let warned = "ring.cpus: processors 99 do not exist or may not be used by this process, and \
                  are ignored; allowed are 0-7.";
    assert_eq!(none.warning.as_deref(), Some(warned));
    let some = placement(&eight, &options(&[2, 99]));
    assert_eq!((some.warning.as_deref(), cpus(&some)), (Some(warned), vec![Some(2)]));
    assert_eq!((one.warning, four.warning), (None, None));
    // The second thread of a chosen core is not given to the background.
    let smt = placement(&Topology::uniform(1, 4, 2), &options(&[1]));
    assert_eq!(smt.background_cpus, [0, 2, 3, 4, 6, 7]);
}

#[test]
fn pinning_and_spinning_can_be_configured() {
    let eight = Topology::uniform(1, 8, 1);
    let unpinned =
        placement(&eight, &PlacementOptions { unpinned: true, ..PlacementOptions::default() });
    assert!(unpinned.loops.iter().all(|it| it.cpu.is_none() && it.spin_us == 0));
    let spinning =
        placement(&eight, &PlacementOptions { spin_us: Some(50), ..PlacementOptions::default() });
    assert!(spinning.loops.iter().all(|it| it.spin_us == 50));
    let options = PlacementOptions { spin_us: Some(50), ..PlacementOptions::default() };
    let cannot = placement(&Topology::uniform(1, 2, 1), &options);
    assert!(text(&cannot).contains("in spite of ring.spinUs"), "{}", text(&cannot));
}

#[test]
fn a_huge_machine_has_no_more_shards_than_are_of_use() {
    let placed = place(&Topology::uniform(2, 96, 2));
    assert_eq!(placed.shard_count(), SHARDS_MAX);
}

#[test]
fn every_decision_is_explained_in_a_sentence() {
    let placed = place(&Topology::uniform(1, 4, 2));
    assert_eq!(
        placed.reasons,
        [
            "The machine, as far as this process may use it: 1 package, 1 memory node, 1 L3 \
             cache, 4 cores, 8 processors.",
            "Ordering has a core loop of its own beside 2 shards.",
            "Every core loop is pinned to a physical core of its own.",
            "A core loop spins for 5 us before it sleeps.",
            "Ordering is on processor 1 in memory node 0, and the tree in the memory of that node.",
            "Processors 5-7 are second threads of cores with a loop, and stay idle: what runs \
             there slows the loop down.",
            "The background executor and the admin thread use processors 0,4.",
        ]
    );
}

fn assert_invariants(topology: &Topology, options: &PlacementOptions) {
    let placed = placement(topology, options);
    let mut roles: Vec<Role> = placed.loops.iter().flat_map(|it| it.roles.clone()).collect();
    roles.sort_unstable();
    let mut expected = vec![Role::Ordering];
    expected.extend((0..placed.shard_count()).map(Role::Shard));
    assert_eq!(roles, expected, "every role once");
    assert_eq!(placed.loops[0].roles[0], Role::Ordering);
    if let Some(shards) = options.shards {
        assert_eq!(placed.shard_count(), shards);
    } else if let Some(quota) = topology.quota_cpus {
        assert!(placed.loops.len() <= (quota as usize).max(1));
    }

    let core_of = |cpu: u32| topology.cores.iter().position(|core| core.cpus.contains(&cpu));
    let pinned: Vec<u32> = placed.loops.iter().filter_map(|it| it.cpu).collect();
    let cores: BTreeSet<usize> = pinned.iter().map(|&cpu| core_of(cpu).unwrap()).collect();
    assert_eq!(cores.len(), pinned.len(), "no two loops on one core");
    assert!(pinned.is_empty() || pinned.len() == placed.loops.len());
    if let Some(configured) = &options.cpus
        && configured.iter().any(|&cpu| core_of(cpu).is_some())
    {
        assert!(pinned.iter().all(|cpu| configured.contains(cpu)));
    }
    for core_loop in &placed.loops {
        assert!(core_loop.spin_us == 0 || core_loop.cpu.is_some());
    }
    assert!(!placed.background_cpus.is_empty());
    for &cpu in &placed.background_cpus {
        assert!(!cores.contains(&core_of(cpu).unwrap()), "the background is beside the loops");
    }
    assert!(placed.reasons.iter().all(|reason| reason.ends_with('.')));
}

#[test]
fn invariants_hold_everywhere() {
    for (packages, cores, threads) in
        [(1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 3, 1), (1, 4, 1), (1, 8, 2), (2, 1, 1), (2, 8, 2)]
    {
        let machine = Topology::uniform(packages, cores, threads);
        let quotas = [None, Some(0.5), Some(1.5), Some(4.0), Some(1000.0)];
        let shards = [None, Some(1), Some(2), Some(3), Some(4), Some(9), Some(64)];
        let lists =
            [None, Some(vec![0]), Some(vec![1, 2, 3]), Some(vec![77]), Some(machine.cpus())];
        for quota_cpus in quotas {
            for shards in shards {
                for cpus in lists.clone() {
                    for unpinned in [false, true] {
                        let topology = Topology { quota_cpus, ..machine.clone() };
                        let cpus = cpus.clone();
                        let options = PlacementOptions {
                            shards,
                            cpus,
                            unpinned,
                            ..PlacementOptions::default()
                        };
                        assert_invariants(&topology, &options);
                    }
                }
            }
        }
    }
}
