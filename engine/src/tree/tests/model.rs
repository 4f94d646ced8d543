use super::super::key::KeyHasher;
use super::*;
use std::collections::VecDeque;
use std::rc::Rc;

/// A tree, what it should be, and all its users.
struct World {
    tree: Tree<u64>,
    head: Plain,
    before_multi: Option<Plain>,
    unpublished: VecDeque<(VersionNumber, Rc<Plain>)>,
    history: BTreeMap<VersionNumber, Rc<Plain>>,
    readers: Vec<TreeReader<u64>>,
    pins: Vec<(Pin<u64>, Rc<Plain>)>,
    random: Random,
    baseline: usize,
}

impl World {
    fn new(hasher: KeyHasher, seed: u64) -> Self {
        let mut tree = Tree::with_hasher(hasher, 0);
        tree.insert_root(&NewNode { path: b"/", data: Some(b""), ..NewNode::default() });
        let sealed = tree.seal();
        tree.publish(sealed);
        while tree.reclaim(100) > 0 {}
        let mut head = Plain::default();
        head.nodes.insert(b"/".to_vec(), node_of(tree.lookup(b"/").unwrap()));
        let readers = (0..3).map(|_| tree.reader()).collect();
        let baseline = tree.memory().live_bytes;
        let mut world = Self {
            tree,
            head,
            before_multi: None,
            unpublished: VecDeque::new(),
            history: BTreeMap::new(),
            readers,
            pins: Vec::new(),
            random: Random(seed),
            baseline,
        };
        world.history.insert(sealed, Rc::new(world.head.clone()));
        world
    }

    fn some_path(&mut self) -> Vec<u8> {
        let at = self.random.below(self.head.nodes.len());
        self.head.nodes.keys().nth(at).unwrap().clone()
    }

    fn some_data(&mut self) -> Option<Vec<u8>> {
        let byte = self.random.next() as u8;
        let len = match self.random.below(20) {
            0 => return None,
            1 => 0,
            2 => 1000 + self.random.below(50),
            3 => 1025 + self.random.below(6000),
            4..10 => 100,
            _ => self.random.below(200),
        };
        Some(vec![byte; len])
    }

    fn create(&mut self) {
        let parent = self.some_path();
        let name_len = self.random.below(12) + 1;
        let name: Vec<u8> = (0..name_len).map(|_| b'a' + self.random.below(3) as u8).collect();
        let prefix: &[u8] = if parent == b"/" { b"" } else { &parent };
        let path = [prefix, b"/", &name].concat();
        if self.head.nodes.contains_key(&path) {
            return;
        }
        self.head.zxid += 1;
        let zxid = self.head.zxid;
        let owner_raw = match self.random.below(6) {
            0 => i64::MIN,
            1 => 0xff << 56 | 0x1388,
            2 => 0x1000_0000_0001,
            _ => 0,
        };
        let ephemeral_owner = if owner_raw == 0x1000_0000_0001 { owner_raw } else { 0 };
        let data = self.some_data();
        let acl = self.random.below(5) as u32;
        let parent_cversion = if self.random.below(10) == 0 {
            self.head.nodes[&parent].stored_cversion.wrapping_add(7)
        } else {
            PARENT_CVERSION_NEXT
        };
        let time_ms = 1000 + zxid;
        let new = NewNode {
            path: &path,
            data: data.as_deref(),
            acl,
            owner_raw,
            ephemeral_owner,
            zxid: Zxid(zxid),
            time_ms,
            parent_cversion,
        };
        let created = node_of(self.tree.create(&new));
        let node = self.head.nodes.get_mut(&parent).unwrap();
        node.stored_cversion += if parent_cversion == -1 { 1 } else { 7 };
        node.stat.num_children += 1;
        node.stat.pzxid = zxid;
        node.stat.cversion = 2 * node.stored_cversion - node.stat.num_children;
        let data_length = data.as_ref().map_or(0, Vec::len) as i32;
        let stat = Stat {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time_ms,
            mtime: time_ms,
            ephemeral_owner,
            data_length,
            ..Stat::default()
        };
        let node = Node { stat, stored_cversion: 0, owner_raw, acl, data };
        assert_eq!(created, node);
        self.head.nodes.insert(path, node);
    }

