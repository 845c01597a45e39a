//! Tells whether a delivery was signed by someone who holds the endpoint's secret.
//!
//! Everything here works on the raw bytes of the body, before anyone parses them. What is not
//! understood is refused: there is no arm, no setting and no missing value that accepts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

#[cfg(test)]
mod tests;

/// How a provider signs what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Lower-case hex HMAC-SHA256 of the raw body in one header. The key is the secret's text as it stands.
    HmacSha256Hex {
        header: &'static str,
        /// May stand before the digits, as in `sha256=`; its absence is accepted too.
        prefix: Option<&'static str>,
    },
    /// <https://github.com/standard-webhooks/standard-webhooks>: `webhook-id`, `webhook-timestamp` and
    /// `webhook-signature: v1,<base64>` over `{id}.{timestamp}.{body}`.
    StandardWebhooks,
}

/// What the signature vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The sender's id of this delivery, the same on every repeat of it.
    pub delivery_id: Option<String>,
    /// When this attempt was signed, Unix seconds.
    pub timestamp: Option<i64>,
    /// Which of the given secrets signed: past the first one, a rotation is not finished at the sender.
    pub secret_index: usize,
}

/// Why a delivery is not believed. All of them answer 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the endpoint has no usable secret")]
    NoSecret,
    #[error("a signature header is missing")]
    MissingHeader,
    #[error("a signature header came twice")]
    DoubledHeader,
    #[error("the delivery carries the headers of two signature schemes")]
    TwoSchemes,
    #[error("a signature header is not of the documented form")]
    MalformedHeader,
    #[error("the signed timestamp is not a number of Unix seconds")]
    BadTimestamp,
    /// Also for a timestamp too far ahead: both mean that the delivery cannot be told from a replay.
    #[error("the signed timestamp is more than 300 seconds off")]
    TimestampTooOld,
    #[error("the signature does not fit the body")]
    Mismatch,
}

impl Refusal {
    /// The code in the answer to the provider.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoSecret => "NO_SECRET",
            Self::MissingHeader => "MISSING_HEADER",
            Self::DoubledHeader => "DOUBLED_HEADER",
            Self::TwoSchemes => "TWO_SCHEMES",
            Self::MalformedHeader => "MALFORMED_HEADER",
            Self::BadTimestamp => "BAD_TIMESTAMP",
            Self::TimestampTooOld => "TIMESTAMP_TOO_OLD",
            Self::Mismatch => "MISMATCH",
        }
    }
}

/// A Standard Webhooks secret is `whsec_` and the base64 of 24 to 64 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable webhook secret")]
pub struct BadSecret;

const WEBHOOK_ID: &str = "webhook-id";
const WEBHOOK_TIMESTAMP: &str = "webhook-timestamp";
const WEBHOOK_SIGNATURE: &str = "webhook-signature";
const STANDARD_HEADERS: &[&str] = &[WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE];

/// Every header some scheme of some endpoint reads its signature from. One that the endpoint's own
/// scheme does not read means that the delivery is signed twice, and nobody can say which one counts.
const SIGNATURE_HEADERS: &[&str] =
    &["x-webhook-signature", WEBHOOK_ID, WEBHOOK_TIMESTAMP, WEBHOOK_SIGNATURE, "x-cal-signature-256"];

const SECRET_PREFIX: &str = "whsec_";
const TOLERANCE_S: u64 = 300;
/// A rotating sender signs with two or three keys; ten bounds the work a stranger can cause.
const MAX_SIGNATURES: usize = 10;
const MAX_ID_CHARS: usize = 64;

type HmacSha256 = Hmac<Sha256>;
type Digest = [u8; 32];

impl Scheme {
    fn reads(&self, header: &str) -> bool {
        match self {
            Self::HmacSha256Hex { header: own, .. } => own.eq_ignore_ascii_case(header),
            Self::StandardWebhooks => STANDARD_HEADERS.contains(&header),
        }
    }

    /// The HMAC key behind a stored secret.
    pub fn key(&self, secret: &SecretString) -> Result<SecretSlice<u8>, BadSecret> {
        match self {
            Self::HmacSha256Hex { .. } if secret.expose_secret().is_empty() => Err(BadSecret),
            Self::HmacSha256Hex { .. } => Ok(secret.expose_secret().as_bytes().to_vec().into()),
            Self::StandardWebhooks => decode_secret(secret.expose_secret()),
        }
    }
}

