//! The epochs survive every power loss and every damage to one of their copies.

use std::path::PathBuf;

use disk::simulated::Fate;
use disk::{
    Background, BackgroundConfig, Cause, Disk, Durability, OpenMode, Operation, Simulated,
    TaskQueue, block_on,
};
use model::zxid::{Epoch, Epochs, Zxid};

use super::rig::{Rig, config, directory, run_start};
use crate::epochs::{
    COPY_OFFSETS, CopyFault, EpochsRecord, FILE_NAME, UNFINISHED_NAME, create, read, store,
};
use crate::segments;
use crate::{EpochsError, Stored};

const BLOCK: u64 = 4096;

fn epochs(promised: u32, current: u32) -> Epochs {
    Epochs::new(Epoch(promised), Epoch(current)).unwrap()
}

fn path() -> PathBuf {
    directory().join(FILE_NAME)
}

/// A disk on which these were stored one after the other, the first by creation.
fn holding(all: &[Epochs]) -> Simulated {
    let disk = Simulated::new(1);
    block_on(create(&disk, directory(), all[0])).unwrap();
    for later in &all[1..] {
        block_on(store(&disk, directory(), *later)).unwrap();
    }
    disk
}

fn copy(disk: &Simulated) -> Simulated {
    disk.crash(|_| Fate::Kept)
}

/// Reads them, and checks that both copies are equal and stay as they are from then on.
fn read_back(disk: &Simulated, context: &str) -> Option<Stored> {
    let stored = block_on(read(disk, directory()));
    let stored = stored.unwrap_or_else(|error| panic!("{context}: {error}"));
    if let Some(Stored { epochs, .. }) = stored {
        let content = disk.content(&path()).unwrap();
        assert_eq!(content.len() as u64, 2 * BLOCK, "{context}");
        assert!(content[..BLOCK as usize] == content[BLOCK as usize..], "{context}");
        let again = block_on(read(disk, directory())).unwrap();
        assert_eq!(again, Some(Stored { epochs, is_healed: false }), "{context}");
    }
    stored
}

/// The disk after a power loss: of what is pending everything is left, nothing, some sectors, or
/// the first bytes, as a device without atomic sectors leaves them.
fn images(disk: &Simulated) -> Vec<Simulated> {
    let sectors = |mask: u32| Fate::Torn((0..8).map(|at| mask >> at & 1 == 1).collect());
    let pending = disk.pending();
    let mask_max = if pending.is_empty() { 0 } else { 255 };
    let mut images: Vec<_> = (0..=mask_max).map(|mask| disk.crash(|_| sectors(mask))).collect();
    let dropped = disk.crash(|_| Fate::Dropped);
    if dropped.content(&path()).is_some() {
        for torn_at in (0..=32).filter(|_| !pending.is_empty()) {
            let image = copy(&dropped);
            for write in &pending {
                image.overwrite(&path(), write.offset, &write.bytes[..torn_at]);
            }
            images.push(image);
        }
    }
    images
}

#[test]
fn the_golden_bytes_of_the_epochs() {
    let record = EpochsRecord { sequence: 0x0102, epochs: epochs(0x0a0b_0c0d, 7) };
    let block = record.encode();
    let golden = [
        *b"RKEPOCHS",
        *b"\x01\0\0\0\x83\xe5\xc3\x59",
        *b"\x02\x01\0\0\0\0\0\0",
        *b"\x0d\x0c\x0b\x0a\x07\0\0\0",
    ];
    assert_eq!(block[..32], golden.concat());
    assert!(block[32..].iter().all(|byte| *byte == 0));
    assert_eq!(EpochsRecord::decode(&block), Ok(record));
    let content = holding(&[epochs(3, 2)]).content(&path()).unwrap();
    let record = EpochsRecord { sequence: 1, epochs: epochs(3, 2) };
    for offset in COPY_OFFSETS {
        assert!(content[offset as usize..][..BLOCK as usize] == record.encode()[..]);
    }
}

