//! A write to Cal.com: what it says, and its record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{lineage::INTENT_KEY, plan::Step};
use crate::{
    error::{Error, Result},
    fold,
    ids::{AppointmentId, IntegrationId, IntentId},
    provider::calcom::{NewAttendee, NewBooking},
    store::{
        self, TenantTx, appointment::Appointment, booking::Booking, event_type::EventType, intent::Intent,
    },
    vault::TenantKey,
    words::{IntentKind, IntentState},
};

/// Why somebody cannot be booked at Cal.com whom neither e-mail nor telephone reaches.
pub const CONTACT_MISSING: &str = "PATIENT_CONTACT_MISSING";

/// A write as it is sent.
#[derive(Clone)]
pub(super) enum Order {
    Create(NewBooking),
    Reschedule {
        uid: String,
        start: DateTime<Utc>,
        /// The event type wants confirmation: the move must be the host's, or the booking waits again.
        as_host: bool,
    },
    Cancel {
        uid: String,
        reason: String,
    },
}

/// A write before it is recorded.
pub(super) struct Planned {
    pub(super) integration: IntegrationId,
    event_type: Option<String>,
    start: Option<DateTime<Utc>>,
    pub(super) order: Order,
    intent: IntentId,
}

/// The write that makes a step, or the code of why none does.
pub(super) async fn plan(
    tx: &mut TenantTx,
    row: &Appointment,
    step: &Step<'_>,
) -> Result<Result<Planned, &'static str>> {
    match step {
        Step::Create(event_type) => create(tx, row, event_type).await,
        Step::Reschedule(booking) => Ok(Ok(reschedule(tx, row, booking).await?)),
        Step::Cancel(booking) => Ok(Ok(cancel(row, booking))),
        Step::Nothing | Step::Follow | Step::Unfit(_) => Err(Error::internal("a step without a write")),
    }
}

/// Whoever is booked at Cal.com needs an e-mail address or a telephone number. Errors:
/// `PatientContactMissing`.
pub(super) async fn check_contact(tx: &mut TenantTx, row: &Appointment) -> Result<()> {
    match row.patient_id {
        Some(_) if attendee(tx, row).await?.is_none() => Err(Error::PatientContactMissing),
        Some(_) | None => Ok(()),
    }
}

async fn create(
    tx: &mut TenantTx,
    row: &Appointment,
    event_type: &EventType,
) -> Result<Result<Planned, &'static str>> {
    let Some(attendee) = attendee(tx, row).await? else { return Ok(Err(CONTACT_MISSING)) };
    let Ok(event_type_id) = event_type.external_id.parse() else { return Ok(Err("EVENT_TYPE_UNKNOWN")) };
    let intent = IntentId::new();
    let minutes = u32::try_from((row.end_time - row.start_time).num_minutes()).ok();
    let new = NewBooking {
        event_type_id,
        start: row.start_time,
        length_minutes: minutes.filter(|_| !event_type.length_options.is_empty()),
        attendee,
        metadata: BTreeMap::from([(INTENT_KEY.to_owned(), intent.to_string())]),
        booking_fields: BTreeMap::new(),
    };
    Ok(Ok(Planned {
        integration: event_type.integration_id,
        event_type: Some(event_type.external_id.clone()),
        start: Some(row.start_time),
        order: Order::Create(new),
        intent,
    }))
}

async fn reschedule(tx: &mut TenantTx, row: &Appointment, booking: &Booking) -> Result<Planned> {
    let event_type = match &booking.external_event_type_id {
        Some(id) => store::event_type::find(tx, booking.integration_id, id).await?,
        None => None,
    };
    let as_host = event_type.is_some_and(|event_type| event_type.requires_confirmation);
    let order = Order::Reschedule { uid: booking.external_id.clone(), start: row.start_time, as_host };
    Ok(Planned {
        integration: booking.integration_id,
        event_type: booking.external_event_type_id.clone(),
        start: Some(row.start_time),
        order,
        intent: IntentId::new(),
    })
}

