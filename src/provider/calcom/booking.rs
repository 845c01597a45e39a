//! Bookings: read, listed, made, moved, cancelled. Version 2024-08-13, which the official clients send too;
//! newer ones are published, but their list was seen to time out (2026-09).

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::Calcom;
use super::answer::Answer;
use super::call::{Call, instant};
use super::error::{CallError, Refusal};
use super::new_booking::NewBooking;
use super::person::{Attendee, Host};
use crate::provider::fields::Fields;

const VERSION: &str = "2024-08-13";
const MAX_TAKE: u32 = 250;

/// A booking as the API tells it. Who knows its uid can read, move and cancel it: uids stay out of logs.
#[derive(Clone, PartialEq, Eq)]
pub struct Booking {
    pub uid: String,
    pub id: Option<i64>,
    /// A moved booking's old uid reads as cancelled: look at `rescheduled_to_uid` first.
    pub status: BookingStatus,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub event_type_id: Option<i64>,
    pub event_type_slug: Option<String>,
    pub title: Option<String>,
    /// `integrations:…`, a URL, or free text.
    pub location: Option<String>,
    /// The first one booked.
    pub attendees: Vec<Attendee>,
    pub guests: Vec<String>,
    pub hosts: Vec<Host>,
    /// What a write put there is inherited by every later move, whoever moves: a hint, never proof of origin.
    pub metadata: BTreeMap<String, String>,
    pub rescheduled_from_uid: Option<String>,
    pub rescheduled_to_uid: Option<String>,
    pub rescheduling_reason: Option<String>,
    pub rescheduled_by_email: Option<String>,
    pub cancellation_reason: Option<String>,
    pub cancelled_by_email: Option<String>,
    pub absent_host: bool,
    pub created_at: Option<DateTime<Utc>>,
    /// The only version a booking has.
    pub updated_at: Option<DateTime<Utc>>,
    /// Usually `<first uid>@Cal.com`, but calendars overwrite it: a hint at the lineage.
    pub ics_uid: Option<String>,
    /// The seat just taken, in answers to a create or a move of a seated event type.
    pub seat_uid: Option<String>,
    /// The series this booking is one occurrence of.
    pub recurring_uid: Option<String>,
}

/// Lower case in the API, upper case in webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BookingStatus {
    Accepted,
    /// Waits for the host; occupies nothing.
    Pending,
    Cancelled,
    Rejected,
    /// Instant bookings; undocumented in the API.
    AwaitingHost,
    /// As it was sent, in lower case.
    Other(String),
}

/// What one uid may stand for.
#[expect(clippy::large_enum_variant, reason = "one lives at a time, and briefly")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    One(Booking),
    /// Every occurrence of a recurring booking; at least one.
    Series(Vec<Booking>),
}

/// Which bookings to list, of all that the credential may see. The default is a first page of everything.
#[derive(Clone, PartialEq, Eq)]
pub struct BookingQuery {
    /// Any of these; empty for all.
    pub statuses: Vec<ListStatus>,
    /// Compared exactly; a phone-only attendee has a [`placeholder_email`](super::placeholder_email).
    pub attendee_email: Option<String>,
    pub event_type_ids: Vec<i64>,
    pub after_start: Option<DateTime<Utc>>,
    pub before_end: Option<DateTime<Utc>>,
    pub after_updated_at: Option<DateTime<Utc>>,
    pub before_updated_at: Option<DateTime<Utc>>,
    /// Rows that change while pages are read shift between them: sort by the update and overlap the windows.
    pub sort: Option<Sort>,
    /// 1 to 250.
    pub take: u32,
    pub skip: u32,
}

/// Ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    UpdatedAt,
    Start,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListStatus {
    Upcoming,
    Recurring,
    Past,
    /// The rejected ones too.
    Cancelled,
    Unconfirmed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookingPage {
    pub bookings: Vec<Booking>,
    /// Entries without uid, status, start or end, which had to be left out.
    pub unreadable: usize,
    /// Over all pages.
    pub total: Option<u64>,
    /// Where the next page begins; None at the end.
    pub next_skip: Option<u32>,
}

impl Calcom<'_> {
    /// Books. A series comes back from a recurring event type. Nothing prevents a second booking when this is
    /// repeated blindly: after [`CallError::Unknown`] look it up first.
    pub async fn create_booking(&self, new: &NewBooking) -> Result<Found, CallError> {
        let unfit = new.unfit();
        if !unfit.is_empty() {
            return Err(CallError::Refused(Refusal::Validation { fields: unfit }));
        }
        let answer = self.call(Call::post(&["bookings"], new.body()).version(VERSION)).await?;
        found(&answer)
    }

    /// None when there is no such booking. Read from a replica: just after a change it may be stale.
    pub async fn booking(&self, uid: &str) -> Result<Option<Found>, CallError> {
        match self.call(Call::get(&["bookings", uid]).version(VERSION)).await {
            Ok(answer) => found(&answer).map(Some),
            Err(CallError::Refused(Refusal::NotFound)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// One page.
    pub async fn bookings(&self, query: &BookingQuery) -> Result<BookingPage, CallError> {
        let take = query.take.clamp(1, MAX_TAKE);
        let answer = self.call(query.call(take)).await?;
        let (list, paging) = (answer.list()?, answer.pagination()?);
        let bookings: Vec<Booking> = list.iter().filter_map(Booking::of).collect();
        if bookings.is_empty() && !list.is_empty() {
            return Err(answer.unfit("data[].uid"));
        }
        // Rows that vanish while the page is put together are left out of it, so the count of the answer is
        // not how far it reached.
        let step = paging.count("itemsPerPage").filter(|step| *step > 0).map_or(take, |step| step.min(take));
        let more = paging.flag("hasNextPage").ok_or_else(|| answer.unfit("pagination.hasNextPage"))?;
        Ok(BookingPage {
            unreadable: list.len() - bookings.len(),
            bookings,
            total: paging.int("totalItems").and_then(|total| total.try_into().ok()),
            next_skip: if more { query.skip.checked_add(step) } else { None },
        })
    }

    /// Moves a booking: the answer is a new one with a uid of its own, and the old one reads as cancelled.
    ///
    /// `rescheduled_by` is an e-mail; the organizer's keeps a booking confirmed whose event type wants
    /// confirmation, anybody else's makes it pending while the old time is already free.
    pub async fn reschedule_booking(
        &self,
        uid: &str,
        start: DateTime<Utc>,
        rescheduled_by: Option<&str>,
        reason: Option<&str>,
    ) -> Result<Booking, CallError> {
        let mut body = Map::new();
        body.insert("start".to_owned(), instant(start).into());
        for (name, value) in [("rescheduledBy", rescheduled_by), ("reschedulingReason", reason)] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        let path = ["bookings", uid, "reschedule"];
        let answer = self.call(Call::post(&path, body.into()).version(VERSION)).await?;
        Booking::of(answer.data()?).ok_or_else(|| answer.unfit("data.uid"))
    }

    /// Cancels. A host must give a reason, so one is always sent. A series' uid cancels all that remain.
    pub async fn cancel_booking(&self, uid: &str, reason: &str) -> Result<Found, CallError> {
        let path = ["bookings", uid, "cancel"];
        let body = serde_json::json!({ "cancellationReason": reason });
        let answer = self.call(Call::post(&path, body).version(VERSION)).await?;
        found(&answer)
    }

    /// Gives one seat back; the booking stands while others have theirs.
    pub async fn cancel_seat(&self, uid: &str, seat_uid: &str, reason: &str) -> Result<Found, CallError> {
        let path = ["bookings", uid, "cancel"];
        let body = serde_json::json!({ "seatUid": seat_uid, "cancellationReason": reason });
        let answer = self.call(Call::post(&path, body).version(VERSION)).await?;
        found(&answer)
    }
}

fn found(answer: &Answer) -> Result<Found, CallError> {
    let data = answer.data()?;
    let unfit = || answer.unfit("data.uid");
    match data.as_array() {
        None => Booking::of(data).map(Found::One).ok_or_else(unfit),
        Some(list) => {
            let series: Option<Vec<Booking>> = list.iter().map(Booking::of).collect();
            series.filter(|series| !series.is_empty()).map(Found::Series).ok_or_else(unfit)
        }
    }
}

impl Booking {
    fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        let event_type = fields.object("eventType");
        Some(Self {
            uid: fields.key("uid")?,
            id: fields.int("id"),
            status: BookingStatus::of(&fields.text("status")?),
            start: fields.time("start")?,
            end: fields.time("end")?,
            event_type_id: event_type.and_then(|of| of.int("id")).or_else(|| fields.int("eventTypeId")),
            event_type_slug: event_type.and_then(|of| of.text("slug")),
            title: fields.text("title"),
            location: fields.text("location"),
            attendees: Attendee::all(fields.list("attendees")),
            guests: fields.list("guests").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            hosts: Host::all(fields.list("hosts")),
            metadata: fields.texts("metadata"),
            rescheduled_from_uid: fields.key("rescheduledFromUid"),
            rescheduled_to_uid: fields.key("rescheduledToUid"),
            rescheduling_reason: fields.text("reschedulingReason"),
            rescheduled_by_email: fields.text("rescheduledByEmail"),
            cancellation_reason: fields.text("cancellationReason"),
            cancelled_by_email: fields.text("cancelledByEmail"),
            absent_host: fields.flag("absentHost").unwrap_or_default(),
            created_at: fields.time("createdAt"),
            updated_at: fields.time("updatedAt"),
            ics_uid: fields.key("icsUid"),
            seat_uid: fields.key("seatUid"),
            recurring_uid: fields.key("recurringBookingUid"),
        })
    }

    /// Whether the event type sells seats: then one attendee's cancellation is not the booking's.
    pub fn is_seated(&self) -> bool {
        self.seat_uid.is_some() || self.attendees.iter().any(|attendee| attendee.seat_uid.is_some())
    }
}

impl BookingStatus {
    pub(super) fn of(text: &str) -> Self {
        let folded = text.to_ascii_lowercase();
        match folded.as_str() {
            "accepted" => Self::Accepted,
            "pending" => Self::Pending,
            "cancelled" => Self::Cancelled,
            "rejected" => Self::Rejected,
            "awaiting_host" => Self::AwaitingHost,
            _ => Self::Other(folded),
        }
    }
}

impl Found {
    pub fn bookings(&self) -> &[Booking] {
        match self {
            Self::One(booking) => std::slice::from_ref(booking),
            Self::Series(bookings) => bookings,
        }
    }

    pub fn into_bookings(self) -> Vec<Booking> {
        match self {
            Self::One(booking) => vec![booking],
            Self::Series(bookings) => bookings,
        }
    }
}

impl Default for BookingQuery {
    fn default() -> Self {
        Self {
            statuses: Vec::new(),
            attendee_email: None,
            event_type_ids: Vec::new(),
            after_start: None,
            before_end: None,
            after_updated_at: None,
            before_updated_at: None,
            sort: None,
            take: 100,
            skip: 0,
        }
    }
}

impl BookingQuery {
    fn call(&self, take: u32) -> Call {
        let statuses = self.statuses.iter().map(|status| status.as_str());
        let event_types = self.event_type_ids.iter().map(i64::to_string);
        let call = Call::get(&["bookings"])
            .version(VERSION)
            .query_if("status", joined(statuses))
            .query_if("attendeeEmail", self.attendee_email.as_ref())
            .query_if("eventTypeIds", joined(event_types))
            .query_if("afterStart", self.after_start.map(instant))
            .query_if("beforeEnd", self.before_end.map(instant))
            .query_if("afterUpdatedAt", self.after_updated_at.map(instant))
            .query_if("beforeUpdatedAt", self.before_updated_at.map(instant));
        let call = match self.sort {
            Some(Sort::UpdatedAt) => call.query("sortUpdatedAt", "asc"),
            Some(Sort::Start) => call.query("sortStart", "asc"),
            None => call,
        };
        call.query("take", take).query("skip", self.skip)
    }
}

/// Comma separated, as the API wants its lists.
fn joined<T: AsRef<str>>(items: impl Iterator<Item = T>) -> Option<String> {
    let joined = items.fold(String::new(), |mut joined, item| {
        if !joined.is_empty() {
            joined.push(',');
        }
        joined.push_str(item.as_ref());
        joined
    });
    (!joined.is_empty()).then_some(joined)
}

impl ListStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Recurring => "recurring",
            Self::Past => "past",
            Self::Cancelled => "cancelled",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

// Neither people nor uids have a place in a log line.

impl fmt::Debug for Booking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, status, start, .. } = self;
        f.debug_struct("Booking")
            .field("id", id)
            .field("status", status)
            .field("start", start)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BookingQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type_ids, take, skip, .. } = self;
        f.debug_struct("BookingQuery")
            .field("event_type_ids", event_type_ids)
            .field("take", take)
            .field("skip", skip)
            .finish_non_exhaustive()
    }
}
