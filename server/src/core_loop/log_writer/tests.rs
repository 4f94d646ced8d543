//! A log on a real ring and real files.

use super::*;
use crate::core_loop::inbox::{LoopInbox, LoopMessage};
use crate::core_loop::meters::Meters;
use disk::{BackgroundConfig, TaskQueue, append_file};
use ring::{Completion, Ring, RingConfig, Wait};
use std::path::PathBuf;
use txlog::segments::{self, RunStart};
use txlog::{AppenderConfig, RecoverFrom, Recovered, recover};

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
        let directory = self.directories.log.clone();
        let read = move |disk: std::rc::Rc<disk::Direct>| async move {
            let mut zxids = Vec::new();
            let from = RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO };
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
    bench.log.begin_cut(Zxid(15));
    assert_eq!(bench.log.state(), LogState::Busy);
    bench.push(16..=18);
    assert_eq!(bench.log.take_cut(), None);
    while bench.log.is_cutting() {
        bench.turn();
    }
    assert_eq!(bench.log.take_cut(), Some(Zxid(15)));
    assert_eq!(bench.log.take_cut(), None);
    bench.settle();
    assert_eq!(bench.log.durable_through(), Zxid(18));
    let (found, zxids) = bench.recovered();
    assert_eq!(zxids, (1..=18).collect::<Vec<_>>());
    assert_eq!((found.committed_through, found.torn), (Zxid(12), None));
    // Again, through the first run and an empty one.
    bench.log.begin_cut(Zxid(17));
    bench.settle();
    assert_eq!(bench.log.take_cut(), Some(Zxid(17)));
    bench.log.begin_cut(Zxid(3));
    bench.settle();
    assert_eq!(bench.log.take_cut(), Some(Zxid(3)));
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
    bench.log.begin_cut(Zxid(11_500));
    bench.settle();
    assert_eq!(bench.log.take_cut(), Some(Zxid(11_500)));
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
    bench.log.begin_cut(Zxid(4));
    while bench.log.deadline_ms().is_none() {
        bench.turn();
    }
    assert!(bench.log.is_cutting());
    std::fs::remove_file(&bench.directories.log).unwrap();
    std::fs::rename(&aside, &bench.directories.log).unwrap();
    let later = Now { mono_ms: NOW.mono_ms + SEGMENT_RETRY_MS, ..NOW };
    bench.log.begin_run(&bench.inbox, later);
    bench.settle();
    assert_eq!(bench.log.take_cut(), Some(Zxid(4)));
    assert_eq!(bench.recovered().1, [1, 2, 3, 4]);
}

#[test]
#[should_panic(expected = "one cut at a time")]
fn a_cut_within_a_cut_is_a_bug() {
    let mut bench = Bench::new("cut-twice");
    bench.push(1..=2);
    bench.log.begin_cut(Zxid(1));
    bench.log.begin_cut(Zxid(1));
}
