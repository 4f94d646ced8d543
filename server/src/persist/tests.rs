//! What a start restores, from real files.

use super::jobs::{PinnedSource, purge_now};
use super::known::change_lineage;
use super::*;
use crate::data_set::{Known, LineageRun};
use crate::directories::Directories;
use disk::{
    AlignedBuf, Background, BackgroundConfig, Direct, Disk, Durability, OpenMode, TaskQueue,
};
use engine::settings::Settings;
use model::acl::AclList;
use model::op::Op;
use model::session::SessionId;
use model::txn::{CreateTxn, NodeKind, Txn, TxnHeader};
use model::zxid::{Epoch, Epochs, Zxid};
use snapshot::SnapshotHead;
use std::ops::{ControlFlow, RangeInclusive};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use txlog::segments::{self, RunStart};
use txlog::{Appender, AppenderConfig, Departure, SegmentHeader, epochs};

const EPOCH: Epoch = Epoch(5);

struct Bench {
    base: PathBuf,
    directories: Directories,
    background: Background,
}

/// Creates `/n<zxid>`.
pub(super) fn create(zxid: i64) -> Vec<u8> {
    let (op, session) = (Op::Create, SessionId(0));
    let mut bytes = Vec::new();
    TxnHeader { session, cxid: 0, zxid: Zxid(zxid), time_ms: zxid, op }.encode(&mut bytes);
    let path = format!("/n{zxid}");
    let (path, kind, parent_cversion) = (path.as_bytes(), NodeKind::Persistent, zxid as i32);
    let create = CreateTxn { path, data: None, acl: AclList::OPEN, kind, parent_cversion };
    Txn::Create(create).encode(&mut bytes);
    bytes
}