#[test]
fn the_current_epoch_is_never_above_the_promised_one() {
    assert_eq!(Epochs::new(Epoch(4), Epoch(5)), None);
    let held = epochs(5, 5);
    assert_eq!((held.promised(), held.current()), (Epoch(5), Epoch(5)));
    let above = EpochsRecord { sequence: 1, epochs: epochs(5, 5) };
    let mut block = above.encode();
    block[24] = 4;
    assert!(matches!(EpochsRecord::decode(&block), Err(CopyFault::Crc { .. })));
    let Err(CopyFault::Crc { expected, .. }) = EpochsRecord::decode(&block) else { panic!() };
    block[12..16].copy_from_slice(&expected.to_le_bytes());
    let fault = CopyFault::Order { promised: 4, current: 5 };
    assert_eq!(EpochsRecord::decode(&block), Err(fault));
}

#[test]
fn a_power_loss_at_any_step_of_storing_leaves_the_old_or_the_new_epochs() {
    let changes =
        [(epochs(3, 3), epochs(4, 3)), (epochs(4, 3), epochs(4, 4)), (epochs(4, 4), epochs(4, 4))];
    for (old, new) in changes {
        let before = holding(&[epochs(1, 0), old]);
        let (mut old_count, mut new_count) = (0, 0);
        for operation_count in 0.. {
            let disk = copy(&before);
            disk.lose_power_after(operation_count);
            let stored = block_on(store(&disk, directory(), new));
            for image in images(&disk) {
                let context = format!("{old:?} to {new:?}, {operation_count} operations");
                let found = read_back(&image, &context).expect(&context).epochs;
                assert!(found == old || found == new, "{context}: {found:?}");
                assert!(stored.is_err() || found == new, "{context}: stored, and forgotten");
                old_count += u32::from(found == old);
                new_count += u32::from(found == new);
            }
            match stored {
                Ok(()) => break,
                Err(EpochsError::Disk(error)) => assert_eq!(error.cause, Cause::PowerLost),
                Err(error) => panic!("{error}"),
            }
        }
        assert!(old_count > 10 && new_count > 10, "{old_count} {new_count}");
    }
}

#[test]
fn a_power_loss_at_any_step_of_creating_leaves_no_file_or_a_whole_one() {
    let (mut missing_count, mut whole_count) = (0, 0);
    for operation_count in 0.. {
        let disk = Simulated::new(2);
        disk.lose_power_after(operation_count);
        let created = block_on(create(&disk, directory(), epochs(2, 1)));
        for image in images(&disk) {
            let context = format!("{operation_count} operations");
            match read_back(&image, &context) {
                None => {
                    assert!(created.is_err(), "{context}");
                    missing_count += 1;
                    block_on(create(&image, directory(), epochs(2, 2))).unwrap();
                    let expected = Stored { epochs: epochs(2, 2), is_healed: false };
                    assert_eq!(read_back(&image, &context), Some(expected));
                }
                found => {
                    let expected = Stored { epochs: epochs(2, 1), is_healed: false };
                    assert_eq!(found, Some(expected), "{context}");
                    whole_count += 1;
                }
            }
        }
        if created.is_ok() {
            break;
        }
    }
    assert!(missing_count > 100 && whole_count > 0, "{missing_count} {whole_count}");
}

/// A process that is killed leaves writes that a power loss can still tear; the next one must not
/// have another copy in flight with them.
#[test]
fn a_power_loss_while_the_next_process_heals_loses_no_copy() {
    let (old, new) = (epochs(6, 5), epochs(7, 5));
    let before = holding(&[epochs(1, 0), old]);
    let mut healed_count = 0;
    for killed_after in 0..8 {
        for lost_after in 0..12 {
            let disk = copy(&before);
            disk.lose_power_after(killed_after);
            let is_stored = block_on(store(&disk, directory(), new)).is_ok();
            // Killed, not powered off: what was written can be read.
            disk.lose_power_after(lost_after);
            let is_read = block_on(read(&disk, directory()));
            let is_again = is_read.is_ok() && block_on(store(&disk, directory(), new)).is_ok();
            for image in images(&disk) {
                let context = format!("killed after {killed_after}, power lost after {lost_after}");
                let found = read_back(&image, &context).expect(&context);
                healed_count += u32::from(found.is_healed);
                assert!(found.epochs == old || found.epochs == new, "{context}");
                assert!(!(is_stored || is_again) || found.epochs == new, "{context}");
                if let Ok(Some(Stored { epochs, .. })) = is_read {
                    assert!(found.epochs == epochs || found.epochs == new, "{context}");
                }
            }
        }
    }
    assert!(healed_count > 100, "{healed_count}");
}

