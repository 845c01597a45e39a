//! The one next thing to do about an appointment at its provider, by what it is and what the provider is
//! known to have.

use chrono::{DateTime, Utc};

use super::target::{Living, Standing, offers};
use crate::{
    store::{appointment::Appointment, booking::Booking, event_type::EventType},
    words::{AppointmentStatus, BookingStatus},
};

/// The next thing to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step<'a> {
    /// The provider has what stands here.
    Nothing,
    /// The provider let it wait for the host: here, too.
    Follow,
    Create(&'a EventType),
    Reschedule(&'a Booking),
    Cancel(&'a Booking),
    /// No write makes it so; a code for a person.
    Unfit(&'static str),
}

pub(super) fn next<'a>(row: &Appointment, at: &'a Standing, now: DateTime<Utc>) -> Step<'a> {
    if at.bound.is_some() {
        return Step::Nothing;
    }
    let step = match row.status {
        AppointmentStatus::Booked => booked(row, at, now),
        AppointmentStatus::Cancelled => cancel(at.living.first()),
        // Nobody's to say by a write: a hold and a request are no bookings, and what is over is over.
        AppointmentStatus::Held
        | AppointmentStatus::Requested
        | AppointmentStatus::Completed
        | AppointmentStatus::NoShow
        | AppointmentStatus::Conflicting => Step::Nothing,
    };
    let is_shared = at.living.iter().any(|living| living.is_shared);
    // Cal.com cuts off what is finer, and its answer would be about another time.
    let is_too_fine = !row.start_time.timestamp_subsec_micros().is_multiple_of(1000);
    match step {
        Step::Reschedule(_) | Step::Cancel(_) if is_shared => Step::Unfit("SEATS_OF_OTHERS"),
        Step::Create(_) | Step::Reschedule(_) if is_too_fine => Step::Unfit("START_TOO_FINE"),
        step => step,
    }
}

fn booked<'a>(row: &Appointment, at: &'a Standing, now: DateTime<Utc>) -> Step<'a> {
    let fitting = || at.living.iter().filter(|living| living.fits);
    let head = fitting().find(|living| living.booking.is_current).or_else(|| fitting().next_back());
    let Some(Living { booking: head, .. }) = head else {
        return match &at.target {
            // The new one first: what is given up before could be gone, and then there is none.
            Some(target) if row.start_time > now && offers(target, row.end_time - row.start_time) => {
                Step::Create(target)
            }
            Some(_) if row.start_time > now => Step::Unfit("DURATION_NOT_OFFERED"),
            Some(_) | None => cancel(at.living.first()),
        };
    };
    let stray = at.living.iter().find(|living| living.booking.id != head.id);
    let is_same_length = head.end_time.is_none_or(|end| Some(end - row.end_time) == drift(row, head));
    match (head.status, head.start_time) {
        // Only its id is known yet; a read of it is on its way.
        (BookingStatus::Unknown, _) | (_, None) => Step::Nothing,
        (_, Some(start)) if start != row.start_time && is_same_length => Step::Reschedule(head),
        _ if stray.is_some() => cancel(stray),
        // A move keeps the length.
        _ if !is_same_length => Step::Unfit("DURATION_DIFFERS"),
        (BookingStatus::Pending, _) => Step::Follow,
        _ => Step::Nothing,
    }
}

/// How much later the booking begins than the appointment.
fn drift(row: &Appointment, head: &Booking) -> Option<chrono::TimeDelta> {
    head.start_time.map(|start| start - row.start_time)
}

fn cancel(living: Option<&Living>) -> Step<'_> {
    living.map_or(Step::Nothing, |living| Step::Cancel(&living.booking))
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