fn cancel(row: &Appointment, booking: &Booking) -> Planned {
    // A host must give one.
    let reason =
        row.cancel_reason.clone().unwrap_or_else(|| "The practice cancelled the appointment.".into());
    Planned {
        integration: booking.integration_id,
        event_type: booking.external_event_type_id.clone(),
        start: booking.start_time,
        order: Order::Cancel { uid: booking.external_id.clone(), reason },
        intent: IntentId::new(),
    }
}

/// Nobody without an address or a number.
async fn attendee(tx: &mut TenantTx, row: &Appointment) -> Result<Option<NewAttendee>> {
    let Some(patient) = row.patient_id else { return Ok(None) };
    let patient = store::patient::find(tx, patient).await?;
    let tenant = store::tenant::current(tx).await?;
    let email = patient.email.or(patient.booking_email).filter(|email| fold::email(email).is_some());
    // Cal.com refuses numbers that do not exist, so one is sent only where it is needed.
    let phone = match (&email, &patient.phone) {
        (None, Some(phone)) => fold::phone(phone, &tenant.phone_region),
        _ => None,
    };
    if email.is_none() && phone.is_none() {
        return Ok(None);
    }
    // Other sources write offsets, which are no zones.
    let zone = row.time_zone.parse::<chrono_tz::Tz>().map(|zone| zone.name().to_owned());
    let name = format!("{} {}", patient.first_name, patient.last_name).trim().to_owned();
    let time_zone = zone.unwrap_or(tenant.time_zone);
    Ok(Some(NewAttendee { name, email, phone, time_zone, language: None }))
}

impl Planned {
    /// Whether that record is of this very write.
    pub(super) fn is_what(&self, recorded: &Intent) -> bool {
        (recorded.integration_id, recorded.kind, recorded.target_external_id.as_deref())
            == (self.integration, self.order.kind(), self.order.target())
            && recorded.external_event_type_id == self.event_type
            && recorded.start_time == self.start
    }

    /// The same write under the name it was recorded by.
    pub(super) fn named(mut self, intent: IntentId) -> Order {
        if let Order::Create(new) = &mut self.order {
            new.metadata.insert(INTENT_KEY.to_owned(), intent.to_string());
        }
        self.order
    }

    pub(super) fn record(&self, appointment: AppointmentId, fingerprint: Vec<u8>, cause: &str) -> Intent {
        Intent {
            id: self.intent,
            integration_id: self.integration,
            appointment_id: appointment,
            kind: self.order.kind(),
            target_external_id: self.order.target().map(str::to_owned),
            external_event_type_id: self.event_type.clone(),
            start_time: self.start,
            fingerprint,
            state: IntentState::Recorded,
            result_external_id: None,
            reason: None,
            cause: cause.into(),
            attempts: 0,
            create_time: Utc::now(),
            send_time: None,
            settle_time: None,
        }
    }

    /// Of the state that is to become true.
    pub(super) fn fingerprint(&self, key: &TenantKey) -> Vec<u8> {
        let start = self.start.map(|start| start.timestamp_micros().to_be_bytes()).unwrap_or_default();
        let event_type = self.event_type.as_deref().unwrap_or_default();
        let (kind, target) = (self.order.kind().as_str(), self.order.target().unwrap_or_default());
        let mut parts = vec![kind.as_bytes(), target.as_bytes(), event_type.as_bytes(), &start];
        if let Order::Create(new) = &self.order {
            let attendee = &new.attendee;
            parts.push(attendee.name.as_bytes());
            parts.push(attendee.email.as_deref().unwrap_or_default().as_bytes());
            parts.push(attendee.phone.as_deref().unwrap_or_default().as_bytes());
        }
        key.fingerprint("intent", &parts)
    }
}

impl Order {
    fn kind(&self) -> IntentKind {
        match self {
            Self::Create(_) => IntentKind::Create,
            Self::Reschedule { .. } => IntentKind::Reschedule,
            Self::Cancel { .. } => IntentKind::Cancel,
        }
    }

    /// The uid that is moved or cancelled.
    fn target(&self) -> Option<&str> {
        match self {
            Self::Create(_) => None,
            Self::Reschedule { uid, .. } | Self::Cancel { uid, .. } => Some(uid),
        }
    }
}
