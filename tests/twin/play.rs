//! Plays a stream to both servers at once and compares everything that comes back.

use std::fmt::Write as _;
use std::time::Duration;

use harness::server::copy_directory;
use harness::{Server, opcode, own_command, reference_command};

use super::request::{Call, Path, Sequentials};
use super::side::Side;
use super::stream::{SLOTS, SUPER, SUPER_DIGEST, Step};

/// The slot of the client that audits and cleans up.
const AUDITOR: usize = SLOTS;

/// Steps shown before one that differs.
const SHOWN: usize = 3;

/// Each round of deletes removes the leaves; trees of streams are far less deep.
const ROUNDS_MAX: usize = 100;

/// What every tree has, and no client can delete.
const OWN: [&str; 4] = ["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"];

/// How the servers of a seed are set up; identically, except for what only ours has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    Fused,
    Shards,
    Quotas,
    SmallSnapshots,
}

impl Setup {
    /// Consecutive seeds share servers, so a setup lasts for some of them.
    pub(super) fn of(seed: u64) -> Self {
        match seed / super::SEEDS_PER_PAIR % 4 {
            0 => Self::Fused,
            1 => Self::Shards,
            2 => Self::Quotas,
            _ => Self::SmallSnapshots,
        }
    }
}

/// A difference between the two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    /// The number of the step.
    pub(super) step: usize,
    pub(super) text: String,
}

/// Both servers, with the same history.
#[derive(Debug)]
pub(super) struct Pair {
    stock: Side,
    ours: Side,
    known: Sequentials,
    is_size_vague: bool,
    /// Stock counts the usage of a quota again for what is both in its snapshot and in the log
    /// behind, so after a restart the nodes of usage depend on timing.
    is_usage_vague: bool,
    setup: Setup,
    /// Stock checks quotas against what it has applied, which may be any part of the requests sent
    /// together; ours against everything that was decided.
    is_one_by_one: bool,
    reapable: Vec<Reapable>,
    /// Requests of streams sent to each; audits of the tree in between are not counted.
    pub(super) requests: u64,
}

impl Pair {
    /// Two fresh servers.
    pub(super) fn start(setup: Setup) -> Self {
        let mut config = Server::config()
            .set("tickTime", "100")
            .set("minSessionTimeout", "200")
            .set("maxSessionTimeout", "600000")
            .set("initLimit", "5")
            .set("snapCount", if setup == Setup::SmallSnapshots { "60" } else { "100000" })
            .property("znode.container.checkIntervalMs=100000000")
            .property(&format!(
                "zookeeper.DigestAuthenticationProvider.superDigest={SUPER_DIGEST}"
            ));
        if setup == Setup::Quotas {
            config = config.property("zookeeper.enforceQuota=true");
        }
        let shards = if setup == Setup::Fused { "1" } else { "4" };
        let stock = std::thread::spawn({
            let config = config.clone().command(reference_command());
            move || config.start()
        });
        let ours = config.set("ring.shards", shards).command(own_command()).start();
        let stock = stock.join().expect("the reference starts");
        Self {
            stock: Side::new(stock),
            ours: Side::new(ours),
            known: Sequentials::new(),
            is_size_vague: false,
            is_usage_vague: false,
            setup,
            is_one_by_one: setup == Setup::Quotas,
            reapable: Vec::new(),
            requests: 0,
        }
    }

    /// Plays the steps, audits and cleans up. After a difference the pair is unusable.
    pub(super) fn play(&mut self, steps: &[Step]) -> Result<(), Difference> {
        self.known.clear();
        // What was undetermined has been cleaned up.
        self.is_usage_vague = false;
        self.is_size_vague |= steps.iter().any(makes_size_vague);
        self.reapable.clear();
        for step in steps {
            if let Step::Requests { calls, .. } = step {
                Reapable::collect(calls, &mut self.reapable);
            }
        }
        for (number, step) in steps.iter().enumerate() {
            self.step(step).map_err(|text| {
                let before = steps[number.saturating_sub(SHOWN)..number].iter().map(show);
                let before: String = before.collect();
                Difference { step: number, text: format!("{before}-- then\n{}{text}", show(step)) }
            })?;
        }
        let end = |text| Difference { step: steps.len(), text };
        self.audit().map_err(end)?;
        self.clean_up().map_err(end)
    }

