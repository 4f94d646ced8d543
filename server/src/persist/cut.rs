//! A cut of a log that a server is using.

use super::RestoreError;
use super::known::change_lineage;
use crate::data_set::{Lineage, LineageRun};
use crate::directories::Directories;
use crate::random;
use disk::{Background, BackgroundError, Direct, Disk, Durability, TaskQueue, append_file};
use std::fs::File;
use std::rc::Rc;
use tracing::warn;
use txlog::SegmentHeader;
use txlog::segments::{self, RunStart};

/// A log to cut.
#[derive(Debug)]
pub struct CutJob {
    /// The run that continues from the cut.
    pub run: RunStart,
    /// Where files are.
    pub directories: Directories,
    /// How writes of the new run will become durable.
    pub durability: Durability,
}

/// Has a log cut, and the first segment of the new run opened for the ring; `notify` is called from
/// the background.
///
/// The caller ensures that the log's appender is idle, that no segment is being prepared, no
/// snapshot written and no purge under way. After an error the log is what it was or is cut, and
/// the same job can be repeated.
pub fn cut(
    background: &Background,
    job: CutJob,
    notify: impl FnOnce(Result<(SegmentHeader, File), RestoreError>) + Send + 'static,
) -> Result<(), BackgroundError> {
    let work = move |disk: Rc<Direct>| -> disk::background::JobFuture {
        Box::pin(async move {
            let first = cut_now(&*disk, &job).await;
            notify(first.and_then(|header| {
                let path = segments::path(&job.directories.log, header.number);
                Ok((header, append_file::open(&path, job.durability)?))
            }));
        })
    };
    background.submit(TaskQueue::Segments, Box::new(work))
}

async fn cut_now<D: Disk>(disk: &D, job: &CutJob) -> Result<SegmentHeader, RestoreError> {
    let CutJob { run, directories, .. } = job;
    assert_eq!(run.counts_from, None, "a run that does not count yet cuts nothing");
    // Before the header that cuts: what it cuts away must not come back with a snapshot.
    let aside = snapshot::set_aside_above(disk, &directories.snapshots, run.continues_from).await?;
    for path in aside {
        warn!("the log is cut behind {}: {} is kept aside", run.continues_from, path.display());
    }
    let seed = random::bits().map_err(RestoreError::Random)?;
    let next = LineageRun { seed, from: run.continues_from };
    change_lineage(directories.data_dir(), |lineage| lineage.begin(next))?;
    let bytes = directories.segment_bytes;
    let first = segments::open_run(disk, &directories.log, *run, bytes, seed)
        .await
        .map_err(|error| RestoreError::of_segment(error, bytes))?;
    change_lineage(directories.data_dir(), Lineage::begun)?;
    Ok(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use disk::simulated::Fate;
    use disk::{Simulated, block_on};
    use model::zxid::Zxid;
    use std::path::{Path, PathBuf};
    use txlog::{Appender, AppenderConfig, Departure, RecoverFrom, recover};

    const SNAPSHOTS: [i64; 3] = [2, 5, 7];

    fn directories() -> Directories {
        let base = Path::new("/nowhere/data");
        let log = base.join(segments::DIRECTORY);
        Directories { log, snapshots: base.join("snapshots"), segment_bytes: 8 << 20 }
    }

    /// A log of ten txns, three snapshots, and the run that cuts it behind the fourth.
    fn settled() -> (Simulated, CutJob) {
        let (disk, directories) = (Simulated::new(1), directories());
        let mut config = AppenderConfig::new(Durability::Dsync);
        config.segment_bytes = directories.segment_bytes;
        let open = |run| segments::open_run(&disk, &directories.log, run, config.segment_bytes, 1);
        let first = block_on(open(RunStart::FIRST)).unwrap();
        let mut appender = Appender::new(config, first);
        (1..=10).for_each(|zxid| appender.append(Zxid(zxid), &[zxid as u8; 40]).unwrap());
        let Some(Departure::Write(write)) = appender.depart() else { panic!("a slot is free") };
        block_on(async {
            let path = segments::path(&directories.log, first.number);
            let file = disk.open(&path, disk::OpenMode::Write).await.unwrap();
            let bytes = disk::AlignedBuf::from_bytes(&write.buffer);
            disk.write_at(&file, write.offset.0, bytes).await.unwrap();
            disk.flush(&file).await.unwrap();
            disk.create_directory(&directories.snapshots).await.unwrap();
            for zxid in SNAPSHOTS {
                let path = snapshot_of(zxid);
                let file = disk.create(&path, 0).await.unwrap();
                disk.flush(&file).await.unwrap();
                let name = directories.snapshots.join("unfinished");
                disk.rename_durable(&path, &name).await.unwrap();
                disk.rename_durable(&name, &path).await.unwrap();
            }
        });
        appender.written(write.slot, Ok(()), write.buffer);
        appender.commit(Zxid(3));
        let run = appender.run_behind(Zxid(4));
        (disk, CutJob { run, directories, durability: Durability::Dsync })
    }

    fn snapshot_of(zxid: i64) -> PathBuf {
        directories().snapshots.join(snapshot::directory::name_of(Zxid(zxid)))
    }

    fn snapshots(disk: &Simulated) -> Vec<i64> {
        let found = block_on(snapshot::list(disk, &directories().snapshots)).unwrap();
        found.iter().rev().map(|it| it.zxid.0).collect()
    }

    #[test]
    fn a_power_loss_at_any_step_leaves_no_snapshot_of_what_was_cut() {
        let (whole, job) = settled();
        assert_eq!(snapshots(&whole), SNAPSHOTS);
        let mut seen = [0, 0];
        for operation_count in 0.. {
            let disk = whole.crash(|_| Fate::Kept);
            disk.lose_power_after(operation_count);
            let done = block_on(cut_now(&disk, &job));
            let image = disk.crash(|_| Fate::Dropped);
            let from =
                RecoverFrom { after: Zxid::ZERO, durable: Zxid::ZERO, committed: Zxid::ZERO };
            let mut zxids = Vec::new();
            let found = recover(&image, &job.directories.log, from, |zxid, _| zxids.push(zxid.0));
            let found = block_on(found).unwrap();
            let left = snapshots(&image);
            assert!(left.contains(&2), "{left:?}");
            let is_cut = found.last == Zxid(4);
            assert!(!is_cut || left == [2], "{left:?}");
            assert_eq!(zxids, (1..=found.last.0).collect::<Vec<_>>());
            assert_eq!(found.committed_through, Zxid(if is_cut { 3 } else { 0 }));
            assert!(is_cut || found.last == Zxid(10));
            seen[usize::from(is_cut)] += 1;
            if done.is_ok() {
                assert!(is_cut);
                break;
            }
        }
        assert!(seen[0] > 3 && seen[1] > 0, "{seen:?}");
        // What was set aside is still there; a repetition keeps it.
        let disk = whole.crash(|_| Fate::Kept);
        block_on(cut_now(&disk, &job)).unwrap();
        block_on(cut_now(&disk, &job)).unwrap();
        for zxid in [5, 7] {
            let aside = format!("cut.{}", snapshot::directory::name_of(Zxid(zxid)));
            assert!(disk.content(&directories().snapshots.join(aside)).is_some());
        }
    }
}
