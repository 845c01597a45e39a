//! Chores that need no tenant and no message: partitions ahead of time, old data out of the way. Safe on any number of instances.

use std::time::Duration;

use super::Domain;
use crate::{error::Result, store, telemetry};

/// How often they are done; each does nothing when there is nothing to do.
pub const EVERY: Duration = Duration::from_secs(60 * 60);
/// Partitions there always are beyond this month's, so that a service without upkeep goes on for as long.
const MONTHS_AHEAD: i32 = 3;

/// Does the chores, unless another instance is at it. One that fails does not keep the others from being done.
pub async fn run(domain: &Domain) {
    match store::upkeep::begin(&domain.store).await {
        Ok(Some(mut chores)) => {
            tell("partitions made", chores.make_partitions(MONTHS_AHEAD).await);
            tell("partitions dropped", chores.drop_partitions().await);
            tell("import chunks swept", chores.sweep_imports().await);
        }
        Ok(None) => {}
        Err(error) => telemetry::log_error("the upkeep waits for the next hour", &error),
    }
}

fn tell(what: &'static str, done: Result<i64>) {
    match done {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "upkeep: {what}"),
        Err(error) => telemetry::log_error(&format!("upkeep: no {what}"), &error),
    }
}
