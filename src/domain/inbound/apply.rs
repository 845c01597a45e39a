//! What an event does here: it is applied whole or not at all, and what came of it is written into its row.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{
    asana, booking_tool, calcom,
    reading::{Reading, Said, Unfit},
};
use crate::{
    domain::consent,
    error::{Error, Result},
    ids::{AppointmentId, IntegrationId, PatientId, WebhookEndpointId},
    store::{self, TenantTx, integration::Integration, webhook_event::WebhookEvent},
    telemetry,
    vault::TenantKey,
    words::{EventStatus, IntegrationState},
};

/// How often an event that gives way to others is applied before it is left to the queue.
const TRIES: u32 = 3;
/// Applying failed here; the server tries again.
pub(super) const INTERNAL: &str = "INTERNAL";
/// The integration is being given up.
const DISCONNECTED: &str = "INTEGRATION_DISCONNECTED";
/// Somebody paused what comes in. When the pause ends, what was missed is read, or applied as it was kept.
pub(in crate::domain) const PAUSED: &str = "INBOUND_PAUSED";
/// The webhook's owner set a payload template, so that the body can say anything.
const CUSTOM_TEMPLATE: &str = "CUSTOM_TEMPLATE";
/// Nobody here reads what this provider tells.
const NO_ADAPTER: &str = "NO_ADAPTER";
/// It says no more than that the address works.
const HANDSHAKE: &str = "HANDSHAKE";
/// The person was deleted here; nothing of the event is kept.
pub(super) const PATIENT_DELETED: &str = "PATIENT_DELETED";

/// What an event turned out to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Applied {
    pub(super) status: EventStatus,
    pub(super) reason: Option<&'static str>,
    pub(super) patient: Option<PatientId>,
    pub(super) appointment: Option<AppointmentId>,
    pub(super) keeps_body: bool,
}

/// What is known of an event besides what it says.
pub(super) struct Occasion<'a> {
    pub(super) key: &'a Arc<TenantKey>,
    pub(super) integration: IntegrationId,
    pub(super) endpoint: WebhookEndpointId,
    pub(super) cause: String,
    pub(super) receive_time: DateTime<Utc>,
    /// The provider gave an id, so repeats were told apart by it.
    pub(super) is_identified: bool,
}

impl Applied {
    pub(super) fn new(status: EventStatus, reason: Option<&'static str>) -> Self {
        let keeps_body = status != EventStatus::Quarantined && reason != Some(PATIENT_DELETED);
        Self { status, reason, patient: None, appointment: None, keeps_body }
    }

    /// Left for the end of the pause.
    pub(super) fn paused() -> Self {
        Self::new(EventStatus::Ignored, Some(PAUSED))
    }
}

/// Applies inside a savepoint, again if it gives way to others. Outer error: the whole transaction is lost.
/// Inner error: what was applied is undone, logged once.
pub(super) async fn try_apply(
    tx: &mut TenantTx,
    occasion: &Occasion<'_>,
    reading: &Reading,
) -> Result<Result<Applied, Unfit>> {
    let integration = store::integration::find(tx, occasion.integration).await?;
    if let Some(dropped) = dropped(tx, &integration).await? {
        return Ok(Ok(dropped));
    }
    let said = match &reading.said {
        Ok(said) => said,
        Err(unfit) => return Ok(Err(unfit.clone())),
    };
    for tries_left in (0..TRIES).rev() {
        tx.begin_savepoint().await?;
        let error = match apply(tx, occasion, said, integration.inbound_paused).await {
            Ok(applied) => {
                tx.release_savepoint().await?;
                return Ok(Ok(applied));
            }
            Err(error) => error,
        };
        // A connection that is gone keeps nothing; any other one keeps the event.
        if let Err(gone) = tx.roll_back_savepoint().await {
            return Err(if matches!(error, Error::Unavailable(_)) { error } else { gone });
        }
        if tries_left == 0 || !store::gave_way(&error) {
            telemetry::log_error("a webhook event could not be applied", &error);
            break;
        }
    }
    Ok(Ok(Applied::new(EventStatus::Error, Some(INTERNAL))))
}

/// What becomes of anything that comes for an integration that is ended,
/// or that nobody lets data flow to: nothing is kept of it.
async fn dropped(tx: &mut TenantTx, integration: &Integration) -> Result<Option<Applied>> {
    let reason = match integration.state {
        IntegrationState::Disconnecting | IntegrationState::Disconnected => DISCONNECTED,
        IntegrationState::Connected | IntegrationState::NeedsReconnect => {
            if consent::opens(tx, integration).await? {
                return Ok(None);
            }
            consent::MISSING
        }
    };
    Ok(Some(Applied { keeps_body: false, ..Applied::new(EventStatus::Ignored, Some(reason)) }))
}

/// A pause changes nothing about what is not ours, or what nobody here reads: it is not kept for later.
async fn apply(tx: &mut TenantTx, occasion: &Occasion<'_>, said: &Said, is_paused: bool) -> Result<Applied> {
    match said {
        Said::BookingTool(envelope, event) => {
            booking_tool::apply(tx, occasion, envelope, event, is_paused).await
        }
        Said::Calcom(event) => calcom::apply(tx, occasion, event, is_paused).await,
        Said::Asana(_) if is_paused => Ok(Applied::paused()),
        Said::Asana(delivery) => asana::apply(tx, occasion, delivery).await,
        Said::Template => Ok(Applied::new(EventStatus::Quarantined, Some(CUSTOM_TEMPLATE))),
        Said::Unadapted { is_greeting, .. } => {
            let reason = if *is_greeting { HANDSHAKE } else { NO_ADAPTER };
            // Nobody would find a person in it again when that person is to be forgotten.
            Ok(Applied { keeps_body: false, ..Applied::new(EventStatus::Ignored, Some(reason)) })
        }
    }
}

/// Writes down what came of an event; returns whether its body is kept.
pub(super) fn note(event: &mut WebhookEvent, applied: Result<Applied, Unfit>) -> bool {
    match applied {
        Ok(applied) => {
            event.status = applied.status;
            event.reason = applied.reason.map(Into::into);
            event.patient_id = applied.patient;
            event.appointment_id = applied.appointment;
            applied.keeps_body
        }
        Err(Unfit { field, reason }) => {
            event.status = EventStatus::Error;
            event.reason = Some(reason.into());
            event.field = Some(field);
            true
        }
    }
}
