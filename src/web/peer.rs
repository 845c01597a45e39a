//! Who sends: the address that connected, or the one its proxy names.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::HeaderMap;

/// The address that a connection came from; beside every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Every address whose first `prefix` bits are those of `base`, written `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

impl Network {
    fn holds(self, address: IpAddr) -> bool {
        let (differing, bits) = match (address, self.base) {
            (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits() ^ b.to_bits()), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits(), 128),
            _ => return false,
        };
        // A prefix of 0 would shift by the whole width, which overflows: it holds every address.
        differing.checked_shr(bits - u32::from(self.prefix)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unfit = || "must be a network such as 10.0.0.0/8, or an address".to_string();
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        let base: IpAddr = base.parse().map_err(|_| unfit())?;
        let bits = if base.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(bits), str::parse).map_err(|_| unfit())?;
        if prefix <= bits { Ok(Self { base, prefix }) } else { Err(unfit()) }
    }
}

/// The sender: the last address of `X-Forwarded-For` that no trusted proxy vouches for. What stands before it
/// is the sender's own claim, and without a trusted proxy all of it is.
pub fn sender(connected: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.holds(address));
    let mut sender = connected.to_canonical();
    if !is_trusted(sender) {
        return sender;
    }
    let values: Vec<&str> =
        headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    for text in values.iter().flat_map(|value| value.split(',')).rev() {
        let Some(address) = address(text.trim()) else { break };
        sender = address.to_canonical();
        if !is_trusted(sender) {
            break;
        }
    }
    sender
}

/// Proxies write addresses with and without a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender_of(connected: &str, forwarded: &[&'static str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", http::HeaderValue::from_static(value));
        }
        let trusted: Vec<Network> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        sender(connected.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn without_a_trusted_proxy_the_header_is_a_strangers_claim() {
        assert_eq!(sender_of("192.0.2.1", &["198.51.100.7"], &[]), "192.0.2.1");
        assert_eq!(sender_of("192.0.2.1", &["198.51.100.7"], &["10.0.0.0/8"]), "192.0.2.1");
    }

    #[test]
    fn a_trusted_proxy_names_the_sender_and_what_the_sender_wrote_before_is_ignored() {
        let trusted = ["10.0.0.0/8", "::1"];

        assert_eq!(sender_of("10.0.0.1", &["203.0.113.9, 198.51.100.7"], &trusted), "198.51.100.7");
        assert_eq!(
            sender_of("10.0.0.1", &["203.0.113.9", "198.51.100.7, 10.9.9.9"], &trusted),
            "198.51.100.7"
        );
        assert_eq!(sender_of("::1", &["198.51.100.7:4711"], &trusted), "198.51.100.7");
        assert_eq!(sender_of("::ffff:10.0.0.1", &["[2001:db8::7]:4711"], &trusted), "2001:db8::7");
    }

    #[test]
    fn a_header_that_cannot_be_read_leaves_the_last_known_address() {
        assert_eq!(sender_of("10.0.0.1", &["198.51.100.7, unknown"], &["10.0.0.0/8"]), "10.0.0.1");
        assert_eq!(sender_of("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_with_their_bounds() {
        for text in ["10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1", "::/129", "example.org", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.holds(IpAddr::from([255, 1, 2, 3])));
    }
}