    fn set(&mut self) {
        let (path, data) = (self.some_path(), self.some_data());
        self.head.zxid += 1;
        let zxid = self.head.zxid;
        let node = self.head.nodes.get_mut(&path).unwrap();
        node.stat.version += 1;
        node.stat.mzxid = zxid;
        node.stat.mtime = 5 * zxid;
        node.stat.data_length = data.as_ref().map_or(0, Vec::len) as i32;
        node.data = data;
        let (data, version) = (node.data.as_deref(), node.stat.version);
        let record = self.tree.set_data(&path, data, version, Zxid(zxid), 5 * zxid);
        assert_eq!(node_of(record), *node);
    }

    fn set_quietly(&mut self) {
        let (path, data) = (self.some_path(), self.some_data());
        self.tree.replace_data_quietly(&path, data.as_deref());
        let node = self.head.nodes.get_mut(&path).unwrap();
        node.stat.data_length = data.as_ref().map_or(0, Vec::len) as i32;
        node.data = data;
    }

    fn set_acl(&mut self) {
        let (path, acl) = (self.some_path(), self.random.below(9) as u32);
        self.head.zxid += 1;
        let node = self.head.nodes.get_mut(&path).unwrap();
        node.acl = acl;
        node.stat.aversion += 1;
        self.tree.set_acl(&path, acl, node.stat.aversion);
    }

    fn raise_pzxid(&mut self) {
        let path = self.some_path();
        let node = self.head.nodes.get_mut(&path).unwrap();
        let to = node.stat.pzxid - 1 + self.random.below(3) as i64;
        node.stat.pzxid = node.stat.pzxid.max(to);
        self.tree.raise_pzxid(&path, Zxid(to));
    }

    fn delete(&mut self) {
        let path = self.some_path();
        if path == b"/" || self.head.nodes[&path].stat.num_children > 0 {
            return;
        }
        self.head.zxid += 1;
        self.tree.delete(&path, Zxid(self.head.zxid));
        self.head.nodes.remove(&path);
        let parent = self.head.nodes.get_mut(parent_path(&path)).unwrap();
        parent.stat.num_children -= 1;
        parent.stat.cversion += 1;
        parent.stat.pzxid = self.head.zxid;
    }

    fn multi(&mut self) {
        match self.before_multi.take() {
            None => {
                self.before_multi = Some(self.head.clone());
                self.tree.begin_multi();
            }
            Some(before) if self.random.below(2) == 0 => {
                self.head = before;
                self.tree.rollback_multi();
            }
            Some(_) => self.tree.commit_multi(),
        }
    }

    fn end_multi(&mut self) {
        while self.before_multi.is_some() {
            self.multi();
        }
    }

    fn seal(&mut self) {
        self.end_multi();
        self.head.meta += 1;
        *self.tree.head_meta() += 1;
        let sealed = self.tree.seal();
        self.unpublished.push_back((sealed, Rc::new(self.head.clone())));
    }

    fn publish(&mut self) {
        let count = self.random.below(self.unpublished.len() + 1);
        for (number, plain) in self.unpublished.drain(..count) {
            self.history.insert(number, plain);
        }
        let &newest = self.history.keys().next_back().unwrap();
        self.tree.publish(newest);
    }

    fn rollback(&mut self) {
        self.end_multi();
        self.unpublished.clear();
        self.tree.rollback_to_published();
        self.head = Plain::clone(self.history.values().next_back().unwrap());
    }

