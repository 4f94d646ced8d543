use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use net::listener;

use super::{Endpoint, Families, Host, Preference, Zone};

const BOTH: Families = Families { has_ipv6: true, preference: Preference::Ipv4 };
const IPV4: Families = Families { has_ipv6: false, preference: Preference::Ipv4 };

#[test]
fn texts_are_numbers_or_names_as_java_takes_them() {
    let local = Some(Host::Ipv4(Ipv4Addr::LOCALHOST));
    for text in [
        "127.0.0.1",
        "127.0.1",
        "127.1",
        "2130706433",
        "127.0.0.01",
        "127.000.000.001",
        "::ffff:127.0.0.1",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(Host::read(text), local, "{text}");
    }
    for text in ["0", "00", "0.0", "0.0.0.0", "::ffff:0:0"] {
        assert_eq!(Host::read(text), Some(Host::Any), "{text}");
    }
    for (text, number) in
        [("127.0.0", [127, 0, 0, 0]), ("0377", [0, 0, 1, 121]), ("4294967295", [255; 4])]
    {
        assert_eq!(Host::read(text), Some(Host::Ipv4(number.into())), "{text}");
    }
    for (text, number, zone) in [
        ("::", Ipv6Addr::UNSPECIFIED, Zone::Unset),
        ("[::1]", Ipv6Addr::LOCALHOST, Zone::Unset),
        ("::1%1", Ipv6Addr::LOCALHOST, Zone::Number(1)),
        ("::1%lo", Ipv6Addr::LOCALHOST, Zone::Interface("lo".into())),
        ("::127.0.0.1", Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0x7f00, 1), Zone::Unset),
    ] {
        assert_eq!(Host::read(text), Some(Host::Ipv6(number, zone)), "{text}");
    }
    for text in
        ["localhost", "a", "face", "4lw", "127..1", "127.0.0.1.", "1.2.3.4%lo", "1e3", "-1", "*"]
    {
        assert_eq!(Host::read(text), Some(Host::Named(text.to_owned())), "{text}");
    }
    assert_eq!(Host::read(""), Some(Host::Loopback));
}

#[test]
fn what_is_neither_is_refused() {
    for text in [
        "[::1",
        "::1]",
        "[]",
        "[127.0.0.1]",
        "[localhost]",
        "127.0.0.1:1",
        "::g",
        "a:b",
        "0x7f.1",
        "0x7f000001",
        "256.1.1.1",
        "4294967296",
        "1.2.3.4.5",
        "127.0.99999",
        "1.16777216",
        "1:2:3:4:5:6:7:8:9",
        "99999999999999999999",
    ] {
        assert_eq!(Host::read(text), None, "{text}");
    }
}

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
