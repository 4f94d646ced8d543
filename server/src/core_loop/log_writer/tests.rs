//! A log on a real ring and real files.

use super::*;
use crate::core_loop::inbox::{LoopInbox, LoopMessage};
use crate::core_loop::meters::Meters;
use disk::{BackgroundConfig, TaskQueue, append_file};
use model::zxid::{Epoch, Epochs};
use ring::{Completion, Ring, RingConfig, Wait};
use std::path::PathBuf;
use txlog::segments::{self, RunStart};
use txlog::{AppenderConfig, Base, RecoverFrom, Recovered, epochs, recover};

/// A writer with its loop.
struct Bench {
    base: PathBuf,
    ring: Ring,
    inbox: Arc<LoopInbox>,
    log: LogWriter,
    meters: Meters,
    background: Arc<Background>,
    directories: Directories,
}

fn config() -> AppenderConfig {
    let mut config = AppenderConfig::new(Durability::FlushAfter);
    (config.segment_bytes, config.record_bytes_max) = (1 << 20, 100 << 10);
    config
}

const NOW: Now = Now { mono_ms: 1_000, wall_ms: 1_000 };

impl Bench {
    fn new(name: &str) -> Self {
        let base = std::env::temp_dir().join(format!("ringkeeper-{name}-{}", std::process::id()));
        std::fs::create_dir_all(base.join("snapshots")).unwrap();
        let background = Arc::new(Background::start(BackgroundConfig::new(base.clone())).unwrap());
        let (log, snapshots) = (base.join(segments::DIRECTORY), base.join("snapshots"));
        let directories = Directories { log, snapshots, segment_bytes: config().segment_bytes };
        let directory = directories.log.clone();
        let bytes = config().segment_bytes;
        let open = move |disk: std::rc::Rc<disk::Direct>| async move {
            segments::open_run(&*disk, &directory, RunStart::FIRST, bytes, 5).await
        };
        let first = background.run(TaskQueue::Segments, open).unwrap().recv().unwrap().unwrap();
        let path = segments::path(&directories.log, first.number);
        let log = LogWriter::new(LogWriterParts {
            appender: Appender::new(config(), first),
            first: (first.number, append_file::open(&path, Durability::FlushAfter).unwrap()),
            durability: Durability::FlushAfter,
            slot_count: config().slot_count,
            flush_warning: Duration::from_secs(60),
            directories: directories.clone(),
            background: background.clone(),
        });
        let inbox = Arc::new(LoopInbox::default());
        let ring = Ring::new(&RingConfig { receive_buffers: 16, ..RingConfig::default() }).unwrap();
        inbox.set_waker(ring.waker());
        let meters = Meters::of_start(&persist::Summary::default());
        Self { base, ring, inbox, log, meters, background, directories }
    }

    fn push(&mut self, zxids: std::ops::RangeInclusive<i64>) {
        let mut in_log = InLog::default();
        zxids.for_each(|zxid| in_log.push(Zxid(zxid), &[zxid as u8; 100]));
        self.log.push(Arc::new(in_log));
    }

    fn cut(&mut self, at: i64) {
        self.log.begin_change(Change::Cut(Zxid(at)));
    }

    /// The next change that has ended, which is a cut.
    fn take_cut(&mut self) -> Option<Zxid> {
        self.log.take_changed().map(|change| match change {
            Change::Cut(at) => at,
            change => panic!("{change:?}"),
        })
    }

    /// What a turn does for the log.
    fn turn(&mut self) {
        let Self { ring, log, meters, inbox, .. } = self;
        ring.completions(|_, completion| match (completion.token().map(Kind::of), completion) {
            (Some(Kind::Write(slot)), Completion::Written { buffer, result, .. }) => {
                log.written(slot, buffer, result, meters);
            }
            (Some(Kind::Flush(_)), Completion::Flushed { result, .. }) => {
                log.flushed(result, meters);
            }
            _ => {}
        });
        for message in inbox.take() {
            match message {
                LoopMessage::Prepared(result) => log.prepared(result, NOW),
                LoopMessage::RunBegun(result) => log.run_begun(result, NOW),
                _ => panic!("no message of the log"),
            }
        }
        while log.append(|_| {}).is_some() {}
        log.depart(&mut ring.queue(), NOW);
        log.ask_segment(inbox, NOW);
        log.begin_run(inbox, NOW);
        let wait = Wait::Until(Duration::from_secs(10));
        let is_over = log.is_idle() && !log.is_preparing || log.deadline_ms().is_some();
        let has_work = || is_over || inbox.has_messages();
        ring.sleep(wait, has_work).unwrap();
    }

    /// Until nothing is under way.
    fn settle(&mut self) {
        while !self.log.is_idle() || self.log.is_preparing {
            self.turn();
        }
    }

    /// What is on disk.
    fn recovered(&self) -> (Recovered, Vec<i64>) {
        self.recovered_after(Zxid::ZERO)
    }

