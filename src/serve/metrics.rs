//! The metrics listener: `GET /metrics` in Prometheus' text form, and nothing else.

use std::{collections::HashMap, time::Duration};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::header::CONTENT_TYPE;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{
    store::{Store, outbox},
    telemetry::{
        log_error,
        metrics::{DB_POOL_CONNECTIONS, OUTBOX_DEPTH, OUTBOX_OLDEST_AGE},
    },
    words::MessageKind,
};

/// A scrape tells what it knows even when the database does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The listener's routes.
pub fn router(handle: PrometheusHandle, store: Store) -> Router {
    Router::new().route("/metrics", get(show)).with_state((handle, store))
}

async fn show(State((handle, store)): State<(PrometheusHandle, Store)>) -> impl IntoResponse {
    refresh_pool(&store);
    match tokio::time::timeout(PATIENCE, outbox::depth(&store)).await {
        Ok(Ok(depths)) => refresh_outbox(&depths),
        Ok(Err(error)) => log_error("the outbox's depth could not be read", &error),
        Err(_) => tracing::error!("the outbox's depth could not be read in time"),
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
}

fn refresh_pool(store: &Store) {
    let pool = store.connections();
    for (state, count) in [("idle", pool.idle), ("busy", pool.busy), ("waiting", pool.waiting)] {
        gauge!(DB_POOL_CONNECTIONS, "state" => state).set(count as f64);
    }
}

fn refresh_outbox(depths: &[outbox::Depth]) {
    let waiting: HashMap<&str, &outbox::Depth> = depths
        .iter()
        .filter(|depth| depth.state == "pending")
        .map(|depth| (depth.kind.as_str(), depth))
        .collect();
    for kind in MessageKind::ALL.iter().map(|kind| kind.as_str()) {
        // A kind without messages has no row, and must go back to 0.
        let (messages, age) =
            waiting.get(kind).map_or((0, 0.0), |depth| (depth.messages, depth.oldest_age_s));
        gauge!(OUTBOX_DEPTH, "kind" => kind).set(messages as f64);
        gauge!(OUTBOX_OLDEST_AGE, "kind" => kind).set(age.max(0.0));
    }
}
