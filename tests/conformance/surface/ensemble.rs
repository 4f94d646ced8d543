//! The same of a leader, a follower, and a server without a quorum.

use super::{ask, golden, normal};
use harness::server::next_free_port;
use harness::{Acl, Client, Op, Server};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{fs, thread};

/// How long a loaded machine may take to notice that servers are gone.
const NOTICED_MAX: Duration = Duration::from_secs(60);

/// Commands whose answers depend on what the server is in its ensemble.
const COMMANDS: [&str; 22] = [
    "configuration",
    "connections",
    "dirs",
    "dump",
    "get_trace_mask",
    "hash",
    "initial_configuration",
    "is_read_only",
    "last_snapshot",
    "leader",
    "observer_connection_stat_reset",
    "observers",
    "ruok",
    "server_stats",
    "stats",
    "voting_view",
    "watch_summary",
    "watches",
    "watches_by_path",
    "zabstate",
    "connection_stat_reset",
    "stat_reset",
];

/// One of the servers, the ports by which the others reach it, and that of its commands.
struct Member {
    server: Server,
    quorum: u16,
    election: u16,
    http: SocketAddr,
}

/// Three servers with empty disks. The first two elect the second; the third joins them.
fn ensemble() -> Vec<Member> {
    let ports: Vec<_> = (0..3).map(|_| [(); 3].map(|()| next_free_port())).collect();
    let members = ports.iter().enumerate().map(|(own, &[quorum, election, http])| {
        let mut config = Server::config()
            .set("initLimit", "40")
            .set("syncLimit", "20")
            .set("admin.enableServer", "true")
            .set("admin.serverPort", &http.to_string());
        for (at, [quorum, election, _]) in ports.iter().enumerate() {
            let line = format!("127.0.0.1:{quorum}:{election}");
            config = config.set(&format!("server.{}", at + 1), &line);
        }
        let server = config.prepare();
        fs::write(server.folder().join("data/myid"), format!("{}\n", own + 1)).unwrap();
        Member { server, quorum, election, http: SocketAddr::from(([127, 0, 0, 1], http)) }
    });
    let mut members: Vec<_> = members.collect();
    members[..2].iter_mut().for_each(|it| it.server.launch());
    members[..2].iter_mut().for_each(|it| it.server.await_service());
    members[2].server.launch();
    members[2].server.await_service();
    members
}

/// The same history in every run, by clients of all servers, which stay connected.
fn clients(members: &[Member]) -> [Client; 3] {
    let mut clients = [0, 1, 2].map(|at| Client::connect(members[at].server.address()));
    let [a, b, c] = &mut clients;
    let open = Acl::open();
    a.create("/ns", b"0123456789", &open, 0).unwrap();
    a.create("/ns/e", b"", &open, 1).unwrap();
    a.create("/ns", b"", &open, 0).unwrap_err();
    b.create("/leaders", &[b'x'; 100], &open, 0).unwrap();
    b.create("/leaders/e", b"", &open, 1).unwrap();
    c.create("/thirds", b"", &open, 0).unwrap();
    a.multi(&[Op::create("/ns/m1", b"1", 0), Op::create("/ns/m2", b"22", 0)]).unwrap();
    a.sync("/").unwrap();
    a.get("/ns", true).unwrap();
    a.exists("/later", true).unwrap_err();
    b.get("/leaders", true).unwrap();
    for number in 0..10 {
        a.set("/thirds", number.to_string().as_bytes(), -1).unwrap();
        b.set("/ns/m1", b"short", -1).unwrap();
    }
    a.sync("/").unwrap();
    c.sync("/").unwrap();
    clients
}

/// Replaces what varies between ensembles by names.
fn named(text: &str, members: &[Member], own: &Member, clients: &[Client; 3]) -> String {
    let names: Vec<_> =
        clients.iter().zip(["A", "B", "C"]).map(|(it, name)| (it.session_id(), name)).collect();
    let port = own.server.address().port();
    let mut text = normal::names(text, &names, own.server.folder(), port, own.http);
    for (number, member) in members.iter().enumerate() {
        text = text.replace(&member.quorum.to_string(), &format!("QUORUM{}", number + 1));
        text = text.replace(&member.election.to_string(), &format!("ELECTION{}", number + 1));
    }
    text
}

/// What a serving server says of itself.
fn surface(members: &[Member], own: &Member, clients: &[Client; 3]) -> String {
    let word = |word| named(&own.server.word(word), members, own, clients);
    let mut found = String::new();
    for (name, text) in [
        ("srvr", normal::packets(&normal::numbers(&word("srvr")))),
        ("conf", normal::sizes(&word("conf"))),
        ("dump", normal::blocks(&normal::dump(&word("dump")))),
        ("isro", word("isro")),
        ("wchs", word("wchs")),
        ("mntr", normal::metrics_of_ensemble(&word("mntr"))),
    ] {
        writeln!(found, "== {name}\n{text}").unwrap();
    }
    for command in COMMANDS {
        let (status, body) = ask(own.http, &format!("/commands/{command}"));
        write!(found, "== {command}: {status}\n{}", normal::shape(&body)).unwrap();
    }
    let reset = word("srst") + &normal::packets(&normal::numbers(&word("srvr")));
    writeln!(found, "== after srst\n{reset}").unwrap();
    found
}

/// What a server says that serves no clients.
fn refusals(own: &Member) -> String {
    let words = [
        "srvr", "stat", "conf", "cons", "crst", "dirs", "dump", "hash", "isro", "mntr", "ruok",
        "srst", "wchc", "wchp", "wchs", "gtmk",
    ];
    let mut found = String::new();
    for word in words {
        writeln!(found, "{word}: {:?}", own.server.word(word)).unwrap();
    }
    for command in COMMANDS.iter().chain(&["snapshot"]) {
        let (status, body) = ask(own.http, &format!("/commands/{command}"));
        write!(found, "== {command}: {status}\n{}", normal::shape(&body)).unwrap();
    }
    found
}

#[test]
fn a_leader_a_follower_and_a_server_without_a_quorum() {
    let mut members = ensemble();
    let clients = clients(&members);
    golden("leader", &surface(&members, &members[1], &clients));
    golden("follower", &surface(&members, &members[0], &clients));
    members[..2].iter_mut().for_each(|it| it.server.kill());
    let end = Instant::now() + NOTICED_MAX;
    while members[2].server.word("srvr").contains("Mode: ") {
        assert!(Instant::now() < end, "a server serves without a quorum");
        thread::sleep(Duration::from_millis(20));
    }
    golden("lost", &refusals(&members[2]));
}