    fn read(&mut self) {
        let at = self.random.below(self.readers.len());
        let reader = &mut self.readers[at];
        if self.random.below(3) == 0 {
            reader.refresh();
        } else {
            let chain: Vec<_> = self.history.range(reader.version()..).collect();
            reader.advance_to(*chain[self.random.below(chain.len().min(4))].0);
        }
        assert_equal(reader.view(), &self.history[&reader.version()], &mut self.random);
        if self.random.below(4) == 0 {
            let pin = if self.random.below(2) == 0 { reader.pin() } else { self.tree.pin() };
            if let Some(pin) = pin {
                let plain = self.history[&pin.view().number()].clone();
                self.pins.push((pin, plain));
            }
        }
        if self.pins.len() > 5 || (!self.pins.is_empty() && self.random.below(6) == 0) {
            let at = self.random.below(self.pins.len());
            let (pin, plain) = self.pins.swap_remove(at);
            assert_equal(pin.view(), &plain, &mut self.random);
        }
    }

    fn step(&mut self) {
        match self.random.below(100) {
            0..30 if self.head.nodes.len() < 300 => self.create(),
            30..55 => self.set(),
            0..70 => self.delete(),
            70..73 => self.set_acl(),
            73..76 => self.set_quietly(),
            76..77 => self.raise_pzxid(),
            77..81 => self.multi(),
            81..87 => self.seal(),
            87..91 => self.publish(),
            91..92 => self.rollback(),
            92..94 => self.read(),
            _ if self.before_multi.is_none() => {
                let budget = self.random.below(60);
                self.tree.reclaim(budget);
            }
            _ => (),
        }
        assert_eq!(self.tree.node_count(), self.head.nodes.len() as u64);
        self.head.nodes.first_key_value().inspect(|(path, node)| {
            assert_eq!(node_of(self.tree.lookup(path).unwrap()), **node);
        });
    }

    /// Deletes everything and expects all memory back.
    fn finish(mut self) {
        self.end_multi();
        let paths: Vec<_> = self.head.nodes.keys().skip(1).rev().cloned().collect();
        for (at, path) in paths.iter().enumerate() {
            self.tree.delete(path, Zxid(self.head.zxid));
            if at % 10 == 0 {
                self.tree.seal();
            }
        }
        let last = self.tree.seal();
        self.tree.publish(last);
        for (pin, plain) in self.pins.drain(..) {
            assert_equal(pin.view(), &plain, &mut self.random);
        }
        for reader in &mut self.readers {
            reader.refresh();
        }
        self.readers.truncate(1);
        while self.tree.reclaim(1000) > 0 {}
        // The root's data may be longer now.
        let root = self.tree.lookup(b"/").unwrap();
        assert_eq!(self.tree.digest(), root.digest());
        self.tree.replace_data_quietly(b"/", Some(b""));
        let last = self.tree.seal();
        self.tree.publish(last);
        self.readers.clear();
        while self.tree.reclaim(1000) > 0 {}
        let memory = self.tree.memory();
        assert_eq!(memory.live_bytes, self.baseline);
        assert_eq!((memory.retired_bytes, memory.version_count), (0, 1));
    }
}

fn run(mask: u64, seeds: u64, steps: usize) {
    let (seeds, steps) = if cfg!(miri) { (1, steps / 100) } else { (seeds, steps) };
    for seed in 0..seeds {
        let mut world = World::new(KeyHasher::with_mask(SEED, mask), seed);
        for _ in 0..steps {
            world.step();
        }
        world.finish();
    }
}

#[test]
fn tree_is_what_the_map_is() {
    run(!0, 4, 20_000);
}

#[test]
fn tree_with_few_keys_is_what_the_map_is() {
    run(0xc000_0002_0000_0001, 1, 10_000);
    run(0xc000_0000_0000_0003, 1, 10_000);
    run(0, 1, 10_000);
}

#[test]
fn tree_with_some_keys_is_what_the_map_is() {
    run(0xff00_03c0_0000_f00f, 1, 15_000);
    run(0x0000_0fff_0000_0fff, 1, 15_000);
}
