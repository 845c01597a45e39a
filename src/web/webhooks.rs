//! Deliveries: raw bytes in, a quick and honest answer out.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, State, rejection::PathRejection},
    response::{IntoResponse, Response},
};
use chrono::Utc;
use futures::StreamExt;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::CONTENT_LENGTH, request::Parts};
use metrics::{counter, histogram};
use secrecy::ExposeSecret;

use super::{Answer, Web, failed, refused, with_retry_after};
use crate::{
    bodies::Held,
    domain::inbound::{self, ClientDelivery, Delivery, Handshake},
    error::Error,
    peer::{Peer, sender},
    provider::catalog,
    telemetry::metrics::{WEBHOOK_DELIVERIES, WEBHOOK_DURATION},
    words::EventStatus,
};

/// The booking tool's contract: a body of at most 1 MiB.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What is read past that and thrown away: many senders listen for the answer only when they have said
/// everything.
const DISCARD_BYTES: usize = 4 * 1024 * 1024;
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a body was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyProblem {
    TooLarge,
    TooSlow,
    Broken,
    /// There is no memory for it now.
    NoRoom,
}

/// A request without its body.
pub(super) struct Incoming {
    method: Method,
    query: String,
    headers: HeaderMap,
    from: SocketAddr,
}

impl<S: Send + Sync> FromRequestParts<S> for Incoming {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let Some(Peer(from)) = parts.extensions.get().copied() else {
            return Err(refused(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"));
        };
        Ok(Self {
            method: parts.method.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            from,
        })
    }
}

/// One delivery. Wrong provider, unknown and disabled endpoint get the same 404: the path is a secret, and
/// who guesses must not learn that they were close.
pub(super) async fn receive(
    State(web): State<Arc<Web>>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Incoming,
    body: Body,
) -> Response {
    let Ok(Path((provider, token))) = path else { return unknown_endpoint() };
    take(&web, &provider, Some(&token), &request, body).await
}

/// One delivery to the address of our client at a provider; which tenant's it is, stands in its body.
pub(super) async fn receive_for_client(
    State(web): State<Arc<Web>>,
    path: Result<Path<String>, PathRejection>,
    request: Incoming,
    body: Body,
) -> Response {
    let Ok(Path(provider)) = path else { return unknown_endpoint() };
    take(&web, &provider, None, &request, body).await
}

async fn take(web: &Web, provider: &str, token: Option<&str>, request: &Incoming, body: Body) -> Response {
    let begin = Instant::now();
    if !inbound::takes(provider, &request.method) {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED");
    }
    let from = sender(request.from.ip(), &request.headers, &web.trusted_proxies);
    let (outcome, response) = match web.flood.admit(from, begin) {
        Err(wait) => {
            ("flooded", with_retry_after(refused(StatusCode::TOO_MANY_REQUESTS, "FLOODED"), Some(wait)))
        }
        Ok(()) => deliver(web, (provider, token), request, (body, web.bodies.hold(from))).await,
    };

    // A label holds what is in the code, never what a stranger wrote.
    let provider = catalog::find(provider).map_or("unknown", |provider| provider.id);
    counter!(WEBHOOK_DELIVERIES, "provider" => provider, "outcome" => outcome).increment(1);
    histogram!(WEBHOOK_DURATION, "provider" => provider).record(begin.elapsed());
    response
}

async fn deliver(
    web: &Web,
    (provider, token): (&str, Option<&str>),
    request: &Incoming,
    (body, held): (Body, Held<'_>),
) -> (&'static str, Response) {
    let Incoming { method, query, headers, .. } = request;
    // Not before the body is here: a slow sender costs a connection, but no place among the requests.
    let (body, _held) = match read(headers, body, held).await {
        Ok(read) => read,
        Err(BodyProblem::TooLarge) => {
            return ("too_large", refused(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE"));
        }
        Err(BodyProblem::TooSlow) => {
            return ("too_slow", refused(StatusCode::REQUEST_TIMEOUT, "BODY_TOO_SLOW"));
        }
        Err(BodyProblem::Broken) => return ("broken", refused(StatusCode::BAD_REQUEST, "BODY_BROKEN")),
        Err(BodyProblem::NoRoom) => return ("overloaded", failed(&Error::Overloaded)),
    };
    let (body, receive_time) = (&body, Utc::now());
    let passed = match token {
        Some(token) => {
            let delivery = Delivery { provider, token, method, query, headers, body, receive_time };
            web.gate.pass(None, inbound::receive(&web.domain, &web.turns, delivery)).await
        }
        None => {
            let delivery = ClientDelivery { provider, method, query, headers, body, receive_time };
            web.gate.pass(None, inbound::receive_for_client(&web.domain, &web.turns, delivery)).await
        }
    };
    match passed {
        Ok(Ok(answer)) => answered(provider, answer),
        Ok(Err(error)) | Err(error) => (failure_outcome(&error), failed(&error)),
    }
}

fn answered(provider: &str, answer: inbound::Answer) -> (&'static str, Response) {
    use inbound::Answer::{
        Greeted, Handshake, Kept, Limited, Nobodys, NotParseable, Refused, Unfit, UnknownEndpoint,
    };
    match answer {
        // What some providers get back, they would show to a person.
        Kept { status, .. } if inbound::is_told_nothing(provider) => {
            (status.as_str(), StatusCode::OK.into_response())
        }
        Nobodys if inbound::is_told_nothing(provider) => ("nobodys", StatusCode::OK.into_response()),
        // Theirs to disable our address when it answers otherwise.
        Nobodys => {
            let status = EventStatus::Ignored.as_str();
            (
                "nobodys",
                Json(Answer { status, reason: "ACCOUNT_UNKNOWN", ..Answer::default() }).into_response(),
            )
        }
        // Also for `error`: the event is kept and will be tried again here, so the sender is done with it.
        Kept { event, status, reason } => {
            let reason = reason.as_deref().unwrap_or("OK");
            let body = Answer { event_id: Some(event), status: status.as_str(), reason, field: None };
            (status.as_str(), Json(body).into_response())
        }
        Greeted { text, headers } => {
            let mut response = text.into_response();
            for (name, value) in headers {
                response.headers_mut().insert(*name, HeaderValue::from_static(value));
            }
            ("greeted", response)
        }
        Handshake { header, outcome } => shaken(header, outcome),
        Unfit { event, reason, field } => {
            let status = EventStatus::Error.as_str();
            let body = Answer { event_id: Some(event), status, reason: &reason, field: Some(&field) };
            ("unfit", (StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response())
        }
        NotParseable => ("not_parseable", refused(StatusCode::BAD_REQUEST, "NOT_PARSEABLE")),
        Refused(refusal) => ("bad_signature", refused(StatusCode::UNAUTHORIZED, refusal.reason())),
        UnknownEndpoint => ("unknown_endpoint", unknown_endpoint()),
        Limited { retry_after } => {
            let response = refused(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED");
            ("rate_limited", with_retry_after(response, Some(retry_after)))
        }
    }
}

/// The answer to a provider that told a secret; said back in the header it came in, if it came in one.
fn shaken(header: Option<&'static str>, outcome: Handshake) -> (&'static str, Response) {
    match outcome {
        Handshake::Echo(secret) => {
            let mut response = StatusCode::OK.into_response();
            if let (Some(name), Ok(mut value)) = (header, HeaderValue::from_str(secret.expose_secret())) {
                value.set_sensitive(true);
                response.headers_mut().insert(name, value);
            }
            ("handshake", response)
        }
        Handshake::NotExpected => {
            ("handshake_refused", refused(StatusCode::CONFLICT, "HANDSHAKE_NOT_EXPECTED"))
        }
        Handshake::Malformed => {
            ("handshake_refused", refused(StatusCode::BAD_REQUEST, "HANDSHAKE_MALFORMED"))
        }
    }
}

fn unknown_endpoint() -> Response {
    refused(StatusCode::NOT_FOUND, "WEBHOOK_ENDPOINT_NOT_FOUND")
}

fn failure_outcome(error: &Error) -> &'static str {
    match error {
        Error::Unavailable(_) | Error::CommitUnknown(_) => "unavailable",
        Error::Overloaded => "overloaded",
        Error::Deadline => "deadline",
        Error::RateLimited(_) => "rate_limited",
        Error::NotFound(_) => "unknown_endpoint",
        _ => "failed",
    }
}

/// Reads a body, and holds the memory for it.
async fn read<'a>(headers: &HeaderMap, body: Body, held: Held<'a>) -> Result<(Bytes, Held<'a>), BodyProblem> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let reading = read_at_most(announced.unwrap_or_default(), body, held);
    tokio::time::timeout(BODY_TIMEOUT, reading).await.map_err(|_| BodyProblem::TooSlow)?
}

/// What is announced takes no memory before it is here.
async fn read_at_most<'a>(
    announced: usize,
    body: Body,
    held: Held<'a>,
) -> Result<(Bytes, Held<'a>), BodyProblem> {
    let mut chunks = body.into_data_stream();
    let (mut taken, mut held, mut size) = (Vec::new(), Some(held), 0usize);
    while size <= DISCARD_BYTES && announced <= DISCARD_BYTES {
        let Some(chunk) = chunks.next().await else { break };
        let chunk = chunk.map_err(|_| BodyProblem::Broken)?;
        size = size.saturating_add(chunk.len());
        let is_too_large = size.max(announced) > MAX_BODY_BYTES;
        if !is_too_large && held.as_mut().is_some_and(|held| held.grow(chunk.len())) {
            taken.extend_from_slice(&chunk);
        } else {
            (taken, held) = (Vec::new(), None);
        }
    }
    if size.max(announced) > MAX_BODY_BYTES {
        return Err(BodyProblem::TooLarge);
    }
    held.map(|held| (taken.into(), held)).ok_or(BodyProblem::NoRoom)
}