    /// What is on disk behind a snapshot at `after`.
    fn recovered_after(&self, after: Zxid) -> (Recovered, Vec<i64>) {
        let directory = self.directories.log.clone();
        let read = move |disk: std::rc::Rc<disk::Direct>| async move {
            let mut zxids = Vec::new();
            let from = RecoverFrom { after, durable: after, committed: after };
            let found = recover(&*disk, &directory, from, |zxid, txn| {
                assert_eq!(txn, [zxid.0 as u8; 100]);
                zxids.push(zxid.0);
            });
            (found.await.unwrap(), zxids)
        };
        self.background.run(TaskQueue::Segments, read).unwrap().recv().unwrap()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.base);
    }
}

#[test]
fn a_cut_drops_what_is_behind_it_and_the_log_continues_there() {
    let mut bench = Bench::new("cut");
    bench.push(1..=20);
    bench.settle();
    assert_eq!(bench.log.durable_through(), Zxid(20));
    bench.log.commit(Zxid(12));
    // In flight, queued at the cut, queued behind it, and of the next run.
    bench.push(21..=30);
    bench.turn();
    bench.push(31..=40);
    bench.push(41..=50);
    bench.cut(15);
    assert_eq!(bench.log.state(), LogState::Busy);
    bench.push(16..=18);
    assert_eq!(bench.take_cut(), None);
    while bench.log.is_changing() {
        bench.turn();
    }
    assert_eq!(bench.take_cut(), Some(Zxid(15)));
    assert_eq!(bench.take_cut(), None);
    bench.settle();
    assert_eq!(bench.log.durable_through(), Zxid(18));
    let (found, zxids) = bench.recovered();
    assert_eq!(zxids, (1..=18).collect::<Vec<_>>());
    assert_eq!((found.committed_through, found.torn), (Zxid(12), None));
    // Again, through the first run and an empty one.
    bench.cut(17);
    bench.settle();
    assert_eq!(bench.take_cut(), Some(Zxid(17)));
    bench.cut(3);
    bench.settle();
    assert_eq!(bench.take_cut(), Some(Zxid(3)));
    bench.push(4..=4);
    bench.settle();
    assert_eq!(bench.recovered().1, [1, 2, 3, 4]);
}

#[test]
fn what_a_cut_needs_is_written_before_it() {
    let mut bench = Bench::new("cut-drains");
    // More than a segment, so that a segment has to be prepared before the cut.
    for first in (1..=12_000).step_by(1_000) {
        bench.push(first..=first + 999);
    }
    bench.cut(11_500);
    bench.settle();
    assert_eq!(bench.take_cut(), Some(Zxid(11_500)));
    assert_eq!(bench.recovered().1, (1..=11_500).collect::<Vec<_>>());
}

#[test]
fn a_cut_that_fails_is_retried() {
    let mut bench = Bench::new("cut-retried");
    bench.push(1..=9);
    bench.settle();
    // A directory in the place of the log's: no segment can be made.
    let aside = bench.base.join("aside");
    std::fs::rename(&bench.directories.log, &aside).unwrap();
    std::fs::write(&bench.directories.log, b"").unwrap();
    bench.cut(4);
    while bench.log.deadline_ms().is_none() {
        bench.turn();
    }
    assert!(bench.log.is_changing());
    std::fs::remove_file(&bench.directories.log).unwrap();
    std::fs::rename(&aside, &bench.directories.log).unwrap();
    let later = Now { mono_ms: NOW.mono_ms + SEGMENT_RETRY_MS, ..NOW };
    bench.log.begin_run(&bench.inbox, later);
    bench.settle();
    assert_eq!(bench.take_cut(), Some(Zxid(4)));
    assert_eq!(bench.recovered().1, [1, 2, 3, 4]);
}

#[test]
fn changes_follow_each_other() {
    let mut bench = Bench::new("changes");
    bench.push(1..=20);
    bench.cut(15);
    bench.push(16..=18);
    bench.cut(17);
    bench.push(18..=19);
    bench.settle();
    assert_eq!((bench.take_cut(), bench.take_cut()), (Some(Zxid(15)), Some(Zxid(17))));
    assert_eq!(bench.take_cut(), None);
    // What the first run lost is not appended to the second one: 18 was pushed anew.
    assert_eq!(bench.recovered().1, (1..=19).collect::<Vec<_>>());
    assert_eq!(bench.log.durable_through(), Zxid(19));
}

const EPOCH: Epoch = Epoch(5);

/// A received snapshot in the middle of the history, so that both can be told apart.
const RECEIVED: Base = Base { zxid: Zxid(7), epoch: EPOCH };

