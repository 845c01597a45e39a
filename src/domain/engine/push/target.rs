//! Where an appointment is booked at providers, and where it should be.

use chrono::TimeDelta;

use crate::{
    error::Result,
    ids::{IntegrationId, PractitionerId, ServiceId},
    store::{
        self, TenantTx, appointment::Appointment, booking::Booking, event_type::EventType,
        integration::Integration, service::Service,
    },
    words::{AppointmentStatus, BookingStatus, IntegrationState},
};

/// How an appointment stands at providers, and where it belongs.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Its bookings that live, oldest first.
    pub living: Vec<Living>,
    /// Where it is to be booked.
    pub target: Option<EventType>,
    /// Why nothing is written to where one of the bookings is.
    pub bound: Option<&'static str>,
}

/// A booking that takes time at the provider, or may.
#[derive(Debug, Clone)]
pub struct Living {
    pub booking: Booking,
    /// It is the appointment's practitioner's.
    pub fits: bool,
    /// Others have seats in it: whoever cancels or moves it does so for them, too.
    pub is_shared: bool,
}

impl Standing {
    /// Whether what stands here is so at the provider.
    pub fn has(&self, row: &Appointment) -> bool {
        match row.status {
            AppointmentStatus::Cancelled => self.living.is_empty(),
            AppointmentStatus::Held
            | AppointmentStatus::Requested
            | AppointmentStatus::Booked
            | AppointmentStatus::Completed
            | AppointmentStatus::NoShow
            | AppointmentStatus::Conflicting => self.living.iter().any(|living| {
                // Of a booking that is still to be read only the uid is known.
                living.fits && living.booking.start_time.is_none_or(|start| start == row.start_time)
            }),
        }
    }
}

/// The same of an appointment as it is to become.
pub async fn standing(tx: &mut TenantTx, row: &Appointment) -> Result<Standing> {
    let mut standing = Standing::default();
    for booking in store::booking::lineage(tx, row.id).await?.into_iter().filter(lives) {
        let integration = store::integration::find(tx, booking.integration_id).await?;
        standing.bound = standing.bound.or(unwritable(&integration));
        let event_type = match &booking.external_event_type_id {
            Some(id) => store::event_type::find(tx, booking.integration_id, id).await?,
            None => None,
        };
        let fits = is_whose(event_type.as_ref(), row);
        let is_shared = event_type.is_some_and(|event_type| event_type.is_seated);
        standing.living.push(Living { booking, fits, is_shared });
    }
    if row.status != AppointmentStatus::Cancelled && standing.bound.is_none() {
        standing.target = target(tx, row).await?;
    }
    Ok(standing)
}

/// Whether a booking of this event type is in the calendar of the appointment's practitioner, as far as both
/// are known.
pub fn is_whose(event_type: Option<&EventType>, row: &Appointment) -> bool {
    let whose = event_type.and_then(|event_type| event_type.practitioner_id);
    whose.is_none() || row.practitioner_id.is_none() || whose == row.practitioner_id
}

/// Where an appointment of this service, practitioner and length is booked: an event type that offers the
/// length before others.
pub async fn target(tx: &mut TenantTx, row: &Appointment) -> Result<Option<EventType>> {
    let (Some(service), Some(practitioner)) = (row.service_id, row.practitioner_id) else { return Ok(None) };
    best(tx, service, practitioner, row.end_time - row.start_time).await
}

/// Where a service of a practitioner is booked when nobody says for how long, and for how long that is: the
/// service's length where it is offered, because the provider's may have been changed since.
pub async fn bookable(
    tx: &mut TenantTx,
    service: &Service,
    practitioner: PractitionerId,
) -> Result<Option<(EventType, TimeDelta)>> {
    let usual = TimeDelta::seconds(service.duration_s.into());
    let found = best(tx, service.id, practitioner, usual).await?;
    Ok(found.map(|event_type| {
        let theirs = TimeDelta::minutes(event_type.length_minutes.into());
        let length = if offers(&event_type, usual) { usual } else { theirs };
        (event_type, length)
    }))
}

/// One that offers the length, or else the oldest.
async fn best(
    tx: &mut TenantTx,
    service: ServiceId,
    practitioner: PractitionerId,
    length: TimeDelta,
) -> Result<Option<EventType>> {
    let mut usable = all_bookable(tx, service, practitioner).await?;
    let fitting = usable.iter().position(|event_type| offers(event_type, length)).unwrap_or_default();
    Ok((fitting < usable.len()).then(|| usable.swap_remove(fitting)))
}

async fn all_bookable(
    tx: &mut TenantTx,
    service: ServiceId,
    practitioner: PractitionerId,
) -> Result<Vec<EventType>> {
    let mut usable = Vec::new();
    for event_type in store::event_type::of_service(tx, service, practitioner).await? {
        if event_type.unsupported_reason.is_none() && is_writable(tx, event_type.integration_id).await? {
            usable.push(event_type);
        }
    }
    Ok(usable)
}

/// Whether something of this length can be booked there.
pub fn offers(event_type: &EventType, length: TimeDelta) -> bool {
    let lengths = event_type.length_options.iter().chain([&event_type.length_minutes]);
    lengths.into_iter().any(|minutes| TimeDelta::minutes((*minutes).into()) == length)
}

/// Whether it takes time at the provider, or may.
pub fn lives(booking: &Booking) -> bool {
    match booking.status {
        BookingStatus::Pending | BookingStatus::Accepted => true,
        BookingStatus::Unknown => booking.is_current,
        BookingStatus::Rescheduled | BookingStatus::Cancelled | BookingStatus::Rejected => false,
    }
}

/// Whether anything is ever written there. What waits for a new credential is.
pub async fn is_writable(tx: &mut TenantTx, integration: IntegrationId) -> Result<bool> {
    Ok(takes_writes(&store::integration::find(tx, integration).await?))
}

/// The same of an integration that was read.
pub fn takes_writes(row: &Integration) -> bool {
    unwritable(row).is_none()
}

/// Why nothing is ever written there.
fn unwritable(row: &Integration) -> Option<&'static str> {
    match row.state {
        IntegrationState::Disconnecting | IntegrationState::Disconnected => Some("INTEGRATION_DISCONNECTED"),
        IntegrationState::Connected | IntegrationState::NeedsReconnect => {
            row.read_only.then_some("READ_ONLY")
        }
    }
}
