//! The longest time without an answer of a kind.

/// Since it was last cut. Lives in: the stage.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outage {
    last_ns: u64,
    longest: (u64, u64),
    /// Whether there was an answer of this kind at all.
    is_used: bool,
}

impl Outage {
    pub(super) fn since(now_ns: u64) -> Self {
        Self { last_ns: now_ns, longest: (now_ns, now_ns), is_used: false }
    }

    #[inline]
    pub(super) fn answered(&mut self, now_ns: u64) {
        self.extend(now_ns);
        self.last_ns = now_ns;
        self.is_used = true;
    }

    fn extend(&mut self, now_ns: u64) {
        let (from_ns, to_ns) = self.longest;
        if now_ns.saturating_sub(self.last_ns) > to_ns - from_ns {
            self.longest = (self.last_ns, now_ns);
        }
    }

    /// The longest span without an answer since the last cut, the one that lasts until now
    /// included. That one is also the first of the next.
    pub(super) fn cut(&mut self, now_ns: u64) -> Option<(u64, u64)> {
        self.extend(now_ns);
        let longest = std::mem::replace(&mut self.longest, (now_ns, now_ns));
        self.is_used.then_some(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::Outage;

    #[test]
    fn the_longest_span_counts_also_if_it_has_not_ended() {
        let mut outage = Outage::since(10);
        assert_eq!(outage.cut(20), None, "no answer of this kind was ever expected");
        outage.answered(30);
        outage.answered(70);
        outage.answered(80);
        assert_eq!(outage.cut(90), Some((30, 70)));
        outage.answered(95);
        assert_eq!(outage.cut(96), Some((80, 95)), "it began before the cut");
        assert_eq!(outage.cut(200), Some((95, 200)), "it lasts");
    }
}
