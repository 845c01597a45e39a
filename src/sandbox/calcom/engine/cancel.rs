//! Cancelling. Inline deliveries go out before the bookings are changed, so this is done in two steps.

use chrono::{DateTime, Utc};

use super::reschedule::{seated, unknown_seat};
use super::{Actor, Detail, Event, Shown};
use crate::sandbox::calcom::booking::{Attendee, Booking, Status};
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::webhook::Trigger;
use crate::sandbox::calcom::world::World;

/// What is wanted of a cancellation.
#[derive(Clone, Debug)]
pub(crate) struct Cancelling {
    /// A booking's uid, or that of a recurring series, which ends all of it that is still to come.
    pub(crate) uid: String,
    pub(crate) reason: Option<String>,
    /// Of a recurring booking: the later ones, too.
    pub(crate) subsequent: bool,
    pub(crate) seat_uid: Option<String>,
    pub(crate) actor: Actor,
    /// The host asks the attendee to choose another time.
    pub(crate) request_reschedule: bool,
}

/// A cancellation found possible, and what is told of it: one event, however many bookings end.
#[derive(Clone, Debug)]
pub(crate) struct Ending {
    pub(crate) event: Event,
    uids: Vec<String>,
    seat: Option<Attendee>,
    reason: Option<String>,
    by: Option<String>,
    request_reschedule: bool,
    whole_series: bool,
}

impl World {
    pub(crate) fn plan_cancel(&self, cancelling: &Cancelling, now: DateTime<Utc>) -> Result<Ending, Refusal> {
        let series = self.series(&cancelling.uid);
        let whole_series = !series.is_empty();
        let booking = match series.iter().find(|one| one.is_active() && one.start >= now).or(series.first()) {
            Some(first) => first,
            None => self.booking(&cancelling.uid).ok_or_else(|| {
                Refusal::not_found(format!("Booking with uid={} not found", cancelling.uid))
            })?,
        };
        self.check_cancellable(booking, cancelling, now)?;
        let by = match cancelling.actor {
            Actor::Api(_) => None,
            Actor::Attendee => booking.booker().map(|booker| booker.email.clone()),
            Actor::Host => Some(self.owner(booking.user_id)?.email.clone()),
        };
        let seat = match &cancelling.seat_uid {
            Some(seat_uid) => Some(seated(booking, seat_uid).ok_or_else(unknown_seat)?.clone()),
            None => None,
        };
        let uids = match &booking.recurring_uid {
            Some(uid) if whole_series || cancelling.subsequent => {
                let from = if cancelling.subsequent { booking.start } else { now };
                let is_ended = |one: &Booking| one.is_active() && one.start >= from;
                self.series(uid).into_iter().filter(is_ended).map(|one| one.uid).collect()
            }
            _ => vec![booking.uid.clone()],
        };
        let reason = cancelling.reason.clone();
        let detail = match &seat {
            Some(attendee) => Detail::SeatCancelled { attendee: attendee.clone(), reason: reason.clone() },
            None => Detail::Cancelled {
                by: by.clone(),
                reason: reason.clone(),
                request_reschedule: cancelling.request_reschedule,
                whole_series,
            },
        };
        let event = Event { trigger: Trigger::BookingCancelled, booking: booking.clone(), detail };
        let request_reschedule = cancelling.request_reschedule;
        Ok(Ending { event, uids, seat, reason, by, request_reschedule, whole_series })
    }

    /// Ends the bookings. What has ended otherwise in the meantime stays as it is, though it was told.
    pub(crate) fn end(&mut self, ending: &Ending, now: DateTime<Utc>) -> Shown {
        self.begin();
        let mut ended = Vec::new();
        for uid in &ending.uids {
            let Some(booking) = self.booking(uid).cloned() else { continue };
            if !booking.is_active() {
                ended.push(booking);
                continue;
            }
            let changed = match &ending.seat {
                Some(attendee) => without(booking, attendee),
                None => Booking {
                    status: Status::Cancelled,
                    rescheduled: ending.request_reschedule,
                    cancellation_reason: ending.reason.clone(),
                    cancelled_by: ending.by.clone(),
                    ical_sequence: booking.ical_sequence + 1,
                    ..booking
                },
            };
            ended.push(self.put(changed, now));
        }
        match ended.pop() {
            Some(only) if ended.is_empty() && !ending.whole_series => Shown::One(only),
            last => Shown::Series(ended.into_iter().chain(last).collect()),
        }
    }

    fn check_cancellable(
        &self,
        booking: &Booking,
        cancelling: &Cancelling,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        let options = &self.kind_of(booking)?.options;
        match booking.status {
            Status::Accepted | Status::Pending => {}
            Status::Cancelled => {
                return Err(Refusal::bad(format!(
                    "Can't cancel booking with uid={} because it has been cancelled already. Please \
                     provide uid of a booking that is not cancelled.",
                    cancelling.uid
                )));
            }
            Status::Rejected => return Err(Refusal::engine(400, "This booking has already been rejected.")),
        }
        if booking.end <= now {
            return Err(Refusal::engine(400, "Cannot cancel a booking that has already ended"));
        }
        if options.disable_cancelling {
            return Err(Refusal::engine(400, "This event type does not allow cancellations"));
        }
        if options.requires_cancellation_reason && cancelling.reason.as_deref().is_none_or(str::is_empty) {
            return Err(Refusal::engine(400, "Cancellation reason is required"));
        }
        let is_host =
            matches!(cancelling.actor, Actor::Host) || cancelling.actor == Actor::Api(Some(booking.user_id));
        if options.seats.is_some() && cancelling.seat_uid.is_none() && !is_host {
            return Err(Refusal::engine(401, "User not a host of this event"));
        }
        Ok(())
    }
}

/// The others keep their seats; with the last one the booking ends.
fn without(mut booking: Booking, attendee: &Attendee) -> Booking {
    booking.attendees.retain(|one| one.id != attendee.id);
    if booking.attendees.is_empty() {
        booking.status = Status::Cancelled;
    }
    booking
}
