//! Bookings, one at a time.

use std::sync::Arc;

use serde_json::Value;

use super::call::{Answer, Call};
use super::fields::Fields;
use super::operation::Operation;
use super::shown;
use crate::sandbox::calcom::booking::{Booking, NewBooking, Source};
use crate::sandbox::calcom::engine::{Actor, Cancelling, Change, Moving, Shown};
use crate::sandbox::calcom::inner::{Inner, Passage};
use crate::sandbox::calcom::refusal::Refusal;
use crate::sandbox::calcom::world::World;

pub(super) async fn create(inner: &Arc<Inner>, call: &Call, passage: Passage) -> Result<Answer, Refusal> {
    let wish = wish(inner, call)?;
    let made = inner.create(wish, Source::ApiV2, passage).await?;
    Ok(Answer::created(shown::made(&inner.world(), &made)))
}

/// By its own uid, by that of a seat in it, or all of a series by the series' uid.
pub(super) fn get(inner: &Inner, uid: &str, is_stale: bool) -> Result<Answer, Refusal> {
    let world = inner.world();
    let series = world.series(uid);
    if !series.is_empty() {
        return Ok(Answer::ok(shown::changed(&world, &Shown::Series(series))));
    }
    let booking = find(&world, uid, is_stale)?;
    Ok(Answer::ok(shown::booking(&world, &booking)))
}

pub(super) fn find(world: &World, uid: &str, is_stale: bool) -> Result<Booking, Refusal> {
    let current = world.known(uid)?;
    if !is_stale {
        return Ok(current.clone());
    }
    let before = world.bookings_before().into_iter().find(|one| one.uid == current.uid);
    before.ok_or_else(|| Refusal::not_found(format!("Booking with uid={uid} was not found in the database")))
}

pub(super) async fn reschedule(inner: &Arc<Inner>, call: &Call, passage: Passage) -> Result<Answer, Refusal> {
    let mut fields = Fields::of(&call.body);
    let moving = Moving {
        uid: call.argument(0).to_owned(),
        start: fields.moment("/start"),
        by: fields.email("/rescheduledBy"),
        reason: fields.text("/reschedulingReason"),
        seat_uid: fields.text("/seatUid"),
        actor: call.actor(),
        unchecked: false,
    };
    let moving = fields.done(moving)?;
    let moved = inner.reschedule(moving, passage).await?;
    Ok(Answer::created(shown::made(&inner.world(), &moved)))
}

pub(super) async fn cancel(inner: &Arc<Inner>, call: &Call, passage: Passage) -> Result<Answer, Refusal> {
    let mut fields = Fields::of(&call.body);
    let asks_for_another_time = call.operation == Operation::RequestReschedule;
    let reason = if asks_for_another_time { "/rescheduleReason" } else { "/cancellationReason" };
    let cancelling = Cancelling {
        uid: call.argument(0).to_owned(),
        reason: fields.text(reason),
        subsequent: fields.flag("/cancelSubsequentBookings").unwrap_or_default(),
        seat_uid: fields.text("/seatUid"),
        actor: if asks_for_another_time { Actor::Host } else { call.actor() },
        request_reschedule: asks_for_another_time,
    };
    let cancelling = fields.done(cancelling)?;
    if asks_for_another_time {
        check_owner(&inner.world(), call)?;
    }
    let ended = inner.cancel(cancelling, passage).await?;
    Ok(Answer::ok(shown::changed(&inner.world(), &ended)))
}

/// Confirming, declining and marking absence: the host's own.
pub(super) async fn decide(inner: &Arc<Inner>, call: &Call, passage: Passage) -> Result<Answer, Refusal> {
    let uid = call.argument(0);
    check_owner(&inner.world(), call)?;
    inner.before_applying(passage).await;
    let change: Change = match call.operation {
        Operation::ConfirmBooking => inner.world().confirm(uid, inner.clock.now())?,
        Operation::DeclineBooking => {
            let mut fields = Fields::of(&call.body);
            let reason = fields.text("/reason");
            inner.world().reject(uid, fields.done(reason)?, inner.clock.now())?
        }
        _ => {
            let (host, attendees) = absence(&call.body)?;
            inner.world().mark_absent(uid, host, &attendees, inner.clock.now())?
        }
    };
    inner.tell(change.events).await;
    Ok(Answer::ok(shown::changed(&inner.world(), &change.shown)))
}

type Absence = (Option<bool>, Vec<(String, bool)>);

