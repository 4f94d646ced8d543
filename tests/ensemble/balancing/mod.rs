//! `ringkeeper balance`: clients are led from server to server, and notice nothing but that.

mod roaming;

use super::{Ensemble, PATIENCE};
use crate::conformance::shedding::{await_report, order, report, with_admin};
use harness::server::{next_free_port, our_binary};
use harness::{Acl, Body, Client, Server, client, opcode};
use roaming::{Roaming, WATCHED};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Idle clients, and such that write all the time.
const IDLE: usize = 300;
const WRITING: usize = 6;

/// Three servers with admin servers.
struct Scene {
    ensemble: Ensemble,
    admins: Vec<SocketAddr>,
}

impl Scene {
    fn new() -> Self {
        Self::with(&[])
    }

    /// With these settings, on every server.
    fn with(settings: &[(&str, &str)]) -> Self {
        let ports = [(); 3].map(|()| next_free_port());
        let mut ensemble = Ensemble::prepare(&[super::Seat::Voter; 3], |at, config| {
            let config = with_admin(config, ports[at]);
            settings.iter().fold(config, |config, (key, value)| config.set(key, value))
        });
        // All of them are on one machine: without this they would be taken to share a port.
        let clients = [0, 1, 2].map(|at| ensemble.address(at));
        for (at, (quorum, election)) in ensemble.ports.clone().into_iter().enumerate() {
            let line = format!("127.0.0.1:{quorum}:{election};{}", clients[at]);
            let key = format!("server.{}", at + 1);
            ensemble.servers.iter_mut().for_each(|server| server.set(&key, &line));
        }
        ensemble.servers.iter_mut().for_each(Server::launch);
        ensemble.await_service();
        let admins = ports.map(|port| SocketAddr::from(([127, 0, 0, 1], port))).to_vec();
        Self { ensemble, admins }
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        (0..3).map(|at| self.ensemble.address(at)).collect()
    }

    fn name(&self, at: usize) -> String {
        self.admins[at].to_string()
    }

    /// `balance` with these servers.
    fn command(&self, words: &[&str]) -> Command {
        let names: Vec<_> = (0..3).map(|at| self.name(at)).collect();
        let mut command = Command::new(our_binary());
        command.arg("balance").args(words).args(["--servers", &names.join(",")]);
        command.env("RINGKEEPER_AUTH", "digest:any:body");
        command
    }

    /// What it prints, on both outputs, and its status.
    fn balance(&self, words: &[&str]) -> (String, i32) {
        let done = self.command(words).output().unwrap();
        let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        (text.into_owned(), done.status.code().expect("it ended by itself"))
    }

    fn succeed(&self, words: &[&str]) -> String {
        let (text, status) = self.balance(words);
        assert_eq!(status, 0, "{words:?}: {text}");
        text
    }

    /// The connections of each server.
    fn counts(&self) -> [u64; 3] {
        [0, 1, 2].map(|at| report(self.admins[at])["connections"].as_u64().unwrap())
    }

    /// Every server admits clients, and sheds none.
    fn assert_open(&self, which: &[usize]) {
        for at in which {
            let report = report(self.admins[*at]);
            assert_eq!((&report["at_most"], &report["being_shed"]), (&Value::Null, &json!(0)));
        }
    }
}

/// Every server has its share, within a twentieth or one.
fn assert_even(counts: [u64; 3]) {
    let share = counts.iter().sum::<u64>() as f64 / 3.0;
    let is_near = |count: u64| (count as f64 - share).abs() <= (share / 20.0).max(1.0);
    assert!(counts.into_iter().all(is_near), "{counts:?}");
}

/// A client with half a request: it is busy until the other half is sent.
struct Hesitant {
    client: Client,
    rest: Vec<u8>,
}

