//! The secret itself as proof: for providers that sign nothing. It is only as good as the way it travels.

use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Elements, Refusal, Request, Verified, the_only};

/// A secret that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub at: TokenAt,
}

/// Where the secret is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAt {
    /// In a header, its name in lower case.
    Header(&'static str),
    /// In this field of each element of the list at this place of the JSON body: one delivery may be for
    /// several subscriptions, and an element with another secret is nobody's word.
    EachOf { list: &'static str, field: &'static str },
}

/// The most elements that are looked at; a list that is longer is no provider's.
const MAX_ELEMENTS: usize = 10_000;

impl Token {
    pub(super) fn verify(
        &self,
        request: &Request<'_>,
        secrets: &[SecretSlice<u8>],
    ) -> Result<Verified, Refusal> {
        let verified =
            |secret_index, elements| Verified { delivery_id: None, timestamp: None, secret_index, elements };
        match self.at {
            TokenAt::Header(header) => {
                let claimed = the_only(request.headers, header)?;
                let index = holder(secrets, claimed).ok_or(Refusal::Mismatch)?;
                Ok(verified(index, None))
            }
            TokenAt::EachOf { list, field } => {
                let body: Value = serde_json::from_slice(request.body).map_err(|_| Refusal::MalformedBody)?;
                let elements = body.pointer(list).and_then(Value::as_array);
                let elements =
                    elements.filter(|list| list.len() <= MAX_ELEMENTS).ok_or(Refusal::MalformedBody)?;
                let own = |(place, element): (usize, &Value)| {
                    let claimed = element.get(field).and_then(Value::as_str)?;
                    holder(secrets, claimed).map(|index| (place, index))
                };
                let ours: Vec<(usize, usize)> = elements.iter().enumerate().filter_map(own).collect();
                let newest = ours.iter().map(|(_, index)| *index).min().ok_or(Refusal::Mismatch)?;
                let places = ours.into_iter().map(|(place, _)| place).collect();
                Ok(verified(newest, Some(Elements { list, places })))
            }
        }
    }
}

/// The place of the first secret that is this text. Digests are compared, so that no length is told either.
fn holder(secrets: &[SecretSlice<u8>], claimed: &str) -> Option<usize> {
    let claimed_digest = Sha256::digest(claimed.as_bytes());
    let mut found = None;
    for (index, secret) in secrets.iter().enumerate() {
        let fits = Sha256::digest(secret.expose_secret()).ct_eq(&claimed_digest);
        if bool::from(fits) && !secret.expose_secret().is_empty() {
            found = found.or(Some(index));
        }
    }
    found
}
