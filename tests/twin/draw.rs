//! The values that a stream draws from its seed: paths, versions, data, ACLs.

use fastrand::Rng;
use harness::Acl;

use super::request::{Data, Path};
use super::stream::{SLOTS, Step};

/// A stream that is being drawn.
pub(super) struct Draw {
    pub(super) rng: Rng,
    pub(super) steps: Vec<Step>,
    pub(super) has_quotas: bool,
}

impl Draw {
    pub(super) fn one_in(&mut self, count: u32) -> bool {
        self.rng.u32(0..count) == 0
    }

    pub(super) fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(0..choices.len())].clone()
    }

    pub(super) fn slot(&mut self) -> usize {
        self.rng.usize(0..SLOTS)
    }

    pub(super) fn path(&mut self) -> Path {
        match self.rng.u32(0..100) {
            0..=1 => {
                let odd = self.of(&[
                    "/",
                    "",
                    "a",
                    "/a/",
                    "//",
                    "/a//b",
                    "/./a",
                    "/a/..",
                    "/a/.",
                    "/a\u{0}b",
                    "/a\u{1}",
                    "/a\u{1f}",
                    "/a\u{7f}",
                    "/a\u{80}",
                    "/\u{d7ff}",
                    "/\u{e000}",
                    "/\u{f8ff}",
                    "/\u{fff0}",
                    "/\u{fff8}",
                    "/\u{ffff}",
                    "/\u{10ffff}",
                    "/\u{1f600}",
                    "/a/\u{e9}",
                    "/...",
                    "/a b",
                    "/.a",
                    "/a.",
                ]);
                Path::Fixed(odd.to_owned())
            }
            2 => Path::Fixed("/".to_owned()),
            3 if self.has_quotas => {
                let own = self.of(&[
                    "/zookeeper",
                    "/zookeeper/config",
                    "/zookeeper/quota",
                    "/zookeeper/x",
                    "/zookeeper/quota/a",
                    "/zookeeper/quota/a/zookeeper_stats",
                    "/zookeeper/quota/a/zookeeper_limits",
                    "/zookeeper/quota/a/b",
                ]);
                Path::Fixed(own.to_owned())
            }
            3 => Path::Fixed(self.of(&["/zookeeper", "/zookeeper/x"]).to_owned()),
            4..=8 => {
                let rest = self.of(&["", "", "", "/a"]);
                Path::Sequential(self.rng.usize(0..4), rest)
            }
            _ => {
                let depth = self.of(&[1, 1, 1, 1, 2, 2, 2, 3]);
                let path = (0..depth).map(|_| self.of(&["/a", "/b", "/c"])).collect();
                Path::Fixed(path)
            }
        }
    }

    pub(super) fn version(&mut self) -> i32 {
        self.of(&[-1, -1, -1, -1, 0, 0, 1, 1, 2, 3, 7, -2, i32::MAX, i32::MIN])
    }

    pub(super) fn data(&mut self) -> Data {
        match self.rng.u32(0..40) {
            0..=1 => Data(None),
            2..=5 => Data(Some(Vec::new())),
            6 => Data(Some(vec![b'x'; self.rng.usize(1000..30_000)])),
            _ => {
                let length = self.rng.usize(1..12);
                Data(Some((0..length).map(|_| self.rng.u8(b'a'..=b'z')).collect()))
            }
        }
    }

    pub(super) fn acl(&mut self) -> Option<Vec<Acl>> {
        let world = |permissions| Acl::new(permissions, "world", "anyone");
        if self.rng.u32(0..100) < 72 {
            return Some(Acl::open());
        }
        // The digest of ann:one.
        let ann = "ann:grDcJ7OS1jCu/cG2TyJHw/I9L8o=";
        Some(match self.rng.u32(0..24) {
            0 => return None,
            1 => Vec::new(),
            2..=4 => vec![world(1)],
            5 => vec![world(30)],
            6 => vec![world(27)],
            7 => vec![world(15), Acl::new(31, "digest", ann)],
            8..=10 => vec![Acl::new(31, "auth", "")],
            11 => vec![Acl::new(1, "auth", "ignored"), world(1)],
            12..=13 => vec![Acl::new(31, "digest", ann)],
            14 => vec![Acl::new(31, "ip", "127.0.0.1")],
            15 => vec![Acl::new(31, "ip", "127.0.0.0/8"), world(1)],
            16 => vec![Acl::new(31, "ip", "10.0.0.0/8"), world(31)],
            17 => vec![Acl::new(31, "ip", "300.1.1.1")],
            18 => vec![Acl::new(31, "digest", "nohash")],
            19 => vec![Acl::new(31, "none", "x")],
            20 => vec![world(0)],
            21 => vec![world(32), world(1)],
            22 => vec![world(31), world(31), world(31)],
            _ => vec![Acl::new(31, "world", "someone")],
        })
    }
}
