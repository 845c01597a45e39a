//! API v2: which route a request means, and what every request goes through on its way there and back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::Value;

use super::booking::new_uuid;
use super::faults::Fault;
use super::inner::{Busy, Inner, Passage};
use super::limit::{Allowance, Counted};
use super::record::Recorded;
use super::refusal::Refusal;
use crate::sandbox::gate::Point;
use crate::sandbox::wire::{Cut, Knife};

mod bookings;
mod call;
mod event_types;
mod fields;
mod list;
mod old;
mod operation;
mod shown;
mod slots;
mod webhooks;

pub use operation::Operation;

use call::{Answer, Call};

const MAX_BODY_BYTES: usize = 1024 * 1024;

pub(super) fn routes(inner: Arc<Inner>) -> Router {
    Router::new().route("/v2/{*rest}", any(answer)).with_state(inner)
}

async fn answer(
    State(inner): State<Arc<Inner>>,
    Extension(knife): Extension<Knife>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let busy = inner.busy();
    let request_id = new_uuid().to_string();
    let path = uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    let known = Operation::of(&method, uri.path());
    let caller = call::caller(&inner, &headers);
    let body = read(body).await;
    let version = call::version(&headers);
    let recorded = inner.requests.push(|id| Recorded {
        id,
        time: inner.clock.now(),
        operation: known.as_ref().map(|(operation, _)| *operation),
        method: method.to_string(),
        path: uri.path().to_owned(),
        query: call::query(&uri),
        version: version.clone(),
        key_id: caller.as_ref().ok().and_then(|key| key.map(|key| key.id)),
        user_id: caller.as_ref().ok().and_then(|key| key.map(|key| key.user_id)),
        body: body.as_ref().map_or(Value::Null, Clone::clone),
        status: None,
    });
    let counted = match &caller {
        Ok(Some(key)) => Counted::Key(key.id),
        Ok(None) | Err(_) => Counted::Anonymous,
    };
    let allowance = inner.throttle.count(counted, inner.clock.now());
    let answered = if allowance.is_some_and(|allowance| allowance.refused) {
        Ok(Err(Refusal::throttled()))
    } else {
        match known {
            None => Ok(Err(Refusal::not_found(format!("Cannot {method} {path}")))),
            Some((operation, arguments)) => {
                let faults = inner.script.of_request(operation);
                let call = caller.and_then(|key| {
                    let route = format!("{method} {path}");
                    Ok(Call {
                        operation,
                        arguments,
                        route,
                        version,
                        query: call::query(&uri),
                        key,
                        body: body?,
                    })
                });
                go_through(&inner, (operation, &path), call, faults, busy).await
            }
        }
    };
    match answered {
        Ok(answered) => {
            let (status, value, extra) = said(&inner, answered, &path);
            inner.requests.change(recorded, |kept| kept.status = Some(status.as_u16()));
            respond(status, &value, extra, allowance, &request_id)
        }
        Err(cut) => cut.off(&knife).await,
    }
}

type Said = (StatusCode, Value, Option<u32>);

fn said(inner: &Inner, answered: Answered, path: &str) -> Said {
    match answered {
        Ok(Answer { status, body, retry_after_seconds }) => (status, body, retry_after_seconds),
        Err(refusal) => (refusal.http_status(), refusal.body(path, inner.clock.now()), None),
    }
}

type Answered = Result<Answer, Refusal>;

/// Faults before, the operation itself, faults after. What has begun goes on when the caller hangs up.
async fn go_through(
    inner: &Arc<Inner>,
    (operation, path): (Operation, &str),
    call: Result<Call, Refusal>,
    faults: Vec<Fault>,
    busy: Busy,
) -> Result<Answered, Cut> {
    for fault in &faults {
        match fault {
            Fault::Reset => return Err(Cut::Reset),
            Fault::ErrorBefore { status } => return Ok(Err(failure(*status))),
            Fault::Refused { refusal } => return Ok(Err(refusal.clone())),
            Fault::Throttled { retry_after_seconds } => {
                let refusal = Refusal::throttled();
                let body = refusal.body(path, inner.clock.now());
                let status = refusal.http_status();
                return Ok(Ok(Answer { status, body, retry_after_seconds: *retry_after_seconds }));
            }
            _ => {}
        }
    }
    let call = match call {
        Ok(call) => call,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let passage = Passage::of(operation, faults.contains(&Fault::LostRace));
    let is_stale = faults.contains(&Fault::StaleRead);
    let working = inner.clone();
    let work = tokio::spawn(async move {
        let answered = call.perform(&working, passage, is_stale).await;
        working.gates.pass(Point::AfterApplying, operation).await;
        drop(busy);
        answered
    });
    let mut answered = work.await.unwrap_or_else(|_| Err(failure(500)));
    for fault in faults {
        match fault {
            Fault::AnswerDelayed { millis } => tokio::time::sleep(Duration::from_millis(millis)).await,
            Fault::ErrorAfter { status } => answered = Err(failure(status)),
            Fault::AnswerLost { hold: true } => return Err(Cut::Hold),
            Fault::AnswerLost { hold: false } => return Err(Cut::Close),
            _ => {}
        }
    }
    Ok(answered)
}

fn failure(status: u16) -> Refusal {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Refusal::engine(status, if status == 500 { "Internal server error" } else { reason.unwrap_or("Error") })
}

async fn read(body: Body) -> Result<Value, Refusal> {
    let bytes: Bytes = axum::body::to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| Refusal::framework(413, "request entity too large"))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|error| Refusal::bad(error.to_string()))
}

fn respond(
    status: StatusCode,
    body: &Value,
    retry_after_seconds: Option<u32>,
    allowance: Option<Allowance>,
    request_id: &str,
) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", id);
    }
    if let Some(seconds) = retry_after_seconds {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if let Some(allowance) = allowance {
        headers.insert("x-ratelimit-limit-default", allowance.limit.into());
        headers.insert("x-ratelimit-remaining-default", allowance.remaining.into());
        headers.insert("x-ratelimit-reset-default", allowance.reset_seconds.into());
    }
    response
}