impl Hesitant {
    fn new(address: SocketAddr) -> Self {
        let mut client = Client::connect(address);
        let body = Body::new().string("/").boolean(false);
        let mut packet = client::request(7, opcode::EXISTS, &body);
        let rest = packet.split_off(9);
        client.send_raw(&packet);
        Self { client, rest }
    }

    fn make_up_its_mind(&mut self) {
        self.client.send_raw(&self.rest);
        assert_eq!(self.client.reply(7).err, 0, "its request was not disturbed");
    }
}

/// Clients in threads of their own.
struct Crowd {
    stop: Arc<AtomicBool>,
    /// Those that write become idle.
    pause: Arc<AtomicBool>,
    idle: Vec<JoinHandle<Roaming>>,
    writing: Vec<JoinHandle<(Roaming, u64)>>,
}

impl Crowd {
    /// The idle ones at the first server, those that write at every one.
    fn at_first(addresses: &[SocketAddr]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let idle = (0..IDLE).map(|number| {
            let (client, stop) = (Roaming::new(addresses, 0, number), stop.clone());
            thread::spawn(move || client.stay(&stop))
        });
        let idle = idle.collect();
        let pause = Arc::new(AtomicBool::new(false));
        let writing = (IDLE..IDLE + WRITING).map(|number| {
            let (client, stop) = (Roaming::new(addresses, number % 3, number), stop.clone());
            let pause = pause.clone();
            thread::spawn(move || {
                let (client, count) = client.write(&pause);
                (client.stay(&stop), count)
            })
        });
        let writing = writing.collect();
        Self { stop, pause, idle, writing }
    }

    fn leave(self) -> (Vec<Roaming>, Vec<(Roaming, u64)>) {
        self.stop.store(true, Ordering::Release);
        let idle = self.idle.into_iter().map(|it| it.join().expect("no session is lost"));
        let idle = idle.collect();
        let writing = self.writing.into_iter().map(|it| it.join().expect("no write fails"));
        (idle, writing.collect())
    }
}

/// Many clients with nodes and watches, some of which never pause.
#[test]
fn clients_are_spread_and_drained_and_lose_nothing() {
    let scene = Scene::new();
    let mut main = Client::connect(scene.ensemble.address(1));
    main.create(WATCHED, b"", &Acl::open(), 0).unwrap();
    main.sync(WATCHED).unwrap();
    // Idle for longer than any of the crowd, it would be led away first.
    main.close();
    let addresses = scene.addresses();
    Client::connect(addresses[0]).sync(WATCHED).unwrap();
    let crowd = Crowd::at_first(&addresses);
    await_report(scene.admins[0], |it| it["connections"] == json!(IDLE + WRITING / 3));
    let dry = scene.succeed(&["even", "--dry-run"]);
    assert!(dry.contains("above its share"), "{dry}");
    assert_eq!(scene.counts()[0] as usize, IDLE + WRITING / 3, "nothing was done");

    scene.succeed(&["even"]);
    assert_even(scene.counts());
    scene.assert_open(&[0, 1, 2]);

    // One is left, since it has begun a request, and perhaps those that never pause.
    let mut hesitant = Hesitant::new(addresses[1]);
    let (text, status) = scene.balance(&["drain", &scene.name(1), "--patience", "1"]);
    let session = format!("(session 0x{:x})", hesitant.client.session_id());
    assert!(status == 1 && text.contains(&session), "{text}");
    hesitant.make_up_its_mind();
    crowd.pause.store(true, Ordering::Release);
    let (refused, status) = scene.balance(&["drain", &scene.name(2)]);
    assert!(status == 1 && refused.contains("is being drained too"), "{refused}");
    let drained = scene.balance(&["drain", &scene.name(1), "--minutes", "5", "--patience", "60"]);
    let status = scene.succeed(&["status"]);
    assert!(status.contains("0 for ") && status.contains("leader"), "{status}");

    let (idle, writing) = crowd.leave();
    assert_eq!(drained.1, 0, "{}", drained.0);
    hesitant.client.assert_closed();
    assert_eq!(scene.counts()[1], 0);
    let moves: u32 = idle.iter().map(|client| client.moves).sum();
    assert!(moves as usize >= IDLE / 2, "hardly anybody has moved: {moves}");
    assert!(writing.iter().all(|(_, count)| *count > 0));
    let all = idle.into_iter().chain(writing.into_iter().map(|(client, _)| client));
    let mut main = Client::connect(addresses[0]);
    main.set(WATCHED, b"now", -1).unwrap();
    for client in all {
        client.check();
    }
}

