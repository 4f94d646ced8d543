//! An ensemble that is changed while its servers run.

use super::{Ensemble, PATIENCE, Seat};
use harness::server::four_letters;
use harness::wire::Body;
use harness::{Acl, Client, Config, Handshake, Server, code, opcode};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// What may be changed, and by anybody.
pub(crate) fn changeable(config: Config) -> Config {
    config.set("reconfigEnabled", "true").set("standaloneEnabled", "false").set("skipACL", "yes")
}

/// A change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Change {
    pub(crate) joining: Option<String>,
    pub(crate) leaving: Option<String>,
    pub(crate) members: Option<String>,
    pub(crate) from: i64,
}

impl Change {
    pub(crate) fn adding(line: String) -> Self {
        Self { joining: Some(line), from: -1, ..Self::default() }
    }

    pub(crate) fn removing(numbers: &str) -> Self {
        Self { leaving: Some(numbers.to_owned()), from: -1, ..Self::default() }
    }

    pub(crate) fn whole(lines: String) -> Self {
        Self { members: Some(lines), from: -1, ..Self::default() }
    }

    pub(crate) fn body(&self) -> Body {
        let bytes = |text: &Option<String>| text.clone().map(String::into_bytes);
        let [joining, leaving, members] = [&self.joining, &self.leaving, &self.members].map(bytes);
        let body = Body::new().buffer(joining.as_deref()).buffer(leaving.as_deref());
        body.buffer(members.as_deref()).long(self.from)
    }
}

impl Ensemble {
    /// A server's line, as an observer or not.
    pub(crate) fn line(&self, at: usize, seat: Seat) -> String {
        let (quorum, election) = self.ports[at];
        let role = if seat == Seat::Observer { "observer" } else { "participant" };
        let client = self.servers[at].address();
        format!("server.{}=127.0.0.1:{quorum}:{election}:{role};{client}", at + 1)
    }

    /// What the configuration is, as server `at` shows it.
    pub(crate) fn configuration(&self, at: usize) -> String {
        let mut found = None;
        self.until(|| {
            found = self.try_configuration(at);
            found.is_some()
        });
        found.expect("it was found")
    }

    /// Changes the ensemble, through a client of server `through`. A server that changes its role
    /// closes its clients, perhaps before the answer.
    pub(crate) fn change(&self, through: usize, change: &Change) {
        let before = self.configuration(through);
        let mut client = Client::connect(self.address(through));
        let xid = client.post(opcode::RECONFIG, &change.body());
        if let Some(reply) = client.try_reply(xid) {
            assert_eq!(reply.err, code::OK, "{change:?} of {before}");
            // Its server may have another role now, and its connection be closed.
            let closing = client.try_post(opcode::CLOSE_SESSION, &Body::new());
            closing.and_then(|xid| client.try_reply(xid));
        }
        self.until(|| self.try_configuration(through).is_some_and(|now| now != before));
    }

    fn try_configuration(&self, at: usize) -> Option<String> {
        let mut client = Client::try_open(self.address(at), &Handshake::default())?;
        let body = Body::new().string("/zookeeper/config").boolean(false);
        let xid = client.try_post(opcode::GET_DATA, &body)?;
        let reply = client.try_reply(xid)?;
        client.hang_up();
        let data = harness::ReplyReader::new(&reply.body).buffer();
        Some(String::from_utf8(data?).expect("text"))
    }

    /// Whether a server has a leader, and takes writes.
    fn serves(&self, at: usize) -> bool {
        let Some(mut client) = Client::try_open(self.address(at), &Handshake::default()) else {
            return false;
        };
        let xid = client.try_post(opcode::SYNC, &Body::new().string("/"));
        xid.and_then(|xid| client.try_reply(xid)).is_some_and(|reply| reply.err == code::OK)
    }