#[test]
fn a_copy_that_is_torn_at_any_byte_is_repaired() {
    let (old, new) = (epochs(8, 8), epochs(9, 8));
    let before = holding(&[epochs(1, 0), old]).content(&path()).unwrap();
    let after = holding(&[epochs(1, 0), old, new]);
    let new_block = &after.content(&path()).unwrap()[..BLOCK as usize];
    for (at, offset) in COPY_OFFSETS.into_iter().enumerate() {
        for torn_at in 0..=64 {
            let disk = holding(&[epochs(1, 0), old]);
            disk.overwrite(&path(), offset, &new_block[..torn_at]);
            let is_changed = disk.content(&path()).unwrap() != before;
            let context = format!("copy {at} torn at {torn_at}");
            let found = read_back(&disk, &context).expect(&context);
            // The last byte that differs is the lowest one of the promise.
            let expected = if torn_at > 24 { new } else { old };
            assert_eq!(found, Stored { epochs: expected, is_healed: is_changed }, "{context}");
        }
    }
}

#[test]
fn every_byte_changed_in_one_copy_is_healed() {
    let held = epochs(12, 11);
    let disk = holding(&[epochs(10, 10), held]);
    let whole = disk.content(&path()).unwrap();
    for at in 0..2 * BLOCK {
        for mask in [0xff, 1 << (at % 8)] {
            disk.flip(&path(), at, mask);
            let stored = block_on(read(&disk, directory()));
            assert_eq!(stored, Ok(Some(Stored { epochs: held, is_healed: true })), "byte {at}");
            assert!(disk.content(&path()).unwrap() == whole, "byte {at} is not what it was");
        }
    }
}

#[test]
fn the_higher_promise_wins_then_the_later_record() {
    let record =
        |sequence, promised, current| EpochsRecord { sequence, epochs: epochs(promised, current) };
    let pairs = [
        (record(5, 9, 2), record(6, 8, 3)),
        (record(6, 8, 3), record(5, 8, 2)),
        (record(6, 8, 3), record(6, 8, 2)),
    ];
    for (winner, loser) in pairs {
        for winner_at in 0..2 {
            let disk = holding(&[epochs(1, 1)]);
            disk.overwrite(&path(), COPY_OFFSETS[winner_at], &winner.encode());
            disk.overwrite(&path(), COPY_OFFSETS[1 - winner_at], &loser.encode());
            let expected = Stored { epochs: winner.epochs, is_healed: true };
            assert_eq!(read_back(&disk, "two valid copies"), Some(expected));
        }
    }
}

#[test]
fn storing_over_a_damaged_copy_never_risks_the_good_one() {
    let (old, new) = (epochs(3, 1), epochs(4, 1));
    for damaged in COPY_OFFSETS {
        let before = holding(&[epochs(1, 0), old]);
        before.flip(&path(), damaged + 20, 8);
        for operation_count in 0.. {
            let disk = copy(&before);
            disk.lose_power_after(operation_count);
            let stored = block_on(store(&disk, directory(), new));
            for image in images(&disk) {
                let found = read_back(&image, "a damaged copy").unwrap().epochs;
                assert!(found == new || (found == old && stored.is_err()), "{found:?}");
            }
            if stored.is_ok() {
                break;
            }
        }
    }
}

