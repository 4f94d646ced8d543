use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

const NODES: u64 = if cfg!(miri) { 12 } else { 500 };
const BATCHES: u64 = if cfg!(miri) { 12 } else { 3000 };
const READERS: usize = 2;

fn path(number: u64) -> Vec<u8> {
    format!("/node-{number}").into_bytes()
}

/// Every node of a version holds the number in its meta: a change seen through a reader, or a
/// half-seen version, shows at once.
#[test]
fn readers_never_see_a_change() {
    let mut tree = Tree::new(SEED, 0u64);
    tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
    for number in 0..NODES {
        let data = Some(&b"0"[..]);
        tree.create(&NewNode { path: &path(number), data, zxid: Zxid(1), ..NewNode::default() });
    }
    let sealed = tree.seal();
    tree.publish(sealed);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for which in 0..READERS {
            let mut reader = tree.reader();
            let is_done = &is_done;
            scope.spawn(move || {
                let mut pins = Vec::new();
                let mut rounds = 0;
                while !is_done.load(Ordering::Relaxed) {
                    reader.refresh();
                    check(reader.view());
                    rounds += 1;
                    if rounds % 3 == which {
                        pins.extend(reader.pin());
                    }
                    if pins.len() > 3 {
                        check(pins.remove(rounds % 3).view());
                    }
                }
            });
        }
        for batch in 1..=BATCHES {
            change(&mut tree, batch);
            let sealed = tree.seal();
            tree.publish(sealed);
            tree.reclaim(2 * NODES as usize);
        }
        is_done.store(true, Ordering::Relaxed);
    });
    while tree.reclaim(1000) > 0 {}
    assert_eq!(tree.memory().version_count, 1);
}

/// Writes the batch's number everywhere, with a node that comes and goes.
fn change(tree: &mut Tree<u64>, batch: u64) {
    *tree.head_meta() = batch;
    let data = batch.to_string().into_bytes();
    for number in 0..NODES {
        tree.set_data(&path(number), Some(&data), batch as i32, Zxid(batch as i64), 0);
    }
    if batch.is_multiple_of(2) {
        let new = NewNode { path: b"/even", data: Some(&data), ..NewNode::default() };
        tree.create(&new);
    } else if batch > 1 {
        tree.delete(b"/even", Zxid(batch as i64));
    }
}

fn check(view: View<'_, u64>) {
    let batch = *view.meta();
    let expected = batch.to_string().into_bytes();
    let mut count = 0;
    view.children(b"/", |_| count += 1);
    assert_eq!(count, NODES + u64::from(batch > 0 && batch.is_multiple_of(2)));
    let paths: Vec<Vec<u8>> = (0..NODES).map(path).collect();
    let paths: Vec<&[u8]> = paths.iter().map(Vec::as_slice).collect();
    let mut found = vec![None; paths.len()];
    view.lookup_staged(&paths, &mut found);
    for record in found {
        assert_eq!(record.unwrap().data(), Some(&expected[..]));
    }
    assert_eq!(view.lookup(b"/even").is_some(), batch > 0 && batch.is_multiple_of(2));
}

#[test]
fn memory_outlives_the_writer() {
    let mut tree = Tree::new(SEED, 7u64);
    let data = vec![1; 10_000];
    tree.insert_root(&NewNode { path: b"/", data: Some(&data), ..NewNode::default() });
    let sealed = tree.seal();
    tree.publish(sealed);
    let (reader, pin) = (tree.reader(), tree.pin().unwrap());
    tree.replace_data_quietly(b"/", None);
    tree.seal();
    drop(tree);
    assert_eq!(reader.view().lookup(b"/").unwrap().data(), Some(&data[..]));
    drop(reader);
    assert_eq!(pin.view().lookup(b"/").unwrap().data(), Some(&data[..]));
    assert_eq!(*pin.view().meta(), 7);
}

#[test]
fn pins_are_bounded() {
    let tree = Tree::new(SEED, ());
    let pins: Vec<_> = (0..PINS_MAX).map(|_| tree.pin().unwrap()).collect();
    assert!(tree.pin().is_none());
    drop(pins);
    assert!(tree.pin().is_some());
}

#[test]
fn a_pin_keeps_what_it_sees_and_no_more() {
    let mut tree = Tree::new(SEED, ());
    tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
    let step = |tree: &mut Tree<()>, data: &[u8]| {
        tree.replace_data_quietly(b"/", Some(data));
        let sealed = tree.seal();
        tree.publish(sealed);
        while tree.reclaim(100) > 0 {}
    };
    step(&mut tree, &[0; 100]);
    let baseline = tree.memory().live_bytes;
    let pin = tree.pin().unwrap();
    for round in 0..50 {
        step(&mut tree, &[round; 100]);
    }
    assert_eq!(tree.memory().live_bytes, 2 * baseline);
    assert_eq!(tree.memory().version_count, 2);
    drop(pin);
    while tree.reclaim(1) > 0 {}
    assert_eq!(tree.memory().live_bytes, baseline);
}

#[test]
fn what_is_sealed_can_be_pinned_before_it_is_published() {
    let mut tree = Tree::new(SEED, ());
    tree.insert_root(&NewNode { path: b"/", data: Some(b"0"), ..NewNode::default() });
    let published = tree.seal();
    tree.publish(published);
    tree.replace_data_quietly(b"/", Some(b"1"));
    let sealed = tree.seal();
    tree.replace_data_quietly(b"/", Some(b"2"));
    tree.seal();
    let data = |pin: &Pin<()>| pin.view().lookup(b"/").unwrap().data().unwrap().to_vec();
    let early = tree.pin_sealed(published).unwrap();
    assert!(!tree.is_head_pinned());
    let pin = tree.pin_sealed(sealed).unwrap();
    assert!(tree.is_head_pinned());
    while tree.reclaim(100) > 0 {}
    assert_eq!((data(&early), data(&pin)), (b"0".to_vec(), b"1".to_vec()));
    drop(pin);
    assert!(!tree.is_head_pinned());
    tree.rollback_to_published();
    assert_eq!(tree.lookup(b"/").unwrap().data(), Some(&b"0"[..]));
    assert_eq!(data(&early), b"0");
}

#[test]
fn walks_of_pins_are_resumed() {
    let mut tree = Tree::new(SEED, ());
    tree.insert_root(&NewNode { path: b"/", ..NewNode::default() });
    tree.create(&NewNode { path: b"/a", ..NewNode::default() });
    for number in 0..100 {
        let path = format!("/a/{number}").into_bytes();
        tree.create(&NewNode { path: &path, ..NewNode::default() });
    }
    let sealed = tree.seal();
    tree.publish(sealed);
    let mut walk = tree.pin().unwrap().walk_children(b"/a");
    let mut all = tree.pin().unwrap().walk();
    tree.delete(b"/a/50", Zxid(9));
    let sealed = tree.seal();
    tree.publish(sealed);
    let mut count = 0;
    while walk.next_name().is_some() {
        tree.reclaim(10);
        count += 1;
    }
    assert_eq!(count, 100);
    let mut count = 0;
    while all.next_record().is_some() {
        count += 1;
    }
    assert_eq!(count, all.view().node_count());
}
