//! Curve plots as SVG: no script, no network, and no style of the page, which not everything that
//! shows or prints a page applies to what is inside an SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 44.0;
/// Distinct for people with red-green colour blindness too.
const COLOURS: [&str; 8] =
    ["#0067b8", "#d15700", "#00875a", "#8a3ffc", "#b3005e", "#6b6b00", "#00809c", "#4d4d4d"];

/// Of text, of lines behind the curves, and of what is shaded.
const INK: &str = "#555555";
const GRID: &str = "#e8e8e8";
pub(super) const SHADE: &str = "#fae9de";

/// A line of a plot.
pub(super) struct Curve {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// How an axis runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// From 0, evenly.
    Even,
    /// By powers of ten.
    Log,
}

/// A span of x that is shaded.
pub(super) struct Mark {
    pub(super) from: f64,
    pub(super) to: f64,
    /// Shown where a pointer rests on it.
    pub(super) name: String,
}

/// A plot to be drawn.
pub(super) struct Plot<'a> {
    pub(super) title: &'a str,
    pub(super) x_name: &'a str,
    pub(super) y_name: &'a str,
    pub(super) y: Scale,
    /// Ticks of x with their labels; `None` for even ones.
    pub(super) x_ticks: Option<Vec<(f64, String)>>,
    pub(super) marks: Vec<Mark>,
    pub(super) dots: bool,
    pub(super) curves: Vec<Curve>,
}

/// One axis: the least and the greatest value, and their positions.
struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Even => (value - self.least) / (self.most - self.least),
            Scale::Log => {
                let value = value.max(self.least);
                (value / self.least).log10() / (self.most / self.least).log10()
            }
        };
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self.scale {
            Scale::Even => {
                let step = step(self.most - self.least);
                let count = ((self.most - self.least) / step).round() as u32;
                (0..=count).map(|at| self.least + f64::from(at) * step).collect()
            }
            Scale::Log => {
                let count = (self.most / self.least).log10().round() as i32;
                (0..=count).map(|at| self.least * 10_f64.powi(at)).collect()
            }
        };
        values.into_iter().map(|value| (value, number(value))).collect()
    }
}

