//! What a person must decide when a provider's booking is nobody's here: as long as it is, it keeps no time.

use chrono::{DateTime, Utc};

use super::{AppointmentStatus, Origin, Result, TenantTx, store};
use crate::{
    ids::ReviewItemId,
    store::{appointment::Appointment, review_item::ReviewItem},
    words::{ReviewKind, ReviewState},
};

/// The reason of the items: neither the event type nor its host's name says whose time it is.
const PRACTITIONER_UNKNOWN: &str = "PRACTITIONER_UNKNOWN";

/// Opens an item if a booking of a provider's that is to come has no practitioner.
pub(super) async fn tell(tx: &mut TenantTx, row: &Appointment, now: DateTime<Utc>) -> Result<()> {
    if !is_to_come(row, now) {
        return Ok(());
    }
    let item = ReviewItem {
        id: ReviewItemId::new(),
        kind: ReviewKind::Unmatched,
        state: ReviewState::Open,
        integration_id: row.integration_id,
        appointment_id: Some(row.id),
        intent_id: None,
        reason: PRACTITIONER_UNKNOWN.into(),
        resolution: None,
        resolver: None,
        open_time: now,
        resolve_time: None,
    };
    store::review_item::open(tx, &item).await.map(drop)
}

/// Ends the item of an appointment that has somebody now, or is over.
pub(super) async fn settle(
    tx: &mut TenantTx,
    before: &Appointment,
    row: &Appointment,
    now: DateTime<Utc>,
) -> Result<()> {
    // Its time may have ended before anybody told what became of it.
    if !is_unmatched(before) || is_to_come(row, now) {
        return Ok(());
    }
    store::review_item::settle(tx, row.id, ReviewKind::Unmatched, now).await
}

fn is_to_come(row: &Appointment, now: DateTime<Utc>) -> bool {
    is_unmatched(row) && row.end_time > now
}

/// A booking tool's practice may have no practitioners here at all; a calendar's times are somebody's.
fn is_unmatched(row: &Appointment) -> bool {
    let stands = matches!(
        row.status,
        AppointmentStatus::Requested | AppointmentStatus::Booked | AppointmentStatus::Conflicting
    );
    row.origin == Origin::Calcom && row.practitioner_id.is_none() && stands
}
