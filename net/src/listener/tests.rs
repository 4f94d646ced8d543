use super::{BindError, Endpoint, ListenOptions, Listener, peer_address};
use crate::limits::LISTEN_BACKLOG_DEFAULT;
use nix::sys::socket::{getsockopt, sockopt};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

fn local(port: u16) -> Endpoint {
    Endpoint::One(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn accept_one(listener: &Listener) -> TcpStream {
    let listener = TcpListener::from(listener.as_fd().try_clone_to_owned().unwrap());
    listener.accept().unwrap().0
}

#[test]
fn an_accepted_connection_inherits_the_options() {
    for keep_alive in [false, true] {
        let options = ListenOptions { keep_alive, ..ListenOptions::default() };
        let listener = Listener::bind(local(0), options).unwrap();
        let client = TcpStream::connect(listener.address).unwrap();
        let accepted = accept_one(&listener);
        assert!(getsockopt(&accepted, sockopt::TcpNoDelay).unwrap());
        assert_eq!(getsockopt(&accepted, sockopt::KeepAlive).unwrap(), keep_alive);
        assert_eq!(getsockopt(&accepted, sockopt::Linger).unwrap().l_onoff, 0);
        assert_eq!(peer_address(&accepted).unwrap(), client.local_addr().unwrap());
    }
}

#[test]
fn all_addresses_take_ipv4_and_report_it_as_such() {
    let listener = Listener::bind(Endpoint::All(0), ListenOptions::default()).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, listener.address.port()));
    let client = TcpStream::connect(address).unwrap();
    let peer = peer_address(accept_one(&listener)).unwrap();
    assert!(peer.is_ipv4());
    assert_eq!(peer, client.local_addr().unwrap());
}

#[test]
fn a_second_listener_is_refused_by_name() {
    let options = ListenOptions { backlog: -1, ..ListenOptions::default() };
    let first = Listener::bind(local(0), options).unwrap();
    let endpoint = local(first.address.port());
    let error = Listener::bind(endpoint, options).unwrap_err();
    assert_eq!(error, BindError::InUse(endpoint));
    assert!(error.to_string().contains(&first.address.to_string()));
    let all = Endpoint::All(first.address.port());
    assert_eq!(Listener::bind(all, options).unwrap_err(), BindError::InUse(all));
}

#[test]
fn a_foreign_address_is_refused_by_name() {
    let endpoint = Endpoint::One("192.0.2.1:2181".parse().unwrap());
    let error = Listener::bind(endpoint, ListenOptions::default()).unwrap_err();
    assert_eq!(error, BindError::NotAvailable(endpoint));
    assert!(error.to_string().contains("192.0.2.1:2181"));
}

#[test]
fn the_largest_backlog_is_taken() {
    let options = ListenOptions { backlog: i32::MAX, ..ListenOptions::default() };
    let listener = Listener::bind(local(0), options).unwrap();
    TcpStream::connect(listener.address).unwrap();
}

#[test]
fn an_unspecified_address_means_all_of_both_families() {
    assert_eq!(Endpoint::of(SocketAddr::from((Ipv4Addr::LOCALHOST, 2181))), local(2181));
    let mapped = Ipv4Addr::UNSPECIFIED.to_ipv6_mapped();
    for every in [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into(), mapped.into()] {
        assert_eq!(Endpoint::of(SocketAddr::new(every, 2181)), Endpoint::All(2181));
    }
    assert_eq!(ListenOptions::default().backlog, LISTEN_BACKLOG_DEFAULT);
}
