//! Which server a client goes to: the next of its list, of those with the role requested.

use crate::args::Spread;
use crate::servers::{Role, Roles, Server};

/// Lives in: the stage.
pub(super) struct Routes {
    pub(super) servers: Vec<Server>,
    spread: Spread,
    pub(super) roles: Roles,
    /// Roles that are older than this do not count: a connection was lost since.
    doubted_ns: u64,
    /// The role that no server has, as far as they have said.
    missing: Option<Role>,
}

impl Routes {
    pub(super) fn new(servers: Vec<Server>, spread: Spread) -> Self {
        let addresses = servers.iter().map(|server| server.address).collect();
        Self { roles: Roles::new(addresses), servers, spread, doubted_ns: 0, missing: None }
    }

    /// The server after which a client tries this one; `None` if it may use some of them only.
    pub(super) fn before(&self, index: usize, server: usize) -> Option<usize> {
        let count = self.servers.len();
        let step = if goes_back(index, count) { 1 } else { count - 1 };
        (self.spread == Spread::All).then_some((server + step) % count)
    }

    /// Why no client has a server, if that is known.
    pub(super) fn complaint(&self) -> Option<String> {
        let mode = match self.missing? {
            Role::Leader => "leader",
            Role::Follower => "follower",
        };
        Some(format!("no server answers srvr with Mode: {mode}, which --spread asks for"))
    }

    /// A connection was lost: who leads may have changed.
    pub(super) fn doubt(&mut self, now_ns: u64) {
        self.doubted_ns = now_ns;
    }

    /// The server that client `index` tries after `last`; `None` while it is not known which.
    pub(super) fn place(
        &mut self,
        index: usize,
        last: Option<usize>,
        now_ns: u64,
    ) -> Option<usize> {
        let wanted = match self.spread {
            Spread::All => None,
            Spread::Leader => Some(Role::Leader),
            Spread::Followers => Some(Role::Follower),
        };
        let Some(wanted) = wanted else {
            return next_of(&(0..self.servers.len()).collect::<Vec<_>>(), index, last);
        };
        let roles = self.roles.known_since(self.doubted_ns)?;
        let is_one = |at: &usize| roles[*at] == Some(wanted);
        let found: Vec<_> = (0..roles.len()).filter(is_one).collect();
        self.missing = found.is_empty().then_some(wanted);
        if found.is_empty() {
            // Asks again: an election takes its time.
            self.doubted_ns = now_ns;
        }
        next_of(&found, index, last)
    }
}

/// The one after `last` in a list that is a circle; the first one is by the client's number. Half
/// of the clients of each server go round the other way, so that those of a lost one are spread.
fn next_of(list: &[usize], index: usize, last: Option<usize>) -> Option<usize> {
    let count = list.len();
    if count == 0 {
        return None;
    }
    let at = last.and_then(|last| list.iter().position(|it| *it == last));
    let next = at.map_or(index, |at| if goes_back(index, count) { at + count - 1 } else { at + 1 });
    Some(list[next % count])
}

fn goes_back(index: usize, count: usize) -> bool {
    (index / count) % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::next_of;

    #[test]
    fn clients_are_spread_evenly_and_go_round() {
        let starts: Vec<_> = (0..6).filter_map(|index| next_of(&[0, 1, 2], index, None)).collect();
        assert_eq!(starts, [0, 1, 2, 0, 1, 2]);
        let after: Vec<_> =
            (0..6).filter_map(|index| next_of(&[0, 1, 2], index, Some(index % 3))).collect();
        assert_eq!(after, [1, 2, 0, 2, 0, 1], "those of one server go to both others");
        assert_eq!(next_of(&[0, 2], 5, Some(2)), Some(0));
        assert_eq!(next_of(&[0, 2], 1, Some(1)), Some(2), "the last one is not in the list now");
        assert_eq!(next_of(&[], 1, Some(1)), None);
    }
}
