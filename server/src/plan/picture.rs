//! Plots as SVG: no script, no network.

use super::Shown;
use super::numbers::{count, percent, time};
use super::words;
use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 50.0;
/// Distinct for people with red-green colour blindness too.
const READS: &str = "#0067b8";
const WRITES: &str = "#d15700";
const BOUND: &str = "#4d4d4d";

fn open(title: &str, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{title}</title>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    )
}

fn text(out: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let _ =
        writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

fn line(out: &mut String, [x1, y1, x2, y2]: [f64; 4], colour: &str, more: &str) {
    let _ = writeln!(
        out,
        "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{colour}\" fill=\"none\"{more}/>"
    );
}

/// The 99th percentiles by the rate, on a logarithmic scale, with the bound and the load.
pub(super) fn latencies(shown: &Shown<'_>) -> String {
    let (points, bound_s) = (&shown.answer.curve, shown.question.p99_s);
    let mut out = open("99th percentile by rate", HEIGHT);
    let p99s = |reads: bool| {
        let of = move |it: &super::answer::Point| if reads { it.reads } else { it.writes };
        points.iter().filter_map(move |it| Some((it.rate, of(it)?.p99_s))).collect::<Vec<_>>()
    };
    let curves = [("reads", READS, p99s(true)), ("writes", WRITES, p99s(false))];
    let all = || curves.iter().flat_map(|it| it.2.iter().map(|it| it.1)).chain([bound_s]);
    let decade = |it: f64, up: bool| {
        let it = it.log10();
        10_f64.powf(if up { it.ceil() } else { it.floor() })
    };
    let least = decade(all().fold(f64::INFINITY, f64::min), false);
    let most = decade(all().fold(0.0, f64::max), true).max(least * 10.0);
    let rate_max = points.last().map_or(1.0, |it| it.rate);
    let x = |rate: f64| LEFT + rate / rate_max * (WIDTH - LEFT - RIGHT);
    let bottom = HEIGHT - BOTTOM;
    let y = |it: f64| bottom - (it / least).log10() / (most / least).log10() * (bottom - TOP);
    let mut tick = least;
    while tick <= most * 1.01 {
        line(&mut out, [LEFT, y(tick), WIDTH - RIGHT, y(tick)], "#dddddd", "");
        text(&mut out, (LEFT - 6.0, y(tick) + 4.0), "end", &time(tick));
        tick *= 10.0;
    }
    for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
        text(&mut out, (x(rate_max * part), bottom + 18.0), "middle", &count(rate_max * part));
    }
    text(
        &mut out,
        (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 10.0),
        "middle",
        "requests a second",
    );
    line(
        &mut out,
        [LEFT, y(bound_s), WIDTH - RIGHT, y(bound_s)],
        BOUND,
        " stroke-dasharray=\"5 4\"",
    );
    let load = &shown.question.load;
    let now = x(load.reads_per_s + load.writes_per_s);
    line(&mut out, [now, TOP, now, bottom], BOUND, " stroke-dasharray=\"2 3\"");
    for (index, (name, colour, curve)) in curves.iter().enumerate() {
        let steps = curve.iter().enumerate().map(|(at, (rate, p99))| {
            let letter = if at == 0 { 'M' } else { 'L' };
            format!("{letter}{:.1} {:.1}", x(*rate), y(*p99))
        });
        let steps: String = steps.collect();
        if steps.is_empty() {
            continue;
        }
        let _ = writeln!(
            out,
            "<path d=\"{steps}\" stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\"/>"
        );
        let at = LEFT + 10.0 + 90.0 * index as f64;
        line(&mut out, [at, 16.0, at + 18.0, 16.0], colour, " stroke-width=\"3\"");
        text(&mut out, (at + 24.0, 20.0), "start", name);
    }
    let legend = "dashed: the bound of the p99; dotted: the load";
    text(&mut out, (WIDTH - RIGHT, 20.0), "end", legend);
    out + "</svg>\n"
}

/// How busy each stage is, as bars.
pub(super) fn stages(shown: &Shown<'_>) -> String {
    const BAR: f64 = 26.0;
    let stages = &shown.answer.prediction.now.stages;
    let mut out = open("How busy each stage is", BAR * stages.len() as f64 + 8.0);
    let full = WIDTH - 220.0;
    for (index, stage) in stages.iter().enumerate() {
        let top = 4.0 + BAR * index as f64;
        let wide = full * stage.utilisation.clamp(0.0, 1.0);
        text(&mut out, (120.0, top + 15.0), "end", words::stage(stage.stage));
        let _ = writeln!(
            out,
            "<rect x=\"130\" y=\"{top:.1}\" width=\"{full:.1}\" height=\"18\" fill=\"#eeeeee\"/>\n\
             <rect x=\"130\" y=\"{top:.1}\" width=\"{wide:.1}\" height=\"18\" fill=\"{READS}\"/>"
        );
        text(&mut out, (138.0 + full, top + 15.0), "start", &percent(stage.utilisation));
    }
    out + "</svg>\n"
}
