//! Free slots, and reservations of them.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::fields::{Fields, moment};
use super::list::wrong;
use crate::sandbox::calcom::availability::{Search, Slot};
use crate::sandbox::calcom::event_type::EventType;
use crate::sandbox::calcom::inner::Inner;
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::reservation::{Reservation, Wanted};
use crate::sandbox::calcom::world::World;

/// A map from dates to slots; dates without any are left out.
pub(super) fn list(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let (from, to) = (edge(call, "start", false)?, edge(call, "end", true)?);
    if to < from {
        return Err(Refusal::bad("Invalid time range given - check the 'start' and 'end' query parameters."));
    }
    let zone = match call.asked("timeZone") {
        Some(name) => Some(
            Tz::from_str(name)
                .map_err(|_| wrong("timeZone", "isTimeZone", "must be a valid IANA time-zone"))?,
        ),
        None => None,
    };
    let world = inner.world();
    let event_type = event_type(&world, call)?;
    let length_minutes = match call.asked("duration") {
        None => event_type.length_minutes,
        Some(text) => {
            let asked = text.parse().map_err(|_| wrong("duration", "isNumber", "must be a number"))?;
            if asked != event_type.length_minutes && !event_type.offers(asked) {
                return Err(Refusal::bad("Invalid 'duration' for this event type"));
            }
            asked
        }
    };
    let moving = call.asked("bookingUidToReschedule");
    let slots = world.slots(Search { event_type, length_minutes, from, to, moving }, inner.clock.now());
    let is_range = call.asked("format") == Some("range");
    let mut days: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for slot in &slots {
        let day = local(slot.start, zone).get(..10).unwrap_or_default().to_owned();
        days.entry(day).or_default().push(shown(slot, zone, is_range, event_type));
    }
    Ok(Answer::ok(json!(days)))
}

pub(super) fn reserve(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let wanted = wanted(call)?;
    let reservation = inner.world().reserve(wanted, inner.clock.now())?;
    Ok(Answer::created(reservation.shown()))
}

/// `null` for one that is not there, or has run out.
pub(super) fn get(inner: &Inner, uid: &str) -> Result<Answer, Refusal> {
    let world = inner.world();
    let found = world.reservation(uid, inner.clock.now()).map(Reservation::shown);
    Ok(Answer::ok(found.unwrap_or_default()))
}

pub(super) fn update(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let wanted = wanted(call)?;
    let reservation = inner.world().move_reservation(call.argument(0), wanted, inner.clock.now())?;
    Ok(Answer::ok(reservation.shown()))
}

pub(super) fn delete(inner: &Inner, uid: &str) -> Result<Answer, Refusal> {
    if inner.world().release(uid) {
        return Ok(Answer::raw(http::StatusCode::OK, json!({ "status": "success" })));
    }
    Err(Refusal::not_found(format!("Slot with uid={uid} not found")))
}

fn wanted(call: &Call) -> Result<Wanted, Refusal> {
    let mut fields = Fields::of(&call.body);
    let id = fields.number("/eventTypeId");
    if fields.value("/eventTypeId").is_none() {
        fields.wrong("eventTypeId", "isInt", "must be an integer number");
    }
    let wanted = Wanted {
        event_type_id: id.unwrap_or_default(),
        start: fields.moment("/slotStart"),
        length_minutes: fields.count("/slotDuration"),
        minutes: fields.count("/reservationDuration"),
        caller: call.key.map(|key| key.user_id),
    };
    fields.done(wanted)
}

fn event_type<'a>(world: &'a World, call: &Call) -> Result<&'a EventType, Refusal> {
    if let Some(id) = call.asked("eventTypeId") {
        let found = id.parse().ok().and_then(|id| world.event_type(id));
        return found.ok_or_else(|| Refusal::not_found(format!("Event Type with ID={id} not found")));
    }
    match (call.asked("eventTypeSlug"), call.asked("username")) {
        (Some(slug), Some(username)) => world.event_type_by_slug(username, slug).ok_or_else(|| {
            Refusal::not_found(format!("Event Type with slug={slug} of user {username} not found"))
        }),
        _ => Err(Refusal::bad("eventTypeId, or eventTypeSlug and username, must be given")),
    }
}

/// A date alone means its beginning as a start and its end as an end, in UTC.
fn edge(call: &Call, name: &str, is_end: bool) -> Result<DateTime<Utc>, Refusal> {
    let bad = || wrong(name, "isDateString", "must be a valid ISO 8601 date string");
    let text = call.asked(name).ok_or_else(bad)?;
    let found = moment(text).ok_or_else(bad)?;
    if is_end && !text.contains('T') { Ok(found + TimeDelta::days(1)) } else { Ok(found) }
}

fn shown(slot: &Slot, zone: Option<Tz>, is_range: bool, event_type: &EventType) -> Value {
    let mut shown = json!({ "start": local(slot.start, zone) });
    if is_range {
        shown["end"] = json!(local(slot.end, zone));
    }
    if let Some(seats) = event_type.options.seats {
        let taken = slot.shared.as_ref().map_or(0, |(_, taken)| *taken);
        shown["seatsTotal"] = json!(seats);
        shown["seatsBooked"] = json!(taken);
        shown["seatsRemaining"] = json!(seats.saturating_sub(taken));
        if let Some((uid, _)) = &slot.shared {
            shown["bookingUid"] = json!(uid);
        }
    }
    shown
}

/// UTC with `Z`, or the asked-for zone's time with its offset.
fn local(moment: DateTime<Utc>, zone: Option<Tz>) -> String {
    match zone {
        None => moment.to_rfc3339_opts(SecondsFormat::Millis, true),
        Some(zone) => moment.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, false),
    }
}
