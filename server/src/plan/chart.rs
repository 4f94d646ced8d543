//! A small plot for a terminal: the 99th percentiles by the rate.

use super::answer::Point;
use super::numbers::{count, time};
use std::fmt::Write as _;

const WIDTH: usize = 64;
const HEIGHT: usize = 12;

/// Reads as `r`, writes as `w`, both as `*`; the latency by its logarithm, the bound as dashes.
pub(super) fn chart(points: &[Point], bound_s: f64) -> String {
    let p99s = |point: &Point| [point.reads, point.writes].map(|it| it.map(|it| it.p99_s));
    let all = || points.iter().flat_map(p99s).flatten();
    let least = all().fold(f64::INFINITY, f64::min);
    let (Some(last), true) = (points.last(), least.is_finite()) else { return String::new() };
    let most = all().fold(bound_s.min(least * 1e3), f64::max).max(least * 2.0);
    let line = |seconds: f64| {
        let part = (seconds / least).ln() / (most / least).ln();
        ((1.0 - part.clamp(0.0, 1.0)) * (HEIGHT - 1) as f64).round() as usize
    };
    let mut grid = vec![vec![' '; WIDTH]; HEIGHT];
    if (least..=most).contains(&bound_s) {
        grid[line(bound_s)].fill('-');
    }
    for point in points {
        let column = (point.rate / last.rate * (WIDTH - 1) as f64).round() as usize;
        for (p99, sign) in p99s(point).into_iter().zip(['r', 'w']) {
            let Some(p99) = p99 else { continue };
            let cell = &mut grid[line(p99)][column];
            *cell = if matches!(*cell, ' ' | '-') || *cell == sign { sign } else { '*' };
        }
    }
    let mut text = String::new();
    for (index, row) in grid.iter().enumerate() {
        let label = match index {
            0 => time(most),
            _ if index == HEIGHT - 1 => time(least),
            _ => String::new(),
        };
        let row: String = row.iter().collect();
        text += format!("{label:>8} |{}", row.trim_end()).trim_end();
        text.push('\n');
    }
    let rate = format!("{}/s", count(last.rate));
    let _ = writeln!(text, "{:>8} +{}", "", "-".repeat(WIDTH));
    let _ = writeln!(text, "{:>8}  0{rate:>width$}", "", width = WIDTH - 1);
    text + "r reads, w writes, * both, - the bound\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use planning::ensemble::Latency;

    fn latency(p99_s: f64) -> Latency {
        Latency { mean_s: p99_s, p50_s: p99_s, p99_s }
    }

    #[test]
    fn the_highest_is_at_the_top() {
        let points = [(50.0, 1e-4, 1e-3), (100.0, 1e-4, 1e-2)].map(|(rate, reads, writes)| Point {
            rate,
            reads: Some(latency(reads)),
            writes: Some(latency(writes)),
        });
        let chart = chart(&points, 2e-3);
        let lines: Vec<&str> = chart.lines().collect();
        assert!(lines[0].starts_with(" 10.0 ms |") && lines[0].ends_with('w'), "{chart}");
        assert_eq!(lines[0].chars().count(), 10 + WIDTH, "{chart}");
        assert!(lines[HEIGHT - 1].starts_with("  100 us |"), "{chart}");
        assert_eq!(lines[HEIGHT - 1].matches('r').count(), 2, "{chart}");
        assert_eq!(chart.matches(&"-".repeat(WIDTH)).count(), 2, "{chart}");
    }

    #[test]
    fn without_latencies_there_is_none() {
        let points = [Point { rate: 1.0, reads: None, writes: None }];
        assert_eq!(chart(&points, 1.0), "");
        assert_eq!(chart(&[], 1.0), "");
    }
}
