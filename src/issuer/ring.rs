//! An issuer's keys over time: fetched, kept, fetched again.
//!
//! All ages are counted from the `now` of the callers, and an age is its distance in either direction: a
//! clock that was set back makes keys old rather than young for ever.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::io::AsyncReadExt;
use url::Url;

use super::TokenRefusal;
use super::config::{Algorithm, KeySource};
use super::keys::{KeyProblem, KeySet, MAX_SET_BYTES};
use super::token::Token;
use crate::egress::Egress;

/// How long keys serve while their source does not answer.
const MAX_STALENESS: Duration = Duration::from_secs(24 * 3600);

/// Anybody can invent key ids, so they may not make us knock at the issuer's door more often than this.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(30);

/// How far an issuer's clock may be from ours.
const SKEW_SECONDS: f64 = 60.0;

/// After a failure: with old keys at hand there is time, without any nobody can sign in.
const RETRY_PAUSE: Duration = Duration::from_secs(30);
const SHORT_RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How often a file is looked at.
const FILE_TTL: Duration = Duration::from_secs(1);

/// The keys of one issuer and what is known about their age.
pub(super) struct Ring {
    issuer: String,
    source: Source,
    state: Mutex<State>,
    /// Held while fetching, so that one fetch serves everybody who waits.
    flight: tokio::sync::Mutex<()>,
}

enum Source {
    Fixed,
    File(PathBuf),
    Url { url: Url, ttl: Duration, egress: Arc<Egress> },
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// When the source last said that these are the keys.
    confirmed: Option<DateTime<Utc>>,
    /// When the source last failed to, if that was the last thing it did.
    failed: Option<DateTime<Utc>>,
    /// When it was last asked because of an unknown key.
    asked_for_unknown: Option<DateTime<Utc>>,
    stamp: Option<Stamp>,
}

/// What tells one version of a file from the next.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Aged,
    UnknownKey,
}

enum Answer {
    Unchanged,
    Keys(KeySet, Option<Stamp>),
}

impl Ring {
    /// Fixed keys and files are read at once, so that a mistake in them stops the start; a URL is first
    /// fetched for the first token, because an issuer that is down must not keep the service down.
    pub(super) fn new(issuer: &str, keys: &KeySource, egress: &Arc<Egress>) -> Result<Self, KeyProblem> {
        let mut state = State::default();
        let source = match keys {
            KeySource::Pem(pems) => {
                state.keys = Some(Arc::new(KeySet::from_pem(pems)?));
                Source::Fixed
            }
            KeySource::JwksFile(path) => {
                let text = std::fs::read(path).map_err(unreadable)?;
                KeySet::from_jwks(&text)?;
                Source::File(path.clone())
            }
            KeySource::JwksUrl { url, ttl } => {
                Source::Url { url: url.clone(), ttl: *ttl, egress: Arc::clone(egress) }
            }
        };
        let flight = tokio::sync::Mutex::new(());
        Ok(Self { issuer: issuer.to_owned(), source, state: Mutex::new(state), flight })
    }

    /// The keys, asked for again if they are due.
    pub(super) async fn keys(self: &Arc<Self>, now: DateTime<Utc>) -> Result<Arc<KeySet>, TokenRefusal> {
        self.refresh(Why::Aged, now).await;
        self.current(now).ok_or(TokenRefusal::KeysUnavailable)
    }

    /// Whether a key that the source did not name is none. Nobody can say so while the source does not
    /// answer, or may not be asked again yet; unless the token, issued at `issued` in seconds since 1970, is
    /// older than what the source said, as it is when its key was withdrawn.
    fn knows_every_key(&self, issued: Option<f64>, now: DateTime<Utc>) -> bool {
        let state = self.state();
        let was_asked_since = |confirmed: DateTime<Utc>| {
            confirmed >= now || issued.is_some_and(|at| at + SKEW_SECONDS < confirmed.timestamp() as f64)
        };
        match self.source {
            Source::Fixed => true,
            Source::File(_) | Source::Url { .. } => {
                state.failed.is_none() && state.confirmed.is_some_and(was_asked_since)
            }
        }
    }

