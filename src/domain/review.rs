//! What a person must decide, and what the decision does.
//!
//! A decision only queues work: it holds whatever the provider answers, and a person need not wait for it.

use chrono::{DateTime, Utc};

use super::{
    Domain, appointment, consent,
    engine::{push, reconcile, refresh, sync_run},
    idempotency::{Claim, Key, claim},
    integration::micros,
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{AppointmentId, IntegrationId, ReviewItemId, SyncLogId},
    page::{Page, Paged},
    provider::catalog::{self, Adapter},
    store::{
        self, TenantTx,
        appointment::Appointment,
        retry_deadlocks,
        review_item::{Filter, ReviewItem},
        sync_log::SyncLog,
    },
    words::{
        AppointmentStatus, IntegrationState, ProviderSync, Resolution, ReviewKind, ReviewState, SyncKind,
    },
};

/// A page, oldest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<ReviewItemId>,
) -> Result<Paged<ReviewItem, ReviewItemId>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::review_item::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(found)
}

/// What may be decided about an item; nothing once it is resolved.
pub fn possible(item: &ReviewItem) -> &'static [Resolution] {
    use Resolution::{AcceptOurs, AcceptTheirs, Dismiss, Retry};
    if item.state == ReviewState::Resolved {
        return &[];
    }
    if item.appointment_id.is_none() {
        return match item.kind {
            // What is not there any more was meant to go.
            ReviewKind::DeletionsOverGuard if item.integration_id.is_some() => &[AcceptTheirs, Dismiss],
            // Nothing that could be pushed or read again.
            _ => &[Dismiss],
        };
    }
    match item.kind {
        ReviewKind::RequiresManualReview => &[Retry, AcceptTheirs, AcceptOurs, Dismiss],
        // Who of the two comes is settled by moving or cancelling one of them.
        ReviewKind::Conflict | ReviewKind::Unmatched => &[AcceptTheirs, Dismiss],
        ReviewKind::EditedOnBothSides => &[AcceptTheirs, AcceptOurs, Dismiss],
        ReviewKind::DeletionsOverGuard => &[Dismiss],
    }
}

/// Carries out a person's decision: `retry` and `accept_ours` have the provider's booking made what the
/// appointment is, `accept_theirs` has the appointment made what the booking is, `dismiss` leaves both.
///
/// Errors: `NotFound`, `ReviewItemResolved`, `ResolutionNotPossible`, `IntegrationState`, `SyncRunning`,
/// `SlotTaken`, `IdempotencyKeyReused`.
pub async fn resolve(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: ReviewItemId,
    resolution: Resolution,
    now: DateTime<Utc>,
) -> Result<ReviewItem> {
    retry_deadlocks(|| resolve_once(domain, caller, key, id, resolution, now)).await
}

async fn resolve_once(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: ReviewItemId,
    resolution: Resolution,
    now: DateTime<Utc>,
) -> Result<ReviewItem> {
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        let item = store::review_item::find(&mut tx, id).await?;
        if let Some(resolved) = item.resolution {
            return Err(Error::ReviewItemResolved(resolved));
        }
        if !possible(&item).contains(&resolution) {
            return Err(Error::ResolutionNotPossible(item.kind));
        }
        carry_out(&mut tx, caller, &item, resolution, now).await?;
        // After the appointment, in the order of those who settle items because an appointment changed.
        if let Some(resolved) = store::review_item::find_for_update(&mut tx, id).await?.resolution {
            return Err(Error::ReviewItemResolved(resolved));
        }
        store::review_item::resolve(&mut tx, id, resolution, &caller.subject, now).await?;
    }
    let item = store::review_item::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(item)
}

async fn carry_out(
    tx: &mut TenantTx,
    caller: &Caller,
    item: &ReviewItem,
    resolution: Resolution,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(appointment) = item.appointment_id else {
        return match (resolution, item.kind, item.integration_id) {
            (Resolution::AcceptTheirs, ReviewKind::DeletionsOverGuard, Some(integration)) => {
                accept_deletions(tx, item, integration, now).await
            }
            _ => Ok(()),
        };
    };
    match (resolution, item.kind) {
        (Resolution::AcceptTheirs, _) => accept_theirs(tx, item, appointment, now).await,
        (Resolution::AcceptOurs, ReviewKind::EditedOnBothSides) => {
            let row = restore_ours(tx, caller, item, appointment, now).await?;
            push_again(tx, caller, item, row, now).await
        }
        (Resolution::AcceptOurs | Resolution::Retry, _) => {
            let row = take_back(tx, caller, item, appointment, now).await?;
            push_again(tx, caller, item, row, now).await
        }
        (Resolution::Dismiss | Resolution::Settled, _) => Ok(()),
    }
}

/// Has everything compared once more, and what is not there any more taken for gone. Not while nothing may be
/// read: the decision would come to nothing.
/// Errors: `IntegrationState`, `ResolutionNotPossible`, `SyncRunning`.
async fn accept_deletions(
    tx: &mut TenantTx,
    item: &ReviewItem,
    integration: IntegrationId,
    now: DateTime<Utc>,
) -> Result<()> {
    check_connected(tx, integration).await?;
    let row = store::integration::find(tx, integration).await?;
    if row.inbound_paused || !consent::opens(tx, &row).await? {
        return Err(Error::ResolutionNotPossible(item.kind));
    }
    if catalog::adapter(&row.provider) != Adapter::Asana {
        return reconcile::queue_sweep_accepting_deletions(tx, integration, &cause(item), now).await;
    }
    let run = SyncLog::queued(SyncLogId::new(), integration, SyncKind::Manual, &cause(item), micros(now));
    if !store::sync_log::insert(tx, &run).await? {
        let open = store::sync_log::open_of(tx, integration).await?;
        return Err(open.map_or(Error::Overloaded, |open| Error::SyncRunning(open.id)));
    }
    sync_run::queue_accepting_deletions(tx, &run, now).await
}

