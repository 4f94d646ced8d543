//! Which snapshot is loaded, and which are kept.

use super::*;
use crate::directory::{name_of, zxid_of};
use disk::{Cause, Operation};

/// Accepts every unit but the one that begins with this record of a snapshot.
#[derive(Default)]
struct Sink {
    begun: Vec<Zxid>,
    unit_count: usize,
    refuses: Option<Zxid>,
}

impl ImageSink for Sink {
    fn begin(&mut self, contents: &Contents) {
        self.begun.push(contents.head.zxid);
        self.unit_count = 0;
    }

    fn push(&mut self, unit: Unit) -> Result<(), Refused> {
        self.unit_count += 1;
        if self.refuses.is_some() && self.refuses == self.begun.last().copied() {
            return Err(Refused::at(&unit.origins, unit.runs[0].start));
        }
        Ok(())
    }
}

fn disk_with_all(zxids: &[i64]) -> Simulated {
    let (disk, _) = disk_with(&Plain::sample(9000, 100, zxids[0]));
    for zxid in &zxids[1..] {
        block_on(write_plain(&disk, &Plain::sample(9000, 100, *zxid))).unwrap();
    }
    disk
}

fn flip(disk: &Simulated, zxid: i64, offset: u64) {
    disk.flip(&directory::path_of(directory(), Zxid(zxid)), offset, 1);
}

#[test]
fn names_are_stocks() {
    assert_eq!(name_of(Zxid(0x1_0000_00af)), "snapshot.1000000af");
    assert_eq!(zxid_of("snapshot.1000000af"), Some(Zxid(0x1_0000_00af)));
    assert_eq!(zxid_of("snapshot.0"), Some(Zxid::ZERO));
    for name in
        ["snapshot.", "snapshot.01", "snapshot.AF", "snapshot.+1", "snapshot.1.tmp", "log.1"]
    {
        assert_eq!(zxid_of(name), None, "{name}");
    }
}

#[test]
fn the_newest_is_loaded() {
    let disk = disk_with_all(&[5, 0x10, 9]);
    let mut sink = Sink::default();
    let newest = block_on(load_newest(&disk, directory(), &mut sink)).unwrap();
    assert!(matches!(newest, Newest::Loaded(contents) if contents.head.zxid == Zxid(0x10)));
    assert!(sink.begun == [Zxid(0x10)] && sink.unit_count > 0);
    let nowhere = "/nowhere".as_ref();
    let none = block_on(load_newest(&Simulated::new(1), nowhere, &mut sink)).unwrap();
    assert_eq!(none, Newest::None);
}

#[test]
fn damage_is_reported_and_an_older_one_is_loaded() {
    let disk = disk_with_all(&[5, 7, 9]);
    flip(&disk, 9, 1 << 20);
    flip(&disk, 7, 3);
    let mut sink = Sink::default();
    let newest = block_on(load_newest(&disk, directory(), &mut sink)).unwrap();
    let Newest::Older { contents, damaged } = newest else { panic!("{newest:?}") };
    assert_eq!(contents.head.zxid, Zxid(5));
    assert_eq!(sink.begun, [Zxid(9), Zxid(5)]);
    assert!(matches!(&damaged[0], LoadError::Corrupt { part: Part::Chunk(_), .. }));
    assert!(matches!(&damaged[1], LoadError::NotASnapshot { .. }));
    flip(&disk, 5, 4096);
    let newest = block_on(load_newest(&disk, directory(), &mut sink)).unwrap();
    assert!(matches!(newest, Newest::Damaged(damaged) if damaged.len() == 3));
}

#[test]
fn unreadable_sectors_are_damage_and_a_refusal_too() {
    let disk = disk_with_all(&[5, 9]);
    disk.fail_next(Operation::Read, Cause::Errno(5));
    let newest = block_on(load_newest(&disk, directory(), &mut Sink::default())).unwrap();
    let Newest::Older { damaged, .. } = newest else { panic!("{newest:?}") };
    assert!(matches!(&damaged[..], [LoadError::Disk(_)]));
    disk.fail_next(Operation::Open, Cause::Errno(24));
    assert!(block_on(load_newest(&disk, directory(), &mut Sink::default())).is_err());
    let mut sink = Sink { refuses: Some(Zxid(9)), ..Sink::default() };
    let newest = block_on(load_newest(&disk, directory(), &mut sink)).unwrap();
    let Newest::Older { damaged, .. } = newest else { panic!("{newest:?}") };
    let refused = LoadError::Corrupt {
        file: directory::path_of(directory(), Zxid(9)),
        part: Part::Chunk(0),
        offset: 4096,
        fault: Fault::Refused,
    };
    assert_eq!(damaged, [refused]);
}

#[test]
fn a_purge_keeps_the_newest() {
    let disk = disk_with_all(&[5, 0x10, 9, 0xa]);
    let other = "/data/ringkeeper-1/snapshot.3.old";
    block_on(async {
        disk.create(other.as_ref(), 0).await.unwrap();
        disk.create("/data/ringkeeper-1/snapshot.b.tmp".as_ref(), 4096).await.unwrap();
        let purged = purge(&disk, directory(), 3).await.unwrap();
        assert_eq!(purged, Purged { removed: vec![Zxid(5)], oldest_kept: Some(Zxid(9)) });
        let purged = purge(&disk, directory(), 3).await.unwrap();
        assert_eq!(purged, Purged { removed: Vec::new(), oldest_kept: Some(Zxid(9)) });
        let purged = purge(&disk, directory(), 1).await.unwrap();
        let removed = vec![Zxid(9), Zxid(0xa)];
        assert_eq!(purged, Purged { removed, oldest_kept: Some(Zxid(0x10)) });
        assert_eq!(remove_unfinished(&disk, directory()).await.unwrap(), 1);
        let left = disk.list(directory()).await.unwrap();
        assert!(left.iter().map(|entry| &*entry.name).eq(["snapshot.10", "snapshot.3.old"]));
        let nowhere = purge(&Simulated::new(1), directory(), 3).await.unwrap();
        assert_eq!(nowhere, Purged::default());
    });
}