/// Nobody commands it.
#[test]
fn servers_that_balance_by_themselves_become_even() {
    let scene = Scene::with(&[
        ("ring.balance", "on"),
        ("ring.balance.seconds", "1"),
        ("ring.balance.perSecond", "100"),
    ]);
    let addresses = scene.addresses();
    Client::connect(addresses[1]).create(WATCHED, b"", &Acl::open(), 0).unwrap();
    Client::connect(addresses[0]).sync(WATCHED).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..60)
        .map(|number| {
            let (client, stop) = (Roaming::new(&addresses, 0, number), stop.clone());
            thread::spawn(move || client.stay(&stop))
        })
        .collect();
    let end = Instant::now() + PATIENCE;
    // A third, and what is tolerated.
    while scene.counts().iter().any(|count| *count > 20 + 2) {
        assert!(Instant::now() < end, "never came: every server has its share");
        thread::sleep(Duration::from_millis(50));
    }
    stop.store(true, Ordering::Release);
    let clients: Vec<_> =
        clients.into_iter().map(|it| it.join().expect("no session is lost")).collect();
    assert!(clients.iter().map(|client| client.moves).sum::<u32>() >= 36);
    Client::connect(addresses[1]).set(WATCHED, b"now", -1).unwrap();
    for client in clients {
        client.check();
    }
}

#[test]
fn some_clients_are_moved_from_one_server_to_another() {
    let scene = Scene::new();
    let addresses = scene.addresses();
    let mut main = Client::connect(addresses[0]);
    main.create(WATCHED, b"", &Acl::open(), 0).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..20)
        .map(|number| {
            let (client, stop) = (Roaming::new(&addresses, 0, number), stop.clone());
            thread::spawn(move || client.stay(&stop))
        })
        .collect();
    main.close();
    await_report(scene.admins[0], |it| it["connections"] == 20);
    let text = scene.succeed(&["move", "7", &scene.name(0), &scene.name(2), "--json"]);
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(shown["servers"][0]["before"], 20);
    await_report(scene.admins[0], |it| it["connections"] == 13);
    assert_eq!(scene.counts(), [13, 0, 7], "{text}");
    scene.assert_open(&[0, 1, 2]);
    let said = |words: &[&str], status: i32, expected: &str| {
        let (text, found) = scene.balance(words);
        assert!(found == status && text.contains(expected), "{words:?}: {found} {text}");
    };
    let names = [0, 1, 2].map(|at| scene.name(at));
    let [one, two, three] = names.each_ref().map(String::as_str);
    said(&["move", "14", one, two], 1, "has 13 connections, fewer than 14");
    said(&["move", "1", one, one], 2, "name two servers");
    said(&["move", "1", one, "else:1"], 2, "else:1 is not among --servers: name one of ");
    said(&["drain", "else:1"], 2, "else:1 is not among --servers");
    said(&["even", "--auth", "any:body"], 2, "digest:USER:PASSWORD");
    said(&["even", "--per-second", "0"], 2, "--per-second 0: must be between");
    said(&["drain", three, "--dry-run"], 0, "7 clients of ");
    scene.assert_open(&[0, 1, 2]);
    let status: Value = serde_json::from_str(&scene.succeed(&["status", "--json"])).unwrap();
    assert_eq!(status["connections"], 20);
    stop.store(true, Ordering::Release);
    for client in clients {
        client.join().expect("no session is lost");
    }
}