/// Verifies a delivery against every secret still valid, `now_unix_s` being the receiver's clock.
///
/// All secrets are tried in full whichever of them fits, so that the time taken tells nothing. Empty
/// secrets are skipped, because anyone can sign with them.
pub fn verify(
    scheme: &Scheme,
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[SecretSlice<u8>],
    now_unix_s: i64,
) -> Result<Verified, Refusal> {
    if secrets.iter().all(|secret| secret.expose_secret().is_empty()) {
        return Err(Refusal::NoSecret);
    }
    if SIGNATURE_HEADERS.iter().any(|name| !scheme.reads(name) && headers.contains_key(*name)) {
        return Err(Refusal::TwoSchemes);
    }
    match scheme {
        Scheme::HmacSha256Hex { header, prefix } => {
            let value = the_only(headers, header)?;
            let digits = prefix.and_then(|prefix| value.strip_prefix(prefix)).unwrap_or(value);
            let claimed = lower_hex(digits).ok_or(Refusal::MalformedHeader)?;
            let secret_index = signer(secrets, &[claimed], &[body]).ok_or(Refusal::Mismatch)?;
            Ok(Verified { delivery_id: None, timestamp: None, secret_index })
        }
        Scheme::StandardWebhooks => {
            let id = the_only(headers, WEBHOOK_ID)?;
            let stamp = the_only(headers, WEBHOOK_TIMESTAMP)?;
            let list = the_only(headers, WEBHOOK_SIGNATURE)?;
            if !is_delivery_id(id) {
                return Err(Refusal::MalformedHeader);
            }
            let timestamp = unix_seconds(stamp).ok_or(Refusal::BadTimestamp)?;
            let claimed = v1_signatures(list).ok_or(Refusal::MalformedHeader)?;
            if timestamp.abs_diff(now_unix_s) > TOLERANCE_S {
                return Err(Refusal::TimestampTooOld);
            }
            let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", body];
            let secret_index = signer(secrets, &claimed, &signed).ok_or(Refusal::Mismatch)?;
            Ok(Verified { delivery_id: Some(id.to_owned()), timestamp: Some(timestamp), secret_index })
        }
    }
}

/// The key bytes of `whsec_<base64>`; 24 to 64 of them, as the Standard Webhooks specification asks.
pub fn decode_secret(secret: &str) -> Result<SecretSlice<u8>, BadSecret> {
    let encoded = secret.strip_prefix(SECRET_PREFIX).ok_or(BadSecret)?;
    let key = BASE64.decode(encoded).map_err(|_| BadSecret)?;
    if (24..=64).contains(&key.len()) { Ok(key.into()) } else { Err(BadSecret) }
}

/// The value of a legacy signature header, without prefix. `key` as from [`Scheme::key`].
pub fn sign_legacy(key: &[u8], body: &[u8]) -> String {
    hex::encode(mac(key, &[body]))
}

/// The value of `webhook-signature`: one `v1` entry. `key` as from [`Scheme::key`], `timestamp` in Unix
/// seconds.
pub fn sign_standard(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let stamp = timestamp.to_string();
    let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", body];
    format!("v1,{}", BASE64.encode(mac(key, &signed)))
}

/// A fresh secret of 32 random bytes, in the text form its scheme's users exchange.
pub fn generate_secret(scheme: &Scheme) -> SecretString {
    let bytes: [u8; 32] = rand::random();
    match scheme {
        Scheme::HmacSha256Hex { .. } => hex::encode(bytes).into(),
        Scheme::StandardWebhooks => format!("{SECRET_PREFIX}{}", BASE64.encode(bytes)).into(),
    }
}

/// The place of the first secret that made one of the claimed signatures.
fn signer(secrets: &[SecretSlice<u8>], claimed: &[Digest], signed: &[&[u8]]) -> Option<usize> {
    let mut found = None;
    for (index, secret) in secrets.iter().enumerate() {
        let expected = mac(secret.expose_secret(), signed);
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

#[expect(clippy::expect_used, reason = "HMAC hashes keys longer than a block: it takes any length")]
fn mac(key: &[u8], parts: &[&[u8]]) -> Digest {
    let mut mac = HmacSha256::new_from_slice(key).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A header that must be there exactly once, as visible ASCII.
fn the_only<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Refusal::MissingHeader)?;
    if values.next().is_some() {
        return Err(Refusal::DoubledHeader);
    }
    value.to_str().map_err(|_| Refusal::MalformedHeader)
}

fn lower_hex(digits: &str) -> Option<Digest> {
    if digits.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut digest = Digest::default();
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

fn is_delivery_id(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// Plain decimal digits only: the text itself is signed, so `+1`, `01` and ` 1` are other texts.
fn unix_seconds(stamp: &str) -> Option<i64> {
    let plain = stamp.bytes().all(|b| b.is_ascii_digit()) && !(stamp.len() > 1 && stamp.starts_with('0'));
    if plain { stamp.parse().ok() } else { None }
}

/// The `v1` entries of a space separated list. Other versions are for other receivers; an entry without
/// a version, an empty one or a `v1` that cannot be a SHA-256 makes the whole list unbelievable.
fn v1_signatures(list: &str) -> Option<Vec<Digest>> {
    let mut claimed = Vec::new();
    for (place, entry) in list.split(' ').enumerate() {
        let (version, signature) = entry.split_once(',')?;
        if place >= MAX_SIGNATURES || version.is_empty() || signature.is_empty() {
            return None;
        }
        if version == "v1" {
            claimed.push(BASE64.decode(signature).ok()?.try_into().ok()?);
        }
    }
    (!claimed.is_empty()).then_some(claimed)
}
