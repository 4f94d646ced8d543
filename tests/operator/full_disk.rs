//! A disk without room: writes are refused and nothing else, until there is room again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::{Acl, Client, Server, code, is_reference};

use super::Folder;

/// Two segments of 16 MiB fit, with room for what fills the rest.
const DISK_BYTES: u64 = 96 << 20;
const NODE_BYTES: usize = 500_000;
/// All that the disk could hold, twice.
const WRITES_MAX: usize = 400;

/// A small file system of its own.
struct Disk {
    folder: Folder,
}

impl Disk {
    /// `None` where this process may not mount.
    fn mount() -> Option<Self> {
        let folder = Folder::new();
        let (image, disk) = (folder.path().join("image"), folder.path().join("disk"));
        fs::File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
        fs::create_dir(&disk).unwrap();
        // No blocks kept for root, who may be who runs this.
        let is_made = succeeds(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        let mut mount = Command::new("mount");
        let is_mounted = is_made && succeeds(mount.args(["-o", "loop"]).arg(&image).arg(&disk));
        is_mounted.then_some(Self { folder })
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if !succeeds(Command::new("umount").arg(self.path())) {
            succeeds(Command::new("umount").arg("-l").arg(self.path()));
        }
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for bytes in [1 << 20, 4096] {
        let zeros = vec![0; bytes];
        while file.write_all(&zeros).is_ok() {}
    }
    file.sync_all().ok();
}

fn name(number: usize) -> String {
    format!("/n{number}")
}

#[test]
fn writes_are_refused_until_there_is_room() {
    if is_reference() {
        return;
    }
    let Some(disk) = Disk::mount() else {
        let text = "no file system can be mounted here: a full disk is not tested\n";
        std::io::stderr().write_all(text.as_bytes()).ok();
        return;
    };
    let data = disk.path().join("data").display().to_string();
    let config = Server::config().set("dataDir", &data).set("ring.log.segmentMb", "16");
    let mut server = config.start();
    let mut client = Client::connect(server.address());
    let filler = disk.path().join("filler");
    fill(&filler);

    let content = |number: usize| vec![number as u8; NODE_BYTES];
    let mut create = |client: &mut Client, number: usize| {
        client.create(&name(number), &content(number), &Acl::open(), 0)
    };
    let refused = (0..WRITES_MAX).find(|&number| create(&mut client, number).is_err());
    let refused = refused.expect("the disk has room for less");
    assert!(refused > 0, "the first segment was there");
    assert_eq!(create(&mut client, refused), Err(code::SYSTEM_ERROR));
    let srvr = server.word("srvr");
    assert!(srvr.contains("Writes refused: "), "{srvr}");
    assert!(server.word("mntr").contains("zk_writes_refused\t1"));
    assert_eq!(client.exists(&name(refused), false), Err(code::NO_NODE), "a refused write is none");
    assert_eq!(client.get("/n0", false).unwrap().0.unwrap(), content(0), "reads go on");
    client.ping();

    fs::remove_file(&filler).unwrap();
    let mut written = refused;
    client.wait_until("writes are taken again", |client| {
        let taken = create(client, written).is_ok();
        written += usize::from(taken);
        taken
    });
    assert!(!server.word("srvr").contains("Writes refused"));

    server.restart();
    let mut client = client.reconnect();
    for number in 0..written {
        let data = client.get(&name(number), false).unwrap().0.unwrap();
        assert_eq!(data, content(number), "{number}");
    }
    assert_eq!(client.children("/", false).unwrap().len(), written + 1, "and /zookeeper");
    drop(server);
}
