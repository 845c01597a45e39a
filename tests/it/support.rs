//! What tests lean on: databases, the running program, callers of every kind, and waiting for a state.

pub(crate) mod app;
pub(crate) mod asana;
pub(crate) mod asana_token;
pub(crate) mod booking_tool;
pub(crate) mod calcom;
pub(crate) mod calcom_hook;
pub(crate) mod caller;
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod desk;
pub(crate) mod front;
pub(crate) mod jwt;
pub(crate) mod link;
pub(crate) mod log_book;
pub(crate) mod oauth;
pub(crate) mod planned;
pub(crate) mod planning;
pub(crate) mod process;
pub(crate) mod receiver;
pub(crate) mod said;
pub(crate) mod searched;
pub(crate) mod seed;
pub(crate) mod server;
pub(crate) mod tenant;

use std::{
    env,
    time::{Duration, Instant},
};

use tokio::time::{MissedTickBehavior, interval};
use tonic::Status;
use tonic_types::StatusExt;

/// Longer than anything here takes on a busy machine; only a defect waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How many rounds the long forms make; 0 unless `make soak` asks for them by STELLWERK_SOAK.
pub(crate) fn soak_rounds() -> u32 {
    env::var("STELLWERK_SOAK").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or_default()
}

/// Waits until the state is reached. Panics at the deadline, naming the state.
pub(crate) async fn wait_until(state: &str, deadline: Duration, mut is_reached: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + deadline;
    let mut looks = interval(Duration::from_millis(10));
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        if is_reached().await {
            return;
        }
        assert!(Instant::now() < end, "waited too long until {state}");
    }
}

/// The reason of a refusal, from its `ErrorInfo`; empty when it carries none.
pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// What a refusal says beside its reason; empty when it does not have it.
pub(crate) fn metadata(status: &Status, name: &str) -> String {
    let info = status.get_details_error_info();
    info.and_then(|info| info.metadata.get(name).cloned()).unwrap_or_default()
}

/// The fields that a refusal complains of, from its `BadRequest`.
pub(crate) fn fields(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().map(|bad| bad.field_violations).unwrap_or_default();
    violations.into_iter().map(|violation| violation.field).collect()
}