/// A round step that cuts a span into at most eight.
pub(super) fn step(span: f64) -> f64 {
    let unit = 10_f64.powf((span / 8.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * unit)
        .into_iter()
        .find(|s| span / s <= 8.0)
        .unwrap_or(span)
}

/// A number in a short form for people.
pub(super) fn number(value: f64) -> String {
    let (value, unit) = match value.abs() {
        v if v >= 999_999.5 => (value / 1e6, "M"),
        v if v >= 999.5 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{value:.2}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Text inside HTML.
pub(super) fn escaped(text: &str) -> String {
    let entity = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        c => String::from(c),
    };
    text.chars().map(entity).collect()
}

impl Plot<'_> {
    fn axes(&self) -> (Axis, Axis) {
        let points = || self.curves.iter().flat_map(|line| &line.points);
        let x_most = points().map(|point| point.0).fold(0.0, f64::max);
        let y_most = points().map(|point| point.1).fold(0.0, f64::max);
        let round = |most: f64| {
            let most = if most > 0.0 { most * 1.02 } else { 1.0 };
            (most / step(most)).ceil() * step(most)
        };
        let ticks_most = self.x_ticks.iter().flatten().map(|tick| tick.0).fold(x_most, f64::max);
        let x_most = if self.x_ticks.is_some() { ticks_most.max(0.1) } else { round(x_most) };
        let x =
            Axis { scale: Scale::Even, least: 0.0, most: x_most, from: LEFT, to: WIDTH - RIGHT };
        let (least, most) = match self.y {
            Scale::Even => (0.0, round(y_most)),
            Scale::Log => {
                let positive = points().map(|point| point.1).filter(|y| *y > 0.0);
                let least = 10_f64.powf(positive.fold(y_most.max(1.0), f64::min).log10().floor());
                (least, 10_f64.powf(y_most.max(least * 1.01).log10().ceil()).max(least * 10.0))
            }
        };
        (x, Axis { scale: self.y, least, most, from: HEIGHT - BOTTOM, to: TOP })
    }

    /// The plot, with its heading and its legend.
    pub(super) fn draw(&self) -> String {
        let mut out = String::new();
        self.write(&mut out).expect("writing to a String does not fail");
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "<h2>{}</h2>", escaped(self.title))?;
        write!(out, "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\"")?;
        writeln!(out, " role=\"img\" font-size=\"11\" fill=\"{INK}\">")?;
        let (x, y) = self.axes();
        for mark in &self.marks {
            let (from, to) = (x.at(mark.from), x.at(mark.to));
            let (width, height) = ((to - from).max(2.0), HEIGHT - BOTTOM - TOP);
            write!(out, "<rect fill=\"{SHADE}\" x=\"{from:.1}\" y=\"{TOP}\"")?;
            let name = escaped(&mark.name);
            write!(out, " width=\"{width:.1}\" height=\"{height}\">")?;
            writeln!(out, "<title>{name}</title></rect>")?;
        }
        for (value, text) in y.ticks() {
            let at = y.at(value);
            let right = WIDTH - RIGHT;
            writeln!(out, "<path stroke=\"{GRID}\" d=\"M{LEFT} {at:.1}H{right}\"/>")?;
            let (text_x, text_y) = (LEFT - 8.0, at + 4.0);
            let place = "text-anchor=\"end\"";
            writeln!(out, "<text x=\"{text_x}\" y=\"{text_y:.1}\" {place}>{text}</text>")?;
        }
        let (bottom, place) = (HEIGHT - BOTTOM, "text-anchor=\"middle\"");
        for (value, text) in self.x_ticks.clone().unwrap_or_else(|| x.ticks()) {
            let at = x.at(value);
            writeln!(out, "<path stroke=\"{GRID}\" d=\"M{at:.1} {TOP}V{bottom}\"/>")?;
            let text_y = bottom + 16.0;
            writeln!(out, "<text x=\"{at:.1}\" y=\"{text_y}\" {place}>{text}</text>")?;
        }
        let (middle, low) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 8.0);
        let x_name = escaped(self.x_name);
        writeln!(out, "<text x=\"{middle}\" y=\"{low}\" {place}>{x_name}</text>")?;
        let (centre, y_name) = (f64::midpoint(TOP, bottom), escaped(self.y_name));
        writeln!(
            out,
            "<text transform=\"translate(14 {centre}) rotate(-90)\" {place}>{y_name}</text>"
        )?;
        for (line, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            self.write_line(out, line, colour, (&x, &y))?;
        }
        writeln!(out, "</svg>")?;
        write!(out, "<p class=\"legend\">")?;
        for (line, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            let name = escaped(&line.name);
            write!(out, "<span><i style=\"background:{colour}\"></i>{name}</span>")?;
        }
        writeln!(out, "</p>")
    }

    fn write_line(
        &self,
        out: &mut String,
        line: &Curve,
        colour: &str,
        (x, y): (&Axis, &Axis),
    ) -> std::fmt::Result {
        let mut path = String::new();
        for (index, point) in line.points.iter().enumerate() {
            let letter = if index == 0 { 'M' } else { 'L' };
            write!(path, "{letter}{:.1} {:.1}", x.at(point.0), y.at(point.1))?;
        }
        write!(out, "<path fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.8\"")?;
        writeln!(out, " d=\"{path}\"/>")?;
        if self.dots || line.points.len() < 3 {
            for point in &line.points {
                let (at_x, at_y) = (x.at(point.0), y.at(point.1));
                writeln!(
                    out,
                    "<circle cx=\"{at_x:.1}\" cy=\"{at_y:.1}\" r=\"3\" fill=\"{colour}\"/>"
                )?;
            }
        }
        Ok(())
    }
}
