//! Making the provider's booking what the appointment is.
//!
//! A message says only which appointment; whoever works on it compares what the appointment is with what the
//! provider is known to have, and does the one next thing. So edits merge, a repeat is harmless, and a lost
//! echo costs nothing. Every write is recorded before it is sent, and one whose outcome is not known is
//! looked up before anything else.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{lineage, provider_call::Urgency};
use crate::{
    domain::Domain,
    error::{Error, Result},
    ids::{AppointmentId, IntegrationId, IntentId, MessageId, TenantId},
    store::{
        self, TenantTx,
        appointment::{Appointment, SyncStanding},
        outbox::{Claimed, NewMessage, Outcome},
    },
    words::{AppointmentStatus, MessageKind, Origin, ProviderSync, ReviewKind},
};

mod attempt;
mod ending;
mod forgotten;
mod look_up;
mod order;
mod plan;
mod refused;
mod reservation;
mod seats;
mod send;
pub mod target;

pub use forgotten::forget;
pub use order::CONTACT_MISSING;
pub use refused::moved_from;
pub use reservation::queue_reservation;

/// The pauses before a write is tried a second, third and fourth time.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30)];

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Work {
    /// Make the provider's booking what the appointment is.
    Appointment {
        appointment_id: AppointmentId,
        /// Somebody may be waiting for it.
        #[serde(default)]
        is_urgent: bool,
    },
    /// Keep a slot from the provider's booking page while it is held, and no longer.
    Hold { hold_id: AppointmentId },
    /// Give back the seats of somebody who is gone in a booking that others have seats in, too. Before the
    /// next, whose fields it has.
    Seats {
        integration_id: IntegrationId,
        external_id: String,
        /// What the person was called in `patient_link`.
        people: Vec<String>,
    },
    /// Cancel a booking whose appointment is gone.
    Booking { integration_id: IntegrationId, external_id: String },
    /// Cancel what came of a write whose appointment is gone, if anything did.
    Write {
        integration_id: IntegrationId,
        external_event_type_id: String,
        start_time: DateTime<Utc>,
        end_time: DateTime<Utc>,
        intent_id: IntentId,
    },
}

/// Checks that a provider can have what a caller asks for, and promises that it will. The caller of this
/// writes the row.
///
/// `is_new` says that the appointment was not there before. Errors: `Invalid` (`duration`, `start_time`),
/// `PatientContactMissing`.
pub async fn request(
    tx: &mut TenantTx,
    origin: Origin,
    cause: &str,
    row: &mut Appointment,
    is_new: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    let Some((standing, integration)) = concerned(tx, origin, row, is_new, now).await? else { return Ok(()) };
    match plan::next(row, &standing, now) {
        plan::Step::Unfit("DURATION_NOT_OFFERED" | "DURATION_DIFFERS") => {
            return Err(Error::invalid("duration", "the provider does not offer this length"));
        }
        plan::Step::Unfit("START_TOO_FINE") => {
            return Err(Error::invalid("start_time", "the provider knows nothing finer than milliseconds"));
        }
        plan::Step::Create(_) => order::check_contact(tx, row).await?,
        _ => {}
    }
    promise(tx, origin, cause, row, integration, now).await
}

/// Promises that the provider will have what stands in the row, if that concerns one. The caller of this
/// writes the row.
///
/// A change that came from the provider is not written back to it.
pub async fn queue(
    tx: &mut TenantTx,
    origin: Origin,
    cause: &str,
    row: &mut Appointment,
    now: DateTime<Utc>,
) -> Result<()> {
    match concerned(tx, origin, row, false, now).await? {
        Some((_, integration)) => promise(tx, origin, cause, row, integration, now).await,
        None => Ok(()),
    }
}

/// The same for an appointment as it stands in its row, which is written: a person wants another try, or a
/// sweep found that the provider has something else. False: no provider has to do with it. Errors:
/// `NotFound`.
pub async fn queue_again(
    tx: &mut TenantTx,
    cause: &str,
    appointment: AppointmentId,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut row = store::appointment::find_for_update(tx, appointment).await?;
    let before = row.sync.clone();
    queue(tx, Origin::System, cause, &mut row, now).await?;
    if row.sync == before {
        return Ok(false);
    }
    store::appointment::update_sync(tx, row.id, &row.sync).await?;
    Ok(row.sync.provider_sync == ProviderSync::Pending)
}

