//! Networks, as settings write them.

use std::{net::IpAddr, str::FromStr};

/// Every address whose first `prefix` bits are those of `base`, written `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a network such as 10.0.0.0/8, or an address")]
pub struct NetworkError;

impl Network {
    /// A prefix that is longer than an address means one address.
    pub fn new(base: impl Into<IpAddr>, prefix: u8) -> Self {
        let base = base.into();
        Self { base, prefix: prefix.min(width(base)) }
    }

    /// The address that it is written with.
    pub fn base(self) -> IpAddr {
        self.base
    }

    pub fn holds(self, address: IpAddr) -> bool {
        let differing = match (address, self.base) {
            (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()),
            (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
            _ => return false,
        };
        // A prefix of 0 would shift by the whole width, which overflows: it holds every address.
        differing.checked_shr(u32::from(width(self.base) - self.prefix)).unwrap_or(0) == 0
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
        let base: IpAddr = base.parse().map_err(|_| NetworkError)?;
        let prefix = prefix.map_or(Ok(width(base)), str::parse).map_err(|_| NetworkError)?;
        if prefix <= width(base) { Ok(Self { base, prefix }) } else { Err(NetworkError) }
    }
}

/// In bits.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_read_with_their_bounds() {
        for text in ["10.0.0.0/33", "10.0.0.0/x", "10.0.0.0/-1", "::/129", "example.org", ""] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.holds(IpAddr::from([255, 1, 2, 3])));
    }
}
