//! One appointment where there were two, because a move was learned of after both its ends.

use chrono::{DateTime, Utc};

use crate::{
    domain::appointment,
    error::Result,
    ids::AppointmentId,
    store::{self, TenantTx},
    words::Origin,
};

/// Which of these stays: one that somebody here had to do with, else the oldest.
pub(super) async fn survivor(tx: &mut TenantTx, ids: &[AppointmentId]) -> Result<AppointmentId> {
    let mut oldest = None;
    for id in ids {
        let row = store::appointment::find(tx, *id).await?;
        let is_ours = row.origin != Origin::Calcom || row.last_change_origin != Origin::Calcom;
        if is_ours {
            return Ok(*id);
        }
        oldest = oldest.or(Some(*id));
    }
    oldest.ok_or_else(|| crate::error::Error::internal("a lineage without appointments was merged"))
}

/// Removes the others; their bookings have gone to the one that stays.
/// Returns why one of them was called off, if it was.
pub(super) async fn remove_others(
    tx: &mut TenantTx,
    ids: &[AppointmentId],
    kept: AppointmentId,
    now: DateTime<Utc>,
) -> Result<Option<String>> {
    let mut reason = None;
    for id in ids.iter().filter(|id| **id != kept) {
        let row = store::appointment::find(tx, *id).await?;
        reason = reason.or(row.cancel_reason);
        appointment::remove(tx, *id, now).await?;
    }
    Ok(reason)
}
