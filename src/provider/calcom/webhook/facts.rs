//! What a delivery says about its booking.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::super::booking::BookingStatus;
use super::super::person::{Attendee, Host};
use crate::provider::fields::Fields;

/// A booking as a delivery describes it. Only the times are always there.
#[derive(Clone, PartialEq, Eq)]
pub struct BookingFacts {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    /// What the trigger implies, not what the booking is now; of one seat's cancellation it says cancelled.
    pub status: Option<BookingStatus>,
    pub title: Option<String>,
    pub event_type_slug: Option<String>,
    /// The first one booked. Of one seat's cancellation: only who left.
    pub attendees: Vec<Attendee>,
    pub organizer: Option<Host>,
    /// `integrations:…`, a URL, or free text.
    pub location: Option<String>,
    /// Usually the lineage's; calendars overwrite it.
    pub ical_uid: Option<String>,
    /// Grows along a lineage; a tie breaker at most.
    pub ical_sequence: Option<i64>,
    /// What the writer sent, what is stored, only a video link, or nothing: by trigger and generation.
    pub metadata: BTreeMap<String, String>,
    /// In minutes; often the event type's default, so trust `start` and `end`.
    pub length_minutes: Option<u32>,
    /// Some for event types that several attendees share: then ask the API who is left.
    pub seats_per_slot: Option<u32>,
    pub attendee_seat_id: Option<String>,
    /// One of a series: one cancellation may stand for many, so ask the API.
    pub recurring: bool,
    /// The host cancelled and asked for a new time; a move of this uid may follow.
    pub request_reschedule: bool,
    pub requires_confirmation: Option<bool>,
    /// When a moved booking was before.
    pub former_start: Option<DateTime<Utc>>,
    pub former_end: Option<DateTime<Utc>>,
    pub cancellation_reason: Option<String>,
    pub rejection_reason: Option<String>,
    /// An e-mail address; absent when the API was used.
    pub cancelled_by: Option<String>,
    /// An e-mail address.
    pub rescheduled_by: Option<String>,
    pub payment_id: Option<i64>,
    /// How the booking was first made, as in `API_V2` or `WEBAPP`; MEETING_* only.
    pub creation_source: Option<String>,
}

/// Who did not come.
#[derive(Clone, PartialEq, Eq)]
pub struct NoShow {
    /// What was observed of the host; a host marked by hand is told by no webhook.
    pub host_absent: Option<bool>,
    pub attendees: Vec<Absence>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Absence {
    /// May be one of Cal.com's placeholders: compare it with nothing but the booking's own attendees.
    pub email: String,
    /// False takes an earlier mark back.
    pub absent: bool,
}

impl BookingFacts {
    /// None without a beginning and an end that follows it.
    pub(super) fn of(fields: Fields<'_>) -> Option<Self> {
        let (start, end) = (fields.time("startTime")?, fields.time("endTime")?);
        if end < start {
            return None;
        }
        let recurring = fields.object("recurringEvent").is_some() || fields.key("recurringEventId").is_some();
        Some(Self {
            start,
            end,
            status: fields.text("status").map(|status| BookingStatus::of(&status)),
            title: fields.text("title"),
            event_type_slug: fields.text("type"),
            attendees: Attendee::all(fields.list("attendees")),
            organizer: fields.object("organizer").or_else(|| fields.object("user")).map(Host::of),
            location: fields.text("location"),
            ical_uid: fields.key("iCalUID"),
            ical_sequence: fields.int("iCalSequence"),
            metadata: fields.texts("metadata"),
            length_minutes: fields.count("length"),
            seats_per_slot: fields.count("seatsPerTimeSlot"),
            attendee_seat_id: fields.key("attendeeSeatId"),
            recurring,
            request_reschedule: fields.flag("requestReschedule").unwrap_or_default(),
            requires_confirmation: fields.flag("requiresConfirmation"),
            former_start: fields.time("rescheduleStartTime"),
            former_end: fields.time("rescheduleEndTime"),
            cancellation_reason: fields.text("cancellationReason"),
            rejection_reason: fields.text("rejectionReason"),
            cancelled_by: fields.text("cancelledBy"),
            rescheduled_by: fields.text("rescheduledBy"),
            payment_id: fields.int("paymentId"),
            creation_source: fields.text("creationSource"),
        })
    }
}

impl NoShow {
    /// None when the payload marks nobody.
    pub(super) fn of(fields: Fields<'_>) -> Option<Self> {
        let attendees = fields.list("attendees").iter().filter_map(Fields::of);
        let marked = attendees.filter_map(|attendee| {
            Some(Absence { email: attendee.text("email")?, absent: attendee.flag("noShow")? })
        });
        let marks = Self { host_absent: fields.flag("noShowHost"), attendees: marked.collect() };
        let is_empty = marks.host_absent.is_none() && marks.attendees.is_empty();
        (!is_empty).then_some(marks)
    }
}

impl fmt::Debug for BookingFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, status, .. } = self;
        f.debug_struct("BookingFacts")
            .field("start", start)
            .field("end", end)
            .field("status", status)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NoShow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host_absent, attendees } = self;
        f.debug_struct("NoShow")
            .field("host_absent", host_absent)
            .field("attendees", &attendees.len())
            .finish()
    }
}

impl fmt::Debug for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Absence").field("absent", &self.absent).finish_non_exhaustive()
    }
}
