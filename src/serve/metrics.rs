//! The metrics listener: `GET /metrics` in Prometheus' text form, and nothing else.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, extract::State, response::IntoResponse, routing::get};
use http::header::CONTENT_TYPE;
use metrics::gauge;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Mutex;

use crate::{
    error::Result,
    provider::catalog,
    store::{
        Store, outbox,
        standing::{self, Standing},
    },
    telemetry::{
        log_error,
        metrics::{
            BREAKERS, DB_POOL_CONNECTIONS, DEAD_LETTERS, FRESHNESS, OUTBOX_DEPTH, OUTBOX_OLDEST_AGE,
            REVIEW_ITEMS, SYNC_OUTCOMES, SYNC_SUCCESS,
        },
    },
    words::{Breaker, MessageKind, ReviewKind},
};

/// A scrape tells what it knows even when the database does not answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Measuring takes at most this part of the time: with a million messages, counting them takes a while.
const PACE: u32 = 50;
/// Several scrapers share a measurement.
const FRESH: Duration = Duration::from_millis(500);
/// One that had to wait, as for a lock, does not put off the next one by more than this.
const OLD: Duration = Duration::from_secs(60);

#[derive(Clone)]
struct Shown {
    handle: PrometheusHandle,
    store: Store,
    /// When to measure again. Held while somebody measures.
    next: Arc<Mutex<Instant>>,
}

/// The listener's routes.
pub fn router(handle: PrometheusHandle, store: Store) -> Router {
    let next = Arc::new(Mutex::new(Instant::now()));
    Router::new().route("/metrics", get(show)).with_state(Shown { handle, store, next })
}

async fn show(State(shown): State<Shown>) -> impl IntoResponse {
    refresh_pool(&shown.store);
    // A task of its own: what a scrape does not wait for is there at the next one.
    let measuring = tokio::spawn(measure(shown.store.clone(), shown.next.clone()));
    if tokio::time::timeout(PATIENCE, measuring).await.is_err() {
        tracing::warn!("measuring the queue takes long; its last measurement is shown");
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shown.handle.render())
}

/// Measures what only the database knows, unless that is under way or was done lately.
async fn measure(store: Store, next: Arc<Mutex<Instant>>) {
    let mut next = next.lock().await;
    let begin = Instant::now();
    if begin < *next {
        return;
    }
    match read(&store).await {
        Ok((depths, standings)) => {
            refresh_outbox(&depths);
            refresh_standing(&standings);
        }
        Err(error) => log_error("the queue could not be measured", &error),
    }
    let took = begin.elapsed();
    *next = begin + took + (took * PACE).clamp(FRESH, OLD);
}

async fn read(store: &Store) -> Result<(Vec<outbox::Depth>, Vec<Standing>)> {
    Ok((outbox::depth(store).await?, standing::measure(store).await?))
}

fn refresh_pool(store: &Store) {
    let pool = store.connections();
    for (state, count) in [("idle", pool.idle), ("busy", pool.busy), ("waiting", pool.waiting)] {
        gauge!(DB_POOL_CONNECTIONS, "state" => state).set(count as f64);
    }
}

fn refresh_outbox(depths: &[outbox::Depth]) {
    let of = |state: &'static str| -> HashMap<&str, &outbox::Depth> {
        let depths = depths.iter().filter(move |depth| depth.state == state);
        depths.map(|depth| (depth.kind.as_str(), depth)).collect()
    };
    let (waiting, dead) = (of("pending"), of("dead"));
    for kind in MessageKind::ALL.iter().map(|kind| kind.as_str()) {
        // A kind without messages has no row, and must go back to 0.
        let (messages, age) =
            waiting.get(kind).map_or((0, 0.0), |depth| (depth.messages, depth.oldest_age_s));
        gauge!(OUTBOX_DEPTH, "kind" => kind).set(messages as f64);
        gauge!(OUTBOX_OLDEST_AGE, "kind" => kind).set(age.max(0.0));
        gauge!(DEAD_LETTERS, "kind" => kind).set(dead.get(kind).map_or(0.0, |depth| depth.messages as f64));
    }
}

/// Providers that are asked for records; their gauges stand at 0 when there is nothing to measure.
fn asked() -> impl Iterator<Item = &'static str> {
    catalog::all().iter().filter(|row| row.adapter.asks()).map(|row| row.id)
}

fn refresh_standing(standings: &[Standing]) {
    let value = |measure: &str, provider: Option<&str>, label: Option<&str>| {
        let found = standings.iter().find(|standing| {
            (standing.measure.as_str(), standing.provider.as_deref(), standing.label.as_deref())
                == (measure, provider, label)
        });
        found.map_or(0.0, |standing| standing.value)
    };
    for kind in ReviewKind::ALL.iter().map(|kind| kind.as_str()) {
        gauge!(REVIEW_ITEMS, "kind" => kind).set(value("review_items", None, Some(kind)));
    }
    for provider in asked() {
        for state in Breaker::ALL.iter().map(|state| state.as_str()) {
            let breakers = value("breaker", Some(provider), Some(state));
            gauge!(BREAKERS, "provider" => provider, "state" => state).set(breakers);
        }
        gauge!(FRESHNESS, "provider" => provider).set(value("freshness", Some(provider), None).max(0.0));
        let [success, failure] =
            ["success", "failure"].map(|outcome| (outcome, value("sync", Some(provider), Some(outcome))));
        for (outcome, count) in [success, failure] {
            gauge!(SYNC_OUTCOMES, "provider" => provider, "outcome" => outcome).set(count);
        }
        let all = success.1 + failure.1;
        gauge!(SYNC_SUCCESS, "provider" => provider).set(if all > 0.0 { success.1 / all } else { 1.0 });
    }
}