/// What is refused is refused before anything is done.
#[test]
fn what_cannot_be_done_is_refused_before_it_begins() {
    let mut scene = Scene::new();
    let leader = scene.ensemble.leader();
    let [follower, other] = [1, 2].map(|at| (leader + at) % 3);
    let address = scene.ensemble.address(leader);
    let mut guard = Client::connect(address);
    guard.add_auth("digest", b"alice:pw").unwrap();
    let closed = [Acl::new(31, "auth", ""), Acl::new(15, "world", "anyone")];
    guard.set_acl("/", &closed, -1).unwrap();
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(address)).collect();
    for at in 0..3 {
        Client::connect(scene.ensemble.address(at)).sync("/").unwrap();
    }
    await_report(scene.admins[leader], |it| it["connections"] == 9);
    let (text, status) = scene.balance(&["even"]);
    assert!(status == 1 && text.contains("every permission on /"), "{text}");
    let mut unnamed = scene.command(&["even"]);
    let done = unnamed.env_remove("RINGKEEPER_AUTH").output().unwrap();
    assert_eq!(done.status.code(), Some(2), "{done:?}");
    scene.assert_open(&[0, 1, 2]);
    clients.iter_mut().for_each(Client::ping);
    // A server is down.
    scene.ensemble.servers[other].kill();
    let auth = ["--auth", "digest:alice:pw"];
    let (text, status) = scene.balance(&[&["even"][..], &auth].concat());
    let down = format!("{} does not answer", scene.name(other));
    assert!(status == 1 && text.contains(&down), "{text}");
    scene.assert_open(&[leader, follower]);
    clients.iter_mut().for_each(Client::ping);
    // No server serves.
    scene.ensemble.servers[follower].kill();
    clients.iter_mut().for_each(Client::assert_closed);
    let last = scene.name(leader);
    let (text, status) = scene.balance(&[&["drain", &last][..], &auth].concat());
    assert!(status == 1 && text.contains("serves no clients now"), "{text}");
    assert!(text.contains("leave it out of --servers"), "{text}");
}

#[test]
fn the_last_server_is_not_drained() {
    let port = next_free_port();
    let _server = with_admin(Server::config(), port).start();
    let name = format!("127.0.0.1:{port}");
    let output = Command::new(our_binary())
        .args(["balance", "drain", &name, "--servers", &name, "--auth", "digest:any:body"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is the last server that admits clients"), "{text}");
}

/// Two drains that begin at once, as far as that goes: at most one of them ends well.
#[test]
fn of_two_drains_at_once_one_gives_way() {
    let scene = Scene::new();
    let names = [0, 1].map(|at| scene.name(at));
    for _ in 0..5 {
        let drains: Vec<_> =
            names.iter().map(|name| started(scene.command(&["drain", name]))).collect();
        let done: Vec<_> = drains.into_iter().map(ended).collect();
        let well = done.iter().filter(|(_, status)| *status == 0).count();
        assert!(well <= 1, "{done:?}");
        for (text, _) in done.iter().filter(|(_, status)| *status != 0) {
            assert!(text.contains("is being drained too"), "{text}");
        }
        let closed: Vec<_> =
            (0..2).filter(|at| report(scene.admins[*at])["ends_in_ms"].is_u64()).collect();
        assert_eq!(closed.len(), well, "{done:?}");
        for at in closed {
            order(scene.admins[at], "admission", &json!({ "for_ms": 0 }));
        }
    }
}

/// Clients are led from one to another only among the servers of one ensemble.
#[test]
fn servers_of_other_ensembles_are_refused() {
    let scene = Scene::new();
    let port = next_free_port();
    let _stranger = with_admin(Server::config(), port).start();
    let stranger = format!("127.0.0.1:{port}");
    let (one, alias) = (scene.name(0), scene.name(0).replace("127.0.0.1", "localhost"));
    let refused = |words: &[&str], servers: &[&str], why: &str| {
        let mut command = Command::new(our_binary());
        command.arg("balance").args(words).args(["--servers", &servers.join(",")]);
        let (text, status) = ended(started(command));
        assert!(status == 1 && text.contains(why), "{words:?} {servers:?}: {text}");
    };
    for words in [&["even"][..], &["drain", &one], &["move", "1", &one, &stranger]] {
        refused(words, &[&one, &stranger], "a server without an ensemble");
    }
    refused(&["even", "--dry-run"], &[&one, &alias], "are they the same?");
    let mut shown = Command::new(our_binary());
    shown.args(["balance", "status", "--json", "--servers", &format!("{one},{stranger}")]);
    let (text, status) = ended(started(shown));
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, shown["servers"].as_array().map(Vec::len)), (0, Some(2)), "{text}");
    assert!(shown["strangers"].as_str().unwrap().contains("a server without an ensemble"));
    let mut wrong = Command::new(our_binary());
    wrong.args(["balance", "status", "--servers", "nowhere"]);
    let (text, status) = ended(started(wrong));
    assert!(status == 2 && text.contains("nowhere does not answer (invalid"), "{text}");
}

