//! Chores that need no tenant and no message: partitions ahead of time, old data out of the way.
//! Safe on any number of instances.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Domain, appointment};
use crate::{
    error::Result,
    store::{self, schedule::ExpiredHolds},
    telemetry,
};

/// How often they are done; each does nothing when there is nothing to do.
pub const EVERY: Duration = Duration::from_secs(60 * 60);
/// Partitions there always are beyond this month's, so that a service without upkeep goes on for as long.
const MONTHS_AHEAD: i32 = 3;
/// Practitioners whose holds are released in one look.
const HOLDERS_AT_MOST: i32 = 1_000;

/// Does the chores, unless another instance is at it.
/// One that fails does not keep the others from being done.
pub async fn run(domain: &Domain) {
    match store::upkeep::begin(&domain.store).await {
        Ok(Some(mut chores)) => {
            tell("partitions made", chores.make_partitions(MONTHS_AHEAD).await);
            tell(
                "events left without a month, for which the database's log has a warning",
                chores.events_without_month().await,
            );
            tell("partitions dropped", chores.drop_partitions().await);
            tell("events swept that their tenants no longer keep", chores.sweep_events().await);
            tell("bodies erased that their tenants no longer keep", chores.sweep_body_keys().await);
            tell("delivery ids swept", chores.sweep_delivery_ids().await);
            tell("idempotency records swept", chores.sweep_idempotency_records().await);
            tell("import chunks swept", chores.sweep_imports().await);
            tell("attempts to connect swept", chores.sweep_authorizations().await);
            tell("writes of phases swept", chores.sweep_phase_intents().await);
            tell("addresses that were never used swept", chores.sweep_endpoints().await);
            tell("secrets that ended long ago swept", chores.sweep_secrets().await);
            tell("people asked about bookings of unknown patients", chores.tell_waiting().await);
        }
        Ok(None) => {}
        Err(error) => telemetry::log_error("the upkeep waits for the next hour", &error),
    }
}

/// Gives back the time of holds that have run out: nobody may touch their practitioner for long, and what was
/// kept for them elsewhere is given back with it.
pub async fn release_holds(domain: &Domain, now: DateTime<Utc>) {
    let found = store::schedule::expired_holds(&domain.store, HOLDERS_AT_MOST).await;
    let holders = match found {
        Ok(holders) => holders,
        Err(error) => return telemetry::log_error("holds that ran out wait for the next look", &error),
    };
    for holder in holders {
        let released = store::retry_deadlocks(|| release(domain, holder, now)).await;
        if let Err(error) = released {
            telemetry::log_error("a hold that ran out waits for the next look", &error);
        }
    }
}

async fn release(domain: &Domain, holder: ExpiredHolds, now: DateTime<Utc>) -> Result<()> {
    let mut tx = domain.store.tenant(holder.tenant_id).await?;
    appointment::release_holds(&mut tx, holder.practitioner_id, now).await?;
    tx.commit().await
}

fn tell(what: &'static str, done: Result<i64>) {
    match done {
        Ok(0) => {}
        Ok(count) => tracing::info!(count, "upkeep: {what}"),
        Err(error) => telemetry::log_error(&format!("upkeep: no {what}"), &error),
    }
}
