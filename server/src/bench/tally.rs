//! What was answered: counts, latencies, errors, and a line a second.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use model::error::ErrorCode;

use super::limits::{LATENCY_NS_MAX, LATENCY_NS_MIN};

const SECOND_NS: u64 = 1_000_000_000;

/// Which of a workload's kinds of request one is: an index of the names given to [`Tally::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(pub(super) u8);

/// One kind of request.
pub(super) struct ClassTally {
    pub(super) name: &'static str,
    /// Of the second that runs. Each answer is recorded here only.
    now: Histogram<u64>,
    /// Of all seconds before.
    total: Histogram<u64>,
}

impl ClassTally {
    /// All that [`Tally::fold`] has taken in.
    pub(super) fn latencies_ns(&self) -> &Histogram<u64> {
        &self.total
    }
}

/// Lives in: the generator's thread.
pub(super) struct Tally {
    classes: Vec<ClassTally>,
    /// How many of the classes, from the first, are requests; the others are parts of those.
    whole_count: usize,
    errors: Vec<(i32, u64)>,
    /// A code that is no surprise.
    excused: i32,
    label: &'static str,
    next_line_ns: u64,
    start_ns: u64,
}

impl Tally {
    /// For answers that nobody asks about: has every class that a workload uses.
    pub(super) fn aside(now_ns: u64) -> Self {
        Self::new(&["", ""], "", now_ns)
    }

    /// Counts from `now_ns` on; `label` starts the lines, an empty one keeps them away.
    pub(super) fn new(names: &[&'static str], label: &'static str, now_ns: u64) -> Self {
        let empty = || {
            Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, 3)
                .expect("the bounds are those of a histogram")
        };
        let classes =
            names.iter().map(|&name| ClassTally { name, now: empty(), total: empty() }).collect();
        Self {
            classes,
            whole_count: names.len(),
            errors: Vec::new(),
            excused: 0,
            label,
            next_line_ns: now_ns + SECOND_NS,
            start_ns: now_ns,
        }
    }

    /// Takes all classes but the first for parts of it.
    pub(super) fn in_parts(mut self) -> Self {
        self.whole_count = 1;
        self
    }

    /// Takes errors with this code for no surprise.
    pub(super) fn excusing(mut self, code: ErrorCode) -> Self {
        self.excused = code.code();
        self
    }

    /// Counts `count` good answers of one latency.
    #[inline]
    pub(super) fn record(&mut self, class: Class, latency_ns: u64, count: u64) {
        self.classes[class.0 as usize].now.saturating_record_n(latency_ns, count);
    }

    pub(super) fn record_error(&mut self, code: i32) {
        match self.errors.iter_mut().find(|error| error.0 == code) {
            Some(error) => error.1 += 1,
            None => self.errors.push((code, 1)),
        }
    }

    /// Takes the current second into the total.
    pub(super) fn fold(&mut self) {
        for class in &mut self.classes {
            class.total.add(&class.now).expect("both have the same bounds");
            class.now.reset();
        }
    }

    /// Tells of the second that has passed, if one has.
    #[inline]
    pub(super) fn tick(&mut self, now_ns: u64) {
        if now_ns >= self.next_line_ns {
            self.tell(now_ns);
        }
    }

    fn tell(&mut self, now_ns: u64) {
        let since_ns = now_ns - (self.next_line_ns - SECOND_NS);
        self.next_line_ns = now_ns + SECOND_NS;
        if !self.label.is_empty() {
            let mut second = self.classes[0].now.clone();
            for class in &self.classes[1..self.whole_count] {
                second.add(&class.now).expect("all have the same bounds");
            }
            let rate = second.len() as f64 * SECOND_NS as f64 / since_ns as f64;
            eprintln!(
                "{:>8} {:>4} s {:>10}/s  p50 {} us  p99 {} us  max {} us{}",
                self.label,
                Duration::from_nanos(now_ns - self.start_ns).as_secs(),
                thousands(rate as u64),
                micros(second.value_at_quantile(0.5)),
                micros(second.value_at_quantile(0.99)),
                micros(second.max()),
                if self.surprise().is_none() { "" } else { "  errors!" },
            );
        }
        self.fold();
    }

    pub(super) fn classes(&self) -> &[ClassTally] {
        &self.classes
    }

    /// Good answers to requests of all classes.
    pub(super) fn ops(&self) -> u64 {
        let whole = &self.classes[..self.whole_count];
        whole.iter().map(|class| class.total.len() + class.now.len()).sum()
    }

    /// The first code that was met and is not excused.
    pub(super) fn surprise(&self) -> Option<Code> {
        self.errors.iter().map(|error| error.0).find(|code| *code != self.excused).map(Code)
    }

    /// Codes and how often each was met.
    pub(super) fn errors(&self) -> &[(i32, u64)] {
        &self.errors
    }
}

/// An error code as people read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub i32);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ErrorCode::of(self.0) {
            Some(code) => code.fmt(f),
            None => write!(f, "code {}", self.0),
        }
    }
}

/// Nanoseconds as microseconds, with a tenth where that says something.
pub(super) fn micros(ns: u64) -> String {
    if ns < 100_000 { format!("{:.1}", ns as f64 / 1_000.0) } else { thousands(ns.div_ceil(1_000)) }
}

/// A number with commas.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
