//! What a person must decide when two appointments were promised one time.

use chrono::{DateTime, Utc};

use super::{AppointmentStatus, Result, TenantTx, store};
use crate::{
    ids::ReviewItemId,
    store::{appointment::Appointment, review_item::ReviewItem},
    words::{ReviewKind, ReviewState},
};

/// The reason of the items.
const TIME_TAKEN: &str = "TIME_TAKEN";

/// Opens an item for each side if the row is conflicting; what was told is not told again.
pub(super) async fn tell(tx: &mut TenantTx, row: &Appointment, now: DateTime<Utc>) -> Result<()> {
    if row.status != AppointmentStatus::Conflicting {
        return Ok(());
    }
    let others = store::appointment::conflicts_of(tx, std::slice::from_ref(row)).await?;
    for id in others.into_values().flatten().chain([row.id]) {
        let item = ReviewItem {
            id: ReviewItemId::new(),
            kind: ReviewKind::Conflict,
            state: ReviewState::Open,
            integration_id: row.integration_id,
            appointment_id: Some(id),
            intent_id: None,
            reason: TIME_TAKEN.into(),
            resolution: None,
            resolver: None,
            open_time: now,
            resolve_time: None,
        };
        store::review_item::open(tx, &item).await?;
    }
    Ok(())
}

/// Ends the items of those who no longer want the same time as somebody else: the appointment,
/// and its practitioner's others.
pub(super) async fn settle(tx: &mut TenantTx, before: &Appointment, now: DateTime<Utc>) -> Result<()> {
    store::review_item::settle_conflicts(tx, before.id, before.practitioner_id, now).await
}
