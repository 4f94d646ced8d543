//! Power losses and full disks: the directory holds the old snapshot or the new one, never a wrong
//! one.

use super::*;
use disk::simulated::{Faults, Seed};

/// How many operations writing `plain` takes.
fn operation_count(disk: &Simulated, plain: &Plain) -> u64 {
    let counting = disk::Counting::new(disk.crash(|_| disk::simulated::Fate::Kept));
    block_on(write_plain(&counting, plain)).unwrap();
    let counts = counting.counts();
    counts.name_count + counts.read_count + counts.write_count + counts.flush_count
}

struct Images(Image);

impl ImageSink for Images {
    fn begin(&mut self, contents: &Contents) {
        let (head, sessions) = (contents.head, contents.sessions.clone());
        self.0 = Image { head, sessions, records: Vec::new() };
    }

    fn push(&mut self, unit: Unit) -> Result<(), Refused> {
        for run in &unit.runs {
            let mut at = run.start;
            while at < run.end {
                let record = NodeRecord::parse(&unit.memory.as_ref()[at..run.end]).unwrap();
                self.0.records.push((without_acl(record), Vec::new()));
                at += record.archive_bytes();
            }
        }
        Ok(())
    }
}

fn assert_old_or_new(disk: &Simulated, old: &Plain, new: &Plain) -> Zxid {
    let mut sink = Images(Image::default());
    let newest = block_on(load_newest(disk, directory(), &mut sink)).unwrap();
    let Newest::Loaded(contents) = newest else { panic!("{newest:?}") };
    let plain = if contents.head.zxid == new.zxid { new } else { old };
    let mut expected = Image::of(plain);
    expected.records.iter_mut().for_each(|(_, list)| list.clear());
    assert!(sink.0 == expected);
    contents.head.zxid
}

#[test]
fn a_power_loss_leaves_the_old_or_the_new() {
    let old = Plain::sample(50, 50, 5);
    let new = Plain::sample(6000, 100, 9);
    let (base, _) = disk_with(&old);
    let count = operation_count(&base, &new);
    assert!(count > 8, "several chunks");
    let mut seed = Seed::new(3);
    let mut seen = Vec::new();
    for operations in 0..=count {
        for _ in 0..4 {
            let disk = base.crash(|_| disk::simulated::Fate::Kept);
            disk.lose_power_after(operations);
            let written = block_on(write_plain(&disk, &new));
            let after = disk.crash_by(&mut seed);
            let zxid = assert_old_or_new(&after, &old, &new);
            assert!(written.is_err() || zxid == new.zxid, "what returned is durable");
            seen.push(zxid);
            // The next start removes what is left, and writing it again works.
            block_on(async {
                remove_unfinished(&after, directory()).await.unwrap();
                let left = after.list(directory()).await.unwrap();
                assert_eq!(left.len(), if zxid == new.zxid { 2 } else { 1 });
                write_plain(&after, &new).await.unwrap();
            });
            assert_eq!(assert_old_or_new(&after, &old, &new), new.zxid);
        }
    }
    assert!(seen.contains(&old.zxid) && seen.contains(&new.zxid));
}

#[test]
fn writing_the_same_zxid_again_leaves_one_of_them() {
    let old = Plain::sample(40, 50, 5);
    let new = Plain { zxid: Zxid(5), ..Plain::sample(6000, 100, 6) };
    let (base, _) = disk_with(&old);
    let mut seed = Seed::new(4);
    for operations in 0..=operation_count(&base, &new) {
        let disk = base.crash(|_| disk::simulated::Fate::Kept);
        disk.lose_power_after(operations);
        let _ = block_on(write_plain(&disk, &new));
        let after = disk.crash_by(&mut seed);
        let image = block_on(load(&after, Zxid(5))).unwrap();
        assert!(image == Image::of(&old) || image == Image::of(&new));
    }
}

#[test]
fn a_full_disk_is_reported_and_leaves_nothing() {
    let plain = Plain::sample(20_000, 100, 9);
    let (_, written) = disk_with(&plain);
    let disk = Simulated::new(1);
    block_on(async {
        disk.create_directory(directory()).await.unwrap();
        for bytes in (0..written.bytes).step_by(4096 * 40) {
            disk.set_capacity(bytes);
            let error = write_plain(&disk, &plain).await.unwrap_err();
            assert!(matches!(error, WriteError::Full(_)), "{error}");
            assert!(disk.list(directory()).await.unwrap().is_empty());
        }
        // A tree larger than it states runs out of room while writing.
        disk.set_capacity(written.bytes - 4096);
        let head = SnapshotHead { data_bytes: 0, ..plain.head() };
        let pace = async |_| ControlFlow::Continue(());
        let error = write(&disk, directory(), &head, "", &mut plain.clone(), pace).await;
        assert!(matches!(error, Err(WriteError::Full(_))));
        assert!(disk.list(directory()).await.unwrap().is_empty());
        disk.set_capacity(written.bytes);
        write_plain(&disk, &plain).await.unwrap();
    });
    assert!(block_on(load(&disk, plain.zxid)).unwrap() == Image::of(&plain));
}

#[test]
fn a_reservation_that_was_too_large_is_given_back() {
    let plain = Plain::sample(10, 10, 9);
    let disk = Simulated::new(1);
    let head = SnapshotHead { data_bytes: 9 << 20, ..plain.head() };
    block_on(async {
        disk.create_directory(directory()).await.unwrap();
        let pace = async |_| ControlFlow::Continue(());
        let written = write(&disk, directory(), &head, "", &mut plain.clone(), pace).await.unwrap();
        assert_eq!(disk.content(&written.path).unwrap().len() as u64, written.bytes);
        assert!(written.bytes < 1 << 20);
        load(&disk, plain.zxid).await.unwrap();
    });
}

#[test]
fn failing_calls_never_make_a_wrong_tree() {
    let old = Plain::sample(50, 50, 5);
    let new = Plain::sample(6000, 100, 9);
    for round in 0..60 {
        let (disk, _) = disk_with(&old);
        disk.set_faults(Faults { fail_one_in: 12 + round % 12, ..Faults::none() });
        let written = block_on(write_plain(&disk, &new));
        let after = disk.crash_by(&mut Seed::new(round.into()));
        let zxid = assert_old_or_new(&after, &old, &new);
        assert!(written.is_err() || zxid == new.zxid);
    }
}
