//! Deliveries: raw bytes in, a quick and honest answer out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Extension, Json,
    body::{Body, Bytes},
    extract::{Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header::CONTENT_LENGTH};
use metrics::{counter, histogram};

use super::{
    Answer, Web, failed,
    peer::{Peer, sender},
    refused, with_retry_after,
};
use crate::{
    domain::inbound::{self, Delivery},
    error::Error,
    telemetry::metrics::{WEBHOOK_DELIVERIES, WEBHOOK_DURATION},
    words::EventStatus,
};

/// The booking tool's contract: a body of at most 1 MiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What is read past that and thrown away: many senders listen for the answer only when they have said everything.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyProblem {
    TooLarge,
    TooSlow,
    Broken,
}

/// One delivery. Wrong provider, unknown and disabled endpoint get the same 404: the path is a secret, and who guesses
/// must not learn that they were close.
pub(super) async fn receive(
    State(web): State<Arc<Web>>,
    path: Result<Path<(String, String)>, PathRejection>,
    Extension(Peer(connected)): Extension<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let begin = Instant::now();
    let Ok(Path((provider, token))) = path else { return unknown_endpoint() };
    let from = sender(connected.ip(), &headers, &web.trusted_proxies);
    let (outcome, response) = match web.flood.admit(from, begin) {
        Err(wait) => {
            ("flooded", with_retry_after(refused(StatusCode::TOO_MANY_REQUESTS, "FLOODED"), Some(wait)))
        }
        Ok(()) => deliver(&web, &provider, &token, &headers, body).await,
    };

    // A label holds what is in the code, never what a stranger wrote.
    let provider = match provider.as_str() {
        "booking" => "booking",
        "calcom" => "calcom",
        _ => "unknown",
    };
    counter!(WEBHOOK_DELIVERIES, "provider" => provider, "outcome" => outcome).increment(1);
    histogram!(WEBHOOK_DURATION, "provider" => provider).record(begin.elapsed());
    response
}

async fn deliver(
    web: &Web,
    provider: &str,
    token: &str,
    headers: &HeaderMap,
    body: Body,
) -> (&'static str, Response) {
    // Not before the body is here: a slow sender costs a connection, but no place among the requests.
    let body = match read(headers, body).await {
        Ok(body) => body,
        Err(BodyProblem::TooLarge) => {
            return ("too_large", refused(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"));
        }
        Err(BodyProblem::TooSlow) => {
            return ("too_slow", refused(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW"));
        }
        Err(BodyProblem::Broken) => return ("broken", refused(StatusCode::BAD_REQUEST, "BODY_BROKEN")),
    };
    let delivery = Delivery { provider, token, headers, body: &body, receive_time: Utc::now() };
    match web.gate.pass(None, inbound::receive(&web.domain, delivery)).await {
        Ok(Ok(answer)) => answered(&answer),
        Ok(Err(error)) | Err(error) => (failure_outcome(&error), failed(&error)),
    }
}

fn answered(answer: &inbound::Answer) -> (&'static str, Response) {
    use inbound::Answer::{Kept, Limited, NotParseable, Refused, Unfit, UnknownEndpoint};
    match answer {
        // Also for `error`: the event is kept and will be tried again here, so the sender is done with it.
        Kept { event, status, reason } => {
            let reason = reason.as_deref().unwrap_or("OK");
            let body = Answer { event_id: Some(*event), status: status.as_str(), reason, field: None };
            (status.as_str(), Json(body).into_response())
        }
        Unfit { event, reason, field } => {
            let status = EventStatus::Error.as_str();
            let body = Answer { event_id: Some(*event), status, reason, field: Some(field) };
            ("unfit", (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response())
        }
        NotParseable => ("not_parseable", refused(StatusCode::BAD_REQUEST, "NOT_PARSEABLE")),
        Refused(refusal) => ("bad_signature", refused(StatusCode::UNAUTHORIZED, refusal.reason())),
        UnknownEndpoint => ("unknown_endpoint", unknown_endpoint()),
        Limited { retry_after } => {
            let response = refused(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED");
            ("rate_limited", with_retry_after(response, Some(*retry_after)))
        }
    }
}

fn unknown_endpoint() -> Response {
    refused(StatusCode::NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND")
}

fn failure_outcome(error: &Error) -> &'static str {
    match error {
        Error::Unavailable(_) => "unavailable",
        Error::Overloaded => "overloaded",
        Error::Deadline => "deadline",
        Error::RateLimited(_) => "rate_limited",
        Error::NotFound(_) => "unknown_endpoint",
        _ => "failed",
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, BodyProblem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let reading = read_at_most(announced.unwrap_or_default(), body);
    tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| BodyProblem::TooSlow)?
}

async fn read_at_most(announced: usize, body: Body) -> Result<Bytes, BodyProblem> {
    let mut chunks = body.into_data_stream();
    let (mut taken, mut size) = (Vec::with_capacity(announced.min(MAX_BODY_BYTES)), 0usize);
    while size <= DISCARD_BYTES && announced <= DISCARD_BYTES {
        let Some(chunk) = chunks.next().await else { break };
        let chunk = chunk.map_err(|_| BodyProblem::Broken)?;
        size = size.saturating_add(chunk.len());
        if size.max(announced) <= MAX_BODY_BYTES {
            taken.extend_from_slice(&chunk);
        }
    }
    if size.max(announced) > MAX_BODY_BYTES { Err(BodyProblem::TooLarge) } else { Ok(taken.into()) }
}
