//! Free slots and their reservation. Version 2024-09-04.
//!
//! Neither is a lock: a slot offered may not be bookable, and a reservation hides a slot from the list while
//! bookings neither need nor consume it. It only makes a collision less likely.

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::Calcom;
use super::call::{Call, instant};
use super::error::CallError;
use crate::provider::fields::{Fields, time};

const VERSION: &str = "2024-09-04";

/// Which slots to ask for.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotQuery<'a> {
    pub event_type_id: i64,
    /// Slots that begin here or later…
    pub start: DateTime<Utc>,
    /// …and before this.
    pub end: DateTime<Utc>,
    /// Of event types with several lengths.
    pub duration_minutes: Option<u32>,
    /// The uid of a booking about to be moved, whose own time then counts as free.
    pub rescheduling: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub start: DateTime<Utc>,
    pub end: Option<DateTime<Utc>>,
    /// Of seated event types.
    pub seats_remaining: Option<u32>,
}

/// What to reserve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRequest {
    pub event_type_id: i64,
    pub start: DateTime<Utc>,
    /// Of event types with several lengths.
    pub duration_minutes: Option<u32>,
    /// Five minutes when absent. Only the event type's owner and fellow members may choose.
    pub reservation_minutes: Option<u32>,
}

/// A reserved slot; give it back after use.
#[derive(Clone, PartialEq, Eq)]
pub struct Reservation {
    pub uid: String,
    pub slot_start: DateTime<Utc>,
    pub slot_end: Option<DateTime<Utc>>,
    pub until: DateTime<Utc>,
}

impl Calcom<'_> {
    /// The slots that begin in the range, in order. The service also offers some beyond its edges; those are
    /// left out here.
    pub async fn slots(&self, query: &SlotQuery<'_>) -> Result<Vec<Slot>, CallError> {
        let call = Call::get(&["slots"])
            .version(VERSION)
            .query("eventTypeId", query.event_type_id)
            .query("start", instant(query.start))
            .query("end", instant(query.end))
            .query("format", "range")
            .query_if("duration", query.duration_minutes)
            .query_if("bookingUidToReschedule", query.rescheduling);
        let answer = self.call(call).await?;
        let days = answer.data()?.as_object().ok_or_else(|| answer.unfit("data"))?;
        let mut slots = Vec::new();
        for day in days.values() {
            let day = day.as_array().ok_or_else(|| answer.unfit("data[]"))?;
            for slot in day {
                slots.push(Slot::of(slot).ok_or_else(|| answer.unfit("data[].start"))?);
            }
        }
        slots.retain(|slot| (query.start..query.end).contains(&slot.start));
        slots.sort_by_key(|slot| slot.start);
        slots.dedup_by_key(|slot| slot.start);
        Ok(slots)
    }

    pub async fn reserve_slot(&self, wanted: &SlotRequest) -> Result<Reservation, CallError> {
        let mut body = Map::new();
        body.insert("eventTypeId".to_owned(), wanted.event_type_id.into());
        body.insert("slotStart".to_owned(), instant(wanted.start).into());
        for (name, minutes) in
            [("slotDuration", wanted.duration_minutes), ("reservationDuration", wanted.reservation_minutes)]
        {
            if let Some(minutes) = minutes {
                body.insert(name.to_owned(), minutes.into());
            }
        }
        let path = ["slots", "reservations"];
        let answer = self.call(Call::post(&path, body.into()).version(VERSION)).await?;
        Reservation::of(answer.object()?).ok_or_else(|| answer.unfit("data.reservationUid"))
    }

    pub async fn release_reservation(&self, uid: &str) -> Result<(), CallError> {
        self.call(Call::delete(&["slots", "reservations", uid]).version(VERSION)).await.map(drop)
    }
}

impl Slot {
    /// A bare text is a start, too: the description shows it so, the service sends objects.
    fn of(value: &Value) -> Option<Self> {
        if let Some(text) = value.as_str() {
            return Some(Self { start: time(text)?, end: None, seats_remaining: None });
        }
        let fields = Fields::of(value)?;
        Some(Self {
            start: fields.time("start")?,
            end: fields.time("end"),
            seats_remaining: fields.count("seatsRemaining"),
        })
    }
}

impl Reservation {
    fn of(fields: Fields<'_>) -> Option<Self> {
        Some(Self {
            uid: fields.key("reservationUid")?,
            slot_start: fields.time("slotStart")?,
            slot_end: fields.time("slotEnd"),
            until: fields.time("reservationUntil")?,
        })
    }
}

// Who knows a uid can use it.

impl fmt::Debug for SlotQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type_id, start, end, .. } = self;
        f.debug_struct("SlotQuery")
            .field("event_type_id", event_type_id)
            .field("start", start)
            .field("end", end)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot_start, until, .. } = self;
        f.debug_struct("Reservation")
            .field("slot_start", slot_start)
            .field("until", until)
            .finish_non_exhaustive()
    }
}
