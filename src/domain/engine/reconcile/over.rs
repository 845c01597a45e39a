//! What took place, and nobody told: that a booking is over is told once, by the clock, and shows nowhere at
//! the provider, where it stays accepted.

use chrono::{DateTime, TimeDelta, Utc};
use metrics::counter;

use super::{Ground, Record, Result, Stop, calcom, lineage, names, refresh, store};
use crate::domain::engine::lineage::{Certainty, Mark};

/// Until then the webhook may still be on its way.
const STILL_TOLD: TimeDelta = TimeDelta::minutes(10);
/// Appointments that one look completes, at most; the next one goes on.
const COMPLETED_AT_MOST: i64 = 500;

/// Completes what is booked here, and accepted there as last read, and over on both sides.
pub(in crate::domain::engine) async fn complete(
    ground: &Ground<'_>,
    record: &mut Record,
) -> Result<(), Stop> {
    let (now, cause) = (Utc::now(), record.cause());
    let mut tx = ground.tx().await?;
    let over = store::booking::over(&mut tx, ground.id(), now - STILL_TOLD, COMPLETED_AT_MOST).await?;
    tx.end_reading();
    for uid in &over {
        let is_news = store::retry_deadlocks(|| complete_one(ground, &cause, uid, now)).await?;
        let count = record.count("appointments");
        count.processed += 1;
        if is_news {
            count.repaired += 1;
            counter!(names::RECONCILED, "provider" => calcom::PROVIDER).increment(1);
        }
    }
    record.save(ground).await
}

/// Returns whether it was news.
async fn complete_one(ground: &Ground<'_>, cause: &str, uid: &str, now: DateTime<Utc>) -> Result<bool> {
    let context = lineage::Context {
        key: ground.key.clone(),
        integration: ground.id(),
        cause: cause.into(),
        certainty: Certainty::Read,
        now,
    };
    let mut tx = ground.tx().await?;
    let applied = lineage::mark(&mut tx, &context, uid, Mark::Over).await?;
    let is_news = applied.outcome == lineage::Outcome::Changed;
    if is_news {
        // That somebody did not come may have been told in vain, too.
        refresh::queue(&mut tx, ground.id(), uid, cause, now).await?;
    }
    tx.commit().await?;
    Ok(is_news)
}
