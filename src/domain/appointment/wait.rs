//! Waiting for the provider's answer before a person is told.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{self, Instant};

use super::{
    AppointmentId, Caller, Change, ChangeKind, Domain, Error, PractitionerId, Result, free_slots, queries,
    slot, store,
};
use crate::{
    domain::engine::{
        lineage,
        push::{self, CONTACT_MISSING},
    },
    ids::ServiceId,
    provider::calcom,
    store::{
        appointment::{Appointment, SyncStanding},
        retry_deadlocks,
    },
    words::{AppointmentStatus, ProviderSync, RefusalCode, Resolution, ReviewKind},
};

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(60);
/// Between two looks: short at first, because most answers are quick.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// Other times that somebody is offered whose slot is gone.
const OFFERED: usize = 3;
/// How long they are looked for when nobody said how long there is time.
const LOOKED_FOR: Duration = Duration::from_secs(2);

/// What was asked of the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Book,
    Reschedule,
    Cancel,
}

/// Whose time was wanted, and when.
pub(super) struct Wanted {
    pub(super) service: Option<ServiceId>,
    pub(super) practitioner: Option<PractitionerId>,
    pub(super) start: DateTime<Utc>,
}

/// The refusal of a slot that is taken, with what is free instead, if that is found in time.
pub(super) async fn instead(
    domain: &Domain,
    caller: &Caller,
    wanted: &Wanted,
    wait: Option<Duration>,
) -> Error {
    let wait = wait.unwrap_or(LOOKED_FOR).min(LONGEST);
    match time::timeout(wait, offers(domain, caller, wanted)).await {
        Ok(free) if !free.is_empty() => Error::SlotTakenOffering { free },
        Ok(_) | Err(_) => Error::SlotTaken,
    }
}

/// How it stands when the provider has answered, or after `wait`. What it refused is given up here, and the
/// caller is told.
///
/// Errors: `SlotTaken`, `SlotTakenOffering`, `OutsideBookingWindow`, `ProviderRefused`,
/// `PatientContactMissing`.
pub(super) async fn for_provider(
    domain: &Domain,
    caller: &Caller,
    shown: queries::Shown,
    wait: Option<Duration>,
    asked: Asked,
) -> Result<queries::Shown> {
    let Some(wait) = wait else { return Ok(shown) };
    let end = Instant::now() + wait.min(LONGEST);
    let mut shown = shown;
    let mut pause = FIRST_PAUSE;
    let is_open =
        |row: &Appointment| matches!(row.sync.provider_sync, ProviderSync::Pending | ProviderSync::Failed);
    while is_open(&shown.appointment) && Instant::now() < end {
        time::sleep(pause.min(end - Instant::now())).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        shown = queries::get(domain, caller, shown.appointment.id, Utc::now()).await?;
    }
    let row = &shown.appointment;
    let Some(no) = refused(row, asked) else { return Ok(shown) };
    // A repeat of this call finds what the first one gave up.
    if row.sync.provider_sync == ProviderSync::Review {
        retry_deadlocks(|| give_up(domain, caller, row.id, no, asked, Utc::now())).await?;
    }
    Err(told(domain, caller, row, no).await)
}

/// The refusal, if that is what came.
fn refused(row: &Appointment, asked: Asked) -> Option<No> {
    let is_given_up =
        row.status == AppointmentStatus::Cancelled && row.sync.provider_sync == ProviderSync::None;
    let is_refused = match asked {
        Asked::Book => row.sync.provider_sync == ProviderSync::Review || is_given_up,
        Asked::Reschedule | Asked::Cancel => row.sync.provider_sync == ProviderSync::Review,
    };
    let reason = row.sync.provider_sync_reason.as_deref().filter(|_| is_refused)?;
    No::of(reason)
}

/// Who says no, and how; apart from what says that nothing is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum No {
    Theirs(RefusalCode),
    /// Ours: whoever is booked there must be reachable.
    ContactMissing,
}

