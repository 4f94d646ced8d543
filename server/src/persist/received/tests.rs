//! The way of a received history, with a loss of power at every step of the disk.

use super::*;
use crate::persist::Applied;
use crate::persist::read_back::{ReadBack, read_back_now};
use crate::persist::tests::create;
use convert::import::Rebuilt;
use disk::simulated::{Fate, Seed};
use disk::{AlignedBuf, OpenMode, Simulated, block_on};
use engine::tree::TreeSeed;
use model::session::{ExtendedTypes, SessionId};
use std::path::Path;
use txlog::{Appender, AppenderConfig, Departure};

const EPOCH: Epoch = Epoch(5);

/// The beginning of the epoch, as from a leader that has proposed nothing yet.
const AT: Base = Base { zxid: Zxid(5 << 32), epoch: EPOCH };

const SEED: TreeSeed = TreeSeed([1, 2]);

/// The nodes of an empty tree.
const EMPTY_COUNT: u64 = 4;

fn directories() -> Directories {
    let base = Path::new("/nowhere/data");
    let log = base.join(segments::DIRECTORY);
    Directories { log, snapshots: base.join("snapshots"), segment_bytes: 8 << 20 }
}

fn config() -> AppenderConfig {
    let mut config = AppenderConfig::new(Durability::Dsync);
    config.segment_bytes = directories().segment_bytes;
    config
}

/// Ten txns, of which six are committed and two are in a snapshot; the epoch is promised, and
/// current or not. With the run that would follow, and the one behind the received snapshot.
fn server(current: Epoch) -> (Simulated, RunStart, RunStart) {
    let (disk, directories) = (Simulated::new(1), directories());
    let bytes = directories.segment_bytes;
    let first = segments::open_run(&disk, &directories.log, RunStart::FIRST, bytes, 1);
    let first = block_on(first).unwrap();
    let mut appender = Appender::new(config(), first);
    for zxid in 1..=10 {
        appender.append(Zxid(zxid), &create(zxid)).unwrap();
    }
    appender.commit(Zxid(6));
    let Some(Departure::Write(write)) = appender.depart() else { panic!("a slot is free") };
    block_on(async {
        let path = segments::path(&directories.log, first.number);
        let file = disk.open(&path, OpenMode::Write).await.unwrap();
        let bytes = AlignedBuf::from_bytes(&write.buffer);
        disk.write_at(&file, write.offset.0, bytes).await.unwrap();
        disk.flush(&file).await.unwrap();
        disk.create_directory(&directories.snapshots).await.unwrap();
        let stored = Epochs::new(EPOCH, current).unwrap();
        epochs::create(&disk, &directories.log, stored).await.unwrap();
    });
    appender.written(write.slot, Ok(()), write.buffer);
    let follows = appender.run_behind(appender.durable_through());
    (disk, follows, appender.run_received(AT.zxid, AT.epoch))
}

/// The tree that is received: empty but for a session.
fn store_job() -> StoreJob {
    let mut rebuilt = Box::new(Rebuilt::empty(SEED, ExtendedTypes::default()));
    rebuilt.sessions.insert(SessionId(77), 4_000);
    let stop = Arc::new(AtomicBool::new(false));
    StoreJob { rebuilt, at: AT, directories: directories(), stop }
}

fn run_job(run: RunStart) -> ReceivedRunJob {
    let durability = Durability::Dsync;
    ReceivedRunJob { run, empty: None, directories: directories(), durability }
}

/// What a start would find.
fn found(image: &Simulated) -> ReadBack {
    let settings = Arc::new(Settings::default());
    let directories = directories();
    let read = read_back_now(image, &directories, &settings, None, Applied::Committed);
    block_on(read).unwrap_or_else(|error| panic!("{error}"))
}

fn assert_old(image: &Simulated, context: &str) {
    let ReadBack { head, recovered, tail, .. } = found(image);
    let zxids = (head.tree.meta().zxid, recovered.committed_through, recovered.last);
    assert_eq!(zxids, (Zxid(6), Zxid(6), Zxid(10)), "{context}");
    assert_eq!((head.tree.node_count(), tail.len()), (EMPTY_COUNT + 6, 4), "{context}");
}

fn assert_new(image: &Simulated, context: &str) {
    let ReadBack { head, recovered, tail, .. } = found(image);
    assert_eq!((head.tree.meta().zxid, recovered.last), (AT.zxid, AT.zxid), "{context}");
    assert_eq!((head.tree.node_count(), tail.len()), (EMPTY_COUNT, 0), "{context}");
    assert!(head.tree.meta().sessions.contains_key(&SessionId(77)), "{context}");
}

fn received_count(disk: &Simulated) -> usize {
    let entries = block_on(disk.list(&directories().snapshots)).unwrap();
    entries.iter().filter(|entry| entry.name.starts_with("received.")).count()
}