    /// Whether one of the keys has signed the token.
    pub(super) async fn check(
        self: &Arc<Self>,
        token: &Token<'_>,
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<(), TokenRefusal> {
        let kid = token.kid()?;
        let lack = |keys: &KeySet| matches!(keys.find(kid, algorithm), Err(TokenRefusal::UnknownKey));
        let mut keys = self.keys(now).await?;
        // The issuer may have begun to use a new key since we last asked.
        if kid.is_some() && lack(&keys) {
            self.refresh(Why::UnknownKey, now).await;
            keys = self.current(now).ok_or(TokenRefusal::KeysUnavailable)?;
            let issued = token.claims.seconds("iat").ok().flatten();
            if lack(&keys) && !self.knows_every_key(issued, now) {
                return Err(TokenRefusal::KeysUnavailable);
            }
        }
        let has_signed = |keys: &KeySet| {
            let key = keys.find(kid, algorithm)?;
            Ok(key.has_signed(token.message, token.signature, algorithm))
        };
        // A key without a name may have been replaced by another without one.
        if kid.is_none() && !has_signed(&keys)? {
            self.refresh(Why::UnknownKey, now).await;
            keys = self.current(now).ok_or(TokenRefusal::KeysUnavailable)?;
        }
        if has_signed(&keys)? { Ok(()) } else { Err(TokenRefusal::BadSignature) }
    }

    fn current(&self, now: DateTime<Utc>) -> Option<Arc<KeySet>> {
        let state = self.state();
        let is_fresh = match self.source {
            Source::Fixed => true,
            Source::File(_) | Source::Url { .. } => is_within(state.confirmed, MAX_STALENESS, now),
        };
        state.keys.clone().filter(|_| is_fresh)
    }

    async fn refresh(self: &Arc<Self>, why: Why, now: DateTime<Utc>) {
        if !self.is_due(why, now) {
            return;
        }
        let ring = Arc::clone(self);
        // A task of its own, so that a caller who hangs up does not end the fetch that others wait for.
        let fetching = tokio::spawn(async move {
            let _one_at_a_time = ring.flight.lock().await;
            if ring.is_due(why, now) {
                let answer = ring.ask().await;
                ring.settle(answer, why, now);
            }
        });
        if fetching.await.is_err() {
            tracing::error!(issuer = self.issuer, "fetching an issuer's keys was aborted");
        }
    }

    fn is_due(&self, why: Why, now: DateTime<Utc>) -> bool {
        let state = self.state();
        let has_keys = is_within(state.confirmed, MAX_STALENESS, now);
        let (ttl, unknown_pause, retry) = match &self.source {
            Source::Fixed => return false,
            Source::File(_) => (FILE_TTL, FILE_TTL, SHORT_RETRY_PAUSE),
            Source::Url { ttl, .. } if has_keys => (*ttl, UNKNOWN_KEY_PAUSE, RETRY_PAUSE),
            Source::Url { ttl, .. } => (*ttl, UNKNOWN_KEY_PAUSE, SHORT_RETRY_PAUSE),
        };
        if is_within(state.failed, retry, now) {
            return false;
        }
        match why {
            Why::Aged => !is_within(state.confirmed, ttl, now),
            Why::UnknownKey => !is_within(state.asked_for_unknown, unknown_pause, now),
        }
    }

    async fn ask(&self) -> Result<Answer, KeyProblem> {
        match &self.source {
            Source::Fixed => Ok(Answer::Unchanged),
            Source::File(path) => {
                let known = self.state().stamp;
                read(path, known).await
            }
            Source::Url { url, egress, .. } => {
                let fetched = egress.get_at_most(url, MAX_SET_BYTES).await.map_err(KeyProblem::NotFetched)?;
                if fetched.status != http::StatusCode::OK {
                    return Err(KeyProblem::Status(fetched.status.as_u16()));
                }
                Ok(Answer::Keys(KeySet::from_jwks(&fetched.body)?, None))
            }
        }
    }

    fn settle(&self, answer: Result<Answer, KeyProblem>, why: Why, now: DateTime<Utc>) {
        let mut state = self.state();
        if why == Why::UnknownKey {
            state.asked_for_unknown = Some(now);
        }
        match answer {
            Ok(answer) => {
                state.failed = None;
                state.confirmed = Some(now);
                if let Answer::Keys(keys, stamp) = answer {
                    state.keys = Some(Arc::new(keys));
                    state.stamp = stamp;
                }
            }
            Err(problem) => {
                state.failed = Some(now);
                tracing::warn!(issuer = self.issuer, %problem, "an issuer's keys could not be read");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is a plain assignment, so there is no half-made state to fear after a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read(path: &Path, known: Option<Stamp>) -> Result<Answer, KeyProblem> {
    let file = tokio::fs::File::open(path).await.map_err(unreadable)?;
    let metadata = file.metadata().await.map_err(unreadable)?;
    let stamp = Stamp { modified: metadata.modified().ok(), bytes: metadata.len() };
    if known == Some(stamp) {
        return Ok(Answer::Unchanged);
    }
    let mut text = Vec::new();
    file.take(MAX_SET_BYTES as u64 + 1).read_to_end(&mut text).await.map_err(unreadable)?;
    Ok(Answer::Keys(KeySet::from_jwks(&text)?, Some(stamp)))
}

fn unreadable(error: io::Error) -> KeyProblem {
    KeyProblem::Unreadable(error.kind())
}

fn is_within(then: Option<DateTime<Utc>>, span: Duration, now: DateTime<Utc>) -> bool {
    then.is_some_and(|then| (now - then).abs().to_std().is_ok_and(|age| age < span))
}