impl No {
    fn of(reason: &str) -> Option<Self> {
        match reason {
            CONTACT_MISSING => Some(Self::ContactMissing),
            reason => reason.parse().ok().map(Self::Theirs),
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Theirs(code) => code.as_str(),
            Self::ContactMissing => CONTACT_MISSING,
        }
    }

    fn is_about_the_time(self) -> bool {
        matches!(self, Self::Theirs(code) if code.is_about_the_time())
    }
}

/// Takes a booking or a move back, and the decision from whoever would have had to make it: the caller was asked.
async fn give_up(
    domain: &Domain,
    caller: &Caller,
    id: AppointmentId,
    no: No,
    asked: Asked,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = domain.store.tenant(caller.tenant).await?;
    let newest = store::intent::of_appointment(&mut tx, id, 1).await?.pop();
    let moved = match newest {
        Some(newest) if asked == Asked::Reschedule => push::moved_from(&mut tx, id, newest.kind).await?,
        Some(_) | None => None,
    };
    if let Some(booking) = &moved {
        lineage::lock(&mut tx, booking.integration_id).await?;
    }
    let before = slot::open_with(&mut tx, id, None, now).await?;
    // Somebody decided meanwhile.
    if before.sync.provider_sync != ProviderSync::Review {
        return Ok(());
    }
    let mut row = before.clone();
    match asked {
        Asked::Book => {
            row.status = AppointmentStatus::Cancelled;
            row.cancel_reason = Some(no.code().into());
            row.sync = SyncStanding {
                provider_sync: ProviderSync::None,
                provider_sync_review_time: None,
                ..row.sync
            };
        }
        Asked::Reschedule if moved.is_some() && no.is_about_the_time() => {
            row.sync = SyncStanding {
                provider_sync: ProviderSync::Synced,
                provider_sync_review_time: None,
                ..row.sync
            };
        }
        Asked::Reschedule if let Some(booking) = moved => {
            let context = lineage::Context {
                key: domain.tenant_key(caller.tenant).await?,
                integration: booking.integration_id,
                cause: caller.subject.clone(),
                certainty: lineage::Certainty::Read,
                now,
            };
            lineage::follow_head(&mut tx, &context, id).await?;
            return tx.commit().await;
        }
        // What is booked nowhere, or is called off, stays so here until a person has looked.
        Asked::Reschedule | Asked::Cancel => return Ok(()),
    }
    row.last_change_origin = caller.origin;
    row.update_time = now;
    store::appointment::update(&mut tx, &row).await?;
    let kind = if row.status == before.status { ChangeKind::Sync } else { ChangeKind::Status };
    let change = Change {
        reason: Some(no.code().into()),
        ..Change::of(&row, kind, caller.origin, &caller.subject, now)
    };
    store::appointment::insert_change(&mut tx, &change).await?;
    slot::free(&mut tx, &before, now).await?;
    let kind = ReviewKind::RequiresManualReview;
    if let Some(item) = store::review_item::open_of(&mut tx, id, kind).await? {
        store::review_item::resolve(&mut tx, item.id, Resolution::Dismiss, &caller.subject, now).await?;
    }
    tx.commit().await
}

async fn told(domain: &Domain, caller: &Caller, row: &Appointment, no: No) -> Error {
    match no {
        No::ContactMissing => return Error::PatientContactMissing,
        No::Theirs(RefusalCode::OutsideBookingWindow) => return Error::OutsideBookingWindow,
        No::Theirs(code) if !code.is_about_the_time() => {
            return Error::ProviderRefused { provider: calcom::PROVIDER, reason: code.as_str() };
        }
        No::Theirs(_) => {}
    }
    let wanted = Wanted { service: row.service_id, practitioner: row.practitioner_id, start: row.start_time };
    instead(domain, caller, &wanted, None).await
}

async fn offers(domain: &Domain, caller: &Caller, wanted: &Wanted) -> Vec<DateTime<Utc>> {
    match (wanted.service, wanted.practitioner) {
        (Some(service), Some(practitioner)) => {
            free_slots::next(domain, caller.tenant, (service, practitioner), wanted.start, OFFERED).await
        }
        _ => Vec::new(),
    }
}
