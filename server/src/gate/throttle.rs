//! How fast sessions may be opened: a token bucket, and a probability of refusal that grows while
//! the bucket is empty (the BLUE scheme), as in stock.

use crate::config::decided::Throttle;
use engine::meter::Tally;
use std::sync::Mutex;

/// The unit of probabilities and ratios: one millionth.
const MILLION: u32 = 1_000_000;

/// Throttles connects, for all shards.
///
/// Lives in: shared by the core loops that host shards; touched at connects only.
#[derive(Debug)]
pub struct ConnectThrottle {
    limits: Option<Throttle>,
    bucket: Mutex<TokenBucket>,
}

/// The tokens, the probability of a refusal, and the counters.
#[derive(Debug, Default)]
struct TokenBucket {
    tokens: u32,
    filled_ms: u64,
    /// The probability of a refusal, in millionths.
    drop: u32,
    changed_ms: u64,
    /// The state of a random number generator. It need not be secure.
    random: u64,
    deficits: Tally,
    refused: u64,
}

impl ConnectThrottle {
    /// A full bucket; `None` admits every connect. `seed` is for the random refusals.
    pub fn new(limits: Option<Throttle>, seed: u64) -> Self {
        let tokens = limits.as_ref().map_or(0, |limits| limits.tokens_max);
        let bucket = TokenBucket { tokens, random: seed | 1, ..TokenBucket::default() };
        Self { limits, bucket: Mutex::new(bucket) }
    }

    /// Whether a connect is admitted now: of a known session (`is_known`), or of a new one.
    pub fn admits(&self, is_known: bool, now_ms: u64) -> bool {
        let mut bucket = self.bucket.lock().expect("no holder panics");
        let bucket = &mut *bucket;
        let Some(limits) = &self.limits else {
            bucket.deficits.add(0);
            return true;
        };
        bucket.refill(limits, now_ms);
        let needed = if is_known { limits.renewal_tokens } else { limits.session_tokens };
        if !bucket.is_lucky(limits, now_ms) || bucket.tokens < needed {
            bucket.refused += 1;
            return false;
        }
        bucket.tokens -= needed;
        bucket.deficits.add(u64::from(limits.tokens_max - bucket.tokens));
        true
    }

    /// The probability that the next connect is refused regardless of the tokens.
    pub fn drop_probability(&self) -> f64 {
        f64::from(self.bucket.lock().expect("no holder panics").drop) / f64::from(MILLION)
    }

    /// Tokens that were missing at each connect, and the connects that were refused.
    pub fn counts(&self) -> (Tally, u64) {
        let bucket = self.bucket.lock().expect("no holder panics");
        (bucket.deficits.clone(), bucket.refused)
    }

    /// Resets the counters.
    pub fn reset_counts(&self) {
        let mut bucket = self.bucket.lock().expect("no holder panics");
        (bucket.deficits, bucket.refused) = (Tally::default(), 0);
    }
}

impl TokenBucket {
    fn refill(&mut self, limits: &Throttle, now_ms: u64) {
        let passed_ms = now_ms.saturating_sub(self.filled_ms);
        if passed_ms > u64::from(limits.fill_ms) {
            let more =
                u128::from(passed_ms) * u128::from(limits.fill_tokens) / u128::from(limits.fill_ms);
            let tokens = u128::from(self.tokens) + more;
            self.tokens = u32::try_from(tokens).unwrap_or(u32::MAX).min(limits.tokens_max);
            self.filled_ms = now_ms;
        }
    }

    /// Adjusts the probability of a refusal if it is time to, and draws.
    fn is_lucky(&mut self, limits: &Throttle, now_ms: u64) -> bool {
        let Some(freeze_ms) = limits.freeze_ms else { return true };
        if now_ms.saturating_sub(self.changed_ms) > u64::from(freeze_ms) {
            let missing = limits.tokens_max - self.tokens;
            let enough = (u64::from(limits.tokens_max) * u64::from(limits.decrease_ratio)
                + u64::from(MILLION) / 2)
                / u64::from(MILLION);
            if missing == limits.tokens_max && self.drop < MILLION {
                self.drop = (self.drop + limits.drop_increase).min(MILLION);
            } else if u64::from(missing) <= enough {
                self.drop = self.drop.saturating_sub(limits.drop_decrease);
            }
            self.changed_ms = now_ms;
        }
        // Xorshift (G. Marsaglia, 2003).
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % u64::from(MILLION) >= u64::from(self.drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectThrottle, MILLION, Throttle};

    fn throttle() -> Throttle {
        Throttle {
            tokens_max: 3,
            fill_ms: 10,
            fill_tokens: 1,
            freeze_ms: None,
            drop_increase: MILLION / 2,
            drop_decrease: MILLION / 4,
            decrease_ratio: 0,
            session_tokens: 1,
            renewal_tokens: 1,
        }
    }

    #[test]
    fn tokens_run_out_and_come_back() {
        let gate = ConnectThrottle::new(Some(throttle()), 1);
        let at = |ms| gate.admits(false, ms);
        assert_eq!([at(1), at(1), at(1), at(1), at(10)], [true, true, true, false, false]);
        assert_eq!([at(25), at(25), at(25)], [true, true, false], "two were refilled in 25 ms");
        assert_eq!([at(1_000), at(1_000), at(1_000), at(1_000)], [true, true, true, false]);
        let (deficits, refused) = gate.counts();
        assert_eq!((deficits.spread().count, deficits.spread().max, refused), (8, 3, 4));
        gate.reset_counts();
        assert_eq!(gate.counts().1, 0);
        assert!(
            ConnectThrottle::new(None, 1).admits(false, 0),
            "without a limit every connect is admitted"
        );
    }

    #[test]
    fn sessions_have_weights() {
        let weighed = Throttle { session_tokens: 3, renewal_tokens: 2, ..throttle() };
        let gate = ConnectThrottle::new(Some(weighed), 1);
        assert_eq!([gate.admits(true, 1), gate.admits(true, 1)], [true, false]);
        assert!(!gate.admits(false, 15), "a new session takes three");
        assert!(gate.admits(false, 45));
    }

    #[test]
    fn the_probability_of_a_refusal_grows_while_the_bucket_is_empty() {
        let blue = Throttle { freeze_ms: Some(100), fill_ms: 1_000_000, ..throttle() };
        let gate = ConnectThrottle::new(Some(blue), 1);
        let _ = [1, 2, 3].map(|ms| gate.admits(false, ms));
        assert_eq!(gate.drop_probability().to_bits(), 0.0_f64.to_bits());
        assert!(!gate.admits(false, 200));
        assert!(!gate.admits(false, 400));
        assert_eq!(gate.drop_probability().to_bits(), 1.0_f64.to_bits());
        // Full again: the probability falls with any connect.
        let _ = gate.admits(false, 4_000_000);
        assert_eq!(gate.drop_probability().to_bits(), 0.75_f64.to_bits());
    }
}