#[test]
fn both_copies_damaged_is_an_error_that_names_them_and_changes_nothing() {
    let disk = holding(&[epochs(1, 0), epochs(3, 1)]);
    disk.flip(&path(), 3, 0xff);
    disk.flip(&path(), BLOCK + 30, 2);
    let before = disk.content(&path());
    let error = block_on(read(&disk, directory())).unwrap_err();
    let EpochsError::Lost { path: named, faults } = &error else { panic!("{error}") };
    assert_eq!(*named, path());
    assert!(matches!(faults[0], CopyFault::Magic { .. }), "{error}");
    assert!(matches!(faults[1], CopyFault::Crc { .. }), "{error}");
    let said = error.to_string();
    let expected =
        ["/data/ringkeeper-1/epochs", "at offset 0: it begins", "at offset 4096: checksum 0x"];
    for part in expected {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(block_on(store(&disk, directory(), epochs(9, 1))), Err(error));
    assert_eq!(disk.content(&path()), before);
    // Only a new file ends it, whole or not at all.
    block_on(create(&disk, directory(), epochs(2, 0))).unwrap();
    let expected = Stored { epochs: epochs(2, 0), is_healed: false };
    assert_eq!(read_back(&disk, "created anew"), Some(expected));
}

#[test]
fn a_full_disk_can_promise() {
    let disk = holding(&[epochs(1, 0)]);
    disk.set_capacity(2 * BLOCK);
    block_on(store(&disk, directory(), epochs(2, 0))).unwrap();
    let expected = Stored { epochs: epochs(2, 0), is_healed: false };
    assert_eq!(read_back(&disk, "full"), Some(expected));
    // The file itself needs room, and its creation leaves nothing behind without it.
    let full = Simulated::new(3);
    full.set_capacity(2 * BLOCK - 1);
    let error = block_on(create(&full, directory(), epochs(1, 0))).unwrap_err();
    assert!(matches!(&error, EpochsError::Disk(error) if error.is_full()), "{error}");
    let full = Simulated::new(3);
    let cause = Cause::Errno(28);
    full.fail_next(Operation::Write, cause);
    block_on(create(&full, directory(), epochs(1, 0))).unwrap_err();
    assert_eq!(block_on(full.list(directory())).unwrap(), []);
}

#[test]
fn neither_epoch_is_lowered() {
    let (held, disk) = (epochs(5, 4), holding(&[epochs(5, 4)]));
    let before = disk.content(&path());
    for lower in [epochs(4, 4), epochs(6, 3)] {
        let refused = EpochsError::Lower { path: path(), stored: held, requested: lower };
        assert_eq!(block_on(store(&disk, directory(), lower)), Err(refused.clone()));
        assert_eq!(block_on(create(&disk, directory(), lower)), Err(refused));
    }
    assert_eq!(disk.content(&path()), before);
    block_on(create(&disk, directory(), epochs(5, 5))).unwrap();
    assert_eq!(read_back(&disk, "created").unwrap().epochs, epochs(5, 5));
}

#[test]
fn another_version_is_refused_and_left_as_it_is() {
    for offset in COPY_OFFSETS {
        let disk = holding(&[epochs(5, 4)]);
        let mut block = EpochsRecord { sequence: 9, epochs: epochs(7, 7) }.encode();
        block[8] = 2;
        let Err(CopyFault::Crc { expected, .. }) = EpochsRecord::decode(&block) else {
            panic!("the checksum covers the version")
        };
        block[12..16].copy_from_slice(&expected.to_le_bytes());
        disk.overwrite(&path(), offset, &block);
        let before = disk.content(&path());
        let refused = EpochsError::OtherVersion { path: path(), found: 2, known: 1 };
        assert_eq!(block_on(read(&disk, directory())), Err(refused.clone()));
        assert_eq!(block_on(store(&disk, directory(), epochs(8, 8))), Err(refused.clone()));
        assert_eq!(block_on(create(&disk, directory(), epochs(8, 8))), Err(refused));
        assert_eq!(disk.content(&path()), before);
    }
}

#[test]
fn a_copy_that_cannot_be_read_or_is_cut_off_is_replaced() {
    let held = epochs(5, 4);
    for offset in COPY_OFFSETS {
        let disk = holding(&[held]);
        disk.make_unreadable(&path(), offset);
        let stored = block_on(read(&disk, directory()));
        assert_eq!(stored, Ok(Some(Stored { epochs: held, is_healed: true })));
        disk.make_unreadable(&path(), BLOCK - offset);
        let error = block_on(read(&disk, directory())).unwrap_err();
        let EpochsError::Disk(error) = error else { panic!("{error}") };
        assert_eq!((&error.path, error.offset), (&path(), Some(0)));
    }
    for bytes in [BLOCK, BLOCK + 100, 100, 0] {
        let disk = holding(&[held]);
        let resized = async {
            let file = disk.open(&path(), OpenMode::Write).await?;
            disk.resize(&file, bytes).await
        };
        block_on(resized).unwrap();
        if bytes >= BLOCK {
            let expected = Stored { epochs: held, is_healed: true };
            assert_eq!(read_back(&disk, "cut off"), Some(expected));
        } else {
            let faults =
                [CopyFault::Short { found: bytes as usize }, CopyFault::Short { found: 0 }];
            let lost = EpochsError::Lost { path: path(), faults: Box::new(faults) };
            assert_eq!(block_on(read(&disk, directory())), Err(lost));
        }
    }
}

#[test]
fn a_log_and_its_epochs_share_a_directory() {
    let mut rig = Rig::new(7, config(Durability::Dsync, 2));
    (0..60).for_each(|_| rig.step());
    rig.settle(true);
    block_on(create(&rig.disk, directory(), epochs(2, 1))).unwrap();
    block_on(rig.disk.create(&directory().join(UNFINISHED_NAME), BLOCK)).unwrap();
    let used_last = rig.appender.segment_used_last();
    let run = run_start(used_last, rig.appender.durable_through());
    let segment_bytes = config(Durability::Dsync, 2).segment_bytes;
    block_on(segments::open_run(&rig.disk, directory(), run, segment_bytes, 5)).unwrap();
    assert_eq!(rig.disk.content(&directory().join(UNFINISHED_NAME)), None);
    assert_eq!(read_back(&rig.disk, "beside a log").unwrap().epochs, epochs(2, 1));
    let (found, txns) = super::rig::recover_after(&rig.disk, Zxid::ZERO).unwrap();
    assert_eq!((found.last, txns), (run.continues_from, rig.txns));
}

#[test]
fn real_files_hold_epochs_too() {
    let base = std::env::temp_dir().join(format!("ringkeeper-epochs-{}", std::process::id()));
    std::fs::create_dir_all(&base).unwrap();
    let background = Background::start(BackgroundConfig::new(base.clone())).unwrap();
    let log = base.join(segments::DIRECTORY);
    let file = log.join(FILE_NAME);
    let work = move |disk: std::rc::Rc<disk::Direct>| async move {
        assert_eq!(read(&*disk, &log).await, Ok(None));
        create(&*disk, &log, epochs(1, 0)).await.unwrap();
        store(&*disk, &log, epochs(3, 0)).await.unwrap();
        store(&*disk, &log, epochs(3, 3)).await.unwrap();
        let first = read(&*disk, &log).await;
        let mut bytes = std::fs::read(log.join(FILE_NAME)).unwrap();
        bytes[4100] ^= 1;
        std::fs::write(log.join(FILE_NAME), bytes).unwrap();
        (first, read(&*disk, &log).await)
    };
    let found = background.run(TaskQueue::Segments, work).unwrap().recv().unwrap();
    let expected = |is_healed| Ok(Some(Stored { epochs: epochs(3, 3), is_healed }));
    assert_eq!(found, (expected(false), expected(true)));
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.len() == 8192 && bytes[..4096] == bytes[4096..]);
    drop(background);
    std::fs::remove_dir_all(&base).unwrap();
}
