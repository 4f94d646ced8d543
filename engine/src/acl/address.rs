//! Addresses and networks as ACLs write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address with the number of its significant leading bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `address` or `address/bits`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address = parse_address(address)?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
        (bits <= all).then_some(Self { address, bits })
    }

    /// Whether the address lies in it. A v4 address never lies in a v6 network.
    pub fn holds(&self, address: &[u8]) -> bool {
        let Some(other) = str::from_utf8(address).ok().and_then(parse_address) else {
            return false;
        };
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let apart = u64::from(a.to_bits() ^ b.to_bits());
                apart >> (32 - self.bits) == 0
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let apart = a.to_bits() ^ b.to_bits();
                self.bits == 0 || apart >> (128 - self.bits) == 0
            }
            _ => false,
        }
    }
}

/// Reads an address as stock does: v4 parts may have leading zeros or a plus sign, v6 has no
/// embedded v4 and no scope.
fn parse_address(text: &str) -> Option<IpAddr> {
    if text.contains(':') {
        if text.contains('.') || text.contains('%') {
            return None;
        }
        return text.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part: u32 = parts.next()?.parse().ok()?;
        *octet = u8::try_from(part).ok()?;
    }
    parts.next().is_none().then_some(IpAddr::V4(Ipv4Addr::from(octets)))
}