/// Finds out what became of a write that was given up before its outcome was known, now that the appointment
/// and its booking agree without it.
pub async fn find_out(
    tx: &mut TenantTx,
    cause: &str,
    appointment: AppointmentId,
    now: DateTime<Utc>,
) -> Result<()> {
    for intent in store::intent::open_of(tx, &[appointment]).await? {
        let work = Work::Appointment { appointment_id: appointment, is_urgent: false };
        push(tx, appointment, &work, cause, Some(intent.integration_id), now).await?;
    }
    Ok(())
}

/// Nothing is left to do for an appointment, nor for a person to look at.
pub(super) async fn settle_trouble(tx: &mut TenantTx, id: AppointmentId, now: DateTime<Utc>) -> Result<()> {
    store::review_item::settle(tx, id, ReviewKind::RequiresManualReview, now).await?;
    store::dead_letter::settle(tx, MessageKind::AppointmentPush, &lane(id), &asks_for(id)?).await
}

/// Whether a message other than this one will see to the appointment, with tries of its own.
async fn is_asked_again(tx: &mut TenantTx, id: AppointmentId, message: MessageId) -> Result<bool> {
    let (kind, asked) = (MessageKind::AppointmentPush, asks_for(id)?);
    store::outbox::is_another_waiting(tx, message, kind, &lane(id), &asked).await
}

/// What messages say that see to an appointment.
fn asks_for(id: AppointmentId) -> Result<[serde_json::Value; 2]> {
    let asked = |is_urgent| Work::Appointment { appointment_id: id, is_urgent }.payload();
    Ok([asked(false)?, asked(true)?])
}

/// What is about one appointment happens one after the other, its end included.
fn lane(id: AppointmentId) -> String {
    format!("appointment/{id}")
}

impl Work {
    /// No booking waits for what is only a hint.
    fn lane(&self, about: AppointmentId) -> String {
        match self {
            Self::Hold { hold_id } => format!("hold/{hold_id}"),
            Self::Appointment { .. } | Self::Booking { .. } | Self::Write { .. } | Self::Seats { .. } => {
                lane(about)
            }
        }
    }

    fn payload(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }
}