fn counts(disk: &Simulated) -> bool {
    block_on(txlog::base(disk, &directories().log)).unwrap().is_some()
}

/// All of it, through to the adoption.
async fn whole_way(disk: &Simulated, run: RunStart) -> Result<(), RestoreError> {
    let directories = directories();
    store_now(disk, store_job()).await?;
    begin_now(disk, &run_job(run)).await?;
    let settings = Arc::new(Settings::default());
    let head = load_received_now(disk, &directories, AT, &settings, None).await?;
    assert_eq!(head.tree.meta().zxid, AT.zxid);
    let accepted = Epochs::new(EPOCH, EPOCH).unwrap();
    store_epochs_now(disk, &directories, accepted).await?;
    adopt_now(disk, &directories, AT).await
}

#[test]
fn a_power_loss_at_any_step_leaves_one_history_or_the_other() {
    // Also where the epoch is current already: a learner that comes back to its leader.
    for current in [Epoch(1), EPOCH] {
        let (whole, _, run) = server(current);
        let mut chance = Seed::new(7);
        let mut seen = [0, 0];
        for operation_count in 0.. {
            let disk = whole.crash(|_| Fate::Kept);
            disk.lose_power_after(operation_count);
            let done = block_on(whole_way(&disk, run));
            let image = disk.crash_by(&mut chance);
            let context = format!("{operation_count} operations, in epoch {}", current.0);
            let is_new = counts(&image);
            if is_new {
                assert_new(&image, &context);
            } else {
                assert_old(&image, &context);
            }
            seen[usize::from(is_new)] += 1;
            if done.is_ok() {
                assert!(is_new && received_count(&image) == 0);
                break;
            }
        }
        assert!(seen[0] > 5 && seen[1] > 3, "{seen:?}");
    }
}

#[test]
fn a_history_that_is_forgotten_never_comes_back() {
    let (disk, follows, run) = server(Epoch(1));
    block_on(store_now(&disk, store_job())).unwrap();
    block_on(begin_now(&disk, &run_job(run))).unwrap();
    let job = CutJob { run: follows, directories: directories(), durability: Durability::Dsync };
    let accepted = Epochs::new(EPOCH, EPOCH).unwrap();
    let mut chance = Seed::new(8);
    for operation_count in 0.. {
        let copy = disk.crash(|_| Fate::Kept);
        copy.lose_power_after(operation_count);
        let done = block_on(forget_now(&copy, &job));
        let image = copy.crash_by(&mut chance);
        assert_old(&image, &format!("{operation_count} operations"));
        if done.is_ok() {
            assert_eq!(received_count(&image), 0);
            block_on(store_epochs_now(&image, &directories(), accepted)).unwrap();
            assert_old(&image, "in the epoch");
            break;
        }
    }
    // One that was stored only is removed, and one that is abandoned leaves nothing.
    let (disk, ..) = server(Epoch(1));
    block_on(store_now(&disk, store_job())).unwrap();
    assert_eq!(received_count(&disk), 1);
    block_on(remove_void(&disk, &directories())).unwrap();
    let job = store_job();
    job.stop.store(true, Ordering::Relaxed);
    let stopped = block_on(store_now(&disk, job));
    assert!(matches!(stopped, Err(RestoreError::Write(snapshot::WriteError::Stopped))));
    assert_eq!(received_count(&disk), 0);
}

#[test]
fn an_empty_history_is_received_as_any_other() {
    let (whole, ..) = server(Epoch(1));
    let empty = Some(Arc::new(Settings::default()));
    let job = |run| ReceivedRunJob { empty: empty.clone(), ..run_job(run) };
    let accepted = Epochs::new(EPOCH, EPOCH).unwrap();
    let (_, follows, run) = server(Epoch(1));
    let run = RunStart { continues_from: Zxid::ZERO, committed_through: Zxid::ZERO, ..run };
    for operation_count in 0.. {
        let disk = whole.crash(|_| Fate::Kept);
        disk.lose_power_after(operation_count);
        let done = block_on(begin_now(&disk, &job(run)));
        assert_old(&disk.crash(|_| Fate::Dropped), &format!("{operation_count} operations"));
        if done.is_ok() {
            break;
        }
    }
    let disk = whole.crash(|_| Fate::Kept);
    block_on(begin_now(&disk, &job(run))).unwrap();
    assert_eq!(follows.continues_from, Zxid(10));
    block_on(store_epochs_now(&disk, &directories(), accepted)).unwrap();
    for is_adopted in [false, true] {
        let ReadBack { head, recovered, .. } = found(&disk);
        assert_eq!((head.tree.meta().zxid, recovered.last), (Zxid::ZERO, Zxid::ZERO));
        assert_eq!((head.tree.node_count(), received_count(&disk)), (4, usize::from(!is_adopted)));
        block_on(adopt_now(&disk, &directories(), Base { zxid: Zxid::ZERO, ..AT })).unwrap();
    }
}
