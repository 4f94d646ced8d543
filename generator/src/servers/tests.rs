use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use super::{Role, Roles, parse};

/// A server that answers four-letter words with this text, or never.
pub(crate) fn answering(text: Option<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut held = Vec::new();
        for mut stream in listener.incoming().flatten() {
            let Some(text) = text else {
                held.push(stream);
                continue;
            };
            let mut word = [0; 4];
            if stream.read_exact(&mut word).is_ok() && &word == b"srvr" {
                stream.write_all(text.as_bytes()).ok();
            }
        }
    });
    address
}

/// Turns until the roles are known.
fn known(roles: &mut Roles, epoch: Instant, since_ns: u64) -> Vec<Option<Role>> {
    loop {
        let now_ns = epoch.elapsed().as_nanos() as u64;
        if let Some(roles) = roles.known_since(since_ns) {
            return roles.to_vec();
        }
        roles.advance(now_ns);
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_connect_string_names_servers() {
    let servers = parse("127.0.0.1:1, 127.0.0.1:2").unwrap();
    let names: Vec<_> = servers.iter().map(|server| &*server.name).collect();
    assert_eq!(names, ["127.0.0.1:1", "127.0.0.1:2"]);
    let said = parse("127.0.0.1:1,127.0.0.1:2/app").unwrap_err().to_string();
    assert_eq!(said, "--server ends with the path /app: give it as --root /app");
    let said = parse("127.0.0.1:1,").unwrap_err().to_string();
    assert!(said.starts_with(" is not an address"), "{said}");
}

#[test]
fn servers_say_what_they_are_and_the_others_delay_nothing() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let addresses = vec![
        answering(Some("Zookeeper version: 3\nMode: leader\nNode count: 5\n")),
        answering(Some("Mode: follower\n")),
        answering(Some("Mode: standalone\n")),
        answering(Some("This ZooKeeper instance is not currently serving requests\n")),
        answering(None),
        gone,
    ];
    let mut roles = Roles::new(addresses);
    let epoch = Instant::now();
    let expected = [Some(Role::Leader), Some(Role::Follower), Some(Role::Leader), None, None, None];
    assert_eq!(known(&mut roles, epoch, 0), expected);
    assert_eq!(roles.next_ns(), None, "nothing is asked without need");
    let later_ns = epoch.elapsed().as_nanos() as u64;
    assert!(roles.known_since(later_ns).is_none(), "an older answer does not count");
    assert_eq!(known(&mut roles, epoch, later_ns), expected);
}
