//! What a leader must not take from those that join it.

use super::{
    ACK, ACK_EPOCH, COMMIT, FOLLOWER_INFO, Harmed, LEADER_INFO, Link, OBSERVER_INFO, PROTOCOL,
    introduction, packet,
};
use harness::server::next_free_port;
use harness::{Body, Client, Server, is_reference};
use std::net::TcpStream;

/// How a peer is named that has not said who it is, or has said nothing true.
const FROM: &str = "=127.0.0.1:";

/// What a learner sends, and what the leader says of it.
struct Case {
    sent: Vec<u8>,
    why: &'static str,
}

fn case(sent: &[Vec<u8>], why: &'static str) -> Case {
    Case { sent: sent.concat(), why }
}

/// How learners introduce themselves that the leader cannot have.
fn introductions() -> Vec<Case> {
    let whole = introduction(9, PROTOCOL);
    let old = "a learner link is closed: it is older than ZooKeeper 3.5";
    let info = |data: Option<&[u8]>| packet(FOLLOWER_INFO, 0, data);
    vec![
        // 3.3 and 3.4, and what never was.
        case(&[info(None)], old),
        case(&[info(Some(&[]))], old),
        case(&[info(Some(&whole[..8]))], old),
        case(&[info(Some(&whole[..12]))], old),
        case(&[info(Some(&whole[..19]))], old),
        case(&[info(Some(&introduction(9, 0)))], old),
        case(&[info(Some(&introduction(9, PROTOCOL - 1)))], old),
        case(&[packet(OBSERVER_INFO, 0, Some(&introduction(9, -1)))], old),
        // Who it is, and what it has promised.
        case(&[info(Some(&introduction(1, PROTOCOL)))], "it claims the number of this server"),
        case(&[packet(FOLLOWER_INFO, -1, Some(&whole))], "it has promised the last epoch"),
        case(
            &[info(Some(&Body::new().long(9).int(PROTOCOL).long(i64::MAX).0))],
            "its configuration is newer than this one's",
        ),
        // Something else.
        case(&[packet(ACK, 0, None)], "does not begin as a learner introduces itself"),
        case(&[packet(COMMIT, 0, None)], "does not begin as a learner introduces itself"),
        case(
            &[b"GET / HTTP/1.1\r\n\r\n".to_vec()],
            "does not begin as a learner introduces itself",
        ),
        case(&[info(Some(&whole)), info(Some(&whole))], "a packet that has no place here"),
    ]
}

/// What learners say that the leader has sent its epoch.
fn answers() -> Vec<Case> {
    let promise = packet(ACK_EPOCH, 0, Some(&[0; 4]));
    let odd_pings = packet(5, 0, Some(&[0; 13]));
    let request = |data: &[u8]| packet(1, -1, Some(data));
    vec![
        case(&[packet(ACK, 1 << 40, None)], "a learner link is closed: it has sent "),
        case(&[promise.clone(), promise.clone()], "a packet that has no place here"),
        case(&[packet(ACK_EPOCH, 0, None)], "ACKEPOCH: null data"),
        case(&[packet(ACK_EPOCH, 0, Some(&[0; 2]))], "ACKEPOCH: 2 bytes of data"),
        case(&[odd_pings], "PING: 13 bytes of data"),
        case(&[request(&[0; 15])], "REQUEST: 15 bytes of data"),
        case(
            &[packet(1, -1, None)[..12].to_vec(), i32::MAX.to_be_bytes().to_vec()],
            "REQUEST: a length of 2147483647",
        ),
        case(
            &[packet(1, -1, None)[..16].to_vec(), i32::MAX.to_be_bytes().to_vec()],
            "REQUEST: 2147483647 identities",
        ),
    ]
}

/// A server that leads alone, and its port for learners.
fn leading(harmed: &mut Harmed) -> u16 {
    let (quorum, election) = (next_free_port(), next_free_port());
    let config = Server::config().set("standaloneEnabled", "false");
    let config = config.set("initLimit", "120").set("syncLimit", "120");
    harmed.server.configure(config.set("server.1", &format!("127.0.0.1:{quorum}:{election}")));
    harmed.server.start_again();
    quorum
}

#[test]
fn learners_that_cannot_be() {
    if is_reference() {
        return;
    }
    let mut harmed = Harmed::prepare();
    let port = leading(&mut harmed);
    let connect = || Link::new(TcpStream::connect(("127.0.0.1", port)).unwrap());
    for Case { sent, why } in introductions() {
        harmed.says_of(&[FROM.to_owned()], &[why], || {
            let mut link = connect();
            link.send(&sent);
            link.await_end();
        });
    }
    for Case { sent, why } in answers() {
        harmed.says_of(&[FROM.to_owned()], &[why], || {
            let mut link = connect();
            link.packet(FOLLOWER_INFO, 0, Some(&introduction(9, PROTOCOL)));
            link.expect(LEADER_INFO);
            link.send(&sent);
            link.await_end();
        });
    }
    // It leads all the while.
    Client::connect(harmed.server.address()).get("/own-0", false).unwrap();
    assert_eq!(harmed.server.log().matches("looking for a leader").count(), 0);
    harmed.assert_unharmed();
}
