//! The HTTP edge: routes for providers and for operations. It faces the internet, so every answer is short
//! JSON and says nothing internal.

use std::{sync::Arc, time::Duration};

use axum::{
    Json, Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header::RETRY_AFTER};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    bodies::Bodies,
    domain::{Domain, inbound::Turns},
    error::Error,
    gate::Gate,
    ids::WebhookEventId,
    network::Network,
    status::reason_name,
};

mod authorization;
mod cron;
pub mod flood;
pub mod health;
mod webhooks;

pub use cron::CronSecret;
use flood::FloodLimit;
use health::Readiness;

/// What the routes share.
pub struct Web {
    pub domain: Domain,
    pub readiness: Arc<Readiness>,
    pub gate: Arc<Gate>,
    pub flood: FloodLimit,
    /// Memory for what is not yet known to be anybody's.
    pub bodies: Bodies,
    /// Whose deliveries may take a connection.
    pub turns: Turns,
    pub trusted_proxies: Vec<Network>,
    /// What an outside scheduler must show; without it there is no route for one.
    pub cron: Option<CronSecret>,
}

/// The answer to a provider.
#[derive(Debug, Default, Serialize)]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<WebhookEventId>,
    status: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

/// Every route of the HTTP adapter.
pub fn router(web: Arc<Web>) -> Router {
    // HEAD and GET are how some providers ask whether an address is meant for them.
    let deliveries = get(webhooks::receive).head(webhooks::receive).post(webhooks::receive);
    let of_clients = get(webhooks::receive_for_client)
        .head(webhooks::receive_for_client)
        .post(webhooks::receive_for_client);
    let mut routes = Router::new()
        .route("/api/webhooks/{provider}", of_clients)
        .route("/api/webhooks/{provider}/{endpoint}", deliveries)
        .route("/api/auth/{provider}/callback", get(authorization::callback));
    if web.cron.is_some() {
        routes = routes.route("/api/cron/{schedule}", cron::routes());
    }
    guarded(routes, web)
}

/// Only what a process answers that takes no deliveries.
pub fn probes(web: Arc<Web>) -> Router {
    guarded(Router::new(), web)
}

fn guarded(routes: Router<Arc<Web>>, web: Arc<Web>) -> Router {
    routes
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .fallback(async || refused(StatusCode::NOT_FOUND, "ROUTE_NOT_FOUND"))
        .method_not_allowed_fallback(async || refused(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED"))
        // A defect in one request must not look like a broken connection, which providers repeat at once.
        .layer(CatchPanicLayer::custom(|_| refused(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL")))
        .with_state(web)
}

fn refused(status: StatusCode, reason: &str) -> Response {
    (status, Json(Answer { status: "refused", reason, ..Answer::default() })).into_response()
}

/// The one mapping of `status`, as HTTP.
fn failed(error: &Error) -> Response {
    error.log();
    let told = error.told();
    let status = if told.http.is_server_error() { "failed" } else { "refused" };
    let body = Answer { status, reason: reason_name(told.reason), ..Answer::default() };
    with_retry_after((told.http, Json(body)).into_response(), error.retry_after())
}

fn with_retry_after(mut response: Response, wait: Option<Duration>) -> Response {
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, whole_seconds(wait).into());
    }
    response
}

/// Rounded up: who comes back a moment early is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
