//! Whether the process lives, and whether it can do its work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::Web;
use crate::store::Store;

const PATIENCE: Duration = Duration::from_secs(2);
/// Answers younger than this are given again, so that a crowd of questions is one question to the database.
const FRESH: Duration = Duration::from_millis(500);

/// Whether requests can be served at this moment.
pub struct Readiness {
    store: Store,
    stopping: CancellationToken,
    last: Mutex<Option<(Instant, bool)>>,
}

/// Why requests cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    Stopping,
    DatabaseUnavailable,
}

impl Readiness {
    pub fn new(store: Store, stopping: CancellationToken) -> Self {
        Self { store, stopping, last: Mutex::default() }
    }

    /// Asks the database, and waits for its answer at most 2 s.
    pub async fn check(&self) -> Result<(), NotReady> {
        if self.stopping.is_cancelled() {
            return Err(NotReady::Stopping);
        }
        // Held across the question: who asks meanwhile waits for the same answer.
        let mut last = self.last.lock().await;
        let answers = match *last {
            Some((at, answers)) if at.elapsed() < FRESH => answers,
            _ => {
                let answers = matches!(tokio::time::timeout(PATIENCE, self.store.ping()).await, Ok(Ok(())));
                *last = Some((Instant::now(), answers));
                answers
            }
        };
        if answers { Ok(()) } else { Err(NotReady::DatabaseUnavailable) }
    }
}

/// The process is alive; what it depends on is none of this route's business, or an outage of the database
/// would restart every instance.
pub(super) async fn healthz() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// The process takes requests.
pub(super) async fn readyz(State(web): State<Arc<Web>>) -> Response {
    let reason = match web.readiness.check().await {
        Ok(()) => return Json(json!({ "status": "ready" })).into_response(),
        Err(NotReady::Stopping) => "STOPPING",
        Err(NotReady::DatabaseUnavailable) => "DATABASE_UNAVAILABLE",
    };
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "status": "not_ready", "reason": reason })))
        .into_response()
}
