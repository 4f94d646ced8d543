use std::path::Path;
use std::rc::Rc;

use super::{Background, BackgroundConfig, BackgroundError, TaskQueue, memlock_suffices};
use crate::probe::tests::TempDirectory;
use crate::seam::{read_bytes, write_zeros};
use crate::{AlignedBuf, BLOCK_BYTES, Direct, Disk, DiskError, OpenMode};

/// One round through everything a disk can do.
async fn exercise(disk: Rc<Direct>, directory: &Path) -> Result<(), DiskError> {
    let below = directory.join("below");
    disk.create_directory(&below).await?;
    disk.create_directory(&below).await?;
    let (a, b) = (below.join("a"), below.join("b"));
    let file = disk.create(&a, 3 << 20).await?;
    write_zeros(&*disk, &file, 0, 3 << 20).await?;
    let mut content = AlignedBuf::zeroed(2 << 20);
    for (at, byte) in content.iter_mut().enumerate() {
        *byte = (at / BLOCK_BYTES) as u8;
    }
    let content = disk.write_at(&file, BLOCK_BYTES as u64, content).await?;
    disk.flush(&file).await?;
    disk.resize(&file, (3 << 20) + 100).await?;
    drop(file);
    disk.rename_durable(&a, &b).await?;
    let entries = disk.list(&below).await?;
    assert_eq!((entries.len(), &*entries[0].name, entries[0].bytes), (1, "b", (3 << 20) + 100));
    let file = disk.open(&b, OpenMode::Read).await?;
    let read = read_bytes(&*disk, &file, &b, BLOCK_BYTES as u64, 2 << 20).await?;
    assert!(read[..] == content[..]);
    // A file that ends inside a block ends the read there.
    let tail = disk.read_at(&file, 3 << 20, AlignedBuf::with_capacity(8192)).await?;
    assert_eq!(tail.len(), 100);
    assert!(read_bytes(&*disk, &file, &b, 3 << 20, 4096).await.is_err());
    disk.remove(&b).await?;
    assert!(disk.list(&below).await?.is_empty());
    assert!(disk.open(&b, OpenMode::Read).await.unwrap_err().is_missing());
    Ok(())
}

#[test]
fn real_files_do_what_the_seam_promises() {
    let directory = TempDirectory::new("background");
    let background = Background::start(BackgroundConfig::new(directory.path().to_owned())).unwrap();
    for queue in [TaskQueue::Snapshot, TaskQueue::Segments, TaskQueue::Purge] {
        let path = directory.path().to_owned();
        let result =
            background.run(queue, move |disk| async move { exercise(disk, &path).await }).unwrap();
        result.recv().unwrap().unwrap();
    }
    background.stop();
}

#[test]
fn the_buffered_mode_does_the_same() {
    let directory = TempDirectory::new("buffered");
    let background = Background::start(BackgroundConfig::new(directory.path().to_owned())).unwrap();
    let path = directory.path().to_owned();
    let result = background.run(TaskQueue::Snapshot, move |_| async move {
        exercise(Rc::new(Direct::buffered_for_test()), &path).await
    });
    result.unwrap().recv().unwrap().unwrap();
}

#[test]
fn stopping_waits_for_the_jobs_it_has() {
    let directory = TempDirectory::new("stop");
    let background = Background::start(BackgroundConfig::new(directory.path().to_owned())).unwrap();
    let results: Vec<_> = (0..20)
        .map(|number| {
            let path = directory.path().join(number.to_string());
            let work = move |disk: Rc<Direct>| async move {
                let file = disk.create(&path, 8192).await?;
                disk.flush(&file).await
            };
            background.run(TaskQueue::Segments, work).unwrap()
        })
        .collect();
    background.stop();
    for result in results {
        result.recv().unwrap().unwrap();
    }
}

#[test]
fn a_job_wakes_a_sleeping_executor() {
    let directory = TempDirectory::new("wake");
    let background = Background::start(BackgroundConfig::new(directory.path().to_owned())).unwrap();
    for number in 0..3 {
        // Long enough for the executor to go to sleep; correct whether it does or not.
        std::thread::sleep(std::time::Duration::from_millis(30));
        let answer = background.run(TaskQueue::Purge, move |_| async move { number }).unwrap();
        assert_eq!(answer.recv().unwrap(), number);
    }
}

#[test]
fn a_missing_directory_and_a_small_limit_are_reported() {
    let directory = TempDirectory::new("missing");
    let config = BackgroundConfig::new(directory.path().join("missing"));
    let error = Background::start(config).unwrap_err();
    assert!(matches!(&error, BackgroundError::Disk(error) if error.is_missing()), "{error}");
    let error = memlock_suffices(65536).unwrap_err();
    assert!(error.to_string().contains("65536 bytes, 524288 are needed"), "{error}");
}
