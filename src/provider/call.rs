//! Why a call to a provider gave no usable result, sorted by what to do about it. What a provider refuses it
//! names itself; all else means the same whoever was asked.

use std::fmt;
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::fields::is_key;
use crate::egress::{EgressError, retry_after};

/// What a provider may say no to.
pub trait Refuses: fmt::Debug + fmt::Display + Clone + PartialEq + Eq + Send + Sync + 'static {
    /// The catalog's id.
    const PROVIDER: &'static str;

    /// A code for rows and answers.
    fn reason(&self) -> &'static str;
}

/// Why a call failed. `Display` repeats nothing the provider said and no address, so it may be shown and
/// logged; so may `Debug`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError<R: Refuses> {
    /// The credential is blocked for a while; waiting costs no attempt.
    #[error("the provider's rate limit is reached for the next {} s", .retry_after.as_secs())]
    Throttled { retry_after: Duration },
    /// A read without a usable answer: it may be repeated as it is.
    #[error("the provider could not be read: {0}")]
    Transient(NoAnswer),
    /// A write that may have been done: look before repeating it.
    #[error("whether the provider did it is unknown: {0}")]
    Unknown(NoAnswer),
    /// No connection came about, so nothing was done.
    #[error("the provider could not be reached: {0}")]
    NotSent(EgressError),
    /// The provider understood and said no.
    #[error("{0}")]
    Refused(R),
    /// The key or token itself is not accepted (any more).
    #[error("the provider does not accept the credential")]
    Credential,
    /// The answer is not of the contract asked for: another version, another service, a proxy's page.
    #[error("the provider's answer is not of the documented form: {what}")]
    UnexpectedShape {
        /// What was looked for, as in `data.uid`.
        what: &'static str,
        /// Set when a write was answered with success: then it was probably done.
        may_be_done: bool,
    },
    /// The instance's address may not be called from here.
    #[error("the provider's address is not allowed: {0}")]
    AddressRefused(EgressError),
}

/// How a request was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    #[error("no answer in time")]
    Timeout,
    #[error("the connection broke")]
    Broken,
    #[error("the answer is too large")]
    TooLarge,
    /// A status that says nothing about what was done.
    #[error("HTTP status {0}")]
    Status(u16),
}

/// What a message in the outbox does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Wait as told; no attempt is used.
    Throttled,
    /// Certainly not done: repeat after a delay.
    Transient,
    /// Perhaps done: look it up, then decide.
    Unknown,
    /// Repeating changes nothing.
    Permanent,
    /// Pause the integration, ask to reconnect.
    Credential,
}

/// What a lost request leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    Read,
    Write,
}

impl<R: Refuses> CallError<R> {
    /// What to do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Throttled { .. } => Class::Throttled,
            Self::Transient(_) | Self::NotSent(_) => Class::Transient,
            Self::Unknown(_) | Self::UnexpectedShape { may_be_done: true, .. } => Class::Unknown,
            Self::Credential => Class::Credential,
            Self::Refused(_) | Self::AddressRefused(_) | Self::UnexpectedShape { may_be_done: false, .. } => {
                Class::Permanent
            }
        }
    }

    /// A code for rows and answers.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Throttled { .. } => "THROTTLED",
            Self::Transient(_) => "PROVIDER_UNREADABLE",
            Self::Unknown(_) => "OUTCOME_UNKNOWN",
            Self::NotSent(_) => "PROVIDER_UNREACHABLE",
            Self::Refused(refusal) => refusal.reason(),
            Self::Credential => "CREDENTIAL_REFUSED",
            Self::UnexpectedShape { .. } => "UNEXPECTED_ANSWER",
            Self::AddressRefused(_) => "ADDRESS_REFUSED",
        }
    }

    /// A request that never connected was certainly not executed; one that broke later perhaps was.
    pub(in crate::provider) fn lost(effect: Effect, error: EgressError) -> Self {
        match error {
            EgressError::UrlRefused
            | EgressError::NotHttps
            | EgressError::AddressRefused
            | EgressError::Setup => Self::AddressRefused(error),
            EgressError::NameUnresolved | EgressError::Unreachable(_) | EgressError::Tls => {
                Self::NotSent(error)
            }
            EgressError::Timeout => Self::unanswered(effect, NoAnswer::Timeout),
            EgressError::Broken => Self::unanswered(effect, NoAnswer::Broken),
            EgressError::BodyTooLarge { .. } => Self::unanswered(effect, NoAnswer::TooLarge),
        }
    }

    pub(in crate::provider) fn unanswered(effect: Effect, how: NoAnswer) -> Self {
        match effect {
            Effect::Read => Self::Transient(how),
            Effect::Write => Self::Unknown(how),
        }
    }
}

/// A route's address below `base`, each segment and parameter escaped. An empty or dotted segment would
/// address something else; no provider's ids look like that, so what it names is `absent`.
pub(in crate::provider) fn address<R: Refuses>(
    base: &Url,
    path: &[String],
    query: &[(&'static str, String)],
    absent: R,
) -> Result<Url, CallError<R>> {
    if path.iter().any(|segment| !is_key(segment) || segment == "." || segment == "..") {
        return Err(CallError::Refused(absent));
    }
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| CallError::AddressRefused(EgressError::UrlRefused))?
        .pop_if_empty()
        .extend(path.iter());
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query.iter());
    }
    Ok(url)
}

/// What every request in JSON says of itself, its bearer marked as not to be logged.
pub(in crate::provider) fn headers<R: Refuses>(
    bearer: &SecretString,
    has_body: bool,
) -> Result<HeaderMap, CallError<R>> {
    // What no header can carry was never a key or token.
    let mut bearer = HeaderValue::try_from(format!("Bearer {}", bearer.expose_secret()))
        .map_err(|_| CallError::Credential)?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if has_body {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    Ok(headers)
}

const LONGEST_BLOCK: Duration = Duration::from_secs(3600);

/// How long to wait as the answer tells, at least a second and at most an hour; without a word on it as long
/// as `untold`.
pub(in crate::provider) fn block(headers: &HeaderMap, untold: Duration) -> Duration {
    retry_after(headers).unwrap_or(untold).clamp(Duration::from_secs(1), LONGEST_BLOCK)
}
