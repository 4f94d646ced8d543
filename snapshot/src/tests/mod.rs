//! Trees made by hand, written to simulated disks and read back.

mod campaign;
mod crash;
mod damage;
mod newest;
mod received;
mod round_trip;
mod slow;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use disk::{Disk, Simulated, block_on};
use model::acl::AclList;
use model::record::{BIRTH_BYTES, Draft, HEAD_BYTES, NodeRecord};
use model::session::SessionId;
use model::zxid::{Epoch, Zxid};

use crate::*;

const DIRECTORY: &str = "/data/ringkeeper-1";

fn directory() -> &'static Path {
    DIRECTORY.as_ref()
}

/// A tree whose records are archives already.
#[derive(Clone, Debug, Default)]
struct Plain {
    records: Vec<Vec<u8>>,
    acls: BTreeMap<u32, Vec<u8>>,
    sessions: Vec<Session>,
    zxid: Zxid,
    at: usize,
}

/// The archive of a node without children.
fn record(path: &[u8], data: &[u8], acl: u32) -> Vec<u8> {
    let mut bytes = vec![0; BIRTH_BYTES];
    for long in [1_i64, 2, 3, 4] {
        bytes.extend_from_slice(&long.to_be_bytes());
    }
    // version, cversion, aversion, owner, length, children, pzxid
    bytes.extend_from_slice(&[0; 12 + 8]);
    bytes.extend_from_slice(&(data.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&[0; 4 + 8]);
    bytes.extend_from_slice(&Draft::record_crc(path, Some(data)).to_be_bytes());
    bytes.extend_from_slice(&acl.to_be_bytes());
    bytes.extend_from_slice(&(path.len() as u32).to_be_bytes());
    assert_eq!(bytes.len(), BIRTH_BYTES + HEAD_BYTES);
    bytes.extend_from_slice(path);
    bytes.extend_from_slice(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn acl_list(count: u32) -> Vec<u8> {
    let mut bytes = count.to_be_bytes().to_vec();
    let mut open = Vec::new();
    AclList::OPEN.encode(&mut open);
    for _ in 0..count {
        bytes.extend_from_slice(&open[4..]);
    }
    bytes
}

impl Plain {
    /// A root and `count` nodes with this many bytes of data each, and a few sessions and ACLs.
    fn sample(count: usize, data_bytes: usize, zxid: i64) -> Self {
        let mut plain = Self { zxid: Zxid(zxid), ..Self::default() };
        plain.records.push(record(b"/", b"", 0));
        for number in 0..count {
            let path = format!("/node-{number:07}");
            let data = vec![number as u8 ^ zxid as u8; data_bytes];
            let acl = [0, 17, 4, 17, 9][number % 5];
            plain.records.push(record(path.as_bytes(), &data, acl));
        }
        plain.acls = [(4, acl_list(1)), (9, acl_list(0)), (17, acl_list(3))].into();
        let session = |id| Session { id: SessionId(id), timeout_ms: 4000 + id as i32 };
        plain.sessions = [7, -3, 5].map(session).to_vec();
        plain
    }

    fn parsed(&self) -> impl Iterator<Item = NodeRecord<'_>> {
        self.records.iter().map(|bytes| NodeRecord::parse(bytes).unwrap())
    }

    fn head(&self) -> SnapshotHead {
        SnapshotHead {
            zxid: self.zxid,
            epoch: Epoch(3),
            seed: [0x1122, 0x3344],
            node_count: self.records.len() as u64,
            digest: self.parsed().fold(0, |sum, record| sum.wrapping_add(record.digest())),
            data_bytes: self
                .parsed()
                .map(|record| (record.path().len() + record.data().map_or(0, <[u8]>::len)) as u64)
                .sum(),
        }
    }
}

impl Source for Plain {
    fn next_record(&mut self) -> Option<NodeRecord<'_>> {
        self.at += 1;
        let bytes = self.records.get(self.at - 1)?;
        Some(NodeRecord::parse(bytes).unwrap())
    }

    fn append_acl(&self, number: u32, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.acls[&number]);
    }

    fn sessions(&self, each: &mut dyn FnMut(Session)) {
        self.sessions.iter().copied().for_each(each);
    }
}

async fn write_plain<D: Disk>(disk: &D, plain: &Plain) -> Result<Written, WriteError> {
    let pace = async |_| ControlFlow::Continue(());
    write(disk, directory(), &plain.head(), "a test", &mut plain.clone(), pace).await
}

/// A disk with one snapshot.
fn disk_with(plain: &Plain) -> (Simulated, Written) {
    let disk = Simulated::new(1);
    let written = block_on(async {
        disk.create_directory(directory()).await.unwrap();
        write_plain(&disk, plain).await.unwrap()
    });
    (disk, written)
}

/// What was loaded: records with the lists of their ACLs, and sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Image {
    records: Vec<(Vec<u8>, Vec<u8>)>,
    sessions: Vec<Session>,
    head: SnapshotHead,
}

impl Image {
    /// What loading `plain` must give.
    fn of(plain: &Plain) -> Self {
        let mut image = Self { head: plain.head(), ..Self::default() };
        for record in plain.parsed() {
            let list =
                if record.acl() == 0 { Vec::new() } else { plain.acls[&record.acl()].clone() };
            image.records.push((without_acl(record), list));
        }
        image.sessions.clone_from(&plain.sessions);
        image.sessions.sort_by_key(|session| session.id);
        image
    }

    fn push(&mut self, contents: &Contents, unit: &Unit) {
        for run in &unit.runs {
            let mut at = run.start;
            while at < run.end {
                let record = NodeRecord::parse(&unit.memory.as_ref()[at..run.end]).unwrap();
                let number = record.acl() as usize;
                let list = match number.checked_sub(1) {
                    None => Vec::new(),
                    Some(row) => contents.acls[row].list.clone(),
                };
                self.records.push((without_acl(record), list));
                at += record.archive_bytes();
            }
        }
    }
}

fn without_acl(record: NodeRecord<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    record.append_archive(&mut bytes);
    bytes[80..84].fill(0);
    bytes
}

async fn load<D: Disk>(disk: &D, zxid: Zxid) -> Result<Image, LoadError> {
    let mut loader = Loader::open(disk, directory(), zxid).await?;
    let contents = loader.contents().clone();
    let mut image =
        Image { head: contents.head, sessions: contents.sessions.clone(), ..Image::default() };
    while let Some(unit) = loader.next_unit().await? {
        image.push(&contents, &unit);
    }
    Ok(image)
}
