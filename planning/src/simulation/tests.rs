use super::*;
use crate::costs::{Curve, CurvePoint};
use crate::ensemble::operate;
use crate::load::OrderingCore;

fn load(reads_per_s: f64, writes_per_s: f64) -> Load {
    Load { reads_per_s, writes_per_s, ..Load::default() }
}

#[test]
fn a_seed_gives_the_same_run() {
    let (costs, layout) = (Costs::example(), Layout::of_servers(3));
    let run = |seed| {
        let run = Run { seed, requests: 5_000 };
        simulate(&costs, &load(20_000.0, 10_000.0), &layout, run).unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn nothing_comes_of_nothing() {
    let run = Run { seed: 1, requests: 1_000 };
    let found = simulate(&Costs::example(), &load(0.0, 0.0), &Layout::of_servers(1), run).unwrap();
    assert_eq!((found.reads, found.writes), (None, None));
}

/// What the model is tested on. A constant would only hide errors: clients take no time.
struct Case {
    name: &'static str,
    costs: Costs,
    layout: Layout,
    /// Of the requests.
    write_part: f64,
    /// What is at its limit first.
    bottleneck: Stage,
}

impl Case {
    fn new(name: &'static str, layout: Layout) -> Self {
        let mut costs = Costs::example();
        costs.network.client_round_trip_s = 0.0;
        Self { name, costs, layout, write_part: 0.3, bottleneck: Stage::Ordering }
    }

    /// With a slow device, and slow cores, so that a run has many batches.
    fn slow(mut self, slots: usize, scv: f64) -> Self {
        let points = [(4096.0, 2e-3), (65_536.0, 2.2e-3), (1_048_576.0, 8e-3)];
        let points = points.map(|(bytes, seconds)| CurvePoint { bytes, seconds }).to_vec();
        self.costs.device.curve = Curve::new(points).unwrap();
        (self.costs.device.slots, self.costs.device.scv) = (slots, scv);
        let cores = &mut self.costs.cores;
        (cores.ordering_write_s, cores.shard_read_s, cores.shard_write_s) = (40e-6, 30e-6, 40e-6);
        self
    }
}

fn cases() -> Vec<Case> {
    let shared = |servers: usize, shards: usize| {
        let ordering = OrderingCore::SharedWithShard;
        Layout { shards, ordering, ..Layout::of_servers(servers) }
    };
    let with_observers = Layout { observers: 2, ..Layout::of_servers(3) };
    let mut reads = Case::new("mostly reads", Layout { shards: 2, ..Layout::of_servers(3) });
    (reads.write_part, reads.bottleneck) = (0.02, Stage::Shard);
    let mut small = Case::new("small batches", Layout::of_servers(3)).slow(1, 0.25);
    (small.costs.device.batch_bytes_max, small.bottleneck) = (2_600.0, Stage::Log);
    let mut wire = Case::new("slow network", Layout::of_servers(3));
    (wire.costs.network.bytes_per_s, wire.bottleneck) = (4e7, Stage::Network);
    vec![
        Case::new("one server, one core", shared(1, 1)),
        Case::new("three servers", Layout::of_servers(3)),
        Case::new("three servers, shared", shared(3, 2)),
        Case::new("five servers", Layout::of_servers(5)),
        Case::new("with observers", with_observers),
        Case::new("slow disk, one slot", Layout::of_servers(3)).slow(1, 0.1),
        Case::new("slow disk, four slots", Layout::of_servers(3)).slow(4, 0.3),
        reads,
        small,
        wire,
    ]
}

/// The errors of mean, median and 99th percentile, of reads and of writes: against the mean of
/// several runs, because that of one varies by up to 8 % where queues are long.
fn errors(case: &Case, load: &Load, seeds: u64, requests: usize) -> Vec<[f64; 3]> {
    let model = operate(&case.costs, load, &case.layout).unwrap();
    assert_eq!(model.bottleneck().stage, case.bottleneck, "{}", case.name);
    let run = |seed| simulate(&case.costs, load, &case.layout, Run { seed, requests }).unwrap();
    let runs: Vec<Observed> = (1..=seeds).map(run).collect();
    let error = |model: f64, found: f64| model / found - 1.0;
    let of = |model: Latency, latency: fn(&Observed) -> Option<Latency>| {
        let mean = |value: fn(&Latency) -> f64| {
            let values = runs.iter().map(|run| value(&latency(run).unwrap()));
            values.sum::<f64>() / runs.len() as f64
        };
        [
            error(model.mean_s, mean(|it| it.mean_s)),
            error(model.p50_s, mean(|it| it.p50_s)),
            error(model.p99_s, mean(|it| it.p99_s)),
        ]
    };
    vec![of(model.reads.unwrap(), |it| it.reads), of(model.writes.unwrap(), |it| it.writes)]
}

#[test]
fn the_model_agrees() {
    let mut worst = [0.0_f64; 3];
    for case in cases() {
        let unit = load(1e4 * (1.0 - case.write_part), 1e4 * case.write_part);
        // Utilisation is proportional to the load.
        let unit = Load { sessions: 0.0, ..unit };
        let busiest = operate(&case.costs, &unit, &case.layout).unwrap().bottleneck();
        // The longer the queues, the longer one must look.
        for (part, seeds, requests) in [(0.2, 1, 60_000), (0.6, 1, 100_000), (0.85, 3, 150_000)] {
            let load = unit.scaled(part / busiest.utilisation);
            let errors = errors(&case, &load, seeds, requests);
            eprintln!("{}, {part}, reads and writes: {errors:+.3?}", case.name);
            for errors in errors {
                let all = worst.iter_mut().zip(errors);
                all.for_each(|(worst, error)| *worst = worst.max(error.abs()));
            }
        }
    }
    eprintln!("worst errors of mean, p50, p99: {worst:.3?}");
    assert!(worst[0] < 0.05, "means: {worst:?}");
    assert!(worst[1] < 0.10, "medians: {worst:?}");
    assert!(worst[2] < 0.15, "99th percentiles: {worst:?}");
}
