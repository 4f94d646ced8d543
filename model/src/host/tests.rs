use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Host, Zone};

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
fn hosts_are_printed_as_java_prints_them() {
    for (text, printed) in [
        ("", "localhost"),
        ("0.0", "0.0.0.0"),
        ("127.1", "127.0.0.1"),
        ("::", "0:0:0:0:0:0:0:0"),
        ("2001:DB8::a", "2001:db8:0:0:0:0:0:a"),
        ("[fe80::1%lo]", "fe80:0:0:0:0:0:0:1%lo"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("Zoo1.Example", "Zoo1.Example"),
    ] {
        let host = Host::read(text).unwrap();
        assert_eq!(host.to_string(), printed);
        let expected = if text.is_empty() { Host::Named("localhost".to_owned()) } else { host };
        assert_eq!(Host::read(printed), Some(expected), "what is printed is read as the same");
    }
}
