//! Reservations of slots: they hide a slot from the list for a while and keep nobody from booking it.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::booking::{Status, minutes, new_uuid};
use super::event_type::EventType;
use super::refusal::Refusal;
use super::world::World;

pub(crate) const DEFAULT_MINUTES: u32 = 5;
/// Whoever asks for more asks for this.
const LONGEST_MINUTES: u32 = 7 * 24 * 60;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    pub uid: String,
    pub event_type_id: i64,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub minutes: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) event_type_id: i64,
    pub(crate) start: DateTime<Utc>,
    pub(crate) length_minutes: Option<u32>,
    pub(crate) minutes: Option<u32>,
    pub(crate) caller: Option<i64>,
}

impl World {
    pub(crate) fn reserve(&mut self, wanted: Wanted, now: DateTime<Utc>) -> Result<Reservation, Refusal> {
        let uid = new_uuid().to_string();
        let reservation = self.check_reservation(wanted, uid, now)?;
        self.reservations.push(reservation.clone());
        Ok(reservation)
    }

    pub(crate) fn move_reservation(
        &mut self,
        uid: &str,
        wanted: Wanted,
        now: DateTime<Utc>,
    ) -> Result<Reservation, Refusal> {
        if !self.reservations.iter().any(|one| one.uid == uid) {
            return Err(Refusal::not_found(format!("Slot with uid={uid} not found")));
        }
        let reservation = self.check_reservation(wanted, uid.to_owned(), now)?;
        self.release(uid);
        self.reservations.push(reservation.clone());
        Ok(reservation)
    }

    pub(crate) fn release(&mut self, uid: &str) -> bool {
        let count = self.reservations.len();
        self.reservations.retain(|one| one.uid != uid);
        self.reservations.len() < count
    }

    pub(crate) fn reservation(&self, uid: &str, now: DateTime<Utc>) -> Option<&Reservation> {
        self.reservations.iter().find(|one| one.uid == uid && one.until > now)
    }

    fn check_reservation(
        &mut self,
        wanted: Wanted,
        uid: String,
        now: DateTime<Utc>,
    ) -> Result<Reservation, Refusal> {
        self.reservations.retain(|one| one.until > now);
        let unknown = || Refusal::not_found(format!("Event Type with ID={} not found", wanted.event_type_id));
        if wanted.minutes.is_some() && wanted.caller.is_none() {
            return Err(Refusal::framework(
                401,
                "reservationDuration can only be used for authenticated requests - use access token, api \
                 key or OAuth credentials",
            ));
        }
        let event_type = self.event_type(wanted.event_type_id).ok_or_else(unknown)?;
        if wanted.minutes.is_some() && wanted.caller != Some(event_type.owner_id) {
            return Err(Refusal::framework(
                403,
                "authenticated user is not owner of event type, does not have memberships in common with \
                 owner of the event type, nor does belong to event type's team or org.",
            ));
        }
        let end = wanted.start + minutes(length_of(event_type, wanted.length_minutes)?);
        self.check_not_booked(event_type, wanted.start, end)?;
        let is_reserved = |one: &Reservation| {
            one.event_type_id == event_type.id && one.uid != uid && one.start < end && wanted.start < one.end
        };
        if self.reservations.iter().any(is_reserved) {
            return Err(Refusal::framework(
                422,
                "This time slot is already reserved by another user. Please choose a different time.",
            ));
        }
        let length = wanted.minutes.unwrap_or(DEFAULT_MINUTES).min(LONGEST_MINUTES);
        Ok(Reservation {
            uid,
            event_type_id: event_type.id,
            start: wanted.start,
            end,
            until: now + minutes(length),
            minutes: length,
        })
    }

    fn check_not_booked(
        &self,
        event_type: &EventType,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let booked = self.bookings().iter().find(|one| {
            one.event_type_id == event_type.id && one.status == Status::Accepted && one.overlaps(start, end)
        });
        match (booked, event_type.options.seats) {
            (None, _) => Ok(()),
            (Some(_), None) => {
                Err(Refusal::framework(422, "Can't reserve a slot if the event is already booked."))
            }
            (Some(booking), Some(seats)) if booking.attendees.len() < seats as usize => Ok(()),
            (Some(_), Some(_)) => Err(Refusal::framework(
                422,
                format!("Booking with id={} at {start} has no more seats left.", event_type.id),
            )),
        }
    }
}

impl Reservation {
    pub(crate) fn shown(&self) -> Value {
        let told = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
        json!({
            "eventTypeId": self.event_type_id,
            "slotStart": told(self.start),
            "slotEnd": told(self.end),
            "slotDuration": (self.end - self.start).num_minutes(),
            "reservationUid": self.uid,
            "reservationDuration": self.minutes,
            "reservationUntil": told(self.until),
        })
    }
}

fn length_of(event_type: &EventType, wanted: Option<u32>) -> Result<u32, Refusal> {
    match wanted {
        None => Ok(event_type.length_minutes),
        Some(_) if event_type.options.length_options_minutes.is_empty() => Err(Refusal::bad(
            "You passed 'slotDuration' but this event type is not a variable length event type.",
        )),
        Some(length) if event_type.offers(length) => Ok(length),
        Some(_) => Err(Refusal::bad(
            "Provided 'slotDuration' is not one of the possible lengths for the event type.",
        )),
    }
}
