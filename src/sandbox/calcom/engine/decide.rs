//! Confirming, declining, paying, and who did not come.

use chrono::{DateTime, Utc};

use super::{Change, Detail, Event, Shown};
use crate::sandbox::calcom::booking::{Booking, Status};
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::webhook::Trigger;
use crate::sandbox::calcom::world::World;

impl World {
    /// Accepts a pending booking. Nobody looks whether its time has been given away since.
    pub(crate) fn confirm(&mut self, uid: &str, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let booking = self.pending(uid)?.clone();
        self.begin();
        let booking = self.put(Booking { status: Status::Accepted, ..booking }, now);
        let event =
            Event { trigger: Trigger::BookingCreated, booking: booking.clone(), detail: Detail::Decided };
        Ok(Change { shown: Shown::One(booking), events: vec![event] })
    }

    pub(crate) fn reject(
        &mut self,
        uid: &str,
        reason: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        let booking = self.pending(uid)?.clone();
        self.begin();
        let rejected = Booking { status: Status::Rejected, rejection_reason: reason.clone(), ..booking };
        let booking = self.put(rejected, now);
        let detail = Detail::Rejected { reason };
        let event = Event { trigger: Trigger::BookingRejected, booking: booking.clone(), detail };
        Ok(Change { shown: Shown::One(booking), events: vec![event] })
    }

    /// The attendee pays, and the booking stands.
    pub(crate) fn pay(&mut self, uid: &str, now: DateTime<Utc>) -> Result<Change, Refusal> {
        let booking = self.pending(uid)?.clone();
        if booking.payment_id.is_none() || booking.paid {
            return Err(Refusal::bad(format!("Booking with uid={uid} does not wait for a payment")));
        }
        let waits = self.kind_of(&booking)?.options.requires_confirmation;
        let status = if waits { Status::Pending } else { Status::Accepted };
        self.begin();
        let booking = self.put(Booking { status, paid: true, ..booking }, now);
        let event = |trigger, detail| Event { trigger, booking: booking.clone(), detail };
        let mut events = vec![event(Trigger::BookingPaid, Detail::Payment)];
        if !waits {
            events.push(event(Trigger::BookingCreated, Detail::Decided));
        }
        Ok(Change { shown: Shown::One(booking), events })
    }

    /// Marks absence, or takes it back. Nobody is told of an absent host.
    pub(crate) fn mark_absent(
        &mut self,
        uid: &str,
        host: Option<bool>,
        attendees: &[(String, bool)],
        now: DateTime<Utc>,
    ) -> Result<Change, Refusal> {
        let mut booking = self.known(uid)?.clone();
        if now < booking.start {
            return Err(Refusal::bad(format!(
                "Bookings can only be marked as absent after their start time has passed. Current time \
                 in UTC+0: {now}, Booking start time in UTC+0: {}",
                booking.start
            )));
        }
        booking.absent_host = host.unwrap_or(booking.absent_host);
        let mut emails = Vec::new();
        for (email, absent) in attendees {
            let found = booking.attendees.iter_mut().find(|one| &one.email == email);
            let attendee = found.ok_or_else(|| Refusal::not_found(format!("Attendee {email} not found")))?;
            attendee.absent = *absent;
            emails.push((email.clone(), *absent));
        }
        self.begin();
        let booking = self.put(booking, now);
        let mut events = Vec::new();
        if !emails.is_empty() {
            let detail = Detail::NoShow { emails };
            events.push(Event { trigger: Trigger::BookingNoShowUpdated, booking: booking.clone(), detail });
        }
        Ok(Change { shown: Shown::One(booking), events })
    }

    pub(crate) fn known(&self, uid: &str) -> Result<&Booking, Refusal> {
        let unknown = || Refusal::not_found(format!("Booking with uid={uid} was not found in the database"));
        self.booking_or_seat(uid).ok_or_else(unknown)
    }

    fn pending(&self, uid: &str) -> Result<&Booking, Refusal> {
        let booking = self.known(uid)?;
        match booking.status {
            Status::Pending => Ok(booking),
            Status::Accepted => Err(Refusal::bad("Booking already confirmed")),
            Status::Cancelled | Status::Rejected => {
                Err(Refusal::bad(format!("Booking with uid={uid} is {}", booking.status.as_str())))
            }
        }
    }
}
