//! What was answered: counts, latencies, errors, and one line per second.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use model::error::ErrorCode;

use super::limits::{LATENCY_NS_MAX, LATENCY_NS_MIN, SECONDS_MAX};
use super::process::{Process, Usage};
use crate::Say;

const SECOND_NS: u64 = 1_000_000_000;

/// Which of a workload's kinds of request one is: an index of the names given to [`Tally::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class(pub(super) u8);

/// One kind of request.
pub(super) struct ClassTally {
    pub(super) name: Box<str>,
    /// Of the current second. Each answer is recorded here only.
    now: Histogram<u64>,
    /// Of all seconds before.
    total: Histogram<u64>,
}

impl ClassTally {
    /// Everything that [`Tally::fold`] has added.
    pub(super) fn latencies_ns(&self) -> &Histogram<u64> {
        &self.total
    }
}

/// A second that has passed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    /// Its end, since the start.
    pub(super) at_ns: u64,
    /// A second, or a little more if the generator was busy.
    pub(super) length_ns: u64,
    pub(super) count: u64,
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
    pub(super) max_ns: u64,
    /// Errors of all codes, and requests that were lost.
    pub(super) errors: u64,
    /// What the server used in it.
    pub(super) server: Option<Usage>,
}

impl Second {
    /// Answers per second.
    pub(super) fn rate(&self) -> f64 {
        self.count as f64 * SECOND_NS as f64 / self.length_ns.max(1) as f64
    }
}

/// One line per second.
struct Lines {
    label: Box<str>,
    say: Say,
}

/// Reads what the server uses, each second.
struct Sampler {
    process: Process,
    last: Usage,
}

/// Lives in: the generator's thread.
pub(super) struct Tally {
    classes: Vec<ClassTally>,
    /// How many of the classes, from the first, are requests; the others are parts of those.
    whole_count: usize,
    errors: Vec<(i32, u64)>,
    /// A code that is expected.
    excused: i32,
    lines: Option<Lines>,
    next_line_ns: u64,
    start_ns: u64,
    seconds: Vec<Second>,
    errors_before: u64,
    sampler: Option<Sampler>,
}

impl Tally {
    /// For answers outside the results: has every class that a single operation uses.
    pub(super) fn aside(now_ns: u64) -> Self {
        Self::new(&["", ""], now_ns)
    }

    /// Counts from `now_ns` on, in a class for each name.
    pub(super) fn new<N: AsRef<str>>(names: &[N], now_ns: u64) -> Self {
        let empty = || {
            Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, 3)
                .expect("the bounds are those of a histogram")
        };
        let classes = names
            .iter()
            .map(|name| ClassTally { name: name.as_ref().into(), now: empty(), total: empty() })
            .collect::<Vec<_>>();
        Self {
            classes,
            whole_count: names.len(),
            errors: Vec::new(),
            excused: 0,
            lines: None,
            next_line_ns: now_ns + SECOND_NS,
            start_ns: now_ns,
            seconds: Vec::new(),
            errors_before: 0,
            sampler: None,
        }
    }

    /// Reports one line per second, which starts with `label`, and keeps the seconds for the
    /// results.
    pub(super) fn saying(mut self, label: &str, say: Say) -> Self {
        self.lines = Some(Lines { label: label.into(), say });
        self
    }

    /// Treats all classes after the first `whole_count` as parts of those.
    pub(super) fn in_parts(mut self, whole_count: usize) -> Self {
        self.whole_count = whole_count;
        self
    }

    /// Reads what a process uses each second, until that cannot be read.
    pub(super) fn sampling(mut self, pid: Option<u32>) -> Self {
        self.sampler = pid.map(Process::new).and_then(|process| {
            let last = process.usage().ok()?;
            Some(Sampler { process, last })
        });
        self
    }

    /// Treats errors with this code as expected.
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

    fn error_count(&self) -> u64 {
        self.errors.iter().map(|error| error.1).sum()
    }

    /// Adds the current second to the total.
    pub(super) fn fold(&mut self) {
        for class in &mut self.classes {
            class.total.add(&class.now).expect("both have the same bounds");
            class.now.reset();
        }
    }

    /// Closes the second that has passed, if one has.
    #[inline]
    pub(super) fn tick(&mut self, now_ns: u64) {
        if now_ns >= self.next_line_ns {
            self.close_second(now_ns);
        }
    }

    /// Closes the last second, unless it has hardly begun, and reports no more.
    pub(super) fn end(&mut self, now_ns: u64) {
        if now_ns + SECOND_NS >= self.next_line_ns + SECOND_NS / 2 {
            self.close_second(now_ns);
        }
        self.lines = None;
    }

    fn close_second(&mut self, now_ns: u64) {
        let length_ns = now_ns - (self.next_line_ns - SECOND_NS);
        self.next_line_ns = now_ns + SECOND_NS;
        if self.lines.is_some() {
            let second = self.second(now_ns, length_ns);
            self.say(&second);
            if self.seconds.len() < SECONDS_MAX {
                self.seconds.push(second);
            }
        }
        self.fold();
    }

    fn say(&self, second: &Second) {
        if let Some(Lines { label, say }) = &self.lines {
            say(&format!(
                "{:>8} {:>4} s {:>10}/s  p50 {} us  p99 {} us  max {} us{}",
                label,
                Duration::from_nanos(second.at_ns).as_secs(),
                thousands(second.rate() as u64),
                micros(second.p50_ns),
                micros(second.p99_ns),
                micros(second.max_ns),
                if self.surprise().is_none() { "" } else { "  errors!" },
            ));
        }
    }

    fn second(&mut self, now_ns: u64, length_ns: u64) -> Second {
        let mut all = self.classes[0].now.clone();
        for class in &self.classes[1..self.whole_count] {
            all.add(&class.now).expect("all have the same bounds");
        }
        let errors = self.error_count();
        let server = self.sampler.as_mut().and_then(|sampler| {
            let usage = sampler.process.usage().ok()?;
            let used = usage.since(sampler.last);
            sampler.last = usage;
            Some(used)
        });
        Second {
            at_ns: now_ns - self.start_ns,
            length_ns,
            count: all.len(),
            p50_ns: all.value_at_quantile(0.5),
            p99_ns: all.value_at_quantile(0.99),
            max_ns: all.max(),
            errors: errors - std::mem::replace(&mut self.errors_before, errors),
            server,
        }
    }

    /// Every second that was closed while lines were reported.
    pub(super) fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// How many of the classes, from the first, are requests.
    pub(super) fn whole_count(&self) -> usize {
        self.whole_count
    }

    pub(super) fn classes(&self) -> &[ClassTally] {
        &self.classes
    }

    /// Good answers to requests of all classes.
    pub(super) fn ops(&self) -> u64 {
        let whole = &self.classes[..self.whole_count];
        whole.iter().map(|class| class.total.len() + class.now.len()).sum()
    }

    /// The first code that is not excused.
    pub(super) fn surprise(&self) -> Option<Code> {
        self.errors.iter().map(|error| error.0).find(|code| *code != self.excused).map(Code)
    }

    /// Codes and how often each occurred.
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

/// Nanoseconds as microseconds, with a tenth if that is significant.
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
