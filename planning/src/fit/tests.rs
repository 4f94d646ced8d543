use super::*;
use crate::simulation::{Observed, Run, simulate};

/// A ramp as the simulation measures it.
fn ramp(costs: &Costs, load: &Load, layout: &Layout, rates: &[f64]) -> Vec<RampStep> {
    let unit = load.reads_per_s + load.writes_per_s;
    let step = |&rate: &f64| {
        let run = Run { seed: rate as u64, requests: 60_000 };
        let found: Observed = simulate(costs, &load.scaled(rate / unit), layout, run).unwrap();
        let latency = found.reads.or(found.writes).unwrap();
        let busiest = found.busy[0].1.max(found.busy[1].1);
        RampStep {
            offered_per_s: rate,
            achieved_per_s: rate,
            utilisation: Some(busiest),
            p50_s: latency.p50_s,
            p99_s: latency.p99_s,
        }
    };
    rates.iter().map(step).collect()
}

#[test]
fn a_ramp_of_reads_gives_the_costs_of_reads() {
    let costs = Costs::example();
    let layout = Layout { shards: 1, ..Layout::of_servers(1) };
    let load = Load { reads_per_s: 1.0, ..Load::default() };
    let mut steps = ramp(&costs, &load, &layout, &[5e4, 1e5, 1.6e5, 2.2e5, 2.7e5]);
    // A server whose reads take 3 us answers 333,000 a second, less what pings take.
    let saturated = RampStep { offered_per_s: 5e5, achieved_per_s: 3.327e5, ..steps[4] };
    steps.push(RampStep { utilisation: None, ..saturated });
    let mut begin = costs.clone();
    begin.cores.shard_read_s = 9e-6;
    begin.network.client_round_trip_s = 40e-6;
    let ramp = Ramp { steps: &steps, load: &load, layout: &layout };
    let found = fit(&ramp, &[Unknown::ShardRead, Unknown::ClientRoundTrip], &begin).unwrap();
    eprintln!("{:?} {:.3?} {:.3?}", found.estimates, found.p50_errors, found.p99_errors);
    assert_eq!(found.saturated, 1);
    let near = |found: f64, expected: f64| (found / expected - 1.0).abs() < 0.02;
    assert!(near(found.costs.cores.shard_read_s, 3e-6));
    assert!(near(found.costs.network.client_round_trip_s, 150e-6));
    let (_, read) = found.estimates[0];
    assert!(read.low < 3e-6 && 3e-6 < read.high && read.high / read.low < 1.1);
}

#[test]
fn a_ramp_of_writes_gives_the_device_and_the_core() {
    let costs = Costs::example();
    let layout = Layout::of_servers(3);
    let load = Load { writes_per_s: 1.0, ..Load::default() };
    let steps = ramp(&costs, &load, &layout, &[2e4, 8e4, 1.3e5, 1.6e5]);
    let mut begin = costs.clone();
    begin.cores.ordering_write_s = 1.5e-6;
    begin.device.curve = begin.device.curve.scaled(2.0);
    let ramp = Ramp { steps: &steps, load: &load, layout: &layout };
    let found = fit(&ramp, &[Unknown::OrderingWrite, Unknown::DeviceTime], &begin).unwrap();
    eprintln!("{:?} {:.3?} {:.3?}", found.estimates, found.p50_errors, found.p99_errors);
    assert!((found.costs.cores.ordering_write_s / 4e-6 - 1.0).abs() < 0.05);
    assert!((found.estimates[1].1.value - 0.5).abs() < 0.03);
}

#[test]
fn what_tells_nothing_is_refused() {
    let (costs, layout) = (Costs::example(), Layout::of_servers(1));
    let reads = Load { reads_per_s: 1.0, ..Load::default() };
    let both = Load { reads_per_s: 1.0, writes_per_s: 1.0, ..Load::default() };
    let step = RampStep {
        offered_per_s: 100.0,
        achieved_per_s: 100.0,
        utilisation: None,
        p50_s: 1e-4,
        p99_s: 2e-4,
    };
    let tried = |steps: &[RampStep], load: &Load, unknowns: &[Unknown]| {
        fit(&Ramp { steps, load, layout: &layout }, unknowns, &costs).unwrap_err()
    };
    let three = [Unknown::ShardRead, Unknown::ClientRoundTrip, Unknown::CoreVariability];
    assert_eq!(tried(&[step], &both, &three), FitError::Mixed);
    let few = FitError::TooFew { observations: 2, parameters: 3 };
    assert_eq!(tried(&[step], &reads, &three), few);
    let negative = RampStep { p50_s: -1.0, ..step };
    assert_eq!(tried(&[step, negative], &reads, &three), FitError::Observation { index: 1 });
    let saturated = RampStep { offered_per_s: 1e3, ..step };
    assert_eq!(tried(&[saturated], &reads, &three), FitError::AllSaturated);
    // Reads that have no writes beside them tell nothing of the device.
    assert_eq!(tried(&[step; 4], &reads, &[Unknown::DeviceTime]), FitError::Undetermined);
}
