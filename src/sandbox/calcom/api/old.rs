//! The contract of 2024-04-15, which answers whoever forgets the version header: other keys, other words for
//! states, no pagination. Only as much of it as such a caller meets.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::bookings;
use super::call::{Answer, Call};
use super::fields::Fields;
use super::list;
use crate::sandbox::calcom::booking::{Booking, NewBooking, Source};
use crate::sandbox::calcom::engine::Cancelling;
use crate::sandbox::calcom::inner::{Inner, Passage};
use crate::sandbox::calcom::payload::millis;
use crate::sandbox::calcom::refusal::Refusal;

pub(super) fn list(inner: &Inner, call: &Call, is_stale: bool) -> Result<Answer, Refusal> {
    let items = list::page(inner, call, is_stale)?.items;
    let bookings: Vec<Value> = items.iter().map(shown).collect();
    Ok(Answer::ok(json!({ "bookings": bookings, "recurringInfo": [], "nextCursor": null })))
}

pub(super) fn get(inner: &Inner, uid: &str, is_stale: bool) -> Result<Answer, Refusal> {
    let booking = bookings::find(&inner.world(), uid, is_stale)?;
    Ok(Answer::ok(shown(&booking)))
}

/// A body of the newer contract has none of the fields this one requires.
pub(super) async fn create(inner: &Arc<Inner>, call: &Call, passage: Passage) -> Result<Answer, Refusal> {
    let mut fields = Fields::of(&call.body);
    let id = fields.number("/eventTypeId");
    let mut wish = NewBooking::new(id.unwrap_or_default(), fields.moment("/start"), "", "");
    wish.time_zone = fields.time_zone("/timeZone");
    wish.language = fields.required_text("/language");
    wish.name = fields.required_text("/responses/name");
    wish.email = Some(fields.required_text("/responses/email"));
    wish.metadata = fields.metadata("/metadata");
    if fields.value("/metadata").is_none() {
        fields.wrong("metadata", "isObject", "must be an object");
    }
    let wish = fields.done(wish)?;
    let made = inner.create(wish, Source::ApiV2, passage).await?;
    let data = made.booking().as_ref().map(shown);
    Ok(Answer::created(data.unwrap_or_default()))
}

/// 201, and three numbers about it.
pub(super) async fn cancel(inner: &Arc<Inner>, call: &Call, passage: Passage) -> Result<Answer, Refusal> {
    let mut fields = Fields::of(&call.body);
    let cancelling = Cancelling {
        uid: call.argument(0).to_owned(),
        reason: fields.text("/cancellationReason"),
        subsequent: false,
        seat_uid: fields.text("/seatReferenceUid"),
        actor: call.actor(),
        request_reschedule: false,
    };
    let cancelling = fields.done(cancelling)?;
    let ended = inner.cancel(cancelling, passage).await?.booking();
    let data = ended.map(
        |one| json!({ "bookingId": one.id, "bookingUid": one.uid, "onlyRemovedAttendee": one.is_active() }),
    );
    let body = json!({ "status": "success", "data": data });
    Ok(Answer::raw(StatusCode::CREATED, body))
}

pub(super) fn event_types(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let user_id = call.user_id()?;
    let world = inner.world();
    let owner = world.owner(user_id)?;
    let own = world.event_types.iter().filter(|one| one.owner_id == user_id);
    let own: Vec<Value> = own.map(|one| one.shown_old()).collect();
    Ok(Answer::ok(json!({
        "eventTypeGroups": [{ "profile": { "slug": owner.username, "name": owner.name }, "eventTypes": own }],
        "profiles": [{ "slug": owner.username, "name": owner.name }],
    })))
}

pub(super) fn event_type(inner: &Inner, call: &Call) -> Result<Answer, Refusal> {
    let world = inner.world();
    let found = super::event_types::own(&world, call)?;
    Ok(Answer::ok(json!({ "eventType": found.shown_old() })))
}

fn shown(booking: &Booking) -> Value {
    let attendees: Vec<Value> = booking
        .attendees
        .iter()
        .map(|one| {
            json!({ "id": one.id, "name": one.name, "email": one.email, "timeZone": one.time_zone,
                    "locale": one.language, "noShow": one.absent })
        })
        .collect();
    json!({
        "id": booking.id,
        "uid": booking.uid,
        "title": booking.title,
        "description": booking.notes,
        "startTime": millis(booking.start),
        "endTime": millis(booking.end),
        "status": booking.status.as_str().to_uppercase(),
        "userId": booking.user_id,
        "eventTypeId": booking.event_type_id,
        "fromReschedule": booking.rescheduled_from,
        "rescheduled": booking.rescheduled,
        "metadata": booking.metadata,
        "attendees": attendees,
    })
}
