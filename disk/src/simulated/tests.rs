use std::path::Path;

use super::{Fate, Faults, Simulated};
use crate::error::{Cause, Operation};
use crate::seam::{Disk, block_on, write_zeros};
use crate::{AlignedBuf, BLOCK_BYTES, OpenMode};

const A: &str = "/log/a";

fn block(byte: u8) -> AlignedBuf {
    AlignedBuf::from_bytes(&[byte; BLOCK_BYTES])
}

#[test]
fn a_crash_keeps_what_was_flushed() {
    let disk = Simulated::new(1);
    block_on(async {
        let file = disk.create(A.as_ref(), 2 * BLOCK_BYTES as u64).await.unwrap();
        disk.write_at(&file, 0, block(1)).await.unwrap();
        disk.flush(&file).await.unwrap();
        disk.write_at(&file, BLOCK_BYTES as u64, block(2)).await.unwrap();
    });
    assert_eq!(disk.pending().len(), 1);
    let dropped = disk.crash(|_| Fate::Dropped).content(A.as_ref()).unwrap();
    assert_eq!((dropped[0], dropped[BLOCK_BYTES]), (1, 0));
    let kept = disk.crash(|_| Fate::Kept).content(A.as_ref()).unwrap();
    assert_eq!((kept[0], kept[BLOCK_BYTES]), (1, 2));
    let torn = disk.crash(|_| Fate::Torn(vec![false, true])).content(A.as_ref()).unwrap();
    assert_eq!((torn[BLOCK_BYTES], torn[BLOCK_BYTES + 512], torn[BLOCK_BYTES + 1024]), (0, 2, 0));
}

#[test]
fn the_first_error_is_final() {
    let disk = Simulated::new(1);
    block_on(async {
        let file = disk.create(A.as_ref(), BLOCK_BYTES as u64).await.unwrap();
        disk.fail_next(Operation::Flush, Cause::Errno(5));
        let first = disk.flush(&file).await.unwrap_err();
        assert_eq!(first.cause, Cause::Errno(5));
        assert_eq!(disk.flush(&file).await.unwrap_err(), first);
        assert_eq!(disk.write_at(&file, 0, block(1)).await.unwrap_err(), first);
        // Another file has another latch.
        let again = disk.open(A.as_ref(), OpenMode::Write).await.unwrap();
        disk.flush(&again).await.unwrap();
    });
}

#[test]
fn a_full_disk_is_reported_by_create() {
    let disk = Simulated::new(1);
    disk.set_capacity(3 * BLOCK_BYTES as u64);
    block_on(async {
        disk.create(A.as_ref(), 2 * BLOCK_BYTES as u64).await.unwrap();
        let error = disk.create("/log/b".as_ref(), 2 * BLOCK_BYTES as u64).await.unwrap_err();
        assert!(error.is_full(), "{error}");
        disk.remove(A.as_ref()).await.unwrap();
        disk.create("/log/b".as_ref(), 2 * BLOCK_BYTES as u64).await.unwrap();
    });
}

#[test]
fn nothing_works_after_the_power_is_lost() {
    let disk = Simulated::new(1);
    disk.lose_power_after(1);
    block_on(async {
        disk.create_directory("/log".as_ref()).await.unwrap();
        let error = disk.list("/log".as_ref()).await.unwrap_err();
        assert_eq!(error.cause, Cause::PowerLost);
        assert!(disk.crash(|_| Fate::Kept).list("/log".as_ref()).await.unwrap().is_empty());
    });
}

#[test]
fn a_lying_flush_leaves_the_write_pending() {
    let disk = Simulated::new(1);
    disk.set_faults(Faults { lie_one_in: 1, ..Faults::none() });
    block_on(async {
        let file = disk.create(A.as_ref(), BLOCK_BYTES as u64).await.unwrap();
        disk.write_at(&file, 0, block(1)).await.unwrap();
        disk.flush(&file).await.unwrap();
    });
    assert_eq!(disk.pending().len(), 1);
}

#[test]
fn names_and_lengths_are_durable_at_once() {
    let disk = Simulated::new(1);
    block_on(async {
        let file = disk.create(A.as_ref(), 0).await.unwrap();
        write_zeros(&disk, &file, 0, 3 << 20).await.unwrap();
        disk.rename_durable(A.as_ref(), "/log/b".as_ref()).await.unwrap();
        disk.resize(&file, 5).await.unwrap();
        let after = disk.crash(|_| Fate::Dropped);
        assert!(after.open(A.as_ref(), OpenMode::Read).await.unwrap_err().is_missing());
        let entries = after.list(Path::new("/log")).await.unwrap();
        assert_eq!((entries.len(), &*entries[0].name, entries[0].bytes), (1, "b", 5));
    });
}

#[test]
fn a_misdirected_write_lies_elsewhere_and_a_torn_one_in_part() {
    let disk = Simulated::new(3);
    let path: &Path = A.as_ref();
    let bytes = |byte| {
        disk.content(path)
            .unwrap()
            .into_iter()
            .map(|found| usize::from(found == byte))
            .sum::<usize>()
    };
    block_on(async {
        let file = disk.create(path, 64 * BLOCK_BYTES as u64).await.unwrap();
        disk.set_faults(Faults { misdirect_one_in: 1, ..Faults::none() });
        disk.write_at(&file, 0, block(1)).await.unwrap();
        assert_eq!((disk.content(path).unwrap()[0], bytes(1)), (0, BLOCK_BYTES));
        disk.set_faults(Faults { tear_one_in: 1, ..Faults::none() });
        let blocks = AlignedBuf::from_bytes(&[2; 4 * BLOCK_BYTES]);
        disk.write_at(&file, 0, blocks).await.unwrap();
        assert!(bytes(2) > 0 && bytes(2) < 4 * BLOCK_BYTES && bytes(2).is_multiple_of(512));
    });
    assert!(disk.pending().is_empty(), "the medium has what it has");
}

#[test]
fn a_garbled_read_flips_a_bit_and_leaves_the_medium_alone() {
    let disk = Simulated::new(4);
    block_on(async {
        let file = disk.create(A.as_ref(), BLOCK_BYTES as u64).await.unwrap();
        disk.set_faults(Faults { garble_one_in: 1, delay_one_in: 1, ..Faults::none() });
        let read = disk.read_at(&file, 0, AlignedBuf::with_capacity(BLOCK_BYTES)).await.unwrap();
        assert_eq!(read.iter().map(|byte| byte.count_ones()).sum::<u32>(), 1);
        disk.set_faults(Faults::none());
        let read = disk.read_at(&file, 0, AlignedBuf::with_capacity(BLOCK_BYTES)).await.unwrap();
        assert!(read.iter().all(|byte| *byte == 0));
    });
}

#[test]
fn an_error_says_where() {
    let disk = Simulated::new(5);
    block_on(async {
        let file = disk.create(A.as_ref(), 4 * BLOCK_BYTES as u64).await.unwrap();
        disk.fail_next(Operation::Read, Cause::Errno(5));
        let into = AlignedBuf::with_capacity(BLOCK_BYTES);
        let error = disk.read_at(&file, 8192, into).await.unwrap_err().to_string();
        assert!(error.starts_with("reading of /log/a at offset 8192 failed: "), "{error}");
        disk.set_faults(Faults { full_one_in: 1, ..Faults::none() });
        let error = disk.write_at(&file, 4096, block(1)).await.unwrap_err();
        assert!(error.is_full() && error.offset == Some(4096), "{error}");
    });
}
