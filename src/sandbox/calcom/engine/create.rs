//! Booking.

use chrono::{DateTime, Datelike as _, Months, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Change, Detail, Event, Shown};
use crate::sandbox::calcom::booking::{
    Attendee, Booking, NewBooking, Seat, Source, Status, minutes, new_uid, new_uuid,
};
use crate::sandbox::calcom::event_type::{EventType, Frequency, Recurrence};
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::webhook::Trigger;
use crate::sandbox::calcom::world::World;

const VERIFICATION_CODE: &str = "123456";

/// A wish that was found possible. Between this and [`World::book`] somebody else may be faster: Cal.com
/// looks and inserts in two steps.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    wish: NewBooking,
    end: DateTime<Utc>,
    source: Source,
    recurring_uid: Option<String>,
}

impl World {
    /// The starts a wish stands for: several where the event type recurs.
    pub(crate) fn occurrences(&self, wish: &NewBooking) -> Result<Vec<DateTime<Utc>>, Refusal> {
        let event_type = self.bookable(wish.event_type_id)?;
        let Some(recurrence) = event_type.options.recurrence else {
            return match wish.occurrences {
                None => Ok(vec![wish.start]),
                Some(_) => Err(Refusal::bad(format!(
                    "Event type with id={} is not a recurring event type",
                    event_type.id
                ))),
            };
        };
        let count = wish.occurrences.unwrap_or(recurrence.occurrences);
        if count == 0 || count > recurrence.occurrences {
            return Err(Refusal::bad("recurrenceCount cannot be more than occurrences of the event type"));
        }
        (0..count)
            .map(|nth| nth_start(recurrence, wish.start, nth).ok_or_else(Refusal::out_of_bounds))
            .collect()
    }

    /// Whether the wish can be had, as things are.
    pub(crate) fn plan(
        &self,
        wish: &NewBooking,
        source: Source,
        recurring_uid: Option<&str>,
        now: DateTime<Utc>,
    ) -> Result<Planned, Refusal> {
        let event_type = self.bookable(wish.event_type_id)?;
        let end = wish.start + minutes(length(event_type, wish)?);
        let recurring_uid = recurring_uid.map(str::to_owned);
        let planned = Planned { wish: wish.clone(), end, source, recurring_uid };
        if wish.unchecked || self.twin(event_type, wish).is_some() {
            return Ok(planned);
        }
        self.check_attendee(event_type, wish, now)?;
        check_fields(event_type, wish)?;
        self.check_window(event_type, wish.start, now)?;
        if let Some(shared) = self.shared_booking(event_type, wish.start) {
            let seats = event_type.options.seats.unwrap_or_default() as usize;
            return if shared.attendees.len() < seats { Ok(planned) } else { Err(no_seats_left()) };
        }
        if self.is_free(event_type, wish.start, end, None) { Ok(planned) } else { Err(Refusal::slot_taken()) }
    }

    /// Inserts what was planned. Nothing is looked at again but the guard: one accepted booking per start,
    /// end and organizer.
    pub(crate) fn book(&mut self, planned: &Planned, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let wish = &planned.wish;
        let event_type = self.bookable(wish.event_type_id)?.clone();
        if let Some(twin) = self.twin(&event_type, wish) {
            return Ok(Change { shown: Shown::One(twin.clone()), events: Vec::new() });
        }
        self.begin();
        if let Some(shared) = self.shared_booking(&event_type, wish.start).cloned() {
            return self.take_seat(shared, &event_type, planned, now);
        }
        let waits = event_type.options.requires_confirmation || event_type.options.price_cents > 0;
        let status = if waits { Status::Pending } else { Status::Accepted };
        if status == Status::Accepted {
            self.check_guard(event_type.owner_id, wish.start, planned.end)?;
        }
        let mut booking = self.draft(&event_type, planned, now)?;
        booking.status = status;
        if event_type.options.price_cents > 0 {
            booking.payment_id = Some(self.next_payment_id());
        }
        let booking = self.put(booking, now);
        let (trigger, detail) = if booking.payment_id.is_some() {
            (Trigger::BookingPaymentInitiated, Detail::Payment)
        } else {
            let trigger = if waits { Trigger::BookingRequested } else { Trigger::BookingCreated };
            (trigger, Detail::Made { metadata: wish.metadata.clone() })
        };
        let events = vec![Event { trigger, booking: booking.clone(), detail }];
        let seat = booking.booker().and_then(|booker| booker.seat.as_ref()).map(|seat| seat.uid.clone());
        let shown = match seat {
            Some(seat) => Shown::Seat(booking, seat),
            None => Shown::One(booking),
        };
        Ok(Change { shown, events })
    }