    /// Waits for something.
    pub(crate) fn until(&self, mut is_so: impl FnMut() -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so() {
            if Instant::now() > end {
                let logs = self.servers.iter().map(Server::log);
                panic!("it does not come to that: {}", logs.collect::<Vec<_>>().join("\n---\n"));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that run show the same configuration, and have it in their files.
    pub(crate) fn assert_configured(&mut self, count: usize) {
        self.await_service();
        let running: Vec<_> =
            (0..self.servers.len()).filter(|at| self.servers[*at].is_running()).collect();
        let mut texts: Vec<String> = Vec::new();
        self.until(|| {
            texts = running.iter().filter_map(|at| self.try_configuration(*at)).collect();
            texts.len() == running.len() && texts.iter().all(|text| *text == texts[0])
        });
        assert_eq!(texts[0].matches("server.").count(), count, "{}", texts[0]);
        let (lines, version) = texts[0].rsplit_once("\nversion=").expect("a version");
        let mut lines: Vec<&str> = lines.lines().collect();
        lines.sort_unstable();
        for at in running {
            let folder = self.servers[at].folder();
            let file = folder.join(format!("zoo.cfg.dynamic.{version}"));
            self.until(|| fs::read_to_string(&file).is_ok());
            let stored = fs::read_to_string(&file).unwrap();
            assert_eq!(stored, lines.join("\n"), "server {}", at + 1);
            let named = format!("dynamicConfigFile={}", file.canonicalize().unwrap().display());
            let names = || {
                let text = fs::read_to_string(folder.join("zoo.cfg")).unwrap();
                text.contains(&named) && !text.contains("server.")
            };
            self.until(names);
            self.until(|| !folder.join("zoo.cfg.dynamic.next").exists());
        }
    }
}

/// A client that writes all the time, to whatever servers are left.
fn writes(ensemble: &Ensemble, count: usize) {
    for at in (0..ensemble.servers.len()).filter(|at| ensemble.servers[*at].is_running()) {
        let mut client = Client::connect(ensemble.address(at));
        for _ in 0..count {
            client.create2("/n-", b"x", &Acl::open(), 2).unwrap();
        }
        client.close();
    }
}

#[test]
fn an_ensemble_grows_from_one_server_to_five_and_shrinks_again() {
    let seats = [Seat::Voter; 5];
    let mut ensemble = Ensemble::prepare_some(&seats, 1, |_, config| changeable(config));
    ensemble.servers[0].launch();
    ensemble.await_service();
    writes(&ensemble, 5);
    for at in 1..5 {
        ensemble.servers[at].launch();
        ensemble.servers[at].await_service();
        let line = ensemble.line(at, Seat::Voter);
        ensemble.change(at % 2, &Change::adding(line));
        ensemble.assert_configured(at + 1);
        writes(&ensemble, 5);
    }
    ensemble.assert_equal();
    // They come back as five, from what they have written themselves.
    ensemble.servers.iter_mut().for_each(Server::kill);
    ensemble.servers[1..4].iter_mut().for_each(Server::launch);
    ensemble.await_service();
    writes(&ensemble, 5);
    ensemble.servers[0].launch();
    ensemble.servers[4].launch();
    ensemble.await_service();
    for removed in 1..5 {
        // Whoever leads may be among them.
        ensemble.change(0, &Change::removing(&(removed + 1).to_string()));
        ensemble.assert_configured(5 - removed);
        writes(&ensemble, 3);
    }
    ensemble.assert_equal();
    ensemble.assert_digests();
    ensemble.servers[1..].iter_mut().for_each(Server::kill);
    ensemble.servers[0].restart();
    writes(&ensemble, 3);
}

#[test]
fn servers_change_their_roles_and_the_leader_is_removed() {
    let mut ensemble = Ensemble::prepare(&[Seat::Voter; 4], |_, config| changeable(config));
    ensemble.servers.iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.assert_configured(4);
    for _ in 0..3 {
        let leader = ensemble.leader();
        let other = (leader + 1) % 4;
        let mut watcher = Client::connect(ensemble.address(other));
        watcher.get("/zookeeper/config", true).unwrap();
        for seat in [Seat::Observer, Seat::Voter] {
            let at = (leader + 2) % 4;
            ensemble.change(other, &Change::adding(ensemble.line(at, seat)));
            ensemble.assert_configured(4);
            let mode = if seat == Seat::Observer { "Mode: observer" } else { "Mode: follower" };
            ensemble.until(|| ensemble.servers[at].word("srvr").contains(mode));
        }
        let event = watcher.event();
        assert_eq!((event.kind, &event.path[..]), (3, "/zookeeper/config"));
        ensemble.change(other, &Change::removing(&(leader + 1).to_string()));
        ensemble.assert_configured(3);
        writes(&ensemble, 2);
        assert_ne!(ensemble.leader(), leader);
        ensemble.change(other, &Change::adding(ensemble.line(leader, Seat::Voter)));
        ensemble.assert_configured(4);
        writes(&ensemble, 2);
    }
    ensemble.assert_equal();
    ensemble.assert_digests();
}

#[test]
fn who_removes_the_leader_is_answered() {
    let mut ensemble = Ensemble::prepare(&[Seat::Voter; 3], |_, config| changeable(config));
    ensemble.servers.iter_mut().for_each(Server::launch);
    ensemble.await_service();
    for _ in 0..4 {
        ensemble.assert_configured(3);
        let leader = ensemble.leader();
        let mut client = Client::connect(ensemble.address((leader + 1) % 3));
        let change = Change::removing(&(leader + 1).to_string());
        assert_eq!(client.call(opcode::RECONFIG, &change.body()).err, code::OK);
        ensemble.assert_configured(2);
        let line = ensemble.line(leader, Seat::Voter);
        ensemble.change((leader + 1) % 3, &Change::adding(line));
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let configure = |_: usize, config: Config| {
        changeable(config).without("skipACL").property(
            // The password of super:test.
            "zookeeper.DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=",
        )
    };
    let mut ensemble = Ensemble::prepare_some(&[Seat::Voter; 4], 3, configure);
    ensemble.servers[..3].iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.assert_configured(3);
    let before = ensemble.configuration(0);
    let version = i64::from_str_radix(before.rsplit_once('=').unwrap().1, 16).unwrap();
    let absent = ensemble.line(3, Seat::Voter);
    let of = |at| ensemble.line(at, Seat::Voter);
    let two = format!("{},{}", of(0), of(1));
    let weighted = format!("{two}\n{}\ngroup.1=1:2:3\nweight.1=3", of(2));
    for through in [ensemble.leader(), (ensemble.leader() + 1) % 3] {
        let mut client = Client::connect(ensemble.address(through));
        let mut refused = |change: &Change, error: i32| {
            let reply = client.call(opcode::RECONFIG, &change.body());
            assert_eq!(reply.err, error, "{change:?}");
        };
        refused(&Change::removing("1"), code::NO_AUTH);
        refused(&Change { from: version + 1, ..Change::removing("1") }, code::BAD_VERSION);
        refused(&Change::whole(format!("{}\n{absent}", of(0))), code::NEW_CONFIG_NO_QUORUM);
        refused(&Change::whole(absent.clone()), code::NEW_CONFIG_NO_QUORUM);
        refused(&Change::removing("1,2,3"), code::BAD_ARGUMENTS);
        refused(&Change::removing("x"), code::MARSHALLING_ERROR);
        refused(&Change::adding("server.4=127.0.0.1:1:2".to_owned()), code::BAD_ARGUMENTS);
        refused(&Change::adding("server.x=127.0.0.1:1:2;3".to_owned()), code::MARSHALLING_ERROR);
        refused(&Change::adding("nonsense".to_owned()), code::BAD_ARGUMENTS);
        refused(&Change::adding("server.4=a:1:1;3".to_owned()), code::BAD_ARGUMENTS);
        refused(&Change::whole("server.4=a".to_owned()), code::BAD_ARGUMENTS);
        refused(&Change::whole(format!("{two}\nother=1")), code::BAD_ARGUMENTS);
        refused(&Change::whole("server.9=a:1:2:observer;3".to_owned()), code::MARSHALLING_ERROR);
        refused(&Change::whole(format!("{two}\ngroup.1=1:2:3")), code::MARSHALLING_ERROR);
        refused(&Change::whole(format!("{two}\ngroup.1=1")), code::BAD_ARGUMENTS);
        let twice = format!("{two}\ngroup.1=1:2\ngroup.2=2");
        refused(&Change::whole(twice), code::BAD_ARGUMENTS);
        refused(&Change::whole(format!("{two}\nweight.1=x\ngroup.1=1:2")), code::MARSHALLING_ERROR);
        if !harness::is_reference() {
            let line =
                |id: usize| format!(",server.{id}=server{id}.example:2888:3888:observer;2181");
            let many: String = (10..1_010).map(line).collect();
            refused(&Change::whole(two.clone() + &many), code::BAD_ARGUMENTS);
        }
        client.add_auth("digest", b"super:test").unwrap();
        client.make(&format!("/still-here-{through}"));
        client.close();
    }
    assert_eq!(ensemble.configuration(1), before);
    // Groups, and no way back by differences.
    let mut client = Client::connect(ensemble.address(0));
    client.add_auth("digest", b"super:test").unwrap();
    assert_eq!(client.call(opcode::RECONFIG, &Change::whole(weighted).body()).err, code::OK);
    let reply = client.call(opcode::RECONFIG, &Change::removing("2").body());
    assert_eq!(reply.err, code::BAD_ARGUMENTS);
}

#[test]
fn ports_move_while_servers_run() {
    let mut ensemble = Ensemble::prepare(&[Seat::Voter; 3], |_, config| changeable(config));
    ensemble.servers.iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.assert_configured(3);
    let leader = ensemble.leader();
    let (follower, third) = ((leader + 1) % 3, (leader + 2) % 3);
    let mut stays = Client::connect(ensemble.address(follower));
    let to = harness::server::next_free_port();
    let line = ensemble.line(follower, Seat::Voter);
    let (line, _) = line.rsplit_once(':').unwrap();
    ensemble.change(third, &Change::adding(format!("{line}:{to}")));
    let moved = std::net::SocketAddr::from(([127, 0, 0, 1], to));
    ensemble.until(|| std::net::TcpStream::connect(moved).is_ok());
    ensemble.until(|| std::net::TcpStream::connect(ensemble.address(follower)).is_err());
    let conf = four_letters(moved, "conf", PATIENCE).expect("it answers");
    assert!(conf.starts_with(&format!("clientPort={to}\n")), "{conf}");
    let mut there = Client::connect(moved);
    there.make("/over-the-new-port");
    stays.sync("/").unwrap();
    assert!(stays.exists("/over-the-new-port", false).is_ok(), "the connection stays");
    stays.close();
    there.close();
    // The leader's own ports: another one leads, and it follows from where it is now.
    ensemble.ports[leader] = (harness::server::next_free_port(), harness::server::next_free_port());
    ensemble.change(third, &Change::adding(ensemble.line(leader, Seat::Voter)));
    ensemble.until(|| ensemble.servers[leader].word("srvr").contains("Mode: follower"));
    // It is reached there: it leads again once the others are gone and one is back.
    ensemble.servers[third].kill();
    ensemble.until(|| ensemble.serves(leader));
    let mut client = Client::connect(ensemble.address(leader));
    client.make("/two-are-enough");
    client.close();
    ensemble.servers[third].launch();
    ensemble.servers[third].await_service();
}

#[test]
fn a_change_survives_a_kill_of_all_servers_or_never_was() {
    let mut ensemble = Ensemble::prepare(&[Seat::Voter; 4], |_, config| changeable(config));
    ensemble.servers.iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.assert_configured(4);
    let mut members = 4;
    for round in 0..6_u64 {
        let change = if members == 4 {
            Change::removing("4")
        } else {
            Change::adding(ensemble.line(3, Seat::Voter))
        };
        let mut client = Client::connect(ensemble.address(round as usize % 3));
        client.post(opcode::RECONFIG, &change.body());
        thread::sleep(Duration::from_millis(round * 2));
        ensemble.servers.iter_mut().for_each(Server::kill);
        // Server 4 knows of the others whatever its file says.
        ensemble.servers[..3].iter_mut().for_each(Server::launch);
        ensemble.await_service();
        writes(&ensemble, 2);
        members = ensemble.configuration(0).matches("server.").count();
        if members == 3 {
            ensemble.change(1, &Change::adding(ensemble.line(3, Seat::Voter)));
            members = 4;
        }
        // A server that has learnt of its removal is told anew that it is one of them.
        ensemble.servers[3].set("autopurge.snapRetainCount", &(3 + round).to_string());
        ensemble.servers[3].launch();
        ensemble.servers[3].await_service();
        ensemble.assert_configured(members);
    }
    ensemble.assert_equal();
}

#[test]
fn a_list_that_could_not_be_written_is_in_the_data() {
    let mut ensemble = Ensemble::prepare_some(&[Seat::Voter; 4], 3, |_, config| changeable(config));
    ensemble.servers.iter_mut().for_each(Server::launch);
    ensemble.await_service();
    ensemble.until(|| ensemble.configuration(0).ends_with("version=100000000"));
    // Where the new file would be written first there is something else.
    let folder = ensemble.servers[0].folder().to_owned();
    let written = || fs::read_to_string(folder.join("zoo.cfg")).unwrap();
    ensemble.until(|| written().contains("zoo.cfg.dynamic.100000000"));
    fs::create_dir(folder.join("zoo.cfg.tmp")).unwrap();
    ensemble.change(1, &Change::adding(ensemble.line(3, Seat::Voter)));
    let says = "starts with its data's list of servers";
    ensemble.until(|| ensemble.servers[0].log().contains(says));
    assert!(written().contains("zoo.cfg.dynamic.100000000"), "the file is as it was");
    writes(&ensemble, 2);
    ensemble.servers.iter_mut().for_each(Server::kill);
    // With its file's list servers 1 and 2 would be a quorum of three.
    ensemble.servers[..2].iter_mut().for_each(Server::launch);
    let goes_on = "the list of servers goes on from version";
    ensemble.until(|| ensemble.servers[0].log().contains(goes_on));
    ensemble.servers[3].launch();
    ensemble.await_service();
    assert_eq!(ensemble.configuration(0).matches("server.").count(), 4);
    // It is written as soon as that is possible.
    fs::remove_dir(folder.join("zoo.cfg.tmp")).unwrap();
    ensemble.servers[0].restart();
    ensemble.until(|| !written().contains("zoo.cfg.dynamic.100000000"));
    // A person who changes the list is obeyed: this server is of the three again, as its file says.
    ensemble.servers[0].kill();
    let list = folder.join("zoo.cfg.dynamic.100000000");
    let text = written();
    let (kept, _) = text.split_once("dynamicConfigFile=").unwrap();
    fs::write(folder.join("zoo.cfg"), format!("{kept}dynamicConfigFile={}\n", list.display()))
        .unwrap();
    let before = ensemble.servers[0].log().matches(goes_on).count();
    ensemble.servers[0].launch();
    ensemble.await_service();
    assert_eq!(ensemble.servers[0].log().matches(goes_on).count(), before);
    ensemble.until(|| ensemble.configuration(0).matches("server.").count() == 4);
}
