use proptest::prelude::*;

use super::*;
use crate::error::FitError;
use crate::fit::RampStep;
use crate::tests::{assert_near, cases};
use fastrand::Rng;

const SERVER: Turns = Turns {
    connections: 64.0,
    trip_s: 40e-6,
    visit_s: 8e-6,
    request_s: 1.5e-6,
    scv: 0.1,
    stopped: 0.0,
    stop_s: 0.0,
};

fn step(turns: &Turns, rate: f64) -> RampStep {
    let latency = turns.at(rate).unwrap().expect("it is carried");
    let (p50_s, p99_s) = (latency.p50_s, latency.p99_s);
    RampStep { offered_per_s: rate, achieved_per_s: rate, utilisation: None, p50_s, p99_s }
}

fn saturated(turns: &Turns) -> RampStep {
    let achieved_per_s = turns.saturation_per_s();
    RampStep {
        offered_per_s: 1.5 * achieved_per_s,
        achieved_per_s,
        utilisation: None,
        p50_s: 1.0,
        p99_s: 2.0,
    }
}

/// A loop that works in turns, request by request: latencies, sorted.
fn played(turns: &Turns, rate: f64, requests: usize, seed: u64) -> Vec<f64> {
    let mut random = Rng::with_seed(seed);
    let mut exponential = |mean: f64| -mean * (1.0 - random.f64()).ln();
    let mut at = 0.0;
    let come: Vec<f64> = (0..requests)
        .map(|_| {
            at += exponential(1.0 / rate);
            at
        })
        .collect();
    let mut random = Rng::with_seed(seed + 1);
    let (mut now, mut next, mut latencies) = (0.0_f64, 0, Vec::new());
    while next < come.len() {
        now = now.max(come[next]);
        let first = next;
        let mut has = vec![false; turns.connections as usize];
        while next < come.len() && come[next] <= now {
            let sender = random.usize(..has.len());
            has[sender] = true;
            next += 1;
        }
        let visited = has.iter().filter(|it| **it).count() as f64;
        now += turns.visit_s * visited + turns.request_s * (next - first) as f64;
        latencies.extend(come[first..next].iter().map(|come| now - come + turns.trip_s));
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

/// From a fifth to nine tenths of the highest rate: medians within 3 %, 99th percentiles within 12
/// %.
#[test]
fn turns_event_by_event() {
    for part in [0.2, 0.35, 0.5, 0.7, 0.85, 0.9] {
        let rate = part * SERVER.saturation_per_s();
        let latencies = played(&SERVER, rate, 400_000, 7);
        let measured = |part: f64| latencies[(part * latencies.len() as f64) as usize];
        // How turns vary here follows from what comes: short ones more, long ones less.
        let turns = Turns { scv: 0.02, ..SERVER };
        let predicted = turns.at(rate).unwrap().unwrap();
        assert_near(predicted.p50_s / measured(0.5), 1.0, 0.03);
        assert_near(predicted.p99_s / measured(0.99), 1.0, 0.12);
    }
}

#[test]
fn an_idle_server_takes_a_turn() {
    let latency = SERVER.at(0.0).unwrap().unwrap();
    assert_near(latency.mean_s, 40e-6 + 8e-6 + 1.5e-6, 1e-9);
}

#[test]
fn stops_are_what_an_idle_server_waits_for() {
    let turns = Turns { stopped: 0.02, stop_s: 4e-3, ..SERVER };
    let latency = turns.at(1.0).unwrap().unwrap();
    // Of a hundred requests two come in a stop, and half of these wait for more than half of it.
    assert_near(latency.p99_s, 2.05e-3, 0.01);
    assert!(latency.p50_s < 55e-6);
    // They are worked off by what the load leaves.
    let busy = turns.at(0.5 * turns.saturation_per_s()).unwrap().unwrap();
    assert_near(busy.p99_s, 3e-3 + 1.5e-3, 0.15);
}

#[test]
fn a_bound_is_kept_up_to_the_capacity() {
    let most = SERVER.capacity_per_s(2e-3).unwrap();
    assert_near(SERVER.at(most).unwrap().unwrap().p99_s, 2e-3, 1e-5);
    assert_eq!(SERVER.capacity_per_s(1e-6), Ok(0.0));
    let all = UTILISATION_MAX * SERVER.saturation_per_s();
    assert_near(SERVER.capacity_per_s(10.0).unwrap() / all, 1.0, 1e-6);
    assert!(Turns { request_s: 0.0, ..SERVER }.capacity_per_s(1.0).is_err());
    assert!(SERVER.at(f64::NAN).is_err());
    assert_eq!(SERVER.at(SERVER.saturation_per_s()), Ok(None));
}

/// From rates of which none is asked for again.
#[test]
fn what_was_measured_is_found_again() {
    let server = Turns { stopped: 0.015, stop_s: 3e-3, ..SERVER };
    let most = server.saturation_per_s();
    let mut steps: Vec<_> =
        [0.02, 0.1, 0.2, 0.4, 0.6, 0.8, 0.92].map(|part| step(&server, part * most)).to_vec();
    steps.push(saturated(&server));
    let found = fit(&steps, 64.0).unwrap();
    assert_near(found.turns.saturation_per_s() / most, 1.0, 0.02);
    assert_eq!(found.saturated, 1);
    for part in [0.05, 0.3, 0.5, 0.7, 0.85] {
        let [predicted, true_one] =
            [found.turns, server].map(|it| it.at(part * most).unwrap().unwrap());
        assert_near(predicted.p50_s / true_one.p50_s, 1.0, 0.05);
        assert_near(predicted.p99_s / true_one.p99_s, 1.0, 0.08);
    }
    let errors = found.p50_errors.iter().chain(&found.p99_errors);
    assert!(errors.clone().count() == 14 && errors.into_iter().all(|it| it.abs() < 0.08));
}

/// A server whose 99th percentile no turns explain.
#[test]
fn what_turns_do_not_explain_is_taken_as_measured() {
    let most = SERVER.saturation_per_s();
    let disturbed = |(part, factor): (f64, f64)| {
        let it = step(&SERVER, part * most);
        RampStep { p50_s: it.p50_s * factor.sqrt(), p99_s: it.p99_s * factor, ..it }
    };
    let steps = [(0.1, 1.0), (0.4, 4.0), (0.7, 1.0), (0.9, 2.0)].map(disturbed);
    let found = fit(&[&steps[..], &[steps[2], saturated(&SERVER)]].concat(), 64.0).unwrap();
    for step in &steps {
        let it = found.at(step.offered_per_s).unwrap().unwrap();
        assert_near(it.p50_s / step.p50_s, 1.0, 1e-9);
        assert_near(it.p99_s / step.p99_s, 1.0, 1e-9);
    }
    // Halfway between two steps half of the way, as logarithms.
    let halfway = found.at(0.55 * most).unwrap().unwrap();
    assert_near(halfway.p50_s / (steps[1].p50_s * steps[2].p50_s).sqrt(), 1.0, 1e-9);
    assert_near(halfway.p99_s / (steps[1].p99_s * steps[2].p99_s).sqrt(), 1.0, 1e-9);
    // Outside as far from the turns as the outermost.
    let factor = |part: f64| {
        let [it, turns] = [found.at(part * most), found.turns.at(part * most)];
        it.unwrap().unwrap().p99_s / turns.unwrap().unwrap().p99_s
    };
    assert_near(factor(0.02), factor(0.1), 1e-9);
    assert_near(factor(0.92), factor(0.9), 1e-9);
    assert_eq!(found.at(found.turns.saturation_per_s()), Ok(None));
    assert!(found.at(f64::NAN).is_err());
    // Twice as late at one step, and nothing new of the others.
    let again = RampStep { p50_s: 2.0 * steps[1].p50_s, p99_s: 2.0 * steps[1].p99_s, ..steps[1] };
    let again = found.remeasured(&[again]);
    let ratio = |part: f64| {
        let [it, before] = [&again, &found].map(|it| it.at(part * most).unwrap().unwrap());
        it.p99_s / before.p99_s
    };
    assert_near(ratio(0.4), 2.0, 1e-9);
    assert_near(ratio(0.25), 2.0_f64.sqrt(), 1e-9);
    assert_near(ratio(0.7), 1.0, 1e-9);
}

#[test]
fn straight_lines_are_near_enough() {
    let most = SERVER.saturation_per_s();
    let steps = [0.08, 0.3, 0.6, 0.78, 0.9].map(|part| step(&SERVER, part * most));
    let found = fit(&[&steps[..], &[saturated(&SERVER)]].concat(), 64.0).unwrap();
    for part in [0.5, 0.7, 0.85] {
        let [line, exact] =
            [found.at(part * most), SERVER.at(part * most)].map(|it| it.unwrap().unwrap());
        assert_near(line.p50_s / exact.p50_s, 1.0, 0.08);
        assert_near(line.p99_s / exact.p99_s, 1.0, 0.08);
    }
}

#[test]
fn steps_that_tell_nothing_are_refused() {
    let two = [step(&SERVER, 1e4), step(&SERVER, 1e5)];
    assert!(fit(&two, 64.0).is_ok());
    assert!(matches!(fit(&two[..1], 64.0), Err(FitError::TooFew { .. })));
    assert!(matches!(fit(&[saturated(&SERVER)], 64.0), Err(FitError::AllSaturated)));
    let nothing = RampStep { p50_s: 0.0, ..two[0] };
    assert_eq!(fit(&[two[1], nothing], 64.0), Err(FitError::Observation { index: 1 }));
}

proptest! {
    #![proptest_config(cases(3, 64))]

    /// Latencies do not fall while the load rises, and what is measured exactly is predicted.
    #[test]
    fn load_is_monotone(
        trip_us in 0.0..500.0,
        visit_us in 0.1..100.0,
        request_us in 0.5..200.0,
        scv in 0.0..1.5,
        stopped in 0.0..0.05,
        stop_ms in 0.0..50.0,
        connections in 1.0..500.0,
    ) {
        let turns = Turns {
            connections,
            trip_s: trip_us * 1e-6,
            visit_s: visit_us * 1e-6,
            request_s: request_us * 1e-6,
            scv,
            stopped,
            stop_s: stop_ms * 1e-3,
        };
        let most = turns.saturation_per_s();
        let mut before = Latency { mean_s: 0.0, p50_s: 0.0, p99_s: 0.0 };
        for part in 0..19 {
            let latency = turns.at(most * f64::from(part) / 20.0).unwrap().unwrap();
            let rises = |now: f64, before: f64| now >= before * (1.0 - 1e-6);
            prop_assert!(rises(latency.p50_s, before.p50_s), "p50 at {part}: {latency:?}");
            prop_assert!(rises(latency.p99_s, before.p99_s), "p99 at {part}: {latency:?}");
            prop_assert!(latency.p50_s <= latency.p99_s);
            before = latency;
        }
    }
}
