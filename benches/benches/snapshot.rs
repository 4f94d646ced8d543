//! Writing and loading snapshots through direct I/O: 100,000 and 1,000,000 nodes of 100 bytes.
//!
//! `cargo bench -p ringkeeper-benches --bench snapshot`. Times are per snapshot, rates of its
//! bytes. The files are in the system's temporary directory: use one on a disk to see the disk's
//! speed. `walk` visits all records of a pinned version and copies their archives, which is the CPU
//! cost of `write` besides checksums; `read` is the loader alone; `load` builds the tree on another
//! thread, as a start does.
//!
//! Target: a restart with 1.34 million nodes in 0.3 s, so a million in 0.22 s, or the disk's read
//! rate if that is lower; `load` should stay near `read`.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main};
use disk::{Background, BackgroundConfig, TaskQueue};
use engine::tree::{ImageUnit, NewNode, Pin, PinnedWalk, Tree, TreeBuilder, TreeSeed};
use model::record::NodeRecord;
use model::zxid::{Epoch, Zxid};
use snapshot::{Loader, Session, SnapshotHead, Source, Unit};

const SEED: [u64; 2] = [1, 2];
const ZXID: Zxid = Zxid(3);
const DATA_BYTES: usize = 100;
const CHILD_COUNT: usize = 1000;
/// Size of the buffer for copied archives, about a chunk of a snapshot.
const CHUNK_BYTES: usize = 1 << 20;

struct Walk(PinnedWalk<()>);

impl Source for Walk {
    fn next_record(&mut self) -> Option<NodeRecord<'_>> {
        self.0.next_record()
    }

    fn append_acl(&self, _: u32, _: &mut Vec<u8>) {}

    fn sessions(&self, _: &mut dyn FnMut(Session)) {}
}

fn tree_of(count: usize) -> Tree<()> {
    let mut tree = Tree::new(TreeSeed(SEED), ());
    tree.insert_root(&NewNode { path: b"/", data: Some(b""), ..NewNode::default() });
    let mut create = |path: &str| {
        let (path, data) = (path.as_bytes(), Some(&[7; DATA_BYTES][..]));
        tree.create(&NewNode { path, data, zxid: ZXID, ..NewNode::default() });
    };
    for number in 0..count {
        let parent = format!("/parent-{:06}", number / CHILD_COUNT);
        if number % CHILD_COUNT == 0 {
            create(&parent);
        }
        create(&format!("{parent}/child-{number:08}"));
    }
    let sealed = tree.seal();
    tree.publish(sealed);
    tree
}

fn head_of(pin: &Pin<()>) -> SnapshotHead {
    let view = pin.view();
    SnapshotHead {
        zxid: ZXID,
        epoch: Epoch(1),
        seed: SEED,
        node_count: view.node_count(),
        digest: view.digest(),
        data_bytes: view.data_bytes(),
    }
}

/// Copies all archives, a chunk at a time. Returns their bytes.
fn copy_archives(pin: Pin<()>) -> usize {
    let (mut walk, mut chunk, mut bytes) = (pin.walk(), Vec::with_capacity(2 * CHUNK_BYTES), 0);
    while let Some(record) = walk.next_record() {
        record.append_archive(&mut chunk);
        if chunk.len() >= CHUNK_BYTES {
            bytes += black_box(&chunk).len();
            chunk.clear();
        }
    }
    bytes + black_box(&chunk).len()
}

fn write(background: &Background, directory: &Path, pin: Pin<()>) -> u64 {
    let directory = directory.to_owned();
    let written = background.run(TaskQueue::Snapshot, move |disk| async move {
        let head = head_of(&pin);
        let pace = async |_| ControlFlow::Continue(());
        let source = &mut Walk(pin.walk());
        snapshot::write(&*disk, &directory, &head, "bench", source, pace).await
    });
    let written = written.expect("the background runs").recv().expect("it answers");
    written.expect("there is room").bytes
}

/// Reads the snapshot and drops each unit.
fn read(background: &Background, directory: &Path, mut each: impl FnMut(Unit)) {
    let directory = directory.to_owned();
    let (sender, units) = mpsc::channel();
    let done = background.run(TaskQueue::Snapshot, move |disk| async move {
        let mut loader = Loader::open(&*disk, &directory, ZXID).await?;
        while let Some(unit) = loader.next_unit().await? {
            let _ = sender.send(unit);
        }
        Ok::<(), snapshot::LoadError>(())
    });
    units.iter().for_each(&mut each);
    let done = done.expect("the background runs").recv().expect("it answers");
    done.expect("the snapshot is whole");
}

fn load(background: &Background, directory: &Path, digest: u64) -> Tree<()> {
    let mut builder = TreeBuilder::new(TreeSeed(SEED), None);
    read(background, directory, |unit| {
        let unit = ImageUnit { memory: Box::new(unit.memory), runs: unit.runs };
        builder.push(unit, |_| ()).expect("checked by the loader");
    });
    builder.finish(Some(digest), ()).expect("no path comes twice")
}

fn bench_count(
    group: &mut BenchmarkGroup<'_, WallTime>,
    background: &Background,
    at: &Path,
    count: usize,
) {
    let tree = tree_of(count);
    let pin = || tree.pin().expect("a place for a pin");
    let bytes = write(background, at, pin());
    group.throughput(Throughput::Bytes(bytes));
    group.bench_function(format!("walk/{count}"), |bencher| {
        bencher.iter(|| copy_archives(pin()));
    });
    group.bench_function(format!("write/{count}"), |bencher| {
        bencher.iter(|| write(background, at, pin()));
    });
    group.bench_function(format!("read/{count}"), |bencher| {
        bencher.iter(|| read(background, at, |unit| drop(black_box(unit))));
    });
    let digest = pin().view().digest();
    group.bench_function(format!("load/{count}"), |bencher| {
        bencher.iter_with_large_drop(|| load(background, at, digest));
    });
}

fn benches(criterion: &mut Criterion) {
    let directory: PathBuf =
        std::env::temp_dir().join(format!("ringkeeper-bench-snapshot-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory for the files");
    let background =
        Background::start(BackgroundConfig::new(directory.clone())).expect("the background starts");
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10).warm_up_time(Duration::from_millis(200));
    for count in [100_000, 1_000_000] {
        bench_count(&mut group, &background, &directory, count);
    }
    group.finish();
    background.stop();
    std::fs::remove_dir_all(&directory).expect("our own directory");
}

criterion_group!(snapshots, benches);
criterion_main!(snapshots);
