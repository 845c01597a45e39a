//! Which addresses may be reached, and the operator's list of exceptions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::Host;

use crate::network::Network;

/// A host or network that the operator lets stellwerk reach although it is not public.
///
/// Written as `idp.internal`, `idp.internal:8443`, `10.1.2.3`,
/// `[fd12::1]:8443` or as a network, `10.1.0.0/16`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// One host by its exact name or address; without a port every port is meant.
    Host { host: Host<String>, port: Option<u16> },
    /// Every address of a network.
    Network(Network),
}

/// Why an entry of the allow-list was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AllowedHostError {
    #[error("is neither a host, a host:port nor a network such as 10.1.0.0/16")]
    Malformed,
    #[error("names addresses that are never reached: link-local, metadata, unspecified, multicast")]
    Never,
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.contains('/') {
            let network: Network = text.parse().map_err(|_| AllowedHostError::Malformed)?;
            return match reach(network.base()) {
                Reach::Never => Err(AllowedHostError::Never),
                Reach::Public | Reach::Private => Ok(Self::Network(network)),
            };
        }

        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse().map_err(|_| AllowedHostError::Malformed)?))
            }
            _ => (text, None),
        };
        let host = Host::parse(host).map_err(|_| AllowedHostError::Malformed)?;
        if literal(&host).is_some_and(|address| reach(address) == Reach::Never) {
            return Err(AllowedHostError::Never);
        }
        Ok(Self::Host { host, port })
    }
}

impl AllowedHost {
    /// Whether this entry names exactly that host and port.
    pub(super) fn names(&self, wanted: &Host<&str>, wanted_port: u16) -> bool {
        match self {
            Self::Host { host, port } => {
                host == &wanted.to_owned() && port.is_none_or(|port| port == wanted_port)
            }
            Self::Network(_) => false,
        }
    }

    /// Whether this entry is a network that holds the address.
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        match self {
            Self::Host { .. } => false,
            Self::Network(network) => network.holds(address),
        }
    }
}

/// The address a URL spells out itself, if it does not give a name.
pub(super) fn literal<S>(host: &Host<S>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(address) => Some((*address).into()),
        Host::Ipv6(address) => Some((*address).into()),
    }
}

/// What an address is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// On the open internet.
    Public,
    /// Somebody's own network; reached only when the operator says so.
    Private,
    /// Nobody's business, not even the operator's: no list opens it.
    Never,
}

/// The special ranges of IANA's IPv4 registry (RFC 6890 and its updates, read 2026-11), and three
/// metadata services that hide in ranges which are otherwise private or public.
const V4: &[(Ipv4Addr, u8, Reach)] = &[
    (Ipv4Addr::new(100, 100, 100, 200), 32, Reach::Never), // metadata at Alibaba
    (Ipv4Addr::new(168, 63, 129, 16), 32, Reach::Never),   // Azure's host agent
    (Ipv4Addr::new(192, 0, 0, 0), 24, Reach::Never),       // protocol assignments; metadata at Oracle
    (Ipv4Addr::new(0, 0, 0, 0), 8, Reach::Never),          // this host
    (Ipv4Addr::new(169, 254, 0, 0), 16, Reach::Never),     // link-local, and metadata nearly everywhere
    (Ipv4Addr::new(192, 0, 2, 0), 24, Reach::Never),       // documentation
    (Ipv4Addr::new(198, 51, 100, 0), 24, Reach::Never),    // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24, Reach::Never),     // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24, Reach::Never),     // 6to4 relays
    (Ipv4Addr::new(224, 0, 0, 0), 4, Reach::Never),        // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4, Reach::Never),        // reserved, broadcast
    (Ipv4Addr::new(10, 0, 0, 0), 8, Reach::Private),
    (Ipv4Addr::new(100, 64, 0, 0), 10, Reach::Private), // carrier-grade NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8, Reach::Private),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Reach::Private),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Reach::Private),
    (Ipv4Addr::new(198, 18, 0, 0), 15, Reach::Private), // benchmarking
];

/// IPv6 is read the other way round: only 2000::/3 is handed out (RFC 4291), so the rest is refused
/// unasked: mapped and compatible IPv4, NAT64, link-local, site-local, multicast.
const V6: &[(Ipv6Addr, u8, Reach)] = &[
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, Reach::Never), // metadata at Amazon
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, Reach::Never),  // metadata at Google
    (Ipv6Addr::LOCALHOST, 128, Reach::Private),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Reach::Private), // unique local
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, Reach::Never),  // protocols, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Reach::Never), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, Reach::Never),  // 6to4, which embeds IPv4
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Reach::Never),  // documentation
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Reach::Public),
];

