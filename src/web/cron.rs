//! An outside scheduler may trigger what the built-in one does; both together run an occurrence once.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Json,
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use serde::Serialize;
use subtle::ConstantTimeEq;

use super::{Web, failed, refused, with_retry_after};
use crate::{
    domain::engine::schedule::{self, Fired},
    peer::{Peer, sender},
    vault,
};

/// What an outside scheduler must show, as its hash: hashes of all secrets are equally long and take equally
/// long to compare.
pub struct CronSecret(Vec<u8>);

impl CronSecret {
    pub fn new(secret: &str) -> Self {
        Self(vault::hash(secret.as_bytes()))
    }

    fn is(&self, shown: &str) -> bool {
        bool::from(vault::hash(shown.as_bytes()).ct_eq(&self.0))
    }
}

/// What was done.
#[derive(Serialize)]
struct Answer {
    /// `run`, or `run_before` where the occurrence had been run.
    status: &'static str,
    schedule: &'static str,
    occurrence_time: String,
    /// For how many integrations work was queued.
    queued: i64,
}

/// Some schedulers only GET. Not HEAD, which axum would take for it.
pub(super) fn routes() -> MethodRouter<Arc<Web>> {
    get(run).post(run).head(async || StatusCode::METHOD_NOT_ALLOWED)
}

async fn run(
    State(web): State<Arc<Web>>,
    path: Result<Path<String>, PathRejection>,
    Extension(Peer(connected)): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    let from = sender(connected.ip(), &headers, &web.trusted_proxies);
    if let Err(wait) = web.flood.admit(from, Instant::now()) {
        return with_retry_after(refused(StatusCode::TOO_MANY_REQUESTS, "FLOODED"), Some(wait));
    }
    let is_known = shown(&headers).zip(web.cron.as_ref()).is_some_and(|(shown, secret)| secret.is(shown));
    if !is_known {
        return refused(StatusCode::UNAUTHORIZED, "CRON_SECRET_WRONG");
    }
    let Ok(Path(name)) = path else { return refused(StatusCode::NOT_FOUND, "SCHEDULE_NOT_FOUND") };
    match web.gate.pass(None, schedule::fire(&web.domain, &name, Utc::now())).await {
        Ok(Ok(Some(fired))) => Json(Answer::from(fired)).into_response(),
        Ok(Ok(None)) => refused(StatusCode::NOT_FOUND, "SCHEDULE_NOT_FOUND"),
        Ok(Err(error)) | Err(error) => failed(&error),
    }
}

/// The one bearer of a request.
fn shown(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, shown) = value.split_once(' ')?;
    let is_only_one = values.next().is_none();
    // The scheme's case does not matter (RFC 9110 §11.1).
    (is_only_one && scheme.eq_ignore_ascii_case("bearer")).then_some(shown)
}

impl From<Fired> for Answer {
    fn from(fired: Fired) -> Self {
        Self {
            status: if fired.queued.is_some() { "run" } else { "run_before" },
            schedule: fired.name,
            occurrence_time: written(fired.occurrence),
            queued: fired.queued.unwrap_or_default(),
        }
    }
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
