//! What is compared and removed at the end of a stream: the whole tree, and what the servers count.

use std::time::Duration;

use harness::opcode;

use super::play::{AUDITOR, Pair, delete};
use super::request::{Call, Path};
use super::side::Side;
use super::stream::{SLOTS, SUPER};

/// What every tree has, and no client can delete.
pub(super) const OWN: [&str; 4] = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];

/// Nodes that are read with one write.
const READ_AT_ONCE: usize = 40;

impl Pair {
    /// The whole tree as a super user sees it, and what the servers count.
    pub(super) fn audit(&mut self) -> Result<(), String> {
        self.both(Side::received)?;
        for at in 0..self.stock.servers.len() {
            self.close(AUDITOR)?;
            self.stock.clients[AUDITOR].at = at;
            self.ours.clients[AUDITOR].at = at;
            self.tree()?;
        }
        let counts = [
            "zk_znode_count",
            "zk_ephemerals_count",
            "zk_watch_count",
            "zk_num_alive_connections",
            "zk_global_sessions",
            "zk_outstanding_requests",
            "zk_approximate_data_size",
        ];
        let counts = &counts[..counts.len() - usize::from(self.is_size_vague)];
        // A closed connection disappears, with its watches, slightly later.
        let mut last = Ok(());
        for _ in 0..100 {
            last = self.both(|side| side.monitored(counts));
            if last.is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        last
    }

    fn be_super(&mut self) -> Result<(), String> {
        if !self.stock.is_linked(AUDITOR) {
            self.link(AUDITOR)?;
            let auth = Call::Auth { scheme: "digest".to_owned(), credentials: SUPER.to_vec() };
            self.ask(AUDITOR, &[auth])?;
        }
        Ok(())
    }

    /// Reads every node and returns their paths, parents first.
    pub(super) fn tree(&mut self) -> Result<Vec<String>, String> {
        self.be_super()?;
        let mut paths = vec!["/".to_owned()];
        let mut at = 0;
        while at < paths.len() {
            let some = paths[at..paths.len().min(at + READ_AT_ONCE)].to_vec();
            let calls: Vec<_> = some.iter().flat_map(|path| reads(path)).collect();
            let lists = self.ask(AUDITOR, &calls)?;
            assert_eq!(lists.len(), some.len(), "a super user sees every node: {some:?}");
            for (path, names) in some.iter().zip(lists) {
                let above = if path == "/" { "" } else { path };
                paths.extend(names.iter().map(|name| format!("{above}/{name}")));
            }
            at += some.len();
        }
        Ok(paths)
    }

    /// Ends every session and removes every node.
    pub(super) fn clean_up(&mut self) -> Result<(), String> {
        for slot in 0..SLOTS {
            self.close(slot)?;
        }
        let mut calls: Vec<_> = self
            .tree()?
            .into_iter()
            .filter(|path| !OWN.contains(&path.as_str()))
            .map(delete)
            .collect();
        calls.reverse();
        for calls in calls.chunks(200) {
            self.ask(AUDITOR, calls)?;
        }
        self.close(AUDITOR)
    }
}

/// Everything there is to read of a node; its children last.
fn reads(path: &str) -> [Call; 3] {
    let path = Path::Fixed(path.to_owned());
    let read = |kind| Call::Read { kind, path: path.clone(), watch: false };
    let acl = Call::Named { kind: opcode::GET_ACL, path: path.clone() };
    [read(opcode::GET_DATA), acl, read(opcode::GET_CHILDREN2)]
}
