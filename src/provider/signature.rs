//! Tells whether a delivery was sent by someone who holds the endpoint's secret.
//!
//! Everything here works on the raw bytes of the body, before anyone parses them. What is not
//! understood is refused: there is no arm, no setting and no missing value that accepts.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::Value;

pub use hmac::{Encoding, Hash, Hmac, Part, Prefix, SignedTime, TimeFormat};
pub use jwt::SignedToken;
pub use published::{Audience, Claim, Expected, Issuer, KeysUnavailable, Published, Receiver, TokenPlace};
pub use standard::{decode_secret, sign_standard};
pub use token::{Token, TokenAt};

mod hmac;
mod jwt;
mod published;
mod standard;
#[cfg(test)]
mod tests;
mod token;

/// How a provider proves what it sends, by a secret that both sides hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// A MAC in a header. The key is the secret's text as it stands.
    Hmac(Hmac),
    /// <https://github.com/standard-webhooks/standard-webhooks>: `webhook-id`, `webhook-timestamp` and
    /// `webhook-signature: v1,<base64>` over `{id}.{timestamp}.{body}`.
    StandardWebhooks,
    /// The secret itself, repeated. It says nothing of the body.
    Token(Token),
    /// A JWT that is signed with the secret (HS256). It says nothing of the body.
    SignedToken(SignedToken),
}

/// What arrived, as far as it may be signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub headers: &'a HeaderMap,
    /// The raw bytes.
    pub body: &'a [u8],
    /// The address as the provider was given it, byte for byte. Never rebuilt from the request: who sends it
    /// chooses its host.
    pub address: &'a str,
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
    /// Of a list in which each element proves itself: which of them did, the others being nobody's word.
    /// Absent where the whole body is proven.
    pub elements: Option<Elements>,
}

/// Some of the elements of a list in a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elements {
    /// Where the list is (RFC 6901).
    pub list: &'static str,
    pub places: Vec<usize>,
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
    #[error("the signed timestamp is not of the documented form")]
    BadTimestamp,
    /// Also for a timestamp too far ahead: both mean that the delivery cannot be told from a replay.
    #[error("the signed timestamp is more than 300 seconds off")]
    TimestampTooOld,
    #[error("the signature does not fit the body")]
    Mismatch,
    /// Its algorithm, its times, its audience, its issuer or another claim.
    #[error("the token is not one that was made for this endpoint")]
    BadToken,
    /// The body has no place where the proof should be.
    #[error("the body is not of the documented form")]
    MalformedBody,
}

impl Verified {
    /// The body without what nobody vouches for.
    pub fn proven<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        let Some(elements) = &self.elements else { return Cow::Borrowed(body) };
        let Ok(mut said) = serde_json::from_slice::<Value>(body) else { return Cow::Owned(Vec::new()) };
        if let Some(list) = said.pointer_mut(elements.list).and_then(Value::as_array_mut) {
            let mut place = 0;
            list.retain(|_| {
                place += 1;
                elements.places.contains(&(place - 1))
            });
        }
        Cow::Owned(said.to_string().into_bytes())
    }
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
            Self::BadToken => "BAD_TOKEN",
            Self::MalformedBody => "MALFORMED_BODY",
        }
    }
}

/// A secret of the wrong form: empty, or none of the scheme's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a usable webhook secret")]
pub struct BadSecret;

/// Every header some scheme of some endpoint reads its proof from. One that the endpoint's own scheme does
/// not read means that the delivery is signed twice, and nobody can say which one counts.
const SIGNATURE_HEADERS: &[&str] = &[
    "x-webhook-signature",
    standard::ID,
    standard::TIMESTAMP,
    standard::SIGNATURE,
    "x-cal-signature-256",
    "x-hook-signature",
    "x-slack-signature",
    "x-notion-signature",
    "x-goog-channel-token",
    "x-hub-signature",
    "x-hub-signature-256",
    "x-gitlab-token",
    "x-trello-webhook",
    "x-bamboohr-signature",
    "x-dropbox-signature",
    "x-zendesk-webhook-signature",
];

