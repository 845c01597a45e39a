//! Moving: a new booking with a new uid takes over, the old one is retired.

use chrono::{DateTime, Utc};
use serde_json::Map;

use super::{Actor, Change, Detail, Event, Moved, Shown};
use crate::sandbox::calcom::booking::{Attendee, Booking, Status, new_uid};
use crate::sandbox::calcom::event_type::EventType;
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::webhook::Trigger;
use crate::sandbox::calcom::world::World;

/// What is wanted of a reschedule.
#[derive(Clone, Debug)]
pub(crate) struct Moving {
    pub(crate) uid: String,
    pub(crate) start: DateTime<Utc>,
    pub(crate) by: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) seat_uid: Option<String>,
    pub(crate) actor: Actor,
    pub(crate) unchecked: bool,
}

impl World {
    /// Whether the booking can be moved there, as things are.
    pub(crate) fn plan_move(&self, moving: &Moving, now: DateTime<Utc>) -> Result<(), Refusal> {
        let (old, event_type) = self.movable(&moving.uid)?;
        if event_type.options.disable_rescheduling {
            return Err(Refusal::bad("This event type does not allow rescheduling"));
        }
        if event_type.options.seats.is_some() {
            let seat_uid = moving.seat_uid.as_deref().ok_or_else(|| {
                Refusal::bad("seatUid is required to reschedule a seat of a seated booking")
            })?;
            seated(old, seat_uid).ok_or_else(unknown_seat)?;
        }
        if moving.unchecked {
            return Ok(());
        }
        self.check_window(event_type, moving.start, now)?;
        if let Some(shared) = self.shared_booking(event_type, moving.start) {
            let has_room = shared.attendees.len() < event_type.options.seats.unwrap_or_default() as usize;
            return if has_room { Ok(()) } else { Err(Refusal::slot_taken()) };
        }
        let end = moving.start + (old.end - old.start);
        let is_free = self.is_free(event_type, moving.start, end, Some(&old.uid));
        if is_free { Ok(()) } else { Err(Refusal::slot_taken()) }
    }

    /// Moves in one step: the old booking is cancelled, without an event of its own, as the new one begins.
    pub(crate) fn reschedule(&mut self, moving: &Moving, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let (old, event_type) = self.movable(&moving.uid)?;
        let (old, event_type) = (old.clone(), event_type.clone());
        if let Some(seat_uid) = moving.seat_uid.as_deref().filter(|_| event_type.options.seats.is_some()) {
            let attendee = seated(&old, seat_uid).ok_or_else(unknown_seat)?.clone();
            return self.move_seat(old, attendee, &event_type, moving, now);
        }
        self.replace(old, &event_type, moving, now)
    }

    /// The attendee takes up the host's request for another time.
    pub(crate) fn take_up(&mut self, moving: &Moving, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let old = self.known(&moving.uid)?.clone();
        if old.status != Status::Cancelled || !old.rescheduled || old.rescheduled_to.is_some() {
            return Err(Refusal::bad("Nobody asked for another time"));
        }
        let event_type = self.kind_of(&old)?.clone();
        self.check_window(&event_type, moving.start, now)?;
        if !self.is_free(&event_type, moving.start, moving.start + (old.end - old.start), None) {
            return Err(Refusal::slot_taken());
        }
        self.replace(old, &event_type, moving, now)
    }

    fn replace(
        &mut self,
        old: Booking,
        event_type: &EventType,
        moving: &Moving,
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        let organizer = self.owner(old.user_id)?.email.clone();
        let by_organizer =
            moving.actor == Actor::Host || moving.by.as_deref().is_some_and(|by| by == organizer);
        let waits = event_type.options.requires_confirmation && !by_organizer;
        let mut new = self.successor(&old, moving, now);
        new.status = if waits { Status::Pending } else { Status::Accepted };
        if !waits && moving.start != old.start {
            self.check_guard(old.user_id, new.start, new.end)?;
        }
        self.begin();
        let from = old.clone();
        let old = Booking {
            status: Status::Cancelled,
            rescheduled: true,
            rescheduled_to: Some(new.uid.clone()),
            rescheduled_by: moving.by.clone(),
            ..old
        };
        self.put(old, now);
        let new = self.put(new, now);
        let trigger = if waits { Trigger::BookingRequested } else { Trigger::BookingRescheduled };
        Ok(moved(trigger, from, new, moving))
    }

