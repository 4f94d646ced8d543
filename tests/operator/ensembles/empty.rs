//! Servers without data: `db.autocreate`, and the file `initialize`.

use std::fs;

use harness::{Client, Server, is_reference};

use super::{mode, servers, until_says};

const NO_VOTE: &str = "there are no data, and db.autocreate=false: this server does not vote";

#[test]
fn a_server_that_may_have_lost_its_data_does_not_vote() {
    if is_reference() {
        return;
    }
    let mut servers = servers(3, |_, config| config.set("db.autocreate", "false"));
    let initialize = |server: &Server| server.folder().join("data/initialize");
    for server in &servers[..2] {
        fs::write(initialize(server), "").unwrap();
    }
    servers.iter_mut().for_each(Server::launch);
    servers.iter_mut().for_each(Server::await_service);
    // The server with the greatest number has no data, and cannot be elected.
    until_says(&servers[2], NO_VOTE);
    assert_eq!(mode(&servers[2]).as_deref(), Some("follower"));
    assert!(servers.iter().all(|server| !initialize(server).exists()));
    Client::connect(servers[2].address()).make("/kept");
    // A server loses its disk. With one other server it makes no quorum, though it runs.
    servers.iter_mut().for_each(Server::kill);
    fs::remove_dir_all(servers[1].folder().join("data/ringkeeper-1")).unwrap();
    servers[1].launch();
    servers[0].launch();
    until_says(&servers[1], NO_VOTE);
    until_says(&servers[0], "there is an election link to server 2");
    assert!(servers[..2].iter().all(|server| mode(server).is_none()));
    servers[2].launch();
    servers.iter_mut().for_each(Server::await_service);
    let mut client = Client::connect(servers[1].address());
    client.sync("/").unwrap();
    client.get("/kept", false).unwrap();
}
