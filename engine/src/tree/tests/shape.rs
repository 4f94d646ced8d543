use super::super::slab::{Advise, Slab};
use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn slab_gives_every_block_back() {
    let mut slab = Slab::new(None);
    let mut random = Random(3);
    let mut blocks: Vec<(std::ptr::NonNull<u8>, usize, u8)> = Vec::new();
    let steps = if cfg!(miri) { 400 } else { 200_000 };
    for step in 0..steps {
        if random.below(100) < if step < steps / 2 { 60 } else { 40 } {
            let size = match random.below(10) {
                0 => 8 + random.below(8000),
                1 => 8 + random.below(1500),
                _ => 8 + random.below(300),
            };
            let (at, byte) = (slab.alloc(size), random.next() as u8);
            // SAFETY: a fresh block of this size.
            unsafe { at.write_bytes(byte, size) };
            blocks.push((at, size, byte));
        } else if !blocks.is_empty() {
            let (at, size, byte) = blocks.swap_remove(random.below(blocks.len()));
            // SAFETY: written above.
            let bytes = unsafe { std::slice::from_raw_parts(at.as_ptr(), size) };
            assert!(bytes.iter().all(|&b| b == byte), "blocks overlap");
            // SAFETY: from this slab, with this size, and off the list.
            unsafe { slab.free(at, size) };
        }
    }
    assert!(slab.live_bytes() >= blocks.iter().map(|block| block.1).sum());
    for (at, size, _) in blocks {
        // SAFETY: as above.
        unsafe { slab.free(at, size) };
    }
    assert_eq!((slab.live_bytes(), slab.chunk_bytes()), (0, 0));
}

#[test]
fn index_is_small() {
    let mut tree = Tree::new(SEED, ());
    tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
    tree.create(&NewNode { path: b"/load", ..NewNode::default() });
    let count = if cfg!(miri) { 50 } else { 100_000 };
    let mut payload = 0;
    for number in 0..count {
        let path = format!("/load/node-{number:010}").into_bytes();
        let data = [7; 100];
        tree.create(&NewNode { path: &path, data: Some(&data), ..NewNode::default() });
        payload += 88 + path.len() + data.len();
    }
    let index = tree.memory().live_bytes - payload;
    assert!(index / count < 26, "{} bytes of index and rounding a node", index / count);
}

#[test]
fn an_empty_multi_and_an_empty_batch_change_nothing() {
    let mut tree = Tree::new(SEED, ());
    tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
    let digest = tree.digest();
    tree.begin_multi();
    tree.create(&NewNode { path: b"/a", ..NewNode::default() });
    tree.create(&NewNode { path: b"/a/b", ..NewNode::default() });
    tree.delete(b"/a/b", Zxid(1));
    tree.rollback_multi();
    tree.begin_multi();
    tree.commit_multi();
    let sealed = tree.seal();
    tree.publish(sealed);
    tree.rollback_to_published();
    assert_eq!((tree.digest(), tree.node_count()), (digest, 1));
    assert!(tree.lookup(b"/a").is_none());
    assert_eq!(tree.lookup(b"/").unwrap().stat_native().num_children, 0);
}

/// The digests of a short history, computed by stock's definition.
#[test]
fn system_nodes_are_exempt_from_the_digest() {
    let mut tree = Tree::new(SEED, ());
    tree.insert_root(&NewNode { path: b"/", data: Some(b""), ..NewNode::default() });
    tree.create(&NewNode { path: b"/zookeeper", data: Some(b""), ..NewNode::default() });
    let before = tree.digest();
    tree.create(&NewNode { path: b"/zookeeper/quota", data: Some(b""), ..NewNode::default() });
    // The child does not count, but its parent's counter of creates does.
    assert_ne!(tree.digest(), before);
    let before = tree.digest();
    tree.replace_data_quietly(b"/zookeeper/quota", Some(b"count=1"));
    assert_eq!(tree.digest(), before);
}

/// Counts what is returned, and overwrites it: nothing may rely on its content.
unsafe fn spoil(start: *mut u8, bytes: usize) {
    GIVEN_BACK.fetch_add(bytes, Ordering::Relaxed);
    // SAFETY: the slab passes its own memory that is not in use.
    unsafe { start.write_bytes(0xa5, bytes) };
}

static GIVEN_BACK: AtomicUsize = AtomicUsize::new(0);

/// Counts what is to have pages, and overwrites it: nothing in it may be in use.
fn spoil_ahead(start: *mut u8, bytes: usize) {
    AHEAD.fetch_add(bytes, Ordering::Relaxed);
    // SAFETY: the slab passes its own memory that is not in use.
    unsafe { start.write_bytes(0x5a, bytes) };
}

static AHEAD: AtomicUsize = AtomicUsize::new(0);

#[test]
#[cfg_attr(miri, ignore = "too many nodes")]
fn what_a_large_tree_has_left_goes_back_and_is_taken_again() {
    let advise = Advise { advise_huge: |_, _| (), give_back: spoil, populate: spoil_ahead };
    let mut tree = Tree::with_advise(TreeSeed([1, 2]), (), Some(advise));
    tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
    let path = |number: u32| format!("/{number:07}").into_bytes();
    let count = 200_000;
    let mut held = Vec::new();
    for _ in 0..3 {
        for number in 0..count {
            tree.create(&NewNode {
                path: &path(number),
                data: Some(&[7; 100]),
                ..Default::default()
            });
        }
        assert_eq!(tree.lookup(&path(count / 2)).unwrap().data(), Some(&[7; 100][..]));
        held.push(tree.memory().held_bytes);
        for number in 0..count {
            tree.delete(&path(number), Zxid(1));
        }
        let version = tree.seal();
        tree.publish(version);
        tree.reclaim(usize::MAX);
        let left = tree.memory().held_bytes;
        assert!(left < held[0] / 4, "{left} of {} bytes are still held", held[0]);
    }
    assert!(GIVEN_BACK.load(Ordering::Relaxed) > 2 * held[0], "thrice filled and emptied");
    assert!(held.iter().all(|now| *now <= held[0] + held[0] / 8), "{held:?}");
    let ahead = AHEAD.load(Ordering::Relaxed);
    assert!(ahead > held[0] / 2, "{ahead} of {} bytes had pages before they were used", held[0]);
}
