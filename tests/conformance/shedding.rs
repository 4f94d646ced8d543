//! Clients that are led to other servers: `shed_connections`, with the answers of ZooKeeper's
//! branch master, and `admission`, which is ours.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use harness::http::{self, Answer};
use harness::server::next_free_port;
use harness::{Acl, Body, Client, Config, Handshake, Server, client, is_reference, opcode};
use serde_json::{Value, json};

/// A loaded machine does everything slowly; that is not for a test to report.
const PATIENCE: Duration = Duration::from_secs(60);

/// With an admin server at this port.
pub(crate) fn with_admin(config: Config, port: u16) -> Config {
    config
        .set("admin.enableServer", "true")
        .set("admin.serverAddress", "127.0.0.1")
        .set("admin.serverPort", &port.to_string())
}

/// A server and its admin server.
fn server() -> (Server, SocketAddr) {
    let port = next_free_port();
    (with_admin(Server::config(), port).start(), SocketAddr::from(([127, 0, 0, 1], port)))
}

fn post(admin: SocketAddr, command: &str, authorization: Option<&str>, body: &str) -> Answer {
    http::post(admin, &format!("/commands/{command}"), authorization, body).expect("an answer")
}

/// Status and text, the blanks of which do not count.
fn said(answer: &Answer) -> (u16, Value) {
    (answer.status, serde_json::from_str(&answer.body).expect("JSON"))
}

/// An order of someone who may command it.
pub(crate) fn order(admin: SocketAddr, command: &str, body: &Value) -> Value {
    let answer = post(admin, command, Some("digest any:body"), &body.to_string());
    assert_eq!(answer.status, 200, "{}", answer.body);
    said(&answer).1
}

/// What `GET admission` says.
pub(crate) fn report(admin: SocketAddr) -> Value {
    let answer = http::get(admin, "/commands/admission").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    said(&answer).1
}

