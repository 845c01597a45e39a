//! Standard Webhooks, version 1.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use secrecy::SecretSlice;

use super::{
    BadSecret, Refusal, Request, Verified,
    hmac::{Hash, signer},
    is_recent, the_only, unix_seconds,
};

pub(super) const ID: &str = "webhook-id";
pub(super) const TIMESTAMP: &str = "webhook-timestamp";
pub(super) const SIGNATURE: &str = "webhook-signature";
pub(super) const HEADERS: &[&str] = &[ID, TIMESTAMP, SIGNATURE];
pub(super) const SECRET_PREFIX: &str = "whsec_";

/// A rotating sender signs with two or three keys; ten bounds the work a stranger can cause.
const MAX_SIGNATURES: usize = 10;
const MAX_ID_CHARS: usize = 64;
const DIGEST_BYTES: usize = 32;

pub(super) fn verify(
    request: &Request<'_>,
    secrets: &[SecretSlice<u8>],
    now_unix_s: i64,
) -> Result<Verified, Refusal> {
    let id = the_only(request.headers, ID)?;
    let stamp = the_only(request.headers, TIMESTAMP)?;
    let list = the_only(request.headers, SIGNATURE)?;
    if !is_delivery_id(id) {
        return Err(Refusal::MalformedHeader);
    }
    let timestamp = unix_seconds(stamp).ok_or(Refusal::BadTimestamp)?;
    let claimed = v1_signatures(list).ok_or(Refusal::MalformedHeader)?;
    is_recent(timestamp, now_unix_s)?;
    let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", request.body];
    let secret_index = signer(Hash::Sha256, secrets, &claimed, &signed).ok_or(Refusal::Mismatch)?;
    Ok(Verified {
        delivery_id: Some(id.to_owned()),
        timestamp: Some(timestamp),
        secret_index,
        elements: None,
    })
}

/// The key bytes of `whsec_<base64>`; 24 to 64 of them, as the Standard Webhooks specification asks.
pub fn decode_secret(secret: &str) -> Result<SecretSlice<u8>, BadSecret> {
    let encoded = secret.strip_prefix(SECRET_PREFIX).ok_or(BadSecret)?;
    let key = BASE64.decode(encoded).map_err(|_| BadSecret)?;
    if (24..=64).contains(&key.len()) { Ok(key.into()) } else { Err(BadSecret) }
}

/// The value of `webhook-signature`: one `v1` entry. `key` as from [`super::Scheme::key`], `timestamp` in
/// Unix seconds.
pub fn sign_standard(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> String {
    let stamp = timestamp.to_string();
    let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", body];
    format!("v1,{}", BASE64.encode(Hash::Sha256.mac(key, &signed)))
}

fn is_delivery_id(id: &str) -> bool {
    (1..=MAX_ID_CHARS).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// The `v1` entries of a space separated list. Other versions are for other receivers; an entry without
/// a version, an empty one or a `v1` that cannot be a SHA-256 makes the whole list unbelievable.
fn v1_signatures(list: &str) -> Option<Vec<Vec<u8>>> {
    let mut claimed = Vec::new();
    for (place, entry) in list.split(' ').enumerate() {
        let (version, signature) = entry.split_once(',')?;
        if place >= MAX_SIGNATURES || version.is_empty() || signature.is_empty() {
            return None;
        }
        if version == "v1" {
            claimed.push(BASE64.decode(signature).ok().filter(|digest| digest.len() == DIGEST_BYTES)?);
        }
    }
    (!claimed.is_empty()).then_some(claimed)
}