    /// The unique key on (start, end, organizer) of accepted bookings
    /// (prisma/extensions/booking-idempotency-key.ts).
    pub(crate) fn check_guard(
        &self,
        user_id: i64,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let is_same = |one: &Booking| {
            one.user_id == user_id && one.status == Status::Accepted && one.start == start && one.end == end
        };
        if self.bookings().iter().any(is_same) { Err(Refusal::lost_race()) } else { Ok(()) }
    }

    fn bookable(&self, id: i64) -> Result<&EventType, Refusal> {
        self.event_type(id).ok_or_else(|| Refusal::not_found(format!("Event type with id {id} not found.")))
    }

    /// For event types that need confirmation, the same wish twice is one booking.
    fn twin(&self, event_type: &EventType, wish: &NewBooking) -> Option<&Booking> {
        if !event_type.options.requires_confirmation {
            return None;
        }
        let email = wish.address();
        self.bookings().iter().find(|one| {
            one.event_type_id == event_type.id
                && one.start == wish.start
                && one.is_active()
                && one.booker().is_some_and(|booker| booker.email == email)
        })
    }

    fn check_attendee(
        &self,
        event_type: &EventType,
        wish: &NewBooking,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let email = wish.address();
        if self.blocked.contains(&email) {
            return Err(Refusal::engine(403, "Attendee is blocked"));
        }
        // The engine shows such a caller a booking that is never stored; the API then cannot find it.
        if self.watched.contains(&email) {
            return Err(Refusal::engine(500, "Internal server error"));
        }
        if event_type.options.verifies_email {
            match wish.verification_code.as_deref() {
                Some(VERIFICATION_CODE) => {}
                Some(_) => return Err(Refusal::engine(400, "invalid_verification_code")),
                None => return Err(Refusal::engine(400, "email_verification_required")),
            }
        }
        let Some(limit) = event_type.options.attendee_booking_limit else { return Ok(()) };
        let mut coming = self.bookings().iter().filter(|one| {
            one.event_type_id == event_type.id
                && one.status == Status::Accepted
                && one.start > now
                && one.attendees.iter().any(|attendee| attendee.email == email)
        });
        let latest = coming.nth((limit as usize).saturating_sub(1));
        latest.map_or(Ok(()), |existing| {
            Err(Refusal::bad(format!(
                "Attendee with this email can't book because the maximum number of active bookings has been \
                 reached. You can reschedule your existing booking ({}) to a new timeslot instead.",
                existing.uid
            )))
        })
    }

    fn take_seat(
        &mut self,
        mut shared: Booking,
        event_type: &EventType,
        planned: &Planned,
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        if shared.attendees.len() >= event_type.options.seats.unwrap_or_default() as usize {
            return Err(no_seats_left());
        }
        let attendee = self.attendee(event_type, &planned.wish);
        let seat = attendee.seat.as_ref().map(|seat| seat.uid.clone()).unwrap_or_default();
        shared.attendees.push(attendee);
        let booking = self.put(shared, now);
        let detail = Detail::Made { metadata: planned.wish.metadata.clone() };
        let event = Event { trigger: Trigger::BookingCreated, booking: booking.clone(), detail };
        Ok(Change { shown: Shown::Seat(booking, seat), events: vec![event] })
    }

