use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::distribution::Gamma;
use crate::queue::single;
use crate::tests::{assert_near, cases};

fn response(steady: &Steady<'_>) -> Distribution {
    steady.response(Grid::to(steady.mean_s + 10.0 * steady.variance.sqrt()))
}

/// Batches without a limit that all take 1: a Poisson number waits at each end, whatever was.
#[test]
fn equal_batches_without_limit() {
    for rate in [0.1, 1.0, 5.0, 40.0] {
        let queue = Bulk { rate, batch_max: 1e6, slots: 1, service_s: &|_| 1.0, scv: 0.0 };
        let steady = queue.steady().unwrap();
        let idle = f64::exp(-rate) / rate;
        assert_near(steady.delayed, 1.0 / (1.0 + idle), 1e-6);
        assert_near(steady.batch_mean, rate * (1.0 + idle), 1e-6);
        let time = response(&steady);
        assert_near(time.mean_s(), 1.0 + 0.5 / (1.0 + idle), 3e-3);
        // One who waits, waits evenly between nothing and 1.
        let late = (1.0 - 0.01 / steady.delayed).max(0.0);
        assert_near(time.quantile_s(0.99), 1.0 + late, 5e-3);
    }
}

#[test]
fn batches_of_one_are_the_classical_queues() {
    for (rate, scv) in [(0.3, 0.0), (0.7, 0.0), (0.85, 0.0), (0.5, 1.0), (0.8, 1.0), (0.7, 0.4)] {
        let queue = Bulk { rate, batch_max: 1.0, slots: 1, service_s: &|_| 1.0, scv };
        let time = response(&queue.steady().unwrap());
        let wait = single::mg1(rate, &single::Moments::of_gamma(1.0, scv)).unwrap();
        let grid = Grid::to(40.0);
        let service = Distribution::of_gamma(grid, &Gamma { mean_s: 1.0, scv });
        let exact = wait.on(grid).plus(&service);
        let (mean, p99) = (time.mean_s() / exact.mean_s(), time.quantile_s(0.99));
        eprintln!(
            "one by one at {rate}, scv {scv}: mean {mean:.4}, p99 {:.4}",
            p99 / exact.quantile_s(0.99)
        );
        assert_near(time.mean_s(), exact.mean_s(), 0.02);
        assert_near(p99, exact.quantile_s(0.99), 0.03);
    }
}

/// A service time: the sum of as many exponential ones as give its variance.
fn drawn(queue: &Bulk<'_>, batch: usize, random: &mut fastrand::Rng) -> f64 {
    let mean = (queue.service_s)(batch as f64);
    if queue.scv <= 0.0 {
        return mean;
    }
    let parts = (1.0 / queue.scv).round() as usize;
    let sum: f64 = (0..parts).map(|_| -(1.0 - random.f64()).ln()).sum();
    mean * sum / parts as f64
}

/// The queue itself, event by event: mean and 99th percentile of the time.
fn simulated(queue: &Bulk<'_>, customers: usize) -> (f64, f64) {
    let mut random = fastrand::Rng::with_seed(7);
    let mut free_at = vec![0.0_f64; queue.slots];
    let mut acknowledged = 0.0_f64;
    let mut waiting = VecDeque::new();
    let mut times = Vec::with_capacity(customers);
    let mut next = -(1.0 - random.f64()).ln() / queue.rate;
    while times.len() < customers {
        free_at.sort_by(f64::total_cmp);
        let leaves = free_at[0].max(waiting.front().copied().unwrap_or(next));
        if next <= leaves {
            waiting.push_back(next);
            next -= (1.0 - random.f64()).ln() / queue.rate;
            continue;
        }
        let batch = waiting.len().min(queue.batch_max as usize);
        free_at[0] = leaves + drawn(queue, batch, &mut random);
        acknowledged = acknowledged.max(free_at[0]);
        times.extend(waiting.drain(..batch).map(|came| acknowledged - came));
    }
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    times.sort_by(f64::total_cmp);
    (mean, times[times.len() * 99 / 100])
}

/// The worst errors of mean and 99th percentile over what is planned for.
fn worst(slots: usize, scvs: &[f64]) -> (f64, f64) {
    let flat = |_: f64| 1.0;
    let rising = |batch: f64| 1.0 + 0.05 * batch;
    let curves: [&dyn Fn(f64) -> f64; 2] = [&flat, &rising];
    let mut worst = (0.0_f64, 0.0_f64);
    for service_s in curves {
        for &scv in scvs {
            for part in [0.03, 0.2, 0.5, 0.85] {
                let mut queue = Bulk { rate: 1.0, batch_max: 8.0, slots, service_s, scv };
                queue.rate = part * queue.rate_max();
                let time = response(&queue.steady().unwrap());
                let (mean, p99) = simulated(&queue, if part > 0.8 { 1_000_000 } else { 200_000 });
                let errors = (time.mean_s() / mean - 1.0, time.quantile_s(0.99) / p99 - 1.0);
                let rise = service_s(2.0) - 1.0;
                eprintln!("{slots} slots, +{rise:.2}, scv {scv}, {part}: {errors:+.3?}");
                worst = (worst.0.max(errors.0.abs()), worst.1.max(errors.1.abs()));
            }
        }
    }
    worst
}

#[test]
fn one_slot_event_by_event() {
    let worst = worst(1, &[0.0, 0.25, 1.0]);
    assert!(worst.0 < 0.03 && worst.1 < 0.06, "{worst:?}");
}

#[test]
fn several_slots_event_by_event() {
    let worst = worst(4, &[0.25, 1.0]);
    assert!(worst.0 < 0.07 && worst.1 < 0.10, "{worst:?}");
}

#[test]
fn more_than_full_batches_is_refused() {
    let service_s = |batch: f64| 1.0 + batch;
    let queue = Bulk { rate: 2.0, batch_max: 9.0, slots: 2, service_s: &service_s, scv: 0.0 };
    assert_near(queue.rate_max(), 1.8, 1e-12);
    let refused = queue.steady().err().unwrap();
    assert_near(refused.utilisation, 2.0 / 1.8, 1e-12);
}

proptest! {
    #![proptest_config(cases(4, 24))]

    #[test]
    fn more_customers_take_longer(
        part in 0.01..0.9_f64, batch_max in 1.0..64.0_f64, scv in 0.0..1.5_f64,
    ) {
        let batch_max = batch_max.floor();
        let service_s = |batch: f64| 1.0 + 0.1 * batch;
        let steady = |part: f64| {
            let mut queue = Bulk { rate: 1.0, batch_max, slots: 1, service_s: &service_s, scv };
            queue.rate = part * queue.rate_max();
            queue.steady().unwrap()
        };
        let (less, more) = (steady(part), steady(part * 1.05));
        prop_assert!(more.batch_mean >= less.batch_mean * (1.0 - 1e-6));
        prop_assert!(response(&more).mean_s() >= response(&less).mean_s() * 0.998);
    }
}