fn absence(body: &Value) -> Result<Absence, Refusal> {
    let mut fields = Fields::of(body);
    let host = fields.flag("/host");
    let listed = fields.value("/attendees").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut attendees = Vec::new();
    for one in &listed {
        let (email, absent) = (one["email"].as_str(), one["absent"].as_bool());
        match (email, absent) {
            (Some(email), Some(absent)) => attendees.push((email.to_owned(), absent)),
            _ => fields.wrong("attendees", "nested", "must have email and absent"),
        }
    }
    if host.is_none() && attendees.is_empty() {
        fields.wrong("host", "atLeastOne", "or attendees must be given");
    }
    fields.done((host, attendees))
}

fn check_owner(world: &World, call: &Call) -> Result<(), Refusal> {
    let (booking, user_id) = (world.known(call.argument(0))?, call.user_id()?);
    if booking.user_id == user_id {
        return Ok(());
    }
    let uid = &booking.uid;
    Err(Refusal::framework(403, format!("User with id={user_id} is not an owner of booking with uid={uid}")))
}

fn wish(inner: &Inner, call: &Call) -> Result<NewBooking, Refusal> {
    let mut fields = Fields::of(&call.body);
    let mut wish = NewBooking::new(0, fields.moment("/start"), "", "");
    wish.name = fields.required_text("/attendee/name");
    wish.time_zone = fields.time_zone("/attendee/timeZone");
    wish.email = fields.email("/attendee/email");
    wish.phone = fields.phone("/attendee/phoneNumber");
    wish.language = fields.language("/attendee/language");
    wish.length_minutes = fields.count("/lengthInMinutes");
    wish.guests = fields.texts("/guests");
    wish.metadata = fields.metadata("/metadata");
    wish.responses = fields.object("/bookingFieldsResponses");
    wish.occurrences = fields.count("/recurrenceCount");
    wish.verification_code = fields.text("/emailVerificationCode");
    if wish.email.is_none() && wish.phone.is_none() {
        fields.wrong("attendee", "email", "must have an email or a phoneNumber");
    }
    let id = fields.number("/eventTypeId");
    let (slug, username) = (fields.text("/eventTypeSlug"), fields.text("/username"));
    let team = fields.text("/teamSlug");
    let (id, slug, username, team) = fields.done((id, slug, username, team))?;
    let world = inner.world();
    let event_type = match (id, slug, username, team) {
        (Some(id), ..) => {
            let unknown = || Refusal::not_found(format!("Event type with id {id} not found."));
            world.event_type(id).ok_or_else(unknown)?
        }
        (None, Some(slug), Some(username), _) => {
            world.event_type_by_slug(&username, &slug).ok_or_else(|| {
                Refusal::not_found(format!(
                    "Event type with slug {slug} belonging to user {username} not found."
                ))
            })?
        }
        (None, Some(slug), None, Some(team)) => {
            return Err(Refusal::not_found(format!(
                "Event type with slug {slug} belonging to team {team} not found."
            )));
        }
        _ => {
            return Err(Refusal::bad(
                "Either eventTypeId or eventTypeSlug + username or eventTypeSlug + teamSlug must be provided",
            ));
        }
    };
    wish.event_type_id = event_type.id;
    wish.location = location(call.body.get("location"), &event_type.options.locations)?;
    Ok(wish)
}

/// As Cal.com keeps it. An object's kind must be one the event type has; a text is the old way.
fn location(asked: Option<&Value>, offered: &[String]) -> Result<Option<String>, Refusal> {
    let Some(asked) = asked.filter(|asked| !asked.is_null()) else { return Ok(None) };
    if let Some(text) = asked.as_str() {
        return Ok(Some(text.to_owned()));
    }
    let kind = asked["type"].as_str().unwrap_or_default();
    if !offered.iter().any(|one| one == kind) {
        return Err(Refusal::bad(format!(
            "Booking location with type {kind} not valid for event type. The event type has the \
             following location types: {}",
            offered.join(", ")
        )));
    }
    let said = ["address", "location", "phone", "link"].iter().find_map(|key| asked[*key].as_str());
    let kept = match kind {
        "integration" | "organizersDefaultApp" => "integrations:daily",
        _ => said.unwrap_or(kind),
    };
    Ok(Some(kept.to_owned()))
}

impl Call {
    pub(super) fn actor(&self) -> Actor {
        Actor::Api(self.key.map(|key| key.user_id))
    }
}