/// Works on a message.
pub async fn run(
    domain: &Domain,
    message: &Claimed,
    payload: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<Outcome> {
    match serde_json::from_value(payload).map_err(Error::internal)? {
        Work::Appointment { appointment_id, is_urgent } => {
            let urgency = if is_urgent { Urgency::Person } else { Urgency::Background };
            attempt::Attempt::new(domain, message, appointment_id, urgency, now).run().await
        }
        Work::Hold { hold_id } => reservation::run(domain, message.tenant_id, hold_id, now).await,
        Work::Booking { integration_id, .. } | Work::Write { integration_id, .. }
            if let Some(end) = kept_from(domain, message.tenant_id, integration_id).await? =>
        {
            Ok(end)
        }
        Work::Seats { integration_id, external_id, people } => {
            seats::give_back(domain, message, integration_id, external_id, &people).await
        }
        Work::Booking { integration_id, external_id } => {
            forgotten::cancel(domain, message, integration_id, external_id).await
        }
        Work::Write { integration_id, external_event_type_id, start_time, end_time, intent_id } => {
            let write = forgotten::Write { external_event_type_id, start_time, end_time, intent_id };
            forgotten::cancel_write(domain, message, integration_id, &write).await
        }
    }
}

/// No try is left, because of what is wrong here: a person must look.
pub async fn give_up(
    domain: &Domain,
    message: &Claimed,
    payload: serde_json::Value,
    now: DateTime<Utc>,
) -> Result<()> {
    match serde_json::from_value(payload).map_err(Error::internal)? {
        Work::Appointment { appointment_id, .. } => {
            let urgency = Urgency::Background;
            attempt::Attempt::new(domain, message, appointment_id, urgency, now).give_up("INTERNAL").await
        }
        Work::Hold { .. } | Work::Seats { .. } | Work::Booking { .. } | Work::Write { .. } => Ok(()),
    }
}

/// How a message ends whose integration is not to be written to: later, or never; none if it is. What belongs
/// to an appointment is asked for more, by its attempt.
async fn kept_from(domain: &Domain, tenant: TenantId, integration: IntegrationId) -> Result<Option<Outcome>> {
    let mut tx = domain.store.tenant(tenant).await?;
    let row = store::integration::find(&mut tx, integration).await?;
    tx.end_reading();
    if !target::takes_writes(&row) {
        return Ok(Some(Outcome::Done));
    }
    Ok(row.outbound_paused.then(paused))
}

/// What waits for the end of a pause.
fn paused() -> Outcome {
    Outcome::Release { after: attempt::HALTED, reason: Some("OUTBOUND_PAUSED".into()) }
}

/// How the appointment stands at its provider and which integration that is; none if it has nothing to do
/// with any.
async fn concerned(
    tx: &mut TenantTx,
    origin: Origin,
    row: &mut Appointment,
    is_new: bool,
    now: DateTime<Utc>,
) -> Result<Option<(target::Standing, Option<IntegrationId>)>> {
    if origin == Origin::Calcom || (is_new && row.service_id.is_none()) {
        return Ok(None);
    }
    let standing = if is_new {
        target::Standing { target: target::target(tx, row).await?, ..Default::default() }
    } else {
        target::standing(tx, row).await?
    };
    if let Some(reason) = standing.bound {
        tell_bound(row, &standing, reason);
        return Ok(None);
    }
    let booked = standing.living.first().map(|living| living.booking.integration_id);
    let wanted = standing
        .target
        .as_ref()
        .filter(|_| row.status == AppointmentStatus::Booked && row.start_time > now)
        .map(|target| target.integration_id);
    // A write may be on its way whose booking is not known yet.
    let is_known = row.sync.provider_sync != ProviderSync::None;
    let integration = booked.or(wanted);
    Ok((integration.is_some() || is_known).then_some((standing, integration)))
}

/// What stands here is not written to where it is booked: whether it is so there is all there is to say.
fn tell_bound(row: &mut Appointment, standing: &target::Standing, reason: &str) {
    let is_there = standing.has(row);
    if is_there && row.sync.provider_sync != ProviderSync::None {
        return;
    }
    row.sync = SyncStanding {
        provider_sync: if is_there { ProviderSync::Synced } else { ProviderSync::None },
        provider_sync_reason: Some(reason.to_owned()).filter(|_| !is_there),
        ..SyncStanding::default()
    };
}

async fn promise(
    tx: &mut TenantTx,
    origin: Origin,
    cause: &str,
    row: &mut Appointment,
    integration: Option<IntegrationId>,
    now: DateTime<Utc>,
) -> Result<()> {
    let is_urgent = matches!(origin, Origin::Admin | Origin::Retell | Origin::Api);
    let work = Work::Appointment { appointment_id: row.id, is_urgent };
    let message = push(tx, row.id, &work, cause, integration, now).await?;
    row.sync = SyncStanding {
        provider_sync: ProviderSync::Pending,
        provider_sync_time: Some(now),
        provider_sync_cause: Some(cause.into()),
        provider_sync_message_id: Some(message),
        ..SyncStanding::default()
    };
    Ok(())
}

async fn push(
    tx: &mut TenantTx,
    about: AppointmentId,
    work: &Work,
    cause: &str,
    integration: Option<IntegrationId>,
    now: DateTime<Utc>,
) -> Result<MessageId> {
    let message = NewMessage {
        kind: MessageKind::AppointmentPush,
        lane: work.lane(about),
        payload: work.payload()?,
        cause: cause.into(),
        run_time: now,
        integration,
    };
    store::outbox::push(tx, message).await
}

/// What the transactions of this room learn from.
async fn context(
    domain: &Domain,
    tenant: TenantId,
    integration: IntegrationId,
    message: MessageId,
    certainty: lineage::Certainty,
) -> Result<lineage::Context> {
    let key = domain.tenant_key(tenant).await?;
    Ok(lineage::Context { key, integration, cause: format!("outbox/{message}"), certainty, now: Utc::now() })
}
