//! A server as its clients see it, from outside: one loop that works in turns.
//!
//! What [`ensemble`](crate::ensemble) builds from the costs of parts, for servers that nobody has
//! yet, is here found by measuring a server that runs, of whatever make, alone or with others:
//! which rate it carries, and how latencies grow up to it. Nothing follows for other servers or
//! another mix.
//!
//! A turn takes everything that has come since the last one began. It costs something for each
//! connection that has requests in it (the system calls, the packets), and something for each
//! request; so turns grow with the load until all connections are in each, and requests become
//! cheaper. That is why latencies of such servers rise early, stay the same for long, and rise
//! again at the end. A request waits for the rest of the turn in which it comes, then takes its own
//! one.
//!
//! Beside that, the server stops now and then: its process gets no processor, its memory is
//! collected, its disk stalls. What came meanwhile waits, and is worked off after it by what the
//! load leaves. Of a server that is mostly idle, these stops are the 99th percentile.
//!
//! Method: the length of a turn is the fixed point of what comes in it and how long that takes;
//! turns vary around it by the gamma distribution; the rest of a turn is that of the renewal theory
//! (Cox, *Renewal Theory*, Methuen 1962, chapter 5). Guards: `tests::turns_event_by_event`,
//! `tests::load_is_monotone`.

mod fit;
mod shape;
#[cfg(test)]
mod tests;

pub use fit::{Cost, FittedTurns, fit};

use crate::ensemble::Latency;
use crate::error::{InputError, at_least};
use crate::numeric::special::bisect;
use shape::Shape;

/// Above this part of the highest rate no latency is predicted.
pub const UTILISATION_MAX: f64 = 0.97;
/// Of all requests, those that stops delay are at most so many: beyond, they are all.
const STOPPED_MAX: f64 = 0.95;

/// What it costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turns {
    /// Connections that send requests, at least 1.
    pub connections: f64,
    /// The part of a latency that no load changes, seconds.
    pub trip_s: f64,
    /// A turn, for each connection that has requests in it, seconds.
    pub visit_s: f64,
    /// A turn, for each request, seconds; positive.
    pub request_s: f64,
    /// How turns vary: variance by squared mean.
    pub scv: f64,
    /// The part of time in which the server stands still.
    pub stopped: f64,
    /// How long each time, seconds.
    pub stop_s: f64,
}

/// A turn at some rate.
struct Turn {
    mean_s: f64,
    /// The probability that a request comes during another turn.
    met: f64,
}

impl Turns {
    /// The rate that is never reached: requests take all the time.
    pub fn saturation_per_s(&self) -> f64 {
        1.0 / self.request_s
    }

    /// How long a turn takes that has so many requests.
    fn turn_s(&self, requests: f64) -> f64 {
        let absent = (1.0 - 1.0 / self.connections.max(1.0 + 1e-9)).powf(requests);
        self.visit_s * self.connections * (1.0 - absent) + self.request_s * requests
    }

    fn turn(&self, rate: f64) -> Turn {
        let single_s = self.turn_s(1.0);
        if rate * single_s <= 1.0 {
            return Turn { mean_s: single_s, met: rate * single_s };
        }
        // All connections in each turn: no turn is longer.
        let longest_s = self.visit_s * self.connections / (1.0 - rate * self.request_s);
        let is_short = |turn_s: f64| self.turn_s(rate * turn_s) > turn_s;
        Turn { mean_s: bisect(single_s, longest_s.max(single_s), is_short), met: 1.0 }
    }

    /// The latency at a rate of requests per second; `None` above [`UTILISATION_MAX`].
    ///
    /// # Errors
    /// A number is not finite or out of its range.
    pub fn at(&self, rate: f64) -> Result<Option<Latency>, InputError> {
        self.check()?;
        at_least("rate", rate, 0.0)?;
        Ok(self.latency(&Shape::of(self.scv), rate))
    }

    /// The same with the shape of its turns at hand, which is the same at all rates.
    fn latency(&self, shape: &Shape, rate: f64) -> Option<Latency> {
        let utilisation = rate * self.request_s;
        if utilisation > UTILISATION_MAX {
            return None;
        }
        let turn = self.turn(rate);
        let stopped = (self.stopped / (1.0 - utilisation)).min(STOPPED_MAX);
        // In turns: a request that meets a stop waits for any part of it.
        let stop = (self.stop_s / turn.mean_s).max(1e-9);
        let cdf = |t: f64| {
            let after_stop =
                (shape.integral(turn.met, t) - shape.integral(turn.met, t - stop)) / stop;
            (1.0 - stopped) * shape.cdf(turn.met, t) + stopped * after_stop
        };
        let quantile_s = |part: f64| {
            self.trip_s + turn.mean_s * bisect(0.0, shape.end + stop, |t| cdf(t) < part)
        };
        let mean_s = turn.mean_s * (1.0 + turn.met * 0.5 * (1.0 + self.scv));
        Some(Latency {
            mean_s: self.trip_s + mean_s + stopped * 0.5 * self.stop_s,
            p50_s: quantile_s(0.5),
            p99_s: quantile_s(0.99),
        })
    }

    /// The highest rate whose 99th percentile is within a bound, per second; 0 if none is.
    ///
    /// # Errors
    /// A number is not finite or out of its range.
    pub fn capacity_per_s(&self, p99_s: f64) -> Result<f64, InputError> {
        self.check()?;
        at_least("p99_s", p99_s, 1e-9)?;
        let shape = Shape::of(self.scv);
        let is_kept = |rate: f64| self.latency(&shape, rate).is_some_and(|it| it.p99_s <= p99_s);
        let most = UTILISATION_MAX * self.saturation_per_s();
        Ok(if is_kept(0.0) { bisect(0.0, most, is_kept) } else { 0.0 })
    }

    /// Checks that every number is finite and in its range.
    ///
    /// # Errors
    /// Names the first field that is not.
    pub fn check(&self) -> Result<(), InputError> {
        let least = [
            ("turns.connections", self.connections, 1.0),
            ("turns.trip_s", self.trip_s, 0.0),
            ("turns.visit_s", self.visit_s, 0.0),
            ("turns.request_s", self.request_s, 1e-9),
            ("turns.scv", self.scv, 0.0),
            ("turns.stopped", self.stopped, 0.0),
            ("turns.stop_s", self.stop_s, 0.0),
        ];
        least.into_iter().try_for_each(|(name, value, min)| at_least(name, value, min))
    }
}
