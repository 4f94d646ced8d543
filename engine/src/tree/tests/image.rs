use super::super::key::KeyHasher;
use super::*;

const NODES: usize = if cfg!(miri) { 60 } else { 5000 };
const UNIT: usize = if cfg!(miri) { 6000 } else { 60_000 };
/// One node in this many survives in the image.
const SURVIVOR: usize = 30;
/// The owner of a node with a time to live.
const TTL: i64 = 0xff << 56 | 0x4d;

fn sample(hasher: KeyHasher) -> (Tree<u64>, Plain) {
    let mut tree = Tree::with_hasher(hasher, 9);
    let mut random = Random(5);
    tree.insert_root(&NewNode { path: b"/", data: Some(b""), ..NewNode::default() });
    let mut paths = vec![b"/".to_vec()];
    for number in 0..NODES {
        let parent = &paths[random.below(paths.len().min(40))];
        let prefix: &[u8] = if parent == b"/" { b"" } else { parent };
        let path = [prefix, format!("/n{number}").as_bytes()].concat();
        let data = vec![1; if number % 50 == 0 { 3000 } else { random.below(150) }];
        let owner_raw = if number % 7 == 0 { TTL } else { 0 };
        let (path_, data) = (&path, Some(&data[..]));
        tree.create(&NewNode { path: path_, data, owner_raw, zxid: Zxid(3), ..NewNode::default() });
        paths.push(path);
    }
    let sealed = tree.seal();
    tree.publish(sealed);
    let mut plain = Plain { zxid: 3, meta: 9, ..Plain::default() };
    tree.pin().unwrap().view().records().for_each(|record| {
        plain.nodes.insert(record.path().to_vec(), node_of(record));
    });
    (tree, plain)
}

/// The tree as units, with bytes that are not records before and between the runs.
fn image(tree: &Tree<u64>) -> Vec<ImageUnit> {
    let pin = tree.pin().unwrap();
    let mut units = Vec::new();
    let (mut bytes, mut runs) = (vec![0xee; 16], Vec::new());
    let mut start = bytes.len();
    for record in pin.view().records() {
        record.append_archive(&mut bytes);
        if bytes.len() - start > UNIT / 3 {
            runs.push(start..bytes.len());
            bytes.extend_from_slice(&[0xee; 24]);
            start = bytes.len();
        }
        if bytes.len() > UNIT {
            runs.push(start..bytes.len());
            let memory = Box::new(std::mem::take(&mut bytes));
            units.push(ImageUnit { memory, runs: std::mem::take(&mut runs) });
            start = 0;
        }
    }
    runs.push(start..bytes.len());
    units.push(ImageUnit { memory: Box::new(bytes), runs });
    units
}

fn load(hasher: KeyHasher, units: Vec<ImageUnit>) -> Result<Tree<u64>, ImageError> {
    let mut builder = TreeBuilder::with_hasher(hasher, None);
    for unit in units {
        builder.push(unit, |_| ())?;
    }
    builder.finish(None, 9)
}

fn hashers() -> [KeyHasher; 4] {
    [!0, 0xc000_0002_0000_0001, 0xff00_03c0_0000_f00f, 0]
        .map(|mask| KeyHasher::with_mask(SEED, mask))
}

#[test]
fn images_are_trees() {
    for hasher in hashers() {
        let (tree, plain) = sample(hasher);
        let loaded = load(hasher, image(&tree)).unwrap();
        assert_equal(loaded.pin().unwrap().view(), &plain, &mut Random(1));
        // The same nodes in the same order, so the same form.
        assert!(loaded.memory().live_bytes <= tree.memory().live_bytes);
        let (mut one, mut other) = (Vec::new(), Vec::new());
        tree.pin().unwrap().view().records().for_each(|record| record.append_archive(&mut one));
        loaded.pin().unwrap().view().records().for_each(|record| record.append_archive(&mut other));
        if hasher.key(b"/a/b") != hasher.key(b"/b/a") {
            assert_eq!(one.len(), other.len());
        }
    }
}

#[test]
fn images_of_another_order_are_trees() {
    let (tree, plain) = sample(KeyHasher::new(TreeSeed([7, 7])));
    let loaded = load(KeyHasher::new(SEED), image(&tree)).unwrap();
    assert_equal(loaded.pin().unwrap().view(), &plain, &mut Random(1));
    assert_eq!(loaded.digest(), tree.digest());
}

#[test]
fn an_image_is_freed_when_it_is_mostly_dead() {
    let hasher = KeyHasher::new(SEED);
    let (original, mut plain) = sample(hasher);
    let mut tree = load(hasher, image(&original)).unwrap();
    let first = tree.pin().unwrap();
    let image_bytes = tree.memory().image_bytes;
    assert!(image_bytes > 0);
    let paths: Vec<_> = plain.nodes.keys().cloned().collect();
    for (at, path) in paths.iter().enumerate() {
        if at % SURVIVOR != 0 {
            tree.replace_data_quietly(path, Some(b"new"));
        }
        if at % 16 == 0 {
            let sealed = tree.seal();
            tree.publish(sealed);
            tree.reclaim(100);
        }
    }
    assert_equal(first.view(), &plain, &mut Random(1));
    assert_eq!(tree.memory().image_bytes, image_bytes, "pinned");
    drop(first);
    for (path, node) in &mut plain.nodes {
        if paths.binary_search(path).unwrap() % SURVIVOR != 0 {
            node.stat.data_length = 3;
            node.data = Some(b"new".to_vec());
        }
    }
    let mut rounds = 0;
    while tree.memory().image_bytes > 0 {
        let sealed = tree.seal();
        tree.publish(sealed);
        tree.reclaim(64);
        if rounds == 5 {
            tree.rollback_to_published();
        }
        rounds += 1;
        assert!(rounds < 1000, "the image is never freed");
    }
    assert_equal(tree.pin().unwrap().view(), &plain, &mut Random(1));
}

#[test]
fn bad_images_are_refused() {
    let hasher = KeyHasher::new(SEED);
    let (tree, _) = sample(hasher);
    let mut twice = Vec::new();
    let pin = tree.pin().unwrap();
    let record = pin.view().lookup(b"/").unwrap();
    record.append_archive(&mut twice);
    let offset = twice.len();
    record.append_archive(&mut twice);
    let units = |bytes: &Vec<u8>, end| {
        let run = std::iter::once(0..end).collect();
        vec![ImageUnit { memory: Box::new(bytes.clone()), runs: run }]
    };
    let fail = |units| load(hasher, units).err();
    let error = |offset, cause| Some(ImageError { unit: 0, offset, cause });
    let end = twice.len();
    assert_eq!(fail(units(&twice, end)), error(offset, ImageErrorCause::Duplicate));
    assert_eq!(fail(units(&twice, end + 1)), error(0, ImageErrorCause::Run));
    let short = fail(units(&twice, end - 1)).unwrap();
    assert!(matches!(short.cause, ImageErrorCause::Record(_)));
    let mut all = image(&tree);
    all.extend(image(&tree));
    assert_eq!(fail(all).unwrap().cause, ImageErrorCause::Duplicate);
    assert!(load(hasher, Vec::new()).unwrap().lookup(b"/").is_none());
}
