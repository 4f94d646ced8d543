//! Shrinks a stream that shows a difference.

use super::play::{Difference, Pair};
use super::setup::Setup;
use super::stream::Step;

/// The shortest stream found that still shows a difference, and the difference. `None` if fresh
/// servers show none. Each try starts two servers.
pub(super) fn shrink(
    setup: Setup,
    steps: &[Step],
    tries_max: usize,
) -> Option<(Vec<Step>, Difference)> {
    let mut search = Search { setup, left: tries_max };
    let mut difference = search.try_steps(steps)?;
    let mut steps = steps.to_vec();
    // What follows the difference is irrelevant.
    steps.truncate(difference.step + 1);
    let mut size = steps.len().div_ceil(2);
    while size > 0 && search.left > 0 {
        let mut at = 0;
        while at < steps.len() && search.left > 0 {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            match search.try_steps(&fewer) {
                Some(found) => {
                    fewer.truncate(found.step + 1);
                    (steps, difference) = (fewer, found);
                }
                None => at += size,
            }
        }
        size /= 2;
    }
    for at in (0..steps.len()).rev() {
        search.shrink_calls(at, &mut steps, &mut difference);
    }
    Some((steps, difference))
}

struct Search {
    setup: Setup,
    left: usize,
}

impl Search {
    fn try_steps(&mut self, steps: &[Step]) -> Option<Difference> {
        self.left = self.left.saturating_sub(1);
        Pair::start(self.setup).play(steps).err()
    }

    /// Drops the calls of one step that are not needed.
    fn shrink_calls(&mut self, at: usize, steps: &mut Vec<Step>, difference: &mut Difference) {
        let Some(Step::Requests { calls, .. }) = steps.get(at) else { return };
        let mut size = calls.len() / 2;
        while size > 0 && self.left > 0 {
            let mut from = 0;
            loop {
                let mut fewer = steps.clone();
                let Step::Requests { calls, .. } = &mut fewer[at] else { return };
                if from >= calls.len() || self.left == 0 {
                    break;
                }
                calls.drain(from..(from + size).min(calls.len()));
                match self.try_steps(&fewer) {
                    Some(found) => (*steps, *difference) = (fewer, found),
                    None => from += size,
                }
            }
            size /= 2;
        }
    }
}