/// What an address is to us; the first matching row decides.
pub(super) fn reach(address: IpAddr) -> Reach {
    match address {
        IpAddr::V4(_) => first(V4, address).unwrap_or(Reach::Public),
        IpAddr::V6(_) => first(V6, address).unwrap_or(Reach::Never),
    }
}

fn first<A: Copy + Into<IpAddr>>(rows: &[(A, u8, Reach)], address: IpAddr) -> Option<Reach> {
    let row = rows.iter().find(|(base, prefix, _)| Network::new(*base, *prefix).holds(address));
    row.map(|(_, _, reach)| *reach)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach_of(text: &str) -> Reach {
        reach(text.parse().expect("an address"))
    }

    #[test]
    fn the_open_internet_is_public() {
        for text in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "193.0.0.1", "2606:4700::1111", "2a00::1"] {
            assert_eq!(reach_of(text), Reach::Public, "{text}");
        }
    }

    #[test]
    fn private_networks_wait_for_the_operator() {
        for text in [
            "10.0.0.1",
            "127.0.0.1",
            "127.8.9.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "198.19.0.1",
            "::1",
            "fc00::1",
            "fdff::1",
        ] {
            assert_eq!(reach_of(text), Reach::Private, "{text}");
        }
    }

    #[test]
    fn metadata_and_disguised_addresses_are_never_reached() {
        for text in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.51.100.1",
            "203.0.113.1",
            "fd00:ec2::254",
            "fd20:ce::254",
            "::",
            "::ffff:1.1.1.1",
            "::ffff:127.0.0.1",
            "::1.1.1.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
        ] {
            assert_eq!(reach_of(text), Reach::Never, "{text}");
        }
    }

    #[test]
    fn an_entry_names_its_host_and_port_and_no_other() {
        let entry: AllowedHost = "IdP.internal:8443".parse().expect("an entry");
        let any_port: AllowedHost = "idp.internal".parse().expect("an entry");

        assert!(entry.names(&Host::Domain("idp.internal"), 8443));
        assert!(!entry.names(&Host::Domain("idp.internal"), 443));
        assert!(!entry.names(&Host::Domain("x.idp.internal"), 8443));
        assert!(any_port.names(&Host::Domain("idp.internal"), 443));
        assert!(!any_port.names(&Host::Domain("internal"), 443));
    }

    #[test]
    fn an_address_with_a_port_is_a_host() {
        let v4: AllowedHost = "127.0.0.1:9000".parse().expect("an entry");
        let v6: AllowedHost = "[fd12::1]:9000".parse().expect("an entry");
        let bare: AllowedHost = "[fd12::1]".parse().expect("an entry");

        assert!(v4.names(&Host::Ipv4(Ipv4Addr::LOCALHOST), 9000));
        assert!(!v4.names(&Host::Ipv4(Ipv4Addr::LOCALHOST), 9001));
        let unique_local = Ipv6Addr::new(0xfd12, 0, 0, 0, 0, 0, 0, 1);
        assert!(v6.names(&Host::Ipv6(unique_local), 9000));
        assert!(bare.names(&Host::Ipv6(unique_local), 1));
    }

    #[test]
    fn a_network_holds_its_own_addresses_only() {
        let network: AllowedHost = "10.1.0.0/16".parse().expect("a network");

        assert!(network.holds(IpAddr::from([10, 1, 255, 3])));
        assert!(!network.holds(IpAddr::from([10, 2, 0, 1])));
        assert!(!network.holds("::ffff:10.1.0.1".parse().expect("an address")));
    }

    #[test]
    fn what_is_never_reached_cannot_be_listed() {
        for text in ["169.254.169.254", "169.254.0.0/16", "0.0.0.0/0", "::/0", "[fd00:ec2::254]:80"] {
            assert_eq!(text.parse::<AllowedHost>(), Err(AllowedHostError::Never), "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0.0/x", "host:99999", "a b", "https://idp.internal"] {
            assert_eq!(text.parse::<AllowedHost>(), Err(AllowedHostError::Malformed), "{text}");
        }
    }
}
