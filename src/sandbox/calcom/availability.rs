//! When a host can be booked.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::booking::{Booking, Status, minutes};
use super::event_type::EventType;
use super::people::{Span, User};
use super::refusal::Refusal;
use super::world::World;

/// Further ahead nobody is shown anything.
const LONGEST_RANGE: Days = Days::new(366);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    /// Of a booking with seats left: its uid and how many are taken.
    pub(crate) shared: Option<(String, u32)>,
}

/// What a slot is looked for.
#[derive(Clone, Copy)]
pub(crate) struct Search<'a> {
    pub(crate) event_type: &'a EventType,
    pub(crate) length_minutes: u32,
    pub(crate) from: DateTime<Utc>,
    pub(crate) to: DateTime<Utc>,
    /// A booking that is about to be moved takes no time.
    pub(crate) moving: Option<&'a str>,
}

impl World {
    /// Whether the event type's own rules let anybody book this time.
    pub(crate) fn check_window(
        &self,
        event_type: &EventType,
        start: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        if start < now {
            return Err(Refusal::bad("Attempting to book a meeting in the past."));
        }
        if is_in_window(event_type, start, now) { Ok(()) } else { Err(Refusal::out_of_bounds()) }
    }

    /// Accepted bookings, the host's other appointments and working hours; pending bookings hold nothing.
    pub(crate) fn is_free(
        &self,
        event_type: &EventType,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        moving: Option<&str>,
    ) -> bool {
        let works = self.user(event_type.owner_id).is_some_and(|owner| owner.works(start, end));
        works && !self.busy(event_type, (start, end), moving).iter().any(|span| overlap(*span, (start, end)))
    }

    /// The booking with seats that a further attendee would join.
    pub(crate) fn shared_booking(&self, event_type: &EventType, start: DateTime<Utc>) -> Option<&Booking> {
        event_type.options.seats?;
        self.bookings().iter().find(|one| {
            one.event_type_id == event_type.id && one.start == start && one.status == Status::Accepted
        })
    }

    /// Cal.com's list of slots: hints, in the order of time.
    pub(crate) fn slots(&self, search: Search<'_>, now: DateTime<Utc>) -> Vec<Slot> {
        let Some(owner) = self.user(search.event_type.owner_id) else { return Vec::new() };
        let length = minutes(search.length_minutes);
        let latest = search.from.checked_add_days(LONGEST_RANGE).unwrap_or(search.to);
        let range = (search.from, search.to.min(latest));
        let busy = self.busy(search.event_type, range, search.moving);
        let reserved: Vec<Span> = self
            .reservations
            .iter()
            .filter(|one| one.event_type_id == search.event_type.id && one.until > now)
            .map(|one| (one.start, one.end))
            .collect();
        let mut slots = Vec::new();
        for start in starts(owner, search, range) {
            let span = (start, start + length);
            let is_open = start >= now && is_in_window(search.event_type, start, now);
            if !is_open || reserved.iter().any(|taken| overlap(*taken, span)) || !owner.works(span.0, span.1)
            {
                continue;
            }
            if let Some(shared) = self.shared_booking(search.event_type, start) {
                let taken = u32::try_from(shared.attendees.len()).unwrap_or(u32::MAX);
                if search.event_type.options.seats.is_some_and(|seats| taken < seats) {
                    slots.push(Slot { start, end: span.1, shared: Some((shared.uid.clone(), taken)) });
                }
            } else if !busy.iter().any(|taken| overlap(*taken, span)) {
                slots.push(Slot { start, end: span.1, shared: None });
            }
        }
        slots
    }

    /// What keeps the host from something of this event type, buffers included. A booking keeps its own
    /// buffers and those of what would come beside it (packages/core/getBusyTimes.ts).
    fn busy(&self, event_type: &EventType, (from, to): Span, moving: Option<&str>) -> Vec<Span> {
        let (before, after) =
            (event_type.options.buffer_before_minutes, event_type.options.buffer_after_minutes);
        let accepted = self.bookings().iter().filter(|one| {
            one.status == Status::Accepted
                && one.user_id == event_type.owner_id
                && Some(one.uid.as_str()) != moving
        });
        let booked = accepted.map(|one| {
            let own = self.event_type(one.event_type_id).map(|own| &own.options);
            let own_before = own.map_or(0, |own| own.buffer_before_minutes);
            let own_after = own.map_or(0, |own| own.buffer_after_minutes);
            (one.start - minutes(own_before + after), one.end + minutes(own_after + before))
        });
        let elsewhere = self.elsewhere.iter().filter(|(user_id, ..)| *user_id == event_type.owner_id);
        let elsewhere = elsewhere.map(|(_, start, end)| (*start - minutes(after), *end + minutes(before)));
        booked.chain(elsewhere).filter(|span| overlap(*span, (from, to))).collect()
    }
}

/// The starts within the range, each day anew from the beginning of the working hours.
fn starts(owner: &User, search: Search<'_>, (from, to): Span) -> Vec<DateTime<Utc>> {
    let interval = search.event_type.options.slot_interval_minutes.unwrap_or(search.length_minutes).max(1);
    let day = |moment: DateTime<Utc>| moment.with_timezone(&owner.time_zone).date_naive();
    let (first, last): (NaiveDate, NaiveDate) = (day(from), day(to));
    let mut starts = Vec::new();
    for (open, close) in
        first.iter_days().take_while(|date| *date <= last).flat_map(|date| owner.open_on(date))
    {
        let mut start = open;
        while start < close && start < to {
            if start >= from {
                starts.push(start);
            }
            start += minutes(interval);
        }
    }
    starts
}

fn is_in_window(event_type: &EventType, start: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let options = &event_type.options;
    let is_soon_enough = options.window_days.is_none_or(|days| start <= now + TimeDelta::days(days.into()));
    start >= now + minutes(options.notice_minutes) && is_soon_enough
}

fn overlap(one: Span, other: Span) -> bool {
    one.0 < other.1 && other.0 < one.1
}