fn started(mut command: Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> (String, i32) {
    let done = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
    (text.into_owned(), done.status.code().expect("it ended by itself"))
}

/// What was closed is opened again, whoever interrupts it.
#[test]
fn an_interrupted_command_opens_what_it_has_closed() {
    let scene = Scene::new();
    let mut busy: Vec<_> = (0..9).map(|_| Hesitant::new(scene.ensemble.address(0))).collect();
    let name = scene.name(0);
    for words in [&["even"][..], &["drain", &name], &["move", "2", &name, &scene.name(1)]] {
        let child = started(scene.command(words));
        await_report(scene.admins[0], |it| it["being_shed"] != 0 && !it["at_most"].is_null());
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let (text, status) = ended(child);
        assert!(status == 1 && text.contains("interrupted"), "{words:?}: {text}");
        scene.assert_open(&[0, 1, 2]);
    }
    // A command that is killed: what it has closed opens by itself.
    let mut child = started(scene.command(&["even"]));
    await_report(scene.admins[1], |it| !it["at_most"].is_null());
    child.kill().unwrap();
    child.wait().unwrap();
    await_report(scene.admins[1], |it| it["at_most"].is_null());
    busy.iter_mut().for_each(Hesitant::make_up_its_mind);
}

#[test]
fn a_server_that_leaves_in_the_middle_is_left_out() {
    let mut scene = Scene::new();
    let leader = scene.ensemble.leader();
    let places = [0, 1, 2].map(|at| (leader + at) % 3);
    let [first, second, third] = places;
    let busy: Vec<_> = (0..9).map(|_| Hesitant::new(scene.ensemble.address(first))).collect();
    let child = started(scene.command(&["even", "--patience", "2"]));
    await_report(scene.admins[first], |it| it["being_shed"] != 0);
    scene.ensemble.servers[third].kill();
    let (text, status) = ended(child);
    assert!(text.contains(&format!("{} has left", scene.name(third))), "{text}");
    assert!(status == 1 && text.contains("connections of "), "{text}");
    scene.assert_open(&[first, second]);
    drop(busy);
    // Between two of which one leaves, nothing can be moved.
    scene.ensemble.servers[third].start_again();
    let _busy: Vec<_> = (0..9).map(|_| Hesitant::new(scene.ensemble.address(first))).collect();
    let (from, to) = (scene.name(first), scene.name(third));
    let child = started(scene.command(&["move", "3", &from, &to]));
    await_report(scene.admins[first], |it| it["being_shed"] != 0);
    scene.ensemble.servers[third].kill();
    let (text, status) = ended(child);
    assert!(status == 1 && text.contains(&format!("{to} has left in the middle")), "{text}");
    scene.assert_open(&[first, second]);
}