/// Waits until what it says is so.
pub(crate) fn await_report(admin: SocketAddr, is_so: impl Fn(&Value) -> bool) -> Value {
    let end = Instant::now() + PATIENCE;
    loop {
        let report = report(admin);
        if is_so(&report) {
            return report;
        }
        assert!(Instant::now() < end, "still {report}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn requests_that_are_refused() {
    if is_reference() {
        return;
    }
    let (_server, admin) = server();
    let anyone = Some("digest any:body");
    let ask = |name, authorization, body| said(&post(admin, name, authorization, body));
    let failed = |name: &str, why: &str| json!({ "command": name, "error": why });
    for name in ["shed_connections", "shed", "admission"] {
        let missing = failed(name, "Auth info is missing for the command");
        assert_eq!(ask(name, None, "{}"), (401, missing));
        for other in ["digest", "digest a:b c", "sasl x", "nothing a:b", "Basic YTpi"] {
            let refused = failed(name, "Not authenticated");
            assert_eq!(ask(name, Some(other), "{\"percentage\": 100}"), (401, refused), "{other}");
        }
    }
    for (body, why) in [
        ("", "Request body is required"),
        (" \n", "Request body is required"),
        ("{}", "Missing required field: percentage"),
        ("[1]", "Missing required field: percentage"),
        ("{\"percentage\": -1}", "Percentage must be between 0 and 100"),
        ("{\"percentage\": 101}", "Percentage must be between 0 and 100"),
    ] {
        assert_eq!(ask("shed", anyone, body), (400, failed("shed_connections", why)), "{body}");
    }
    let text = post(admin, "shed", anyone, "{\"percentage\": 101}").body;
    let shown = "{\n  \"error\" : \"Percentage must be between 0 and 100\",\n  \
        \"command\" : \"shed_connections\"\n}";
    assert_eq!(text, shown, "as stock writes it");
    let (status, invalid) = ask("shed", anyone, "percentage=5");
    assert_eq!(status, 400);
    let why = invalid["error"].as_str().unwrap();
    assert!(why.starts_with("Invalid JSON or failed to read request body: "), "{why}");
    let long = format!("{{\"percentage\": 0, \"x\": \"{}\"}}", "x".repeat(5_000));
    assert_eq!(ask("shed", anyone, &long).0, 400);
    let none = json!({ "connections_shed": 0, "percentage_requested": 0,
        "command": "shed_connections", "error": null });
    assert_eq!(ask("shed", anyone, "{\"percentage\": 0}"), (200, none));
    let (status, why) = ask("admission", anyone, "{\"at_most\": 1}");
    assert_eq!((status, why["error"].as_str()), (400, Some("Missing required field: for_ms")));
    // Other methods, and other commands.
    let got = |authorization: &str| {
        let head = "GET /commands/shed HTTP/1.0\r\nHost: x\r\n";
        http::ask(admin, &format!("{head}{authorization}\r\n")).unwrap().status
    };
    assert_eq!((got(""), got("Authorization: digest any:body\r\n")), (401, 500));
    for name in ["ruok", "monitor", "restore", "nonsense"] {
        assert_eq!(post(admin, name, anyone, "{}").status, 405);
    }
}

#[test]
fn the_root_says_who_may_ask() {
    if is_reference() {
        return;
    }
    let port = next_free_port();
    let digest = "super:D/InIHSb7yEEbrWz8b9l71RjZJU=";
    let server = with_admin(Server::config(), port)
        .property(&format!("zookeeper.DigestAuthenticationProvider.superDigest={digest}"))
        .start();
    let admin = SocketAddr::from(([127, 0, 0, 1], port));
    let mut client = Client::connect(server.address());
    client.add_auth("digest", b"alice:pw").unwrap();
    client.set_acl("/", &[Acl::new(31, "auth", ""), Acl::new(15, "world", "anyone")], -1).unwrap();
    let ask = |user: &str| post(admin, "shed", Some(user), "{\"percentage\": 0}");
    let refused = json!({ "command": "shed", "error": "Not authorized" });
    assert_eq!(said(&ask("digest bob:pw")), (403, refused.clone()));
    assert_eq!(said(&ask("ip")), (403, refused), "every single permission is needed");
    assert_eq!(ask("digest alice:pw").status, 200);
    assert_eq!(ask("digest super:test").status, 200);
}

/// The clients that are idle are shed, the busy one is left, and each session continues.
#[test]
fn what_is_idle_is_shed_and_what_is_busy_is_left() {
    if is_reference() {
        return;
    }
    let (server, admin) = server();
    let open = Acl::open();
    let mut idle: Vec<_> = (0..5).map(|_| Client::connect(server.address())).collect();
    for (at, client) in idle.iter_mut().enumerate() {
        client.create(&format!("/idle-{at}"), b"", &open, 1).unwrap();
    }
    let mut busy = Client::connect(server.address());
    busy.make("/busy");
    // Half a request is under way.
    let packet = client::request(77, opcode::EXISTS, &Body::new().string("/busy").boolean(false));
    let (head, tail) = packet.split_at(9);
    busy.send_raw(head);
    // A client without a session cannot go anywhere.
    let body = json!({ "percentage": 100, "per_second": 1_000, "patience_ms": 1_000 });
    let answer = order(admin, "shed_connections", &body);
    assert_eq!(answer["connections_shed"], 6);
    assert_eq!(answer["percentage_requested"], 100);
    idle.iter_mut().for_each(Client::assert_closed);
    let is_over = |report: &Value| report["being_shed"] == 0 && report["connections"] == 1;
    let over = await_report(admin, is_over);
    assert_eq!((&over["shed"], &over["left_busy"]), (&json!(5), &json!(1)), "{over}");
    busy.send_raw(tail);
    assert_eq!(busy.reply(77).err, 0, "its request was not disturbed");
    for (at, client) in idle.iter().enumerate() {
        let mut again = client.reconnect();
        assert!(again.exists(&format!("/idle-{at}"), false).is_ok(), "its node is still there");
    }
    // By count, and gently: the longest idle first.
    let mut clients: Vec<_> = (0..4).map(|_| Client::connect(server.address())).collect();
    let first = busy.second_handle();
    drop((busy, first));
    await_report(admin, |report| report["connections"] == 4);
    thread::sleep(Duration::from_millis(200));
    clients[1..].iter_mut().for_each(Client::ping);
    let answer = order(admin, "shed", &json!({ "count": 1 }));
    assert_eq!(
        answer,
        json!({ "connections_shed": 1, "count_requested": 1, "command": "shed_connections",
            "error": null })
    );
    clients[0].assert_closed();
    await_report(admin, |report| report["being_shed"] == 0 && report["connections"] == 3);
    clients[1..].iter_mut().for_each(Client::ping);
}

/// Every shard sheds its share, and all of them together what was ordered.
#[test]
fn shards_share_what_is_shed() {
    if is_reference() {
        return;
    }
    let port = next_free_port();
    let server = with_admin(Server::config().set("ring.shards", "3"), port).start();
    let admin = SocketAddr::from(([127, 0, 0, 1], port));
    let mut clients: Vec<_> = (0..30).map(|_| Client::connect(server.address())).collect();
    await_report(admin, |report| report["connections"] == 30);
    let answer = order(admin, "shed", &json!({ "percentage": 50, "per_second": 1_000 }));
    assert_eq!(answer["connections_shed"], 15);
    let is_over = |report: &Value| report["being_shed"] == 0 && report["connections"] == 15;
    let over = await_report(admin, is_over);
    assert_eq!(over["shed"], 15, "{over}");
    let share = json!({ "connections": 5, "being_shed": 0, "shed": 5, "left_busy": 0 });
    assert_eq!(over["shards"], json!([share, share, share]));
    let open = clients.iter_mut().map(Client::try_ping).filter(|is_open| *is_open);
    assert_eq!(open.count(), 15);
    // The next order counts those that are there, and replaces the one before.
    order(admin, "shed", &json!({ "count": 1_000, "per_second": 1 }));
    assert_eq!(report(admin)["being_shed"], 15);
    order(admin, "shed", &json!({ "count": 0 }));
    let ended = await_report(admin, |report| report["being_shed"] == 0);
    assert!(ended["connections"].as_u64().is_some_and(|count| count > 0), "{ended}");
}

/// A body that does not come is not waited for.
#[test]
fn a_body_must_come_in_time() {
    if is_reference() {
        return;
    }
    let port = next_free_port();
    let _server = with_admin(Server::config().set("admin.idleTimeout", "300"), port).start();
    let admin = SocketAddr::from(([127, 0, 0, 1], port));
    let head = "POST /commands/shed HTTP/1.0\r\nAuthorization: digest any:body\r\n";
    let answer = http::ask(admin, &format!("{head}Content-Length: 100\r\n\r\n{{")).unwrap();
    let (status, said) = said(&answer);
    assert_eq!(status, 400, "{said}");
    assert!(said["error"].as_str().is_some_and(|why| why.contains("was not received")), "{said}");
}

/// A local session is known to its own server only: it would be lost.
#[test]
fn a_local_session_is_never_shed() {
    if is_reference() {
        return;
    }
    let port = next_free_port();
    let config = Server::config()
        .set("localSessionsEnabled", "true")
        .set("standaloneEnabled", "false")
        .set("initLimit", "10")
        .set("syncLimit", "5")
        .set("server.1", &format!("127.0.0.1:{}:{}", next_free_port(), next_free_port()));
    let mut server = with_admin(config, port).prepare();
    std::fs::write(server.folder().join("data/myid"), "1\n").unwrap();
    server.launch();
    server.await_service();
    let admin = SocketAddr::from(([127, 0, 0, 1], port));
    let mut local = Client::connect(server.address());
    order(admin, "shed", &json!({ "percentage": 100, "patience_ms": 300 }));
    let over = await_report(admin, |report| report["being_shed"] == 0);
    assert_eq!((&over["shed"], &over["connections"]), (&json!(0), &json!(1)), "{over}");
    local.ping();
}

#[test]
fn fewer_are_admitted_for_a_time() {
    if is_reference() {
        return;
    }
    let (server, admin) = server();
    let mut first = Client::connect(server.address());
    let lent = order(admin, "admission", &json!({ "at_most": 1, "for_ms": 3_600_000 }));
    assert_eq!((&lent["at_most"], &lent["command"]), (&json!(1), &json!("admission")));
    assert!(lent["ends_in_ms"].as_u64().is_some_and(|ms| ms > 3_000_000), "{lent}");
    let join = || Client::open(server.address(), &Handshake::default());
    assert!(join().is_none(), "it is refused");
    assert_eq!(server.word("ruok"), "imok", "words are answered");
    first.ping();
    let opened = order(admin, "admission", &json!({ "for_ms": 0 }));
    assert_eq!((&opened["at_most"], &opened["ends_in_ms"]), (&Value::Null, &Value::Null));
    assert!(join().is_some());
    order(admin, "admission", &json!({ "at_most": 0, "for_ms": 1 }));
    let end = Instant::now() + PATIENCE;
    while join().is_none() {
        assert!(Instant::now() < end, "a lease does not end");
    }
}
