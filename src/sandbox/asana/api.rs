//! The REST API: which route a request means, and what every request goes through on its way there and back.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use axum::routing::any;
use axum::{Extension, Router};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::faults::Fault;
use super::inner::{Busy, Inner};
use super::oauth::Grant;
use super::record::Recorded;
use super::refusal::Refusal;
use crate::sandbox::gate::Point;
use crate::sandbox::wire::{Cut, Knife};

mod absences;
mod batch;
mod call;
mod events;
mod fields;
mod operation;
mod page;
mod people;
mod projects;
mod tasks;
mod time_entries;
mod webhooks;

pub use operation::Operation;

use call::{Answer, Answered, Call};

const MAX_BODY_BYTES: usize = 1024 * 1024;
const BASE: &str = "/api/1.0";

pub(super) fn routes(inner: Arc<Inner>) -> Router {
    Router::new().route("/api/1.0/{*rest}", any(answer)).with_state(inner)
}

/// A request before it is known to be a good one.
struct Asked {
    known: Option<(Operation, Vec<String>)>,
    path: String,
    query: Vec<(String, String)>,
    grant: Option<Grant>,
    body: Result<Value, Refusal>,
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
    let path = uri.path().strip_prefix(BASE).unwrap_or_default().to_owned();
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let known = Operation::of(&method, &path);
    let now = inner.clock.now();
    let grant = call::bearer(&headers).and_then(|token| inner.world().grants.of_token(token, now).cloned());
    let asked = Asked { known, path, query, grant, body: read(body).await };
    let recorded = record(&inner, &method, &asked);
    let flight = match &asked.grant {
        None => Ok(None),
        Some(grant) => {
            let is_search = asked.known.as_ref().is_some_and(|(operation, _)| operation.is_search());
            let kind = (method == Method::GET, is_search, weight(&asked));
            inner.throttle.begin(grant.id, kind, now).map(Some)
        }
    };
    let operation = asked.known.as_ref().map(|(operation, _)| *operation);
    let faults = operation.map(|operation| inner.script.of_request(operation)).unwrap_or_default();
    let answered = match flight {
        Err(seconds) => Ok(Err(Refusal::throttled(seconds))),
        Ok(flight) => {
            let answered = go_through(&inner, asked, faults.clone(), busy).await;
            drop(flight);
            answered
        }
    };
    match answered {
        Ok(answered) => {
            let status = answered.as_ref().map_or_else(Refusal::http_status, |answer| answer.status);
            inner.requests.change(recorded, |kept| kept.status = Some(status.as_u16()));
            respond(&inner, answered, faults.contains(&Fault::Truncated))
        }
        Err(cut) => cut.off(&knife).await,
    }
}

fn record(inner: &Inner, method: &Method, asked: &Asked) -> u64 {
    if let Some((operation, _)) = &asked.known {
        inner.count(*operation);
    }
    inner.requests.push(|id| Recorded {
        id,
        time: inner.clock.now(),
        operation: asked.known.as_ref().map(|(operation, _)| *operation),
        method: method.to_string(),
        path: asked.path.clone(),
        query: asked.query.clone(),
        user: asked.grant.as_ref().map(|grant| grant.user),
        grant: asked.grant.as_ref().map(|grant| grant.id),
        body: asked.body.as_ref().map_or(Value::Null, Clone::clone),
        status: None,
    })
}

/// How many requests it counts for.
fn weight(asked: &Asked) -> u32 {
    let is_batch = asked.known.as_ref().is_some_and(|(operation, _)| *operation == Operation::Batch);
    let actions = asked.body.as_ref().ok().and_then(|body| body["data"]["actions"].as_array());
    match actions {
        Some(actions) if is_batch => u32::try_from(actions.len()).unwrap_or(u32::MAX).max(1),
        _ => 1,
    }
}

/// Faults before, the operation itself, faults after. What has begun goes on when the caller hangs up.
async fn go_through(
    inner: &Arc<Inner>,
    asked: Asked,
    faults: Vec<Fault>,
    busy: Busy,
) -> Result<Answered, Cut> {
    for fault in &faults {
        match fault {
            Fault::Reset => return Err(Cut::Reset),
            Fault::ErrorBefore { status } => return Ok(Err(failure(*status))),
            Fault::Refused { refusal } => return Ok(Err(refusal.clone())),
            Fault::Throttled { retry_after_seconds } => {
                return Ok(Err(Refusal::throttled(*retry_after_seconds)));
            }
            _ => {}
        }
    }
    let mut call = match understood(inner, asked, faults.clone()) {
        Ok(call) => call,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (working, arrived) = (inner.clone(), call.now);
    let work = tokio::spawn(async move {
        working.gates.pass(Point::BeforeApplying, call.operation).await;
        // What waited there happens now: no change makes a task's version older.
        call.now = working.clock.now();
        let answered = call.perform(&working).await;
        working.gates.pass(Point::AfterApplying, call.operation).await;
        if let Ok(answer) = &answered {
            working.throttle.charge(call.grant.id, answer.records, arrived);
        }
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

/// A route, a caller, and a body with nothing but `data` and `options`.
fn understood(inner: &Inner, asked: Asked, faults: Vec<Fault>) -> Result<Call, Refusal> {
    let (operation, arguments) = asked.known.ok_or_else(Refusal::no_route)?;
    let grant = asked.grant.ok_or_else(Refusal::unauthorized)?;
    let (mut data, mut options) = (Map::new(), Map::new());
    match asked.body? {
        Value::Null => {}
        Value::Object(body) => {
            for (key, value) in body {
                let place = match key.as_str() {
                    "data" => &mut data,
                    "options" => &mut options,
                    _ => return Err(Refusal::bad(format!("Request body has an unrecognized key: {key}"))),
                };
                match value {
                    Value::Object(object) => *place = object,
                    _ => return Err(Refusal::bad(format!("{key}: Value is not an object"))),
                }
            }
        }
        _ => return Err(Refusal::bad("Request body is not an object")),
    }
    if !grant.covers(operation) {
        return Err(Refusal::forbidden());
    }
    if operation == Operation::Batch {
        batch::actions(&data)?;
    }
    let Asked { path, query, .. } = asked;
    Ok(Call { operation, arguments, path, query, grant, data, options, now: inner.clock.now(), faults })
}

fn failure(status: u16) -> Refusal {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    Refusal::new(status, if status == 500 { "Server Error" } else { reason.unwrap_or("Error") })
}

async fn read(body: Body) -> Result<Value, Refusal> {
    let bytes: Bytes = axum::body::to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| Refusal::new(413, "Request entity too large"))?;
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&bytes).map_err(|_| Refusal::bad("Could not parse request data, invalid JSON"))
}

fn respond(inner: &Inner, answered: Answered, is_truncated: bool) -> Response {
    let (status, retry_after, body) = match answered {
        Ok(Answer { status, body, .. }) => (status, None, body.to_string()),
        Err(refusal) if refusal.is_the_balancers() => {
            let mut response = Response::new(Body::from(refusal.page()));
            *response.status_mut() = refusal.http_status();
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            return response;
        }
        Err(refusal) => {
            (refusal.http_status(), refusal.retry_after_seconds, refusal.body(inner.clock.now()).to_string())
        }
    };
    let half = (0..=body.len() / 2).rev().find(|at| body.is_char_boundary(*at)).unwrap_or_default();
    let most = if is_truncated { half } else { body.len() };
    let body = body.get(..most).unwrap_or_default().to_owned();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    if let Ok(date) =
        HeaderValue::from_str(&inner.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string())
    {
        headers.insert(header::DATE, date);
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
