//! A JWT in `authorization`, signed with the secret: HS256 and nothing else.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::DateTime;
use secrecy::SecretSlice;

use super::{
    Refusal, Request, Verified,
    hmac::{Hash, signer},
    the_only,
};
use crate::issuer::CompactToken;

/// How far the signer's clock may be off.
const LEEWAY_S: f64 = 60.0;

/// A JWT that the secret signed, beside the body and not over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedToken {
    /// In lower case; its value is `Bearer` and the token.
    pub header: &'static str,
}

impl SignedToken {
    /// Times are looked at where the token has any: what else it says is not documented.
    pub(super) fn verify(
        &self,
        request: &Request<'_>,
        secrets: &[SecretSlice<u8>],
        now_unix_s: i64,
    ) -> Result<Verified, Refusal> {
        let token = bearer(the_only(request.headers, self.header)?).ok_or(Refusal::MalformedHeader)?;
        let token = CompactToken::parse(token).map_err(|_| Refusal::MalformedHeader)?;
        if token.algorithm_name() != Some("HS256") {
            return Err(Refusal::BadToken);
        }
        let claimed = URL_SAFE_NO_PAD.decode(token.signature).map_err(|_| Refusal::MalformedHeader)?;
        let secret_index = signer(Hash::Sha256, secrets, &[claimed], &[token.message.as_bytes()])
            .ok_or(Refusal::Mismatch)?;
        let now = DateTime::from_timestamp(now_unix_s, 0).ok_or(Refusal::BadToken)?;
        token.claims.check_given_times(now, LEEWAY_S).map_err(|_| Refusal::BadToken)?;
        let issued = token.claims.seconds("iat").map_err(|_| Refusal::BadToken)?;
        if issued.is_some_and(|issued| issued > now_unix_s as f64 + LEEWAY_S) {
            return Err(Refusal::BadToken);
        }
        Ok(Verified { delivery_id: None, timestamp: None, secret_index, elements: None })
    }
}

/// The token behind `Bearer`; the scheme's name is case-insensitive (RFC 9110 §11.1).
pub(super) fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}
