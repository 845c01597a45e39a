//! A MAC in a header: the body, or the body with its timestamp or the address, under the text of the secret.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use chrono::DateTime;
use hmac::{KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use subtle::ConstantTimeEq as _;

use super::{Refusal, Request, Verified, is_recent, the_only, unix_seconds};

/// How a MAC is made and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hmac {
    pub hash: Hash,
    /// In lower case.
    pub header: &'static str,
    pub prefix: Prefix,
    pub encoding: Encoding,
    /// What is signed, in this order and with nothing between.
    pub signed: &'static [Part],
    pub time: Option<SignedTime>,
    /// Other signature headers that the provider sends beside it; they are not looked at.
    pub companions: &'static [&'static str],
}

/// The hash under the MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// Of no use for anything but HMAC, where it is unbroken; Trello has nothing else.
    Sha1,
    Sha256,
}

/// What stands before the encoded MAC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    Nothing,
    Always(&'static str),
    /// Its absence is accepted, too.
    Maybe(&'static str),
}

/// How the MAC is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    LowerHex,
    Base64,
}

/// A piece of what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Text(&'static str),
    Body,
    /// The timestamp header's text.
    Timestamp,
    /// The address as the provider was given it.
    Address,
}

/// When an attempt was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedTime {
    /// In lower case.
    pub header: &'static str,
    pub format: TimeFormat,
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    UnixSeconds,
    Rfc3339,
    /// Both were seen.
    Either,
}

impl Hmac {
    /// The commonest form: lower-case hex HMAC-SHA256 of the raw body.
    pub const fn of_body(header: &'static str, prefix: Prefix) -> Self {
        Self {
            hash: Hash::Sha256,
            header,
            prefix,
            encoding: Encoding::LowerHex,
            signed: &[Part::Body],
            time: None,
            companions: &[],
        }
    }

    /// The header's value for a delivery; `timestamp` is the text of its header.
    pub fn sign(&self, key: &[u8], body: &[u8], timestamp: &str, address: &str) -> String {
        let mac = self.hash.mac(key, &self.parts(body, timestamp, address));
        let written = match self.encoding {
            Encoding::LowerHex => hex::encode(mac),
            Encoding::Base64 => BASE64.encode(mac),
        };
        match self.prefix {
            Prefix::Nothing => written,
            Prefix::Always(prefix) | Prefix::Maybe(prefix) => format!("{prefix}{written}"),
        }
    }

    pub(super) fn verify(
        &self,
        request: &Request<'_>,
        secrets: &[SecretSlice<u8>],
        now_unix_s: i64,
    ) -> Result<Verified, Refusal> {
        let value = the_only(request.headers, self.header)?;
        let claimed = self.read(value).ok_or(Refusal::MalformedHeader)?;
        let (stamp, timestamp) = match &self.time {
            None => ("", None),
            Some(time) => {
                let stamp = the_only(request.headers, time.header)?;
                let timestamp = time.format.read(stamp).ok_or(Refusal::BadTimestamp)?;
                is_recent(timestamp, now_unix_s)?;
                (stamp, Some(timestamp))
            }
        };
        let signed = self.parts(request.body, stamp, request.address);
        let secret_index = signer(self.hash, secrets, &[claimed], &signed).ok_or(Refusal::Mismatch)?;
        Ok(Verified { delivery_id: None, timestamp, secret_index, elements: None })
    }

    fn parts<'a>(&self, body: &'a [u8], timestamp: &'a str, address: &'a str) -> Vec<&'a [u8]> {
        let bytes = |part: &Part| match part {
            Part::Text(text) => text.as_bytes(),
            Part::Body => body,
            Part::Timestamp => timestamp.as_bytes(),
            Part::Address => address.as_bytes(),
        };
        self.signed.iter().map(bytes).collect()
    }

    fn read(&self, value: &str) -> Option<Vec<u8>> {
        let written = match self.prefix {
            Prefix::Nothing => value,
            Prefix::Always(prefix) => value.strip_prefix(prefix)?,
            Prefix::Maybe(prefix) => value.strip_prefix(prefix).unwrap_or(value),
        };
        let mac = match self.encoding {
            Encoding::LowerHex if written.bytes().any(|b| b.is_ascii_uppercase()) => return None,
            Encoding::LowerHex => hex::decode(written).ok()?,
            Encoding::Base64 => BASE64.decode(written).ok()?,
        };
        (mac.len() == self.hash.size_bytes()).then_some(mac)
    }
}

impl TimeFormat {
    /// Unix seconds.
    fn read(self, stamp: &str) -> Option<i64> {
        let date = || DateTime::parse_from_rfc3339(stamp).ok().map(|time| time.timestamp());
        match self {
            Self::UnixSeconds => unix_seconds(stamp),
            Self::Rfc3339 => date(),
            Self::Either => unix_seconds(stamp).or_else(date),
        }
    }
}

impl Hash {
    fn size_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The MAC over the parts in a row.
    pub(super) fn mac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Self::Sha1 => mac::<hmac::Hmac<sha1::Sha1>>(key, parts),
            Self::Sha256 => mac::<hmac::Hmac<sha2::Sha256>>(key, parts),
        }
    }
}

#[expect(clippy::expect_used, reason = "HMAC hashes keys longer than a block: it takes any length")]
fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The place of the first secret that made one of the claimed signatures.
pub(super) fn signer(
    hash: Hash,
    secrets: &[SecretSlice<u8>],
    claimed: &[Vec<u8>],
    signed: &[&[u8]],
) -> Option<usize> {
    let mut found = None;
    for (index, secret) in secrets.iter().enumerate() {
        let expected = hash.mac(secret.expose_secret(), signed);
        let mut fits = subtle::Choice::from(0);
        for claim in claimed {
            fits |= expected.ct_eq(claim);
        }
        if bool::from(fits) && !secret.expose_secret().is_empty() {
            found = found.or(Some(index));
        }
    }
    found
}