const TOLERANCE_S: u64 = 300;

impl Scheme {
    /// Whether it looks at this header, or expects it beside the one it looks at.
    fn knows(&self, header: &str) -> bool {
        match self {
            Self::Hmac(hmac) => hmac.header == header || hmac.companions.contains(&header),
            Self::StandardWebhooks => standard::HEADERS.contains(&header),
            Self::Token(token) => matches!(token.at, TokenAt::Header(own) if own == header),
            Self::SignedToken(_) => false,
        }
    }

    /// The key behind a stored secret.
    pub fn key(&self, secret: &SecretString) -> Result<SecretSlice<u8>, BadSecret> {
        match self {
            Self::StandardWebhooks => decode_secret(secret.expose_secret()),
            Self::Hmac(_) | Self::Token(_) | Self::SignedToken(_) => as_text(secret),
        }
    }
}

fn as_text(secret: &SecretString) -> Result<SecretSlice<u8>, BadSecret> {
    match secret.expose_secret() {
        "" => Err(BadSecret),
        text => Ok(text.as_bytes().to_vec().into()),
    }
}

/// Verifies a delivery against every secret still valid, `now_unix_s` being the receiver's clock.
///
/// All secrets are tried in full whichever of them fits, so that the time taken tells nothing. Empty
/// secrets are skipped, because anyone can sign with them.
pub fn verify(
    scheme: &Scheme,
    request: &Request<'_>,
    secrets: &[SecretSlice<u8>],
    now_unix_s: i64,
) -> Result<Verified, Refusal> {
    if secrets.iter().all(|secret| secret.expose_secret().is_empty()) {
        return Err(Refusal::NoSecret);
    }
    refuse_others(request.headers, |name| scheme.knows(name))?;
    match scheme {
        Scheme::Hmac(hmac) => hmac.verify(request, secrets, now_unix_s),
        Scheme::StandardWebhooks => standard::verify(request, secrets, now_unix_s),
        Scheme::Token(token) => token.verify(request, secrets),
        Scheme::SignedToken(token) => token.verify(request, secrets, now_unix_s),
    }
}

/// A fresh secret of 32 random bytes, in the text form its scheme's users exchange.
pub fn generate_secret(scheme: &Scheme) -> SecretString {
    let bytes: [u8; 32] = rand::random();
    match scheme {
        Scheme::StandardWebhooks => format!("{}{}", standard::SECRET_PREFIX, BASE64.encode(bytes)).into(),
        Scheme::Hmac(_) | Scheme::Token(_) | Scheme::SignedToken(_) => hex::encode(bytes).into(),
    }
}

/// The value of a header that carries the lower-case hex HMAC-SHA256 of the body, without prefix. `key` as
/// from [`Scheme::key`].
pub fn sign_legacy(key: &[u8], body: &[u8]) -> String {
    hex::encode(Hash::Sha256.mac(key, &[body]))
}

fn refuse_others(headers: &HeaderMap, is_known: impl Fn(&str) -> bool) -> Result<(), Refusal> {
    if SIGNATURE_HEADERS.iter().any(|name| headers.contains_key(*name) && !is_known(name)) {
        return Err(Refusal::TwoSchemes);
    }
    Ok(())
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

/// Whether an instant is close enough to now, both in Unix seconds.
fn is_recent(timestamp: i64, now_unix_s: i64) -> Result<(), Refusal> {
    if timestamp.abs_diff(now_unix_s) > TOLERANCE_S { Err(Refusal::TimestampTooOld) } else { Ok(()) }
}

/// Plain decimal digits only: the text itself is signed, so `+1`, `01` and ` 1` are other texts.
fn unix_seconds(stamp: &str) -> Option<i64> {
    let plain = stamp.bytes().all(|b| b.is_ascii_digit()) && !(stamp.len() > 1 && stamp.starts_with('0'));
    if plain { stamp.parse().ok() } else { None }
}
