use std::sync::mpsc;

use disk::simulated::Fate;
use disk::{
    AlignedBuf, Background, BackgroundConfig, Disk, Durability, OpenMode, TaskQueue, block_on,
};
use model::zxid::Zxid;

use super::rig::{Rig, config, directory, recover_after, run_start};
use crate::recover::RecoverFrom;
use crate::segments::{self, Purge, RunStart};
use crate::{RecoverError, SegmentNumber, recover};

fn settled() -> Rig {
    let mut rig = Rig::new(1, config(Durability::Dsync, 2));
    (0..150).for_each(|_| rig.step());
    rig.settle(true);
    rig
}

#[test]
fn file_names_are_read_back_and_no_other_is_taken() {
    let number = SegmentNumber(0x1f);
    assert_eq!(segments::file_name(number), "log-000000000000001f");
    assert_eq!(segments::parse_file_name("log-000000000000001f"), Some(number));
    for other in ["log-1f", "log-000000000000001F", "log-0000000000000000", "log.1f", "spare-1"] {
        assert_eq!(segments::parse_file_name(other), None, "{other}");
    }
}

#[test]
fn each_wrong_file_has_its_own_error() {
    let rig = settled();
    let second = segments::path(directory(), SegmentNumber(2));
    let third = segments::path(directory(), SegmentNumber(3));

    let image = rig.disk.crash(|_| Fate::Kept);
    block_on(image.remove(&second)).unwrap();
    let error = recover_after(&image, Zxid::ZERO).unwrap_err();
    assert!(matches!(&error, RecoverError::MissingSegment { path } if *path == second), "{error}");
    block_on(image.rename_durable(&third, &second)).unwrap();
    let error = recover_after(&image, Zxid::ZERO).unwrap_err();
    let (expected, found) = (SegmentNumber(2), SegmentNumber(3));
    assert_eq!(error, RecoverError::WrongNumber { path: second.clone(), expected, found });

    let image = rig.disk.crash(|_| Fate::Kept);
    let resize = async |bytes| {
        let file = image.open(&second, OpenMode::Write).await.unwrap();
        image.resize(&file, bytes).await.unwrap();
    };
    block_on(resize(8192));
    let error = recover_after(&image, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::WrongLength { found: 8192, .. }), "{error}");
    block_on(resize(100));
    let error = recover_after(&image, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::WrongLength { found: 100, .. }), "{error}");
}

#[test]
fn a_missing_directory_is_an_empty_log() {
    let (found, txns) = recover_after(&disk::Simulated::new(1), Zxid(7)).unwrap();
    assert_eq!((found.last, found.used_last, txns.len()), (Zxid(7), None, 0));
}

#[test]
fn recovery_hands_out_only_what_the_snapshot_lacks() {
    let rig = settled();
    for at in (0..rig.txns.len()).step_by(7) {
        let (found, txns) = recover_after(&rig.disk, rig.txns[at].0).unwrap();
        assert_eq!(txns, rig.txns[at + 1..]);
        assert_eq!(found.last, rig.txns.last().unwrap().0);
    }
}

#[test]
fn a_snapshot_ahead_of_the_log_begins_a_run_there() {
    let rig = settled();
    let used_last = rig.appender.segment_used_last();
    let after = Zxid(1 << 40);
    let run = run_start(used_last, after);
    let mut rig = Rig::open(rig.disk, rig.seed, config(Durability::Dsync, 2), run, Vec::new());
    rig.append();
    rig.settle(true);
    assert_eq!(recover_after(&rig.disk, after).unwrap().1, rig.txns);
    // From an older snapshot there is a hole, and it is reported.
    let error = recover_after(&rig.disk, Zxid::ZERO).unwrap_err();
    assert!(matches!(error, RecoverError::Hole { next, .. } if next == after), "{error}");
}

#[test]
fn a_purge_keeps_what_is_needed_and_recycles_the_rest() {
    let rig = settled();
    let before = rig.appender.segment_durable();
    let keep_after = rig.txns[rig.txns.len() / 2].0;
    let segment_bytes = config(Durability::Dsync, 2).segment_bytes;
    let purge = |before, keep_after| {
        let purge = Purge { keep_after, before, segment_bytes, spares_max: 1 };
        block_on(segments::purge(&rig.disk, directory(), purge)).unwrap()
    };
    assert_eq!(purge(SegmentNumber(1), keep_after), segments::Purged::default());
    assert_eq!(purge(before, Zxid::ZERO), segments::Purged::default());
    let purged = purge(before, keep_after);
    assert_eq!(purged.recycled_count, 1);
    assert!(purged.removed_count > 0);
    let (_, txns) = recover_after(&rig.disk, keep_after).unwrap();
    assert_eq!(txns, rig.txns[rig.txns.len() / 2 + 1..]);
    // With everything covered, the segment of the last durable batch stays.
    purge(before, Zxid(i64::MAX));
    recover_after(&rig.disk, rig.txns.last().unwrap().0).unwrap();
}

#[test]
fn real_files_hold_a_log_too() {
    let base = std::env::temp_dir().join(format!("ringkeeper-log-{}", std::process::id()));
    std::fs::create_dir_all(&base).unwrap();
    let background = Background::start(BackgroundConfig::new(base.clone())).unwrap();
    let config = config(Durability::Dsync, 1);
    let log = base.join(segments::DIRECTORY);
    let (sender, receiver) = mpsc::channel();
    let work = move |disk: std::rc::Rc<disk::Direct>| async move {
        let run = RunStart::FIRST;
        let first = segments::open_run(&*disk, &log, run, config.segment_bytes, 1).await.unwrap();
        let mut appender = crate::Appender::new(config, first);
        let path = segments::path(&log, first.number);
        let file = disk.open(&path, OpenMode::Write).await.unwrap();
        for zxid in 1..=5 {
            appender.append(Zxid(zxid), &[zxid as u8; 100]).unwrap();
            let Some(crate::Departure::Write(write)) = appender.depart() else {
                panic!("no write")
            };
            let bytes = AlignedBuf::from_bytes(&write.buffer);
            disk.write_at(&file, write.offset.0, bytes).await.unwrap();
            disk.flush(&file).await.unwrap();
            appender.written(write.slot, Ok(()), write.buffer);
        }
        let from = RecoverFrom { after: Zxid(2), durable: Zxid(5), committed: Zxid(2) };
        let found = recover(&*disk, &log, from, |zxid, txn| {
            assert_eq!(txn, [zxid.0 as u8; 100]);
            sender.send(zxid).unwrap();
        });
        found.await.unwrap()
    };
    let found = background.run(TaskQueue::Segments, work).unwrap().recv().unwrap();
    assert_eq!((found.last, found.record_count, found.torn), (Zxid(5), 3, None));
    assert_eq!(receiver.iter().collect::<Vec<_>>(), [Zxid(3), Zxid(4), Zxid(5)]);
    drop(background);
    std::fs::remove_dir_all(&base).unwrap();
}
