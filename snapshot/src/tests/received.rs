//! Received snapshots: beside the others until they are adopted, whatever interrupts that.

use super::*;
use crate::received::{adopt, find, remove_others};
use disk::simulated::{Fate, Seed};

const EPOCH: Epoch = Epoch(0x1f);

async fn receive<D: Disk>(disk: &D, plain: &Plain, epoch: Epoch) -> Result<Written, WriteError> {
    let pace = async |_| ControlFlow::Continue(());
    let source = &mut plain.clone();
    write_received(disk, directory(), &plain.head(), epoch, "a test", source, pace).await
}

fn names(disk: &Simulated) -> Vec<String> {
    let entries = block_on(disk.list(directory())).unwrap();
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn a_received_snapshot_is_none_before_it_is_adopted() {
    let (disk, _) = disk_with(&Plain::sample(4, 10, 5));
    block_on(async {
        // Of a zxid that is there as well.
        let new = Plain::sample(9, 10, 5);
        let written = receive(&disk, &new, EPOCH).await.unwrap();
        assert_eq!(written.path, directory().join("received.5.1f"));
        assert_eq!(list(&disk, directory()).await.unwrap().len(), 1);
        assert!(load(&disk, Zxid(5)).await.unwrap() == Image::of(&Plain::sample(4, 10, 5)));
        for (zxid, epoch) in [(Zxid(5), Epoch(0x1e)), (Zxid(4), EPOCH)] {
            assert_eq!(find(&disk, directory(), zxid, epoch).await, Ok(None));
            assert_eq!(adopt(&disk, directory(), zxid, epoch).await, Ok(false));
        }
        let found = find(&disk, directory(), Zxid(5), EPOCH).await.unwrap().unwrap();
        assert_eq!((found.path, found.bytes), (written.path, written.bytes));
        assert_eq!(adopt(&disk, directory(), Zxid(5), EPOCH).await, Ok(true));
        assert_eq!(adopt(&disk, directory(), Zxid(5), EPOCH).await, Ok(false));
        assert_eq!(names(&disk), ["snapshot.5"]);
        assert!(load(&disk, Zxid(5)).await.unwrap() == Image::of(&new));
    });
}

#[test]
fn a_power_loss_while_it_is_adopted_leaves_it_the_one_that_counts() {
    let (disk, _) = disk_with(&Plain::sample(4, 10, 5));
    let new = Plain::sample(30, 10, 7);
    block_on(async {
        for zxid in [6, 9] {
            write_plain(&disk, &Plain::sample(4, 10, zxid)).await.unwrap();
        }
        receive(&disk, &new, EPOCH).await.unwrap();
    });
    let mut seed = Seed::new(2);
    for operation_count in 0.. {
        let copy = disk.crash(|_| Fate::Kept);
        copy.lose_power_after(operation_count);
        let adopted = block_on(adopt(&copy, directory(), Zxid(7), EPOCH));
        let image = copy.crash_by(&mut seed);
        let is_there = block_on(find(&image, directory(), Zxid(7), EPOCH)).unwrap().is_some();
        assert!(is_there || names(&image) == ["snapshot.7"], "{:?}", names(&image));
        // The next attempt completes it.
        assert_eq!(block_on(adopt(&image, directory(), Zxid(7), EPOCH)), Ok(is_there));
        assert_eq!(names(&image), ["snapshot.7"]);
        assert!(block_on(load(&image, Zxid(7))).unwrap() == Image::of(&new));
        if adopted.is_ok() {
            assert!(!is_there && operation_count > 3);
            break;
        }
    }
}

#[test]
fn those_that_do_not_count_are_removed_and_nothing_else() {
    let (disk, _) = disk_with(&Plain::sample(4, 10, 5));
    let others = ["received", "received.5", "received.05.1", "received.5.1.", "received.5.g", "x"];
    block_on(async {
        for name in others.iter().chain(&["received.8.2.tmp"]) {
            disk.create(&directory().join(name), 0).await.unwrap();
        }
        for (zxid, epoch) in [(7, 3), (7, 2), (6, 3)] {
            receive(&disk, &Plain::sample(4, 10, zxid), Epoch(epoch)).await.unwrap();
        }
        let kept = Some((Zxid(7), Epoch(3)));
        assert_eq!(remove_others(&disk, directory(), kept).await, Ok(3));
        assert!(find(&disk, directory(), Zxid(7), Epoch(3)).await.unwrap().is_some());
        assert_eq!(remove_others(&disk, directory(), None).await, Ok(1));
    });
    assert_eq!(names(&disk).len(), others.len() + 1);
}