impl Bench {
    /// Stores that this epoch was promised, and is the current one or not.
    fn store_epochs(&self, current: Epoch) {
        let directory = self.directories.log.clone();
        let stored = Epochs::new(EPOCH, current).unwrap();
        let work = move |disk: std::rc::Rc<disk::Direct>| async move {
            if epochs::read(&*disk, &directory).await.unwrap().is_none() {
                epochs::create(&*disk, &directory, stored).await.unwrap();
            }
            epochs::store(&*disk, &directory, stored).await.unwrap();
        };
        self.background.run(TaskQueue::Segments, work).unwrap().recv().unwrap();
    }

    /// Names in the directory of snapshots.
    fn snapshots(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.directories.snapshots).unwrap();
        let names = entries.map(|it| it.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }
}

#[test]
fn a_received_history_is_logged_beside_the_old_one_until_its_epoch_is_stored() {
    let mut bench = Bench::new("received-run");
    bench.push(1..=10);
    bench.settle();
    bench.store_epochs(Epoch(1));
    bench.push(11..=12);
    bench.log.begin_change(Change::Received(RECEIVED));
    bench.push(8..=9);
    bench.settle();
    assert!(matches!(bench.log.take_changed(), Some(Change::Received(base)) if base == RECEIVED));
    assert_eq!(bench.log.durable_through(), Zxid(9));
    assert_eq!(bench.recovered().1, (1..=12).collect::<Vec<_>>());
    bench.store_epochs(EPOCH);
    assert_eq!(bench.recovered_after(RECEIVED.zxid).1, [8, 9]);
    // It can be cut as any other.
    bench.cut(8);
    bench.settle();
    assert_eq!(bench.take_cut(), Some(Zxid(8)));
    assert_eq!(bench.recovered_after(RECEIVED.zxid).1, [8]);
}

#[test]
fn one_that_is_forgotten_leaves_the_old_one_which_goes_on() {
    // In use, with txns of its own; and while it is still being begun.
    for is_in_use in [true, false] {
        let mut bench = Bench::new("forgotten-run");
        bench.push(1..=10);
        bench.settle();
        bench.store_epochs(Epoch(1));
        bench.log.commit(Zxid(4));
        std::fs::write(bench.directories.snapshots.join("received.7.5"), b"").unwrap();
        bench.log.begin_change(Change::Received(RECEIVED));
        if is_in_use {
            bench.push(8..=9);
            bench.settle();
            assert!(bench.log.take_changed().is_some());
        }
        bench.log.begin_change(Change::Forget);
        bench.push(11..=13);
        bench.cut(12);
        bench.settle();
        assert_eq!(bench.log.durable_through(), Zxid(12));
        assert_eq!(bench.snapshots(), [""; 0]);
        // The epoch of what was received counts for nothing any more.
        bench.store_epochs(EPOCH);
        let (found, zxids) = bench.recovered();
        assert_eq!((zxids, found.committed_through), ((1..=12).collect(), Zxid(4)));
    }
}

#[test]
fn an_empty_history_takes_the_place_of_the_old_one() {
    let mut bench = Bench::new("empty-run");
    bench.push(5..=10);
    bench.settle();
    bench.store_epochs(Epoch(1));
    let settings = Arc::new(engine::settings::Settings::default());
    bench.log.begin_change(Change::Empty(EPOCH, settings));
    bench.push(1..=3);
    bench.settle();
    assert_eq!(bench.snapshots(), ["received.0.5"]);
    assert_eq!(bench.recovered().1, (5..=10).collect::<Vec<_>>());
    bench.store_epochs(EPOCH);
    assert_eq!(bench.recovered().1, [1, 2, 3]);
}

#[test]
fn a_received_run_that_cannot_begin_is_given_up_when_it_is_forgotten() {
    let mut bench = Bench::new("received-fails");
    bench.push(1..=9);
    bench.settle();
    bench.store_epochs(Epoch(1));
    let aside = bench.base.join("aside");
    std::fs::rename(&bench.directories.log, &aside).unwrap();
    std::fs::write(&bench.directories.log, b"").unwrap();
    bench.log.begin_change(Change::Received(RECEIVED));
    while bench.log.deadline_ms().is_none() {
        bench.turn();
    }
    bench.log.begin_change(Change::Forget);
    bench.push(10..=11);
    let later = Now { mono_ms: NOW.mono_ms + SEGMENT_RETRY_MS, ..NOW };
    bench.log.begin_run(&bench.inbox, later);
    while bench.log.deadline_ms().is_none() || bench.log.pending_changes() > 1 {
        bench.turn();
    }
    std::fs::remove_file(&bench.directories.log).unwrap();
    std::fs::rename(&aside, &bench.directories.log).unwrap();
    bench.log.begin_run(&bench.inbox, later);
    bench.settle();
    assert!(matches!(bench.log.take_changed(), Some(Change::Forget)));
    assert!(bench.log.take_changed().is_none());
    assert_eq!(bench.recovered().1, (1..=11).collect::<Vec<_>>());
}
