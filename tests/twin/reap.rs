//! Lets the servers collect empty containers and overdue nodes, one at a time.

use std::time::Duration;

use harness::opcode;

use super::audit::OWN;
use super::play::{AUDITOR, Pair, delete};
use super::request::{Call, Path};

/// Each round of deletes removes the leaves; trees of streams are far less deep.
const ROUNDS_MAX: usize = 100;

impl Pair {
    /// Leaves at most one node to collect, and lets the servers collect it.
    pub(super) fn reap(&mut self) -> Result<(), String> {
        let mut rounds = 0;
        loop {
            let mut candidates = self.candidates()?;
            if candidates.len() <= 1 {
                break;
            }
            candidates.pop();
            rounds += 1;
            assert!(rounds <= ROUNDS_MAX, "these are not to be deleted: {candidates:?}");
            let calls: Vec<_> = candidates.into_iter().map(delete).collect();
            self.ask(AUDITOR, &calls)?;
        }
        self.set_interval("50");
        self.restart(true);
        // It is removed, with any parents that are containers left empty: both servers have the
        // same zxid, and keep it. If they do not, the comparison after the restart shows it.
        for _ in 0..20 {
            let before = (self.stock.zxid(0), self.ours.zxid(0));
            std::thread::sleep(Duration::from_secs(1));
            if before.0 == before.1 && before == (self.stock.zxid(0), self.ours.zxid(0)) {
                break;
            }
        }
        self.set_interval("100000000");
        self.restart(true);
        self.both(|side| vec![format!("zxid {:x}", side.zxid(0))])
    }

    fn set_interval(&mut self, ms: &str) {
        for side in [&mut self.stock, &mut self.ours] {
            for server in &mut side.servers {
                server.set_property(&format!("znode.container.checkIntervalMs={ms}"));
            }
        }
    }

    /// Nodes without children that may be containers or have a time to live; a Stat does not say.
    fn candidates(&mut self) -> Result<Vec<String>, String> {
        let mut found = self.tree()?;
        let leaves: Vec<_> = found
            .iter()
            .filter(|path| !found.iter().any(|other| other.starts_with(&format!("{path}/"))))
            .cloned()
            .collect();
        found = leaves;
        found.retain(|path| {
            !OWN.contains(&path.as_str())
                && self.reapable.iter().any(|requested| requested.may_be(path))
        });
        Ok(found)
    }
}

/// A container or a node with a time to live, as a stream requests it.
#[derive(Debug)]
pub(super) enum Reapable {
    Path(String),
    /// Below or beside a name that a server chose.
    Any,
}

impl Reapable {
    fn may_be(&self, path: &str) -> bool {
        match self {
            // A sequential one has ten digits more.
            Self::Path(requested) => path.starts_with(requested.as_str()),
            Self::Any => path.contains(|c: char| c.is_ascii_digit()),
        }
    }

    pub(super) fn collect(calls: &[Call], found: &mut Vec<Self>) {
        for call in calls {
            match call {
                Call::Create { kind, flags, path, .. } => {
                    let kinds = [opcode::CREATE_CONTAINER, opcode::CREATE_TTL];
                    if kinds.contains(kind) || (4..=6).contains(flags) {
                        found.push(match path {
                            Path::Fixed(path) => Self::Path(path.clone()),
                            Path::Sequential(..) => Self::Any,
                        });
                    }
                }
                Call::Multi { calls, .. } => Self::collect(calls, found),
                Call::Cut { call, .. } => Self::collect(std::slice::from_ref(call), found),
                _ => {}
            }
        }
    }
}
