//! What several bodies have in common.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::sandbox::calcom::booking::{Attendee, Booking, Status};
use crate::sandbox::calcom::engine::{Event, Moved};
use crate::sandbox::calcom::people::{User, utc_offset_minutes};
use crate::sandbox::calcom::webhook::Trigger;

/// `2026-10-14T07:30:00.000Z`.
pub(crate) fn millis(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// `2026-10-14T07:30:00Z`, as a request wrote it.
pub(super) fn seconds(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// `2026-10-14T07:30:00+00:00`, as dayjs writes it.
pub(super) fn offset(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, false)
}

pub(super) fn organizer(host: &User, at: DateTime<Utc>) -> Value {
    let first_word = host.username.split('-').next();
    json!({
        "id": host.id,
        "name": host.name,
        "email": host.email,
        "username": host.username,
        "usernameInOrg": first_word,
        "timeZone": host.time_zone.name(),
        "language": { "locale": host.locale },
        "timeFormat": "HH:mm",
        "utcOffset": utc_offset_minutes(host.time_zone, at),
    })
}

/// As the row says.
pub(super) fn attendee(one: &Attendee, at: DateTime<Utc>) -> Value {
    json!({
        "name": one.name,
        "email": one.email,
        "timeZone": one.time_zone,
        "phoneNumber": one.phone,
        "language": { "locale": one.language },
        "utcOffset": utc_offset_minutes(one.zone(), at),
    })
}

/// As the form of the booking page says.
pub(super) fn booker(one: &Attendee, at: DateTime<Utc>) -> Value {
    let mut booker = attendee(one, at);
    booker["firstName"] = json!("");
    booker["lastName"] = json!("");
    if let (Some(object), None) = (booker.as_object_mut(), &one.phone) {
        object.remove("phoneNumber");
    }
    booker
}

pub(super) fn attendees(booking: &Booking, told: impl Fn(&Attendee, DateTime<Utc>) -> Value) -> Value {
    booking.attendees.iter().map(|one| told(one, booking.start)).collect()
}

/// Every field of the form; those left empty have no `value`.
pub(super) fn form(booking: &Booking, reason: Option<&str>) -> Value {
    let Some(booker) = booking.booker() else { return json!({}) };
    let field = |label: &str, value: Option<Value>, hidden: bool| match value {
        Some(value) => json!({ "label": label, "value": value, "isHidden": hidden }),
        None => json!({ "label": label, "isHidden": hidden }),
    };
    let notes = (!booking.notes.is_empty()).then(|| json!(booking.notes));
    let place = json!({ "optionValue": "", "value": booking.location });
    let phone = booker.phone.as_ref().map(|phone| json!(phone));
    let mut form = json!({
        "name": field("your_name", Some(json!(booker.name)), false),
        "email": field("email_address", Some(json!(booker.email)), false),
        "attendeePhoneNumber": field("phone_number", phone.clone(), phone.is_none()),
        "location": field("location", Some(place), false),
        "title": field("what_is_this_meeting_about", None, true),
        "notes": field("additional_notes", notes, false),
        "guests": field("additional_guests", Some(json!(booking.guests)), false),
        "rescheduleReason": field("reason_for_reschedule", reason.map(|reason| json!(reason)), false),
    });
    for (slug, value) in own_fields(booking) {
        form[slug] = field(slug, Some(value.clone()), false);
    }
    form
}

/// The fields that were filled in, under their own names.
pub(super) fn filled(booking: &Booking) -> Value {
    let Some(booker) = booking.booker() else { return json!({}) };
    let mut filled = json!({
        "name": { "label": "name", "value": booker.name },
        "email": { "label": "email", "value": booker.email },
        "guests": { "label": "guests", "value": booking.guests },
    });
    if !booking.notes.is_empty() {
        filled["notes"] = json!({ "label": "notes", "value": booking.notes });
    }
    for (slug, value) in own_fields(booking) {
        filled[slug] = json!({ "label": slug, "value": value });
    }
    filled
}

fn own_fields(booking: &Booking) -> impl Iterator<Item = (&String, &Value)> {
    const DEFAULT: [&str; 5] = ["name", "email", "displayEmail", "attendeePhoneNumber", "notes"];
    booking.responses.iter().filter(|(slug, _)| !DEFAULT.contains(&slug.as_str()))
}

/// Metadata as a webhook carries it: with the address of the video room, which a booking has while it stands.
pub(super) fn with_video(mut metadata: Map<String, Value>, booking: &Booking) -> Value {
    if booking.has_video() && booking.status == Status::Accepted {
        metadata.insert("videoCallUrl".to_owned(), json!(booking.video_url()));
    }
    Value::Object(metadata)
}

/// What the video integration adds.
pub(super) fn video(payload: &mut Map<String, Value>, booking: &Booking) {
    if booking.has_video() {
        let room = format!("room-{}", booking.id);
        let url = format!("https://video.example.com/{room}");
        let call = json!({ "type": "daily_video", "id": room, "password": "example-room-token", "url": url });
        payload.insert("videoCallData".to_owned(), call);
        payload.insert("appsStatus".to_owned(), apps(booking));
    }
}

pub(super) fn apps(booking: &Booking) -> Value {
    if !booking.has_video() {
        return json!([]);
    }
    json!([{ "appName": "daily-video", "type": "daily_video", "success": 1, "failures": 0, "errors": [] }])
}

/// The booking that was replaced.
pub(super) fn predecessor(
    payload: &mut Map<String, Value>,
    moved: &Moved,
    time: fn(DateTime<Utc>) -> String,
) {
    payload.insert("rescheduleId".to_owned(), json!(moved.from.id));
    payload.insert("rescheduleUid".to_owned(), json!(moved.from.uid));
    payload.insert("rescheduleStartTime".to_owned(), json!(time(moved.from.start)));
    payload.insert("rescheduleEndTime".to_owned(), json!(time(moved.from.end)));
    if let Some(by) = &moved.by {
        payload.insert("rescheduledBy".to_owned(), json!(by));
    }
}

/// A constant of the trigger, not the booking's state.
pub(super) fn status(event: &Event) -> &'static str {
    match event.trigger {
        Trigger::BookingRequested => "PENDING",
        Trigger::BookingCancelled => "CANCELLED",
        Trigger::BookingRejected => "REJECTED",
        _ => "ACCEPTED",
    }
}