    /// Cal.com's own words for what cannot be moved (bookings.service.ts, canRescheduleBooking).
    fn movable(&self, uid: &str) -> Result<(&Booking, &EventType), Refusal> {
        let unknown = || Refusal::not_found(format!("Booking with uid={uid} was not found in the database"));
        let booking = self.booking_or_seat(uid).ok_or_else(unknown)?;
        let cannot =
            |why: &str| Refusal::bad(format!("Can't reschedule booking with uid={uid} because {why}"));
        match (booking.status, &booking.rescheduled_to) {
            (Status::Accepted | Status::Pending, _) => Ok((booking, self.kind_of(booking)?)),
            (Status::Cancelled, Some(successor)) => Err(cannot(&format!(
                "it has been cancelled and rescheduled already to booking with uid={successor}. You \
                 probably want to reschedule {successor} instead by passing it within the request URL."
            ))),
            // The host asked for another time. The source fills in a successor that is not there.
            (Status::Cancelled, None) if booking.rescheduled => Err(cannot(
                "it has been cancelled and rescheduled already to booking with uid=undefined. You \
                 probably want to reschedule undefined instead by passing it within the request URL.",
            )),
            (Status::Cancelled, None) => {
                Err(cannot("it has been cancelled. Please provide uid of a booking that is not cancelled."))
            }
            (Status::Rejected, _) => Err(cannot("it has been rejected.")),
        }
    }

    fn successor(&mut self, old: &Booking, moving: &Moving, now: DateTime<Utc>) -> Booking {
        Booking {
            id: self.next_booking_id(),
            uid: new_uid(),
            start: moving.start,
            end: moving.start + (old.end - old.start),
            rescheduled: false,
            rescheduled_from: Some(old.uid.clone()),
            rescheduled_to: None,
            rescheduled_by: moving.by.clone(),
            rescheduling_reason: moving.reason.clone(),
            ical_sequence: old.ical_sequence + 1,
            created_at: now,
            updated_at: now,
            ..old.clone()
        }
    }

    /// One attendee leaves for another time; the others stay. An empty booking goes with the last one.
    fn move_seat(
        &mut self,
        old: Booking,
        attendee: Attendee,
        event_type: &EventType,
        moving: &Moving,
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        let target = self.shared_booking(event_type, moving.start).filter(|one| one.uid != old.uid).cloned();
        let mut new = match target {
            Some(shared) => shared,
            None => Booking { attendees: Vec::new(), ..self.successor(&old, moving, now) },
        };
        self.begin();
        let (from, mut left) = (old.clone(), old);
        left.attendees.retain(|one| one.id != attendee.id);
        if left.attendees.is_empty() {
            left.status = Status::Cancelled;
            left.rescheduled = true;
            left.rescheduled_to = Some(new.uid.clone());
        }
        self.put(left, now);
        let seat_uid = attendee.seat.as_ref().map(|seat| seat.uid.clone()).unwrap_or_default();
        new.attendees.push(attendee);
        let new = self.put(new, now);
        let change = moved(Trigger::BookingRescheduled, from, new.clone(), moving);
        Ok(Change { shown: Shown::Seat(new, seat_uid), ..change })
    }
}

fn moved(trigger: Trigger, from: Booking, new: Booking, moving: &Moving) -> Change {
    let metadata = match moving.actor {
        Actor::Api(_) => from.metadata.clone(),
        Actor::Attendee | Actor::Host => Map::new(),
    };
    let moved = Moved { from, by: moving.by.clone(), reason: moving.reason.clone(), metadata };
    let event = Event { trigger, booking: new.clone(), detail: Detail::Moved(Box::new(moved)) };
    Change { shown: Shown::One(new), events: vec![event] }
}

pub(super) fn seated<'a>(booking: &'a Booking, seat_uid: &str) -> Option<&'a Attendee> {
    booking.attendees.iter().find(|one| one.seat.as_ref().is_some_and(|seat| seat.uid == seat_uid))
}

pub(super) fn unknown_seat() -> Refusal {
    Refusal::bad("Invalid seatUid: this seat does not exist or has already been cancelled.")
}