/// Has the booking read and believed, whatever stands here.
async fn accept_theirs(
    tx: &mut TenantTx,
    item: &ReviewItem,
    appointment: AppointmentId,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some(booking) = store::booking::current(tx, appointment).await? else {
        return Err(Error::ResolutionNotPossible(item.kind));
    };
    check_connected(tx, booking.integration_id).await?;
    refresh::queue_forced(tx, booking.integration_id, &booking.external_id, &cause(item), now).await?;
    Ok(())
}

/// The appointment as somebody here had changed it before the provider's change was taken over.
/// Errors: `SlotTaken`.
async fn restore_ours(
    tx: &mut TenantTx,
    caller: &Caller,
    item: &ReviewItem,
    id: AppointmentId,
    now: DateTime<Utc>,
) -> Result<Appointment> {
    let row = store::appointment::find(tx, id).await?;
    let ours = store::appointment::last_local_change(tx, id, item.open_time).await?;
    let Some(ours) = ours.filter(|ours| ours.status == AppointmentStatus::Cancelled || ours.start_time > now)
    else {
        return Err(Error::ResolutionNotPossible(item.kind));
    };
    let desired = Appointment {
        status: ours.status,
        start_time: ours.start_time,
        end_time: ours.end_time,
        occupied_start_time: ours.start_time - (row.start_time - row.occupied_start_time),
        occupied_end_time: ours.end_time + (row.occupied_end_time - row.end_time),
        practitioner_id: ours.practitioner_id,
        ..row.clone()
    };
    keep(tx, caller, item, desired, row, now).await
}

/// The appointment, with its time again if the provider's refusal had cost it that. Errors: `SlotTaken`.
async fn take_back(
    tx: &mut TenantTx,
    caller: &Caller,
    item: &ReviewItem,
    id: AppointmentId,
    now: DateTime<Utc>,
) -> Result<Appointment> {
    let row = store::appointment::find(tx, id).await?;
    if row.status != AppointmentStatus::Conflicting {
        return store::appointment::find_for_update(tx, id).await;
    }
    let desired = Appointment { status: AppointmentStatus::Booked, ..row.clone() };
    keep(tx, caller, item, desired, row, now).await
}

async fn keep(
    tx: &mut TenantTx,
    caller: &Caller,
    item: &ReviewItem,
    desired: Appointment,
    row: Appointment,
    now: DateTime<Utc>,
) -> Result<Appointment> {
    let kept = appointment::take_over(tx, desired, Some(row), caller.origin, &cause(item), now).await?;
    if kept.status == AppointmentStatus::Conflicting { Err(Error::SlotTaken) } else { Ok(kept) }
}

/// Has the provider's booking made what the appointment is, with all tries.
async fn push_again(
    tx: &mut TenantTx,
    caller: &Caller,
    item: &ReviewItem,
    mut row: Appointment,
    now: DateTime<Utc>,
) -> Result<()> {
    if let Some(integration) = item.integration_id {
        check_connected(tx, integration).await?;
    }
    // Whoever wrote the change has promised it.
    if row.sync.provider_sync == ProviderSync::Pending {
        return Ok(());
    }
    let before = row.sync.clone();
    push::queue(tx, caller.origin, &cause(item), &mut row, now).await?;
    if row.sync == before {
        return Err(Error::ResolutionNotPossible(item.kind));
    }
    store::appointment::update_sync(tx, row.id, &row.sync).await
}

/// Work for a provider that is not asked any more would wait for ever. Errors: `IntegrationState`.
async fn check_connected(tx: &mut TenantTx, id: IntegrationId) -> Result<()> {
    match store::integration::find(tx, id).await?.state {
        IntegrationState::Connected => Ok(()),
        state => Err(Error::IntegrationState(state)),
    }
}

fn cause(item: &ReviewItem) -> String {
    format!("review_item/{}", item.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(kind: ReviewKind, appointment_id: Option<AppointmentId>) -> ReviewItem {
        ReviewItem {
            id: ReviewItemId::new(),
            kind,
            state: ReviewState::Open,
            integration_id: None,
            appointment_id,
            intent_id: None,
            reason: "SLOT_TAKEN".into(),
            resolution: None,
            resolver: None,
            open_time: Utc::now(),
            resolve_time: None,
        }
    }

    #[test]
    fn every_open_item_can_be_dismissed_and_none_can_be_settled_by_hand() {
        for kind in ReviewKind::ALL {
            for appointment in [None, Some(AppointmentId::new())] {
                let possible = possible(&item(*kind, appointment));

                assert!(possible.contains(&Resolution::Dismiss), "{kind}");
                assert!(!possible.contains(&Resolution::Settled), "{kind}");
            }
        }
    }

    #[test]
    fn nothing_is_left_to_decide_about_a_resolved_item() {
        let mut resolved = item(ReviewKind::RequiresManualReview, Some(AppointmentId::new()));
        resolved.state = ReviewState::Resolved;

        assert_eq!(possible(&resolved), []);
    }
}
