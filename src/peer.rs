//! Who sends: the address that connected, or the one its proxy names.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use http::HeaderMap;

use crate::network::Network;

/// The address that a connection came from; beside every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

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

/// One IPv6 customer has a /64 at least (RFC 6177), and could send from every address of it.
pub fn household(sender: IpAddr) -> IpAddr {
    match sender {
        IpAddr::V4(_) => sender,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
    }
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
}