impl Bench {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("ringkeeper-{name}-{}", std::process::id()));
        let (log, snapshots) = (base.join("ringkeeper-1"), base.join("ringkeeper-1"));
        std::fs::create_dir_all(&log).unwrap();
        let background = Background::start(BackgroundConfig::new(base.clone())).unwrap();
        let directories = Directories { log, snapshots, segment_bytes: 8 << 20 };
        Self { base, directories, background }
    }

    fn restore(&self, applied: Applied) -> Restored {
        let durability = Durability::Dsync;
        let how = Use { durability, advise: None, applied, known: Known::default() };
        let settings = Arc::new(Settings::default());
        restore(&self.background, self.directories.clone(), settings, how).unwrap()
    }

    fn run<T, F>(&self, work: impl FnOnce(Rc<Direct>, Directories) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + 'static,
    {
        let directories = self.directories.clone();
        let work = move |disk| work(disk, directories);
        self.background.run(TaskQueue::Segments, work).unwrap().recv().unwrap()
    }

    /// Appends these creates to the run, durably; the last one knows what is committed.
    fn append(&self, first: SegmentHeader, zxids: RangeInclusive<i64>, committed: i64) {
        let mut config = AppenderConfig::new(Durability::Dsync);
        config.segment_bytes = self.directories.segment_bytes;
        self.run(async move |disk, directories| {
            let mut appender = Appender::new(config, first);
            let path = segments::path(&directories.log, first.number);
            let file = disk.open(&path, OpenMode::Write).await.unwrap();
            for zxid in zxids.clone() {
                appender.append(Zxid(zxid), &create(zxid)).unwrap();
                if zxid == *zxids.end() {
                    appender.commit(Zxid(committed));
                }
                let Some(Departure::Write(write)) = appender.depart() else { panic!("no write") };
                let bytes = AlignedBuf::from_bytes(&write.buffer);
                disk.write_at(&file, write.offset.0, bytes).await.unwrap();
                disk.flush(&file).await.unwrap();
                appender.written(write.slot, Ok(()), write.buffer);
            }
        });
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

fn node_count(restored: &Restored) -> u64 {
    restored.head.tree.node_count()
}

fn tail(restored: &Restored) -> Vec<i64> {
    let txns = restored.tail.txns(0);
    txns.map(|(zxid, txn)| {
        assert_eq!(txn, create(zxid.0));
        zxid.0
    })
    .collect()
}

#[test]
fn a_server_of_an_ensemble_applies_what_is_committed_and_keeps_the_rest() {
    let bench = Bench::new("tail");
    let restored = bench.restore(Applied::Durable);
    let empty = node_count(&restored);
    assert_eq!((restored.zxid, restored.committed, tail(&restored).len()), (Zxid(0), Zxid(0), 0));
    bench.append(restored.first, 1..=10, 6);
    drop(restored);
    // Twice: a start without a record forgets nothing.
    for _ in 0..2 {
        let restored = bench.restore(Applied::Committed);
        assert_eq!((restored.zxid, restored.committed), (Zxid(10), Zxid(6)));
        assert_eq!((node_count(&restored), tail(&restored)), (empty + 6, vec![7, 8, 9, 10]));
        assert_eq!(restored.head.tree.meta().zxid, Zxid(6));
    }
    let restored = bench.restore(Applied::Committed);
    bench.append(restored.first, 11..=12, 8);
    let restored = bench.restore(Applied::Committed);
    assert_eq!((restored.zxid, restored.committed), (Zxid(12), Zxid(8)));
    assert_eq!((node_count(&restored), tail(&restored)), (empty + 8, vec![9, 10, 11, 12]));
    // A server that runs alone has committed everything, which the log says from then on.
    for applied in [Applied::Durable, Applied::Committed] {
        let restored = bench.restore(applied);
        assert_eq!((restored.zxid, restored.committed), (Zxid(12), Zxid(12)));
        assert_eq!((node_count(&restored), tail(&restored).len()), (empty + 12, 0));
    }
}

impl Bench {
    /// Stores the tree of `of` as a snapshot received at `zxid`, and begins the run behind it.
    fn receive(&self, of: &mut Restored, zxid: i64, run: RunStart, seed: u64) -> SegmentHeader {
        let pin = of.head.tree.pin().unwrap();
        let next = LineageRun { seed, from: Zxid(zxid) };
        change_lineage(self.directories.data_dir(), |lineage| lineage.begin(next)).unwrap();
        self.run(async move |disk, directories| {
            let view = pin.view();
            let head = SnapshotHead {
                zxid: Zxid(zxid),
                epoch: EPOCH,
                seed: view.seed().0,
                node_count: view.node_count(),
                digest: view.digest(),
                data_bytes: view.data_bytes(),
            };
            let mut source = PinnedSource { walk: pin.walk() };
            let pace = async |_| ControlFlow::Continue(());
            let directory = &directories.snapshots;
            snapshot::write_received(&*disk, directory, &head, EPOCH, "me", &mut source, pace)
                .await
                .unwrap();
            let bytes = directories.segment_bytes;
            segments::open_run(&*disk, &directories.log, run, bytes, seed).await.unwrap()
        })
    }

    fn received_count(&self) -> usize {
        let entries = std::fs::read_dir(&self.directories.snapshots).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("received.")).count()
    }
}

#[test]
fn a_received_history_is_restored_once_its_epoch_is_current_and_not_before() {
    let bench = Bench::new("received");
    let first = bench.restore(Applied::Committed);
    let empty = node_count(&first);
    bench.append(first.first, 1..=10, 6);
    // The tree that is received: twelve nodes, at a later zxid.
    let mut other = Bench::new("received-from").restore(Applied::Durable);
    let mut batch = engine::batch::Batch::default();
    for zxid in 1..=12 {
        engine::ordering::replay(&mut other.head, &create(zxid), &mut batch).unwrap();
    }
    let version = other.head.seal();
    other.head.tree.publish(version);
    bench.run(async |disk, directories| {
        let epochs = Epochs::new(EPOCH, Epoch(1)).unwrap();
        epochs::create(&*disk, &directories.log, epochs).await.unwrap();
    });
    let (continues_from, committed_through) = (Zxid(5 << 32), Zxid(6));
    for is_stored in [false, true] {
        let restored = bench.restore(Applied::Committed);
        assert_eq!((restored.zxid, node_count(&restored)), (Zxid(10), empty + 6));
        assert_eq!((restored.committed, bench.received_count()), (Zxid(6), 0));
        let used_last = restored.first.number.before();
        let counts_from = Some(EPOCH);
        let run = RunStart { used_last, continues_from, committed_through, counts_from };
        let seed = 77 + u64::from(is_stored);
        let began = bench.receive(&mut other, continues_from.0, run, seed);
        assert_eq!(bench.received_count(), 1);
        bench.append(began, continues_from.0 + 1..=continues_from.0 + 2, continues_from.0 + 1);
        if is_stored {
            bench.run(async |disk, directories| {
                let epochs = Epochs::new(EPOCH, EPOCH).unwrap();
                epochs::store(&*disk, &directories.log, epochs).await.unwrap();
            });
        }
    }
    // Also after it was adopted.
    for is_adopted in [false, true] {
        let restored = bench.restore(Applied::Committed);
        assert_eq!(restored.zxid, Zxid(continues_from.0 + 2));
        assert_eq!(restored.committed, Zxid(continues_from.0 + 1));
        assert_eq!(node_count(&restored), empty + 13);
        assert_eq!(tail(&restored), [continues_from.0 + 2]);
        assert_eq!(bench.received_count(), usize::from(!is_adopted));
        let before = restored.first.number;
        let purged = bench.run(async move |disk, directories| {
            let policy = PurgePolicy { keep_count: 1, interval_ms: 1 };
            purge_now(&*disk, &directories, policy, before).await.unwrap()
        });
        assert_eq!(purged > 0, is_adopted, "{purged} files");
        bench.run(async move |disk, directories| {
            let directory = &directories.snapshots;
            let adopted = snapshot::received::adopt(&*disk, directory, continues_from, EPOCH);
            assert_eq!(adopted.await, Ok(!is_adopted));
        });
    }
}

#[test]
fn a_received_tree_is_not_committed_before_it_was_adopted() {
    let bench = Bench::new("uncommitted");
    let restored = bench.restore(Applied::Committed);
    bench.append(restored.first, 1..=10, 6);
    let mut other = Bench::new("uncommitted-from").restore(Applied::Durable);
    let version = other.head.seal();
    other.head.tree.publish(version);
    let used_last = bench.restore(Applied::Committed).first.number.before();
    bench.run(async |disk, directories| {
        let epochs = Epochs::new(EPOCH, EPOCH).unwrap();
        epochs::create(&*disk, &directories.log, epochs).await.unwrap();
    });
    let (continues_from, committed_through) = (Zxid(5 << 32), Zxid(6));
    let run = RunStart { used_last, continues_from, committed_through, counts_from: Some(EPOCH) };
    let began = bench.receive(&mut other, continues_from.0, run, 77);
    bench.append(began, continues_from.0 + 1..=continues_from.0 + 2, 6);
    let restored = bench.restore(Applied::Committed);
    assert_eq!((restored.zxid, restored.known_committed()), (Zxid(continues_from.0 + 2), Zxid(6)));
    bench.run(async move |disk, directories| {
        let adopted =
            snapshot::received::adopt(&*disk, &directories.snapshots, continues_from, EPOCH);
        assert_eq!(adopted.await, Ok(true));
    });
    assert_eq!(bench.restore(Applied::Committed).known_committed(), continues_from);
}

#[test]
fn a_server_with_imported_data_has_promised_what_they_say() {
    let epochs = |promised, current| Epochs::new(Epoch(promised), Epoch(current));
    for (last, imported, expected) in [
        (5, epochs(9, 8), epochs(9, 8)),
        // It went on alone.
        (10, epochs(9, 8), epochs(10, 10)),
        (5, None, epochs(5, 5)),
    ] {
        let bench = Bench::new(&format!("imported-epochs-{last}-{}", imported.is_some()));
        bench.restore(Applied::Committed);
        let stored = |imported| {
            let last = Zxid(last << 32);
            stored_epochs(&bench.background, &bench.directories, last, imported).unwrap()
        };
        assert_eq!(Some(stored(imported)), expected);
        // They are asked for once.
        assert_eq!(Some(stored(None)), expected);
    }
}

#[test]
fn imported_data_may_hold_more_than_was_committed() {
    for (creator, expected) in [(IMPORTER, Zxid::ZERO), ("ringkeeper 0.1.0", Zxid(40))] {
        let bench = Bench::new(&format!("imported-{expected}"));
        bench.run(async |disk, directories| {
            let seed = engine::tree::TreeSeed([1, 2]);
            let tree =
                convert::import::Rebuilt::empty(seed, model::session::ExtendedTypes::default());
            let pace = async |_| ControlFlow::Continue(());
            tree.write(&*disk, &directories.snapshots, Zxid(40), creator, pace).await.unwrap();
        });
        let restored = bench.restore(Applied::Committed);
        assert_eq!(restored.zxid, Zxid(40));
        assert_eq!(restored.known_committed(), expected, "{creator}");
    }
}