    fn draft(
        &mut self,
        event_type: &EventType,
        planned: &Planned,
        now: DateTime<Utc>,
    ) -> Result<Booking, Refusal> {
        let wish = &planned.wish;
        let owner = self.owner(event_type.owner_id)?.name.clone();
        let uid = new_uid();
        Ok(Booking {
            id: self.next_booking_id(),
            title: format!("{} between {owner} and {}", event_type.title, wish.name),
            notes: wish.responses.get("notes").and_then(Value::as_str).unwrap_or_default().to_owned(),
            event_type_id: event_type.id,
            user_id: event_type.owner_id,
            start: wish.start,
            end: planned.end,
            status: Status::Accepted,
            rescheduled: false,
            rescheduled_from: None,
            rescheduled_to: None,
            rescheduled_by: None,
            rescheduling_reason: None,
            cancellation_reason: None,
            cancelled_by: None,
            rejection_reason: None,
            location: wish.location.clone().unwrap_or_else(|| "integrations:daily".to_owned()),
            metadata: wish.metadata.clone(),
            responses: responses(wish),
            attendees: vec![self.attendee(event_type, wish)],
            guests: wish.guests.clone(),
            absent_host: false,
            ics_uid: format!("{uid}@Cal.com"),
            ical_sequence: 0,
            recurring_uid: planned.recurring_uid.clone(),
            payment_id: None,
            paid: false,
            source: planned.source,
            created_at: now,
            updated_at: now,
            uid,
        })
    }

    fn attendee(&mut self, event_type: &EventType, wish: &NewBooking) -> Attendee {
        let seat = event_type.options.seats.map(|_| Seat {
            uid: new_uuid().to_string(),
            responses: responses(wish),
            metadata: wish.metadata.clone(),
        });
        Attendee {
            id: self.next_attendee_id(),
            name: wish.name.clone(),
            email: wish.address(),
            phone: wish.phone.clone(),
            time_zone: wish.time_zone.clone(),
            language: wish.language.clone(),
            absent: false,
            seat,
        }
    }
}

fn length(event_type: &EventType, wish: &NewBooking) -> Result<u32, Refusal> {
    match wish.length_minutes {
        None => Ok(event_type.length_minutes),
        Some(_) if event_type.options.length_options_minutes.is_empty() => Err(Refusal::bad(
            "Can't specify 'lengthInMinutes' because event type does not have multiple possible lengths. \
             Please, remove the 'lengthInMinutes' field from the request.",
        )),
        Some(length) if event_type.offers(length) => Ok(length),
        Some(length) => Err(Refusal::bad(format!(
            "Provided 'lengthInMinutes' {length} is not one of the possible lengths for the event type."
        ))),
    }
}

fn check_fields(event_type: &EventType, wish: &NewBooking) -> Result<(), Refusal> {
    for slug in &event_type.options.required_fields {
        match wish.responses.get(slug) {
            Some(Value::String(text)) if !text.is_empty() => {}
            Some(Value::String(_) | Value::Null) | None => {
                return Err(Refusal::bad(format!(
                    "Missing required booking field response: {slug} - it is required by the event type \
                     booking fields, but missing in the bookingFieldsResponses. You can fetch the event \
                     type with ID {} to see the required fields.",
                    event_type.id
                )));
            }
            Some(_) => {
                return Err(Refusal::bad(format!(
                    "One of the booking fields responses has invalid type: {slug} must be a string"
                )));
            }
        }
    }
    Ok(())
}

fn responses(wish: &NewBooking) -> Map<String, Value> {
    let mut responses = wish.responses.clone();
    responses.insert("name".to_owned(), json!(wish.name));
    responses.insert("email".to_owned(), json!(wish.address()));
    responses.insert("displayEmail".to_owned(), json!(wish.address()));
    if let Some(phone) = &wish.phone {
        responses.insert("attendeePhoneNumber".to_owned(), json!(phone));
    }
    responses
}

fn nth_start(recurrence: Recurrence, first: DateTime<Utc>, nth: u32) -> Option<DateTime<Utc>> {
    let steps = recurrence.interval.checked_mul(nth)?;
    match recurrence.frequency {
        Frequency::Weekly => first.checked_add_signed(TimeDelta::weeks(steps.into())),
        Frequency::Monthly => first.checked_add_months(Months::new(steps)),
        Frequency::Yearly => first.with_year(first.year().checked_add(i32::try_from(steps).ok()?)?),
    }
}

fn no_seats_left() -> Refusal {
    Refusal::framework(409, "No more seats left at this seated booking.")
}
