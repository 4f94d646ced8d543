//! HOST:PORT, as it is written in a connect string.

use super::error::AddressError;
use model::host::Host;

/// What a text means: two texts that mean the same are one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    host: Host,
    port: u16,
}

impl Address {
    /// Reads what a connect string of any client may have as a server.
    pub(super) fn read(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if text.contains('/') {
            return Err(AddressError::Path);
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => {
                let (address, port) = bracketed.split_once(']').ok_or(AddressError::Brackets)?;
                let port = port.strip_prefix(':').ok_or(AddressError::NoPort)?;
                let is_ipv6 = address.contains(':') && Host::read(address).is_some();
                (is_ipv6.then_some(address).ok_or(AddressError::Ipv6)?, port)
            }
            None => match text.split_once(':').ok_or(AddressError::NoPort)? {
                (_, port) if port.contains(':') => return Err(AddressError::Brackets),
                ("", _) => return Err(AddressError::NoHost),
                named => named,
            },
        };
        let marks = if text.starts_with('[') { "-._:%" } else { "-._" };
        let is_sound = |c: char| c.is_alphanumeric() || marks.contains(c);
        let host = if host.chars().all(is_sound) { Host::read(host) } else { None };
        let host = match host.ok_or(AddressError::Host)? {
            Host::Named(name) => Host::Named(name.to_lowercase()),
            number => number,
        };
        // The text is hashed: only one way to write a number.
        let number = port.parse().ok().filter(|it: &u16| *it > 0 && it.to_string() == port);
        Ok(Self { host, port: number.ok_or(AddressError::Port)? })
    }
}

#[cfg(test)]
mod tests {
    use super::{Address, AddressError};

    #[test]
    fn hosts_have_a_port_and_ipv6_brackets() {
        for text in
            ["zk1:2181", "10.0.0.1:1", "[2001:db8::1]:65535", "[fe80::1%eth0]:2181", "a_b.c-d:2"]
        {
            assert!(Address::read(text).is_ok(), "{text}");
        }
        for (text, expected) in [
            ("", AddressError::Empty),
            ("zk1", AddressError::NoPort),
            ("zk1:2181/app", AddressError::Path),
            (":2181", AddressError::NoHost),
            ("2001:db8::1:2181", AddressError::Brackets),
            ("[2001:db8::1:2181", AddressError::Brackets),
            ("[2001:db8::1]", AddressError::NoPort),
            ("[2001:db8::1]2181", AddressError::NoPort),
            ("[zk1]:2181", AddressError::Ipv6),
            ("[]:2181", AddressError::Ipv6),
            ("[10.0.0.1]:2181", AddressError::Ipv6),
            ("[::g]:2181", AddressError::Ipv6),
            ("zk 1:2181", AddressError::Host),
            ("zk1=2:2181", AddressError::Host),
            ("zk1%2:2181", AddressError::Host),
            ("[fe80::1%a b]:2181", AddressError::Host),
            ("256.0.0.1:2181", AddressError::Host),
            ("zk1:", AddressError::Port),
            ("zk1:0", AddressError::Port),
            ("zk1:02181", AddressError::Port),
            ("zk1:+1", AddressError::Port),
            ("zk1:65536", AddressError::Port),
            ("zk1:client", AddressError::Port),
        ] {
            assert_eq!(Address::read(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn one_server_may_be_written_in_several_ways() {
        for (one, two) in [
            ("zk1:2181", "ZK1:2181"),
            ("[::1]:2181", "[0:0:0:0:0:0:0:1]:2181"),
            ("127.0.0.1:2181", "127.1:2181"),
        ] {
            assert_eq!(Address::read(one), Address::read(two), "{one} {two}");
        }
        assert_ne!(Address::read("zk1:2181"), Address::read("zk1:2182"));
    }
}
