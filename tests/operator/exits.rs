//! What a caller sees of every command: the exit status, the end of a pipe, colours.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::{Server, is_reference};

use super::{Folder, assert_says, ended_start};

/// `ringkeeper` with these arguments.
fn ringkeeper(words: &str) -> Command {
    let mut command = Command::new(&harness::server::server_command()[0]);
    command.args(words.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(words: &str) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = ringkeeper(words).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A pipe whose reader has closed it.
fn left() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[test]
fn wrong_arguments_exit_with_2() {
    if is_reference() {
        return;
    }
    let nowhere = "bench --server 127.0.0.1:1";
    for words in [
        "",
        "nonsense",
        "serve --nonsense",
        "serve /no/such/zoo.cfg",
        "serve --set syncEnabled=maybe",
        "config --check --set tickTime=-1",
        "config --check /no/such/zoo.cfg",
        "repair",
        &format!("{nowhere} --connections 0"),
        &format!("{nowhere} --op watch --rate 10"),
        &format!("{nowhere} --workload no-such-workload"),
    ] {
        let (status, said) = run(words);
        assert_eq!(status, Some(2), "{words}: {said}");
        assert!(!said.is_empty(), "{words}");
    }
    for words in ["--help", "--version", "serve --help", "config", "bench --list"] {
        assert_eq!(run(words).0, Some(0), "{words}");
    }
    assert_eq!(run("config --check").0, Some(0));
}

#[test]
fn failures_exit_with_1() {
    if is_reference() {
        return;
    }
    for words in [
        "bench --server 127.0.0.1:1 --seconds 1",
        "bench --server 127.0.0.1:1 --workload uniform-get --patience 1",
        "inspect log /no/such/file",
    ] {
        let (status, said) = run(words);
        assert_eq!(status, Some(1), "{words}: {said}");
        assert!(!said.is_empty(), "{words}");
    }
}

#[test]
fn an_unusable_directory_exits_with_3() {
    if is_reference() {
        return;
    }
    let (folder, server) = (Folder::new(), Server::config().start());
    let data = server.folder().join("data");
    let held = format!("dataDir={}\nclientPort=0\nadmin.enableServer=false\n", data.display());
    let (status, said) = ended_start(&held, None);
    assert_eq!(status, 3, "{said}");
    let nowhere = folder.path().join("nowhere");
    let missing = format!(
        "dataDir={}\nclientPort=0\nadmin.enableServer=false\ndatadir.autocreate=false\n",
        nowhere.display()
    );
    let (status, said) = ended_start(&missing, None);
    assert_eq!(status, 3, "{said}");
    for words in [
        format!("repair {}", data.display()),
        format!("export {} --to {}", data.display(), nowhere.display()),
        format!("export {0} --to {0}", nowhere.display()),
    ] {
        let (status, said) = run(&words);
        assert_eq!(status, Some(3), "{words}: {said}");
    }
}

#[test]
fn unusable_sources_and_targets_exit_with_3() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let place = |name: &str| folder.path().join(name).display().to_string();
    let (empty, file, ours, new) = (place("empty"), place("file"), place("ours"), place("new"));
    fs::create_dir(&empty).unwrap();
    fs::write(&file, b"").unwrap();
    let stock = format!("{}/convert/fixtures/plain", env!("CARGO_MANIFEST_DIR"));
    assert_eq!(run(&format!("import {stock} --to {ours}")).0, Some(0));
    let exported = place("exported");
    assert_eq!(run(&format!("export {ours} --to {exported}")).0, Some(0));
    for words in [
        format!("import /no/such/directory --to {new}"),
        format!("import {empty} --to {new}"),
        format!("import {file} --to {new}"),
        format!("import {ours} --to {new}"),
        format!("import {stock} --to {ours}"),
        format!("import {stock} --to {file}"),
        format!("export /no/such/directory --to {new}"),
        format!("export {empty} --to {new}"),
        format!("export {file} --to {new}"),
        format!("export {stock} --to {new}"),
        format!("export {ours} --to {exported}"),
        format!("export {ours} --to {file}"),
        format!("export {ours} --log-dir /no/such/directory --to {new}"),
        "repair /no/such/directory".to_owned(),
        format!("repair {empty}"),
        format!("repair {file}"),
        format!("repair {stock}"),
        format!("repair {ours} --log-dir /no/such/directory"),
    ] {
        let (status, said) = run(&words);
        assert_eq!(status, Some(3), "{words}: {said}");
        assert!(!said.is_empty() && !folder.path().join("new").exists(), "{words}");
    }
    // The content of the files does not matter here.
    for words in [
        format!("inspect log {file}/no-such-file"),
        format!("inspect snapshot {stock}"),
        format!("repair {ours} --cut-log-at 0xfffffff"),
    ] {
        let (status, said) = run(&words);
        assert_eq!(status, Some(1), "{words}: {said}");
    }
}

#[test]
fn a_port_that_the_admin_server_cannot_use_exits_with_4() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let (status, said) = ended_start(
        &format!(
            "dataDir={}\nclientPort=0\nclientPortAddress=127.0.0.1\n\
             admin.serverAddress=127.0.0.1\nadmin.serverPort={port}\n",
            folder.path().join("data").display()
        ),
        None,
    );
    assert_eq!(status, 4, "{said}");
    assert_says(&said, &[&port.to_string(), "admin.serverPort"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    if is_reference() {
        return;
    }
    for words in [
        "config",
        "config --compatibility",
        "config --check",
        "bench --list",
        "--help",
        "--version",
    ] {
        let output = ringkeeper(words).stdout(left()).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), said.as_str()), (Some(0), ""), "{words}");
    }
    // Everything else requested is done.
    let (folder, server) = (Folder::new(), Server::config().start());
    let json = folder.path().join("results.json");
    let words = format!(
        "bench --server {} --op get --nodes 5 --seconds 1 --warmup 0 --json {}",
        server.address(),
        json.display()
    );
    let status = ringkeeper(&words).stdout(left()).stderr(left()).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(fs::read_to_string(&json).unwrap().contains("\"ops\""));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    if is_reference() {
        return;
    }
    for words in ["config", "config --compatibility", "config --check", "bench --list"] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = ringkeeper(words).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert_says(&said, &["standard output", "No space left on device"]);
    }
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"srvr")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_server_outlives_the_reader_of_its_log() {
    if is_reference() {
        return;
    }
    let folder = Folder::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = folder.path().join("zoo.cfg");
    let data = folder.path().join("data");
    let text = format!(
        "dataDir={}\nclientPort={port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
        data.display()
    );
    fs::write(&file, text).unwrap();
    let words = format!("serve {}", file.display());
    let mut child = ringkeeper(&words).stdout(left()).stderr(left()).spawn().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let end = Instant::now() + Duration::from_secs(60);
    while ask(address).map_or(true, |answer| !answer.contains("Mode: standalone")) {
        assert!(child.try_wait().unwrap().is_none(), "the server has ended");
        assert!(Instant::now() < end, "the server does not answer");
        thread::sleep(Duration::from_millis(20));
    }
    let asked = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(asked.success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn only_a_terminal_gets_colours() {
    if is_reference() {
        return;
    }
    let server = Server::config().start();
    assert!(server.log().contains("INFO"), "{}", server.log());
    assert!(!server.log().contains('\x1b'), "{}", server.log());
    // A start that fails after its first lines, because the directory is in use.
    let binary = harness::server::server_command()[0].clone();
    let line = format!(
        "{} serve --set dataDir={} --set admin.enableServer=false",
        binary.display(),
        server.folder().join("data").display()
    );
    let on_a_terminal = |no_color: &str| {
        let mut command = Command::new("script");
        command.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", no_color).env("TERM", "xterm");
        let output = command.stdin(Stdio::null()).output().expect("script of util-linux is here");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let coloured = on_a_terminal("");
    assert!(coloured.contains("\x1b["), "{coloured}");
    let plain = on_a_terminal("1");
    assert!(plain.contains("INFO") && !plain.contains('\x1b'), "{plain}");
}
