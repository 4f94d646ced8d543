//! A full disk: only writes are refused, until there is room again.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use harness::client::create_body;
use harness::{Acl, Client, Server, code, is_reference, opcode};

use super::Folder;

/// Room for several segments of 16 MiB, and for a file that takes the room of all but two.
const DISK_BYTES: u64 = 128 << 20;
const NODE_BYTES: usize = 500_000;
/// More than the disk could hold.
const WRITES_MAX: usize = 400;

/// A small file system of its own.
pub(super) struct Disk {
    folder: Folder,
}

impl Disk {
    /// `None`, with a message, if this process may not mount.
    pub(super) fn mount() -> Option<Self> {
        let mounted = Self::try_mount();
        if mounted.is_none() {
            let text = "no file system can be mounted here: this is not tested\n";
            std::io::stderr().write_all(text.as_bytes()).ok();
        }
        mounted
    }

    fn try_mount() -> Option<Self> {
        let folder = Folder::new();
        let (image, disk) = (folder.path().join("image"), folder.path().join("disk"));
        fs::File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
        fs::create_dir(&disk).unwrap();
        // No blocks reserved for root, because root may run this.
        let is_made = succeeds(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&image));
        let made = Self { folder };
        (is_made && made.mount_as("loop")).then_some(made)
    }

    fn mount_as(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        let image = self.folder.path().join("image");
        succeeds(mount.args(["-o", options]).arg(image).arg(self.path()))
    }

    /// Unmounts and remounts the file system, as a restart of the machine does.
    pub(super) fn mount_again(&self, options: &str) {
        assert!(succeeds(Command::new("umount").arg(self.path())), "it is not in use");
        assert!(self.mount_as(options), "it can be mounted again");
    }

    /// Whether [`Self::fail`] is supported; if not, prints a message.
    pub(super) fn can_fail(_: &Self) -> bool {
        let can = succeeds(Command::new("perl").args(["-e", "exit 0"]));
        if !can {
            let text = "there is no perl to shut a file system down: this is not tested\n";
            std::io::stderr().write_all(text.as_bytes()).ok();
        }
        can
    }

    /// Every access fails from now on with EIO, and what was not durable is lost: the file system's
    /// own switch for tests of power losses. False if there is none.
    pub(super) fn fail(&self) -> bool {
        // EXT4_IOC_SHUTDOWN, without writing out the journal.
        let script = "open F, '<', $ARGV[0] or exit 1; my $how = pack 'L', 2; \
                      exit !ioctl F, 0x8004587d, $how;";
        succeeds(Command::new("perl").args(["-e", script]).arg(self.path()))
    }

    pub(super) fn path(&self) -> PathBuf {
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

/// Fills all the available room.
pub(super) fn fill(path: &Path) {
    let mut file = fs::File::create(path).unwrap();
    for bytes in [1 << 20, 4096] {
        let zeros = vec![0; bytes];
        while file.write_all(&zeros).is_ok() {}
    }
    file.sync_all().ok();
}

fn path(number: usize) -> String {
    format!("/n{number}")
}

fn content(number: usize) -> Vec<u8> {
    vec![number as u8; NODE_BYTES]
}

/// The answers to a client's writes, by number.
#[derive(Default)]
struct Answers {
    acknowledged: Vec<usize>,
    refused: Vec<usize>,
}

/// Writes one node after another until stopped. A write that was admitted before the disk was full
/// is answered when there is room again, not before.
fn write_until(mut client: Client, is_over: &AtomicBool) -> (Client, Answers) {
    let mut answers = Answers::default();
    for number in 0..WRITES_MAX {
        match client.create(&path(number), &content(number), &Acl::open(), 0) {
            Ok(_) => answers.acknowledged.push(number),
            Err(code::SYSTEM_ERROR) => answers.refused.push(number),
            Err(other) => panic!("{}: {other}", path(number)),
        }
        if is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    (client, answers)
}

/// Fills the disk and makes room again; `is_prompt` if a refused write must be answered meanwhile.
fn full_and_back(is_prompt: bool) {
    let Some(disk) = Disk::mount() else { return };
    let data = disk.path().join("data").display().to_string();
    let config = Server::config().set("dataDir", &data).set("ring.log.segmentMb", "16");
    let mut server = config.start();
    let [writer, mut late, mut reader] = [(); 3].map(|()| Client::connect(server.address()));
    reader.create("/before", b"x", &Acl::open(), 0).unwrap();
    let filler = disk.path().join("filler");
    fill(&filler);

    let is_over = Arc::new(AtomicBool::new(false));
    let signal = is_over.clone();
    let writer = thread::spawn(move || write_until(writer, &signal));
    reader.wait_until("the disk is full", |_| server.word("srvr").contains("Writes refused: "));
    is_over.store(true, Ordering::Relaxed);
    let xid = late.post(opcode::CREATE, &create_body("/late", b"", &Acl::open(), 0));
    let at_once = is_prompt.then(|| late.reply(xid).err);
    assert!(server.word("mntr").contains("zk_writes_refused\t1"));
    assert_eq!(reader.get("/before", false).unwrap().0.unwrap(), b"x", "reads go on");
    reader.ping();

    fs::remove_file(&filler).unwrap();
    reader.wait_until("writes are taken again", |reader| {
        reader.create("/after", b"", &Acl::open(), 0).is_ok()
    });
    assert!(!server.word("srvr").contains("Writes refused"));
    assert_eq!(at_once.unwrap_or_else(|| late.reply(xid).err), code::SYSTEM_ERROR);
    let (writer, answers) = writer.join().unwrap();
    assert!(answers.acknowledged.len() > 20, "{:?}", answers.acknowledged);

    server.restart();
    let mut writer = writer.reconnect();
    for number in answers.acknowledged {
        let data = writer.get(&path(number), false).unwrap().0.unwrap();
        assert!(data == content(number), "{}", path(number));
    }
    for number in answers.refused {
        assert_eq!(writer.exists(&path(number), false), Err(code::NO_NODE), "{}", path(number));
    }
    assert!(writer.exists("/before", false).is_ok() && writer.exists("/after", false).is_ok());
    assert_eq!(writer.exists("/late", false), Err(code::NO_NODE), "refused without a trace");
    drop(server);
}

#[test]
fn writes_are_refused_until_there_is_room() {
    if !is_reference() {
        full_and_back(false);
    }
}

#[test]
fn a_refused_write_is_answered_at_once() {
    if !is_reference() {
        full_and_back(true);
    }
}
