use crate::batch::{Batch, Chain};
use crate::tree::{Tree, TreeSeed, VersionNumber};
use model::response::EventKind;

/// This many version numbers, in order.
fn versions(count: usize) -> Vec<VersionNumber> {
    let mut tree = Tree::new(TreeSeed([1, 2]), ());
    (0..count).map(|_| tree.seal()).collect()
}

fn batch(chain: &mut Chain, version: VersionNumber) -> Batch {
    let mut batch = chain.empty_batch();
    assert!(batch.outcomes.is_empty() && batch.bodies.is_empty() && batch.paths.is_empty());
    batch.version = Some(version);
    batch.bodies.extend_from_slice(format!("{version:?}").as_bytes());
    batch
}

#[test]
fn cursors_stop_at_what_is_published() {
    let (mut chain, versions) = (Chain::default(), versions(4));
    let mut cursor = chain.cursor();
    assert!(cursor.step(versions[3]).is_none());
    for &version in &versions[..3] {
        let batch = batch(&mut chain, version);
        chain.link(batch);
    }
    assert_eq!(cursor.step(versions[1]).unwrap().version, Some(versions[0]));
    assert_eq!(cursor.step(versions[1]).unwrap().version, Some(versions[1]));
    assert!(cursor.step(versions[1]).is_none(), "the third one is not published");
    assert_eq!(cursor.step(versions[3]).unwrap().version, Some(versions[2]));
    assert!(cursor.step(versions[3]).is_none(), "there is no fourth one");
    let mut late = chain.cursor();
    assert!(late.step(versions[3]).is_none(), "a new cursor is behind what was linked");
}

#[test]
fn batches_are_reused_when_every_cursor_has_passed() {
    let (mut chain, versions) = (Chain::default(), versions(6));
    let (mut fast, mut slow) = (chain.cursor(), chain.cursor());
    for (at, &version) in versions[..5].iter().enumerate() {
        let batch = batch(&mut chain, version);
        chain.link(batch);
        fast.step(version).unwrap();
        assert_eq!(chain.backlog(), at + 1);
    }
    chain.reclaim();
    assert_eq!(chain.backlog(), 5, "the slow one has seen nothing");
    for &version in &versions[..3] {
        let seen = slow.step(versions[5]).unwrap();
        assert_eq!(
            (seen.version, &seen.bodies[..]),
            (Some(version), format!("{version:?}").as_bytes())
        );
    }
    chain.reclaim();
    // The link that a cursor is on stays: it leads to the next one.
    assert_eq!(chain.backlog(), 2);
    drop(slow);
    chain.reclaim();
    assert_eq!(chain.backlog(), 0);
    assert!(batch(&mut chain, versions[5]).bodies.capacity() >= 8);
}

#[test]
fn a_long_chain_is_dropped_without_a_deep_stack() {
    let (mut chain, versions) = (Chain::default(), versions(50_000));
    let cursor = chain.cursor();
    for &version in &versions {
        chain.link(Batch { version: Some(version), ..Batch::default() });
    }
    drop(chain);
    drop(cursor);
}

#[test]
fn batches_roll_back() {
    let mut batch = Batch::default();
    batch.bodies.extend_from_slice(b"first");
    batch.put_event(EventKind::Created, b"/a", 0);
    let mark = batch.mark();
    batch.bodies.extend_from_slice(b"second");
    batch.put_event(EventKind::Deleted, b"/b", 3);
    assert_eq!(batch.path(&batch.events[1]), b"/b");
    batch.roll_back(mark);
    assert_eq!((mark.bodies(), mark.events()), (5, 1));
    assert_eq!(
        (&batch.bodies[..], batch.events.len(), &batch.paths[..]),
        (&b"first"[..], 1, &b"/a"[..])
    );
}
