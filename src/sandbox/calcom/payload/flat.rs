//! Bodies that are not a booking in an envelope.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::Scene;
use super::parts::{apps, form, millis};
use crate::sandbox::calcom::booking::{Booking, new_uuid};
use crate::sandbox::calcom::engine::Event;
use crate::sandbox::calcom::event_type::object;

/// Neither event type nor organizer.
pub(super) fn no_show(booking: &Booking, emails: &[(String, bool)]) -> Map<String, Value> {
    let attendees: Vec<Value> =
        emails.iter().map(|(email, absent)| json!({ "email": email, "noShow": absent })).collect();
    let message = emails
        .iter()
        .map(|(email, absent)| format!("{email} {} as no-show", if *absent { "marked" } else { "unmarked" }));
    object([
        ("message", json!(message.collect::<Vec<_>>().join(", "))),
        ("attendees", json!(attendees)),
        ("bookingUid", json!(booking.uid)),
        ("bookingId", json!(booking.id)),
    ])
}

/// MEETING_STARTED and MEETING_ENDED: everything at the root, a copy of the row, and `createdAt` the
/// booking's own.
pub(super) fn meeting(event: &Event, scene: Scene<'_>) -> Value {
    let (booking, host) = (&event.booking, scene.host);
    let attendees: Vec<Value> = booking
        .attendees
        .iter()
        .map(|one| {
            json!({ "id": one.id, "email": one.email, "name": one.name, "timeZone": one.time_zone,
                    "phoneNumber": one.phone, "locale": one.language, "bookingId": booking.id,
                    "noShow": one.absent })
        })
        .collect();
    let mut body = object([
        ("triggerEvent", event.trigger.told()),
        ("id", json!(booking.id)),
        ("uid", json!(booking.uid)),
        ("idempotencyKey", json!(new_uuid().to_string())),
        ("userId", json!(host.id)),
        ("userPrimaryEmail", json!(host.email)),
        ("eventTypeId", json!(scene.kind.id)),
        ("title", json!(booking.title)),
        ("description", json!(booking.notes)),
        ("customInputs", json!({})),
        ("responses", form(booking, None)),
        ("startTime", json!(millis(booking.start))),
        ("endTime", json!(millis(booking.end))),
        ("location", json!(booking.location)),
        ("createdAt", json!(millis(booking.created_at))),
        ("updatedAt", json!(millis(booking.created_at))),
        ("status", json!("ACCEPTED")),
        ("paid", json!(booking.paid)),
        ("fromReschedule", json!(booking.rescheduled_from)),
        ("recurringEventId", json!(booking.recurring_uid)),
        ("scheduledJobs", json!([])),
        ("metadata", json!(booking.metadata)),
        ("isRecorded", json!(false)),
        ("iCalUID", json!(booking.ics_uid)),
        ("iCalSequence", json!(booking.ical_sequence)),
        ("noShowHost", json!(booking.absent_host)),
        ("creationSource", json!(booking.source)),
        (
            "user",
            json!({ "email": host.email, "name": host.name, "timeZone": host.time_zone.name(),
                    "username": host.username }),
        ),
        ("attendees", json!(attendees)),
        ("payment", json!([])),
        ("references", json!([])),
        ("appsStatus", apps(booking)),
    ]);
    const EMPTY: [&str; 14] = [
        "destinationCalendarId",
        "cancellationReason",
        "rejectionReason",
        "reassignReason",
        "reassignById",
        "dynamicEventSlugRef",
        "dynamicGroupSlugRef",
        "rescheduled",
        "smsReminderNumber",
        "rating",
        "ratingFeedback",
        "oneTimePassword",
        "cancelledBy",
        "rescheduledBy",
    ];
    body.extend(EMPTY.map(|key| (key.to_owned(), Value::Null)));
    Value::Object(body)
}

/// The button in the settings (testTrigger.handler.ts): no uid, no event type.
pub(crate) fn ping(now: DateTime<Utc>) -> Value {
    let person = |email: &str, name: &str| {
        json!({ "email": email, "name": name, "timeZone": "Europe/London", "language": { "locale": "en" },
                "utcOffset": 0 })
    };
    json!({
        "triggerEvent": "PING",
        "createdAt": millis(now),
        "payload": {
            "type": "Test",
            "title": "Test trigger event",
            "description": "",
            "startTime": millis(now),
            "endTime": millis(now),
            "attendees": [person("attendee@example.net", "Sample Attendee")],
            "organizer": person("no-reply@example.com", "Cal"),
        },
    })
}
