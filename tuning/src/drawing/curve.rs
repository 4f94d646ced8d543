//! The probe's figures as a picture: how long durable writes take by their size, and how many are
//! done in a second.

use crate::probe::DiskReport;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const PANEL: f64 = 300.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 34.0;
const GAP: f64 = 70.0;
/// A line's colour, by writes in flight.
const COLOURS: [&str; 4] = ["#1f77b4", "#2a9d4a", "#d98200", "#c0392b"];
/// A line's dashes, by the way in which writes become durable.
const DASHES: [&str; 3] = ["", "7 4", "2 3"];

/// A panel of the picture.
struct Panel {
    title: &'static str,
    top: f64,
    /// The decades that it shows.
    from: f64,
    to: f64,
}

impl Panel {
    fn new(title: &'static str, top: f64, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values.filter(|value| *value > 0.0).fold((f64::MAX, 1.0_f64), bounds);
        let from = low.min(high).max(1.0).log10().floor();
        Self { title, top, from, to: high.log10().ceil().max(from + 1.0) }
    }

    fn y(&self, value: f64) -> f64 {
        let share = (value.max(1.0).log10() - self.from) / (self.to - self.from);
        self.top + PANEL * (1.0 - share)
    }
}

fn bounds((low, high): (f64, f64), value: f64) -> (f64, f64) {
    (low.min(value), high.max(value))
}

/// Two panels, latency above, rate below, both by the size of a write.
pub fn curve(report: &DiskReport) -> String {
    let points = &report.points;
    let sizes = distinct(points.iter().map(|point| point.bytes));
    let ways = distinct(points.iter().map(|point| point.durability));
    let slots = distinct(points.iter().map(|point| point.slots));
    let latency = Panel::new(
        "microseconds until a write is durable (p50; the thin line is p99)",
        TOP,
        points.iter().flat_map(|point| [point.p50_us as f64, point.p99_us as f64]),
    );
    let rate = Panel::new(
        "durable writes a second",
        TOP + PANEL + GAP,
        points.iter().map(|point| point.per_second),
    );
    let height = TOP + 2.0 * PANEL + GAP + 50.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let x = |size: usize| {
        let at = sizes.iter().position(|it| *it == size).unwrap_or(0);
        LEFT + (WIDTH - LEFT - RIGHT) * at as f64 / (sizes.len().max(2) - 1) as f64
    };
    for panel in [&latency, &rate] {
        axes(&mut svg, panel, &sizes, &x);
    }
    for (at_way, way) in ways.iter().enumerate() {
        for (at_slots, count) in slots.iter().enumerate() {
            let line: Vec<_> = points
                .iter()
                .filter(|point| point.durability == *way && point.slots == *count)
                .collect();
            let look = format!(
                "fill=\"none\" stroke=\"{}\" stroke-dasharray=\"{}\"",
                COLOURS[at_slots % COLOURS.len()],
                DASHES[at_way % DASHES.len()]
            );
            let mut draw = |panel: &Panel, width: f64, value: &dyn Fn(usize) -> f64| {
                let places: Vec<_> = line
                    .iter()
                    .enumerate()
                    .map(|(at, point)| format!("{:.1},{:.1}", x(point.bytes), panel.y(value(at))))
                    .collect();
                let places = places.join(" ");
                let _ = writeln!(
                    svg,
                    "<polyline {look} stroke-width=\"{width}\" points=\"{places}\"/>"
                );
            };
            draw(&latency, 2.0, &|at| line[at].p50_us as f64);
            draw(&latency, 0.6, &|at| line[at].p99_us as f64);
            draw(&rate, 2.0, &|at| line[at].per_second);
            let y = TOP + 16.0 * (at_way * slots.len() + at_slots) as f64;
            let from = WIDTH - RIGHT + 16.0;
            let _ = writeln!(
                svg,
                "<path {look} stroke-width=\"2\" d=\"M{from} {y} h26\"/><text x=\"{}\" y=\"{}\">\
                 {way}, {count} in flight</text>",
                from + 32.0,
                y + 4.0
            );
        }
    }
    svg + "</svg>\n"
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<T>>().into_iter().collect()
}

fn axes(svg: &mut String, panel: &Panel, sizes: &[usize], x: &dyn Fn(usize) -> f64) {
    let (right, bottom) = (WIDTH - RIGHT, panel.top + PANEL);
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\">{}</text>",
        panel.top - 12.0,
        panel.title
    );
    let mut decade = panel.from;
    while decade <= panel.to {
        let y = panel.y(10_f64.powf(decade));
        let _ = writeln!(
            svg,
            "<path stroke=\"#ddd\" d=\"M{LEFT} {y:.1} H{right}\"/><text x=\"{}\" y=\"{:.1}\" \
             text-anchor=\"end\">{}</text>",
            LEFT - 8.0,
            y + 4.0,
            10_f64.powf(decade)
        );
        decade += 1.0;
    }
    for size in sizes {
        let at = x(*size);
        let _ = writeln!(
            svg,
            "<path stroke=\"#ddd\" d=\"M{at:.1} {} V{bottom}\"/><text x=\"{at:.1}\" y=\"{}\" \
             text-anchor=\"middle\">{} KiB</text>",
            panel.top,
            bottom + 18.0,
            size >> 10
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::{Point, Sustained};

    #[test]
    fn every_line_is_inside_the_picture() {
        let mut points = Vec::new();
        for durability in ["dsync", "flush"] {
            for bytes in [4 << 10, 64 << 10, 1 << 20] {
                for slots in [1, 8] {
                    points.push(Point {
                        durability,
                        bytes,
                        slots,
                        count: 10,
                        p50_us: 40 + bytes as u64 / 1_000,
                        p90_us: 90,
                        p99_us: 30_000,
                        max_us: 30_000,
                        per_second: 1e7 / bytes as f64,
                        rounds: Vec::new(),
                        spread: 0.0,
                    });
                }
            }
        }
        let sustained = Sustained { mib_per_second: Vec::new() };
        let svg =
            curve(&DiskReport { file_bytes: 0, points, polled: None, sustained, reads: None });
        assert_eq!(svg.matches("<polyline").count(), 2 * 2 * 3);
        let places = svg.lines().filter_map(|line| line.split("points=\"").nth(1));
        for place in places.flat_map(|it| it.trim_end_matches("\"/>").split(' ')) {
            let (x, y) = place.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..=720.0).contains(&y), "{place}");
        }
        let none = DiskReport {
            file_bytes: 0,
            points: Vec::new(),
            polled: None,
            sustained: Sustained { mib_per_second: Vec::new() },
            reads: None,
        };
        assert!(curve(&none).ends_with("</svg>\n"));
    }
}
