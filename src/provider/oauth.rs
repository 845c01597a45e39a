//! OAuth 2.0 with any provider, from its catalog row alone: where to send a person, how to get and renew
//! tokens, whose account it is, how to end a grant.
//!
//! The crate `oauth2` writes the requests and reads the answers; what providers bend is straightened in
//! `wire`.

use std::{fmt, time::Duration};

use secrecy::SecretString;
use serde_json::{Map, Value};

use super::catalog::OAuth;
use crate::egress::Egress;

mod account;
mod authorize;
mod placeholders;
mod revoke;
mod token;
mod wire;

#[cfg(test)]
mod tests;

pub use account::{Account, AccountError};
pub use authorize::Verifier;
pub use placeholders::{Endpoints, PlaceholderError, Placeholders, fill, rebase};
pub use revoke::Revocation;

/// A registration with a provider.
#[derive(Debug, Clone)]
pub struct Client {
    pub id: String,
    pub secret: SecretString,
}

/// A provider, as one of its clients meets it.
#[derive(Debug, Clone, Copy)]
pub struct Door<'a> {
    pub egress: &'a Egress,
    pub row: &'static OAuth,
    pub endpoints: &'a Endpoints,
    pub client: &'a Client,
    /// As registered; the same in all requests of one grant.
    pub redirect_uri: &'a str,
}

/// What the token endpoint gave.
pub struct Tokens {
    pub access: SecretString,
    /// Absent where there is none, and where the old one stays.
    pub refresh: Option<SecretString>,
    /// Of the access token; absent for one that does not run out.
    pub lifetime: Option<Duration>,
    /// Absent when the answer does not say: then everything that was asked for (RFC 6749 §5.1).
    pub scopes: Option<Vec<String>>,
    /// Everything else in the answer.
    pub(in crate::provider) rest: Map<String, Value>,
}

/// Why there are no tokens. Says nothing of what the provider wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// `invalid_grant`: the code or the refresh token is over.
    #[error("the provider does not take the code or the refresh token")]
    GrantRefused,
    /// `invalid_client` and its kin: our registration is wrong, not the person's grant.
    #[error("the provider does not take the client's id and secret")]
    ClientRefused,
    #[error("the provider refused")]
    Refused,
    /// An error page, or JSON that holds no token.
    #[error("the provider's answer was not understood")]
    UnexpectedAnswer,
    #[error("the provider's address may not be reached")]
    AddressRefused,
    /// Silence, a 5xx or a 429. The request may have arrived.
    #[error("the provider does not answer; again in {} s", .0.as_secs())]
    Unavailable(Duration),
}

impl TokenError {
    /// The code that people see.
    pub fn reason(self) -> &'static str {
        match self {
            Self::GrantRefused => "GRANT_REFUSED",
            Self::ClientRefused => "CLIENT_REFUSED",
            Self::Refused => "REFUSED",
            Self::UnexpectedAnswer => "UNEXPECTED_ANSWER",
            Self::AddressRefused => "ADDRESS_REFUSED",
            Self::Unavailable(_) => "PROVIDER_UNAVAILABLE",
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("lifetime", &self.lifetime).finish_non_exhaustive()
    }
}

impl Tokens {
    /// What of `wanted` was not granted. Names of OpenID Connect and of refreshing are not looked for:
    /// providers grant them without saying so, or under other names, and whether they were shows in what
    /// the answer holds.
    pub fn missing(&self, wanted: &[String]) -> Vec<String> {
        const UNSAID: [&str; 4] = ["openid", "profile", "email", "offline_access"];
        let Some(granted) = &self.scopes else { return Vec::new() };
        let is_granted = |scope: &String| granted.iter().any(|one| one.eq_ignore_ascii_case(scope));
        let is_said = |scope: &&String| !UNSAID.contains(&scope.as_str());
        wanted.iter().filter(is_said).filter(|scope| !is_granted(scope)).cloned().collect()
    }
}
