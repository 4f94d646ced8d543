use std::net::{Ipv4Addr, SocketAddr};

use net::listener;

use super::{Endpoint, Families, Host, Preference};

const BOTH: Families = Families { has_ipv6: true, preference: Preference::Ipv4 };
const IPV4: Families = Families { has_ipv6: false, preference: Preference::Ipv4 };

#[test]
fn every_address_is_of_the_families_in_use() {
    let any = Endpoint { host: Host::Any, port: 1 };
    assert_eq!(any.resolve(BOTH).unwrap(), listener::Endpoint::All(1));
    let every = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 1));
    assert_eq!(any.resolve(IPV4).unwrap(), listener::Endpoint::One(every));
    assert_eq!(any.to_string(), "*:1");
    let every = Endpoint { host: Host::read("::").unwrap(), port: 2 };
    assert_eq!(every.resolve(BOTH).unwrap(), listener::Endpoint::All(2));
    assert!(every.resolve(IPV4).is_err(), "an IPv6 address without IPv6");
    let six = Endpoint { host: Host::read("[::1]").unwrap(), port: 3 };
    assert_eq!(six.resolve(BOTH).unwrap().to_string(), "[::1]:3");
    assert_eq!(six.to_string(), "[::1]:3");
    let nowhere = Endpoint { host: Host::read("::1%no-interface").unwrap(), port: 3 };
    assert!(nowhere.resolve(BOTH).is_err());
}

#[test]
fn one_address_of_several_is_taken() {
    let six: SocketAddr = "[::1]:1".parse().unwrap();
    let [four, other]: [SocketAddr; 2] =
        ["127.0.0.1:1", "127.0.0.2:1"].map(|it| it.parse().unwrap());
    let far: SocketAddr = "[fd00::1]:1".parse().unwrap();
    let all = [six, four, other];
    for (preference, chosen) in
        [(Preference::Ipv4, four), (Preference::Ipv6, six), (Preference::System, six)]
    {
        let families = Families { has_ipv6: true, preference };
        assert_eq!(families.choose(all.into_iter()), Some(chosen));
        let families = Families { has_ipv6: false, preference };
        assert_eq!(families.choose(all.into_iter()), Some(four));
        assert_eq!(families.choose([six].into_iter()), Some(four));
        assert_eq!(families.choose([far].into_iter()), None);
    }
    assert_eq!(BOTH.choose([six].into_iter()), Some(six));
    let empty = Endpoint { host: Host::Loopback, port: 1 };
    assert_eq!(empty.resolve(BOTH).unwrap(), listener::Endpoint::One(four));
    for preference in [Preference::Ipv6, Preference::System] {
        let families = Families { has_ipv6: true, preference };
        assert_eq!(empty.resolve(families).unwrap(), listener::Endpoint::One(six));
    }
}
