use super::{golden, number};
use crate::host::Host;
use crate::peer::address::Address;
use crate::peer::hello::{Hello, HelloError, HelloForm};
use crate::server::ServerId;
use proptest::prelude::*;

const V1: &str = "ffffffffffff0000";
const V2: &str = "ffffffffffff0001";

fn with_addresses(form: &str, text: &str) -> Vec<u8> {
    let head = golden(&format!("{form} 0000000000000002 {:08x}", text.len()));
    [&head, text.as_bytes()].concat()
}

fn addressed(form: HelloForm, addresses: &[&str]) -> Hello {
    let addresses = addresses.iter().map(|text| Address::read(text).unwrap()).collect();
    Hello::Addressed { form, server: ServerId(2), addresses }
}

#[test]
fn all_forms_are_read() {
    for id in [0, 2, i64::MAX] {
        let bytes = [&id.to_be_bytes()[..], b"what follows"].concat();
        assert_eq!(Hello::decode(&bytes), Ok(Some((Hello::Id(ServerId(id)), 8))));
    }
    for (text, addresses) in [
        ("zoo1:3888", &["zoo1:3888"][..]),
        ("zoo1:3888|10.0.0.1:3889", &["zoo1:3888", "10.0.0.1:3889"]),
        ("[fd00::1]:3888|[0:0:0:0:0:0:0:1]:1", &["[fd00::1]:3888", "[::1]:1"]),
        ("0.0.0.0:3888", &[]),
        ("[::]:3888|zoo1:3888:|", &["zoo1:3888"]),
        ("|", &[]),
        (":3888", &["localhost:3888"]),
    ] {
        for (code, form) in [(V1, HelloForm::V1), (V2, HelloForm::V2)] {
            let bytes = with_addresses(code, text);
            let (hello, length) = Hello::decode(&bytes).unwrap().unwrap();
            if text == ":3888" {
                // The empty host is the loopback address, which Java calls localhost.
                let Hello::Addressed { addresses, .. } = hello else { panic!("{hello:?}") };
                assert_eq!(addresses[0].to_string(), "localhost:3888");
                assert_eq!(addresses[0].host, Host::Loopback);
            } else {
                assert_eq!(hello, addressed(form, addresses), "{text}");
            }
            assert_eq!(length, bytes.len());
        }
    }
}

#[test]
fn what_stock_refuses_is_refused_as_soon_as_it_is_there() {
    for form in [-1, -65_534, -65_537, i64::MIN] {
        let bytes = form.to_be_bytes();
        assert_eq!(Hello::decode(&bytes), Err(HelloError::Form { found: form }));
    }
    for found in [0, -1, 2049, i32::MAX, i32::MIN] {
        let bytes = golden(&format!("{V1} 0000000000000002 {found:08x}"));
        assert_eq!(Hello::decode(&bytes), Err(HelloError::Length { found }));
    }
    let full = format!("{}:3888", "z".repeat(2043));
    assert!(matches!(Hello::decode(&with_addresses(V1, &full)), Ok(Some((_, 2068)))));
    for (text, index) in [
        ("zoo1", 0),
        ("zoo1:3888|zoo2", 1),
        ("zoo1:3888||zoo2:3888", 1),
        ("zoo1:3888:1", 0),
        ("zoo1:65536", 0),
        ("zoo1: 3888", 0),
        ("[::1]", 0),
        ("[::1]:", 0),
        ("[::1:3888", 0),
        ("GET / HTTP/1.1", 0),
    ] {
        let error = HelloError::Address { server: ServerId(2), index };
        assert_eq!(Hello::decode(&with_addresses(V2, text)), Err(error), "{text}");
    }
    // What clients and browsers send to this port.
    for text in ["GET / HTTP/1.1\r\n\r\n", "srvr", "\x16\x03\x01\x02\x00\x01\x00\x01"] {
        let hello = Hello::decode(text.as_bytes());
        assert!(matches!(hello, Ok(None | Some((Hello::Id(_), 8)))), "{text}: {hello:?}");
    }
}

#[test]
fn hellos_are_written_as_stock_writes_them() {
    for (text, form, code) in
        [("zoo1:3888", HelloForm::V1, V1), ("zoo1:3888|[fd00:0:0:0:0:0:0:1]:1", HelloForm::V2, V2)]
    {
        let parts: Vec<_> = text.split('|').collect();
        let mut bytes = Vec::new();
        addressed(form, &parts).encode(&mut bytes);
        assert_eq!(bytes, with_addresses(code, text));
    }
}

fn hello() -> impl Strategy<Value = Hello> {
    let host = prop_oneof![
        "[a-z][a-z0-9.-]{0,9}".prop_map(Host::Named),
        any::<[u8; 4]>().prop_map(|it| Host::Ipv4(it.into())),
        any::<[u16; 8]>().prop_map(|it| Host::Ipv6(it.into(), crate::host::Zone::Unset)),
    ];
    let address = (host, any::<u16>()).prop_map(|(host, port)| Address { host, port });
    let address = address.prop_filter("no wildcard, and no number of another family", |it| {
        !it.is_wildcard() && Host::read(&it.host.to_string()).as_ref() == Some(&it.host)
    });
    let addressed = (number(), any::<bool>(), prop::collection::vec(address, 1..9));
    prop_oneof![
        number().prop_map(|id| Hello::Id(ServerId(id & i64::MAX))),
        addressed.prop_map(|(server, is_first, addresses)| Hello::Addressed {
            form: if is_first { HelloForm::V1 } else { HelloForm::V2 },
            server: ServerId(server),
            addresses,
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..<_>::default() })]

    #[test]
    fn hellos_survive(
        hello in hello(),
        behind in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut bytes = Vec::new();
        hello.encode(&mut bytes);
        let whole = bytes.len();
        for cut in 0..whole {
            prop_assert_eq!(Hello::decode(&bytes[..cut]), Ok(None));
        }
        bytes.extend(behind);
        prop_assert_eq!(Hello::decode(&bytes), Ok(Some((hello, whole))));
    }
}