    /// Copies both servers' folders into one of this name.
    pub(super) fn keep(&self, folder: &std::path::Path) {
        copy_directory(self.stock.server.folder(), &folder.join("stock"));
        copy_directory(self.ours.server.folder(), &folder.join("ours"));
    }

    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Open { slot, timeout_ms, read_only, ahead } => {
                // An idle session would expire at an arbitrary time.
                self.close(*slot)?;
                self.both(|side| vec![side.open(*slot, (*timeout_ms, *read_only), *ahead)])
            }
            Step::Return { slot, how } => {
                if !self.stock.has_session(*slot) {
                    return Ok(());
                }
                let (stock, ours) =
                    (self.stock.come_back(*slot, how), self.ours.come_back(*slot, how));
                // Stock may forget to close it, when the connection before that one is just being
                // cleaned up.
                let stock = stock.replace("the old connection Silent", "the old connection Closed");
                compare(&[stock], &[ours])
            }
            Step::HangUp { slot } => self.both(|side| {
                side.hang_up(*slot);
                Vec::new()
            }),
            Step::Requests { slot, calls } => {
                self.link(*slot)?;
                self.requests += calls.len() as u64;
                if !self.is_one_by_one {
                    return self.ask(*slot, calls).map(drop);
                }
                for call in calls {
                    if self.stock.is_linked(*slot) {
                        self.ask(*slot, std::slice::from_ref(call))?;
                    }
                }
                Ok(())
            }
            Step::Expire { slot } => {
                self.link(*slot)?;
                self.both(|side| vec![side.expire(*slot)])?;
                self.both(Side::received)
            }
            Step::Restart { kill } => {
                self.restart(*kill);
                self.both(|side| vec![format!("zxid {:x}", side.zxid())])
            }
            Step::Reap => self.reap(),
        }
    }

    fn both(&mut self, mut act: impl FnMut(&mut Side) -> Vec<String>) -> Result<(), String> {
        let (mut stock, mut ours) = (act(&mut self.stock), act(&mut self.ours));
        sort_events(&mut stock);
        sort_events(&mut ours);
        compare(&stock, &ours)
    }

    /// Ensures that the slot has a session and a connection.
    fn link(&mut self, slot: usize) -> Result<(), String> {
        if self.stock.is_linked(slot) {
            return Ok(());
        }
        if self.stock.has_session(slot) {
            let how = super::stream::Return {
                hang_up: true,
                wrong_password: false,
                read_only: Some(false),
                timeout_ms: 300_000,
            };
            self.both(|side| vec![side.come_back(slot, &how)])?;
        }
        if !self.stock.is_linked(slot) {
            self.both(|side| vec![side.open(slot, (300_000, Some(false)), false)])?;
        }
        Ok(())
    }

    /// Sends requests to both; returns the names in the last list.
    fn ask(&mut self, slot: usize, calls: &[Call]) -> Result<Vec<String>, String> {
        for side in [&mut self.stock, &mut self.ours] {
            side.send(slot, calls, &self.known);
        }
        let mut stock = self.stock.answers(slot);
        let mut ours = self.ours.answers(slot);
        if calls.iter().any(|call| call.kind() == opcode::CLOSE_SESSION) {
            sort_events(&mut stock.lines);
            sort_events(&mut ours.lines);
        }
        if self.is_usage_vague {
            stock.lines.iter_mut().chain(&mut ours.lines).for_each(hide_usage);
        }
        compare(&stock.lines, &ours.lines)?;
        self.known.extend(stock.created);
        if calls.iter().any(Call::is_write) {
            self.both(Side::received)?;
        }
        Ok(stock.names)
    }

    fn restart(&mut self, kill: bool) {
        self.is_usage_vague |= self.setup == Setup::SmallSnapshots;
        let stock = &mut self.stock;
        let ours = &mut self.ours;
        std::thread::scope(|scope| {
            scope.spawn(|| stock.restart(kill));
            ours.restart(kill);
        });
    }

    /// The whole tree as a super user sees it, and what the servers count.
    fn audit(&mut self) -> Result<(), String> {
        self.both(Side::received)?;
        self.tree()?;
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
    fn tree(&mut self) -> Result<Vec<String>, String> {
        self.be_super()?;
        let mut paths = vec!["/".to_owned()];
        let mut at = 0;
        while at < paths.len() {
            let path = Path::Fixed(paths[at].clone());
            let read = |kind| Call::Read { kind, path: path.clone(), watch: false };
            let acl = Call::Named { kind: opcode::GET_ACL, path: path.clone() };
            let calls = [read(opcode::GET_DATA), acl, read(opcode::GET_CHILDREN2)];
            let children = self.ask(AUDITOR, &calls)?;
            let above = if at == 0 { "" } else { &paths[at] }.to_owned();
            paths.extend(children.iter().map(|name| format!("{above}/{name}")));
            at += 1;
        }
        Ok(paths)
    }

    /// Ends every session and removes every node.
    fn clean_up(&mut self) -> Result<(), String> {
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

    fn close(&mut self, slot: usize) -> Result<(), String> {
        if self.stock.has_session(slot) {
            self.link(slot)?;
            self.ask(slot, &[Call::Bare { kind: opcode::CLOSE_SESSION }])?;
        }
        Ok(())
    }

    /// Leaves at most one node to collect, and lets the servers collect it.
    fn reap(&mut self) -> Result<(), String> {
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
            let before = (self.stock.zxid(), self.ours.zxid());
            std::thread::sleep(Duration::from_secs(1));
            if before.0 == before.1 && before == (self.stock.zxid(), self.ours.zxid()) {
                break;
            }
        }
        self.set_interval("100000000");
        self.restart(true);
        self.both(|side| vec![format!("zxid {:x}", side.zxid())])
    }

    fn set_interval(&mut self, ms: &str) {
        for side in [&mut self.stock, &mut self.ours] {
            side.server.set_property(&format!("znode.container.checkIntervalMs={ms}"));
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
enum Reapable {
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

    fn collect(calls: &[Call], found: &mut Vec<Self>) {
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

/// Hides the data of a node of a quota's usage, and its length.
fn hide_usage(line: &mut String) {
    if line.contains("\"count=") {
        for key in ["count=", "bytes=", " length "] {
            let Some(at) = line.find(key) else { continue };
            let start = at + key.len();
            let digits = line[start..].bytes().take_while(|b| b.is_ascii_digit() || *b == b'-');
            let end = start + digits.count();
            line.replace_range(start..end, "?");
        }
    }
}

/// Whether stock's approximate size of data is wrong: it omits what it counts in the nodes of
/// quotas until it is restarted, and then counts the root's data twice.
fn makes_size_vague(step: &Step) -> bool {
    match step {
        Step::Restart { .. } | Step::Reap => true,
        Step::Requests { calls, .. } => format!("{calls:?}").contains("/zookeeper/quota"),
        _ => false,
    }
}

fn delete(path: String) -> Call {
    Call::Delete { path: Path::Fixed(path), version: -1 }
}

/// A step, one request per line.
pub(super) fn show(step: &Step) -> String {
    match step {
        Step::Requests { slot, calls } => {
            let mut text = format!("  client {slot} asks\n");
            for (number, call) in calls.iter().enumerate() {
                writeln!(text, "    {number:3} {call:?}").expect("a string takes all");
            }
            text
        }
        other => format!("  {other:?}\n"),
    }
}

/// Sorts the events of one txn on one connection. Stock removes a session's ephemerals in the order
/// of a hash set, so other clients receive these events in any order.
fn sort_events(lines: &mut [String]) {
    let txn_of = |line: &String| -> Option<String> {
        let (front, rest) = line.split_once("xid -1 zxid ")?;
        Some(format!("{front}{}", rest.split(' ').next()?))
    };
    for events in lines.chunk_by_mut(|a, b| txn_of(a).is_some() && txn_of(a) == txn_of(b)) {
        events.sort();
    }
}

fn compare(stock: &[String], ours: &[String]) -> Result<(), String> {
    if stock == ours {
        return Ok(());
    }
    let mut text = String::new();
    for i in 0..stock.len().max(ours.len()) {
        let (a, b) = (stock.get(i), ours.get(i));
        if a == b {
            continue;
        }
        let none = "nothing".to_owned();
        writeln!(text, "  line {i}").expect("a string takes all");
        writeln!(text, "    stock {}", a.unwrap_or(&none)).expect("a string takes all");
        writeln!(text, "    ours  {}", b.unwrap_or(&none)).expect("a string takes all");
    }
    Err(text)
}
