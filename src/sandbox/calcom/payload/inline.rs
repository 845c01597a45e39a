//! Bodies of the inline generation, one per place in Cal.com's source that sends them.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::Scene;
use super::parts::{
    attendee, attendees, booker, filled, form, millis, offset, organizer, predecessor, seconds, status,
    video, with_video,
};
use crate::sandbox::calcom::booking::{Attendee, Booking, Status, new_uuid};
use crate::sandbox::calcom::engine::{Detail, Event};
use crate::sandbox::calcom::event_type::object;
use crate::sandbox::calcom::people::utc_offset_minutes;

type Payload = Map<String, Value>;

/// Made, requested or moved: sent by the request itself (RegularBookingService.ts).
pub(super) fn direct(event: &Event, scene: Scene<'_>) -> Payload {
    let booking = &event.booking;
    let mut payload = core(booking, scene, seconds);
    let reason = match &event.detail {
        Detail::Moved(moved) => moved.reason.as_deref(),
        _ => None,
    };
    payload.extend(object([
        ("attendees", attendees(booking, booker)),
        ("responses", form(booking, reason)),
        ("description", json!(booking.notes)),
        ("schedulingType", Value::Null),
        ("seatsShowAttendees", json!(true)),
        ("seatsShowAvailabilityCount", json!(true)),
        ("destinationCalendar", Value::Null),
        ("requiresConfirmation", json!(scene.kind.options.requires_confirmation)),
        ("oneTimePassword", Value::Null),
        ("hashedLink", Value::Null),
        ("iCalSequence", json!(booking.ical_sequence)),
        ("length", json!(booking.minutes())),
        ("price", json!(scene.kind.options.price_cents)),
        ("status", json!(status(event))),
    ]));
    if booking.has_video() && booking.status == Status::Accepted {
        let request = json!({ "createRequest": { "requestId": new_uuid().to_string() } });
        payload.insert("conferenceData".to_owned(), request);
        video(&mut payload, booking);
    }
    if let Some(phone) = booking.booker().and_then(|booker| booker.phone.as_ref()) {
        payload.insert("smsReminderNumber".to_owned(), json!(phone));
    }
    let metadata = match &event.detail {
        Detail::Moved(moved) => {
            let says_which = status(event) != "PENDING" || scene.names_predecessor;
            if says_which {
                predecessor(&mut payload, moved, seconds);
            }
            // A request carries what is stored; a move what its own request brought along.
            let is_request = status(event) == "PENDING";
            if is_request { booking.metadata.clone() } else { moved.metadata.clone() }
        }
        Detail::Made { metadata } => metadata.clone(),
        _ => Map::new(),
    };
    if !matches!(event.detail, Detail::Moved(_)) {
        payload.insert("iCalUID".to_owned(), json!(booking.ics_uid));
    }
    payload.insert("metadata".to_owned(), with_video(metadata, booking));
    recurring(&mut payload, booking, scene);
    payload
}

/// Confirmed, paid or declined: what the writer once sent as metadata is not in it (handleConfirmation.ts).
pub(super) fn decided(event: &Event, scene: Scene<'_>) -> Payload {
    let booking = &event.booking;
    let mut payload = core(booking, scene, millis);
    payload.extend(object([
        ("attendees", attendees(booking, attendee)),
        ("responses", filled(booking)),
        ("description", Value::Null),
        ("destinationCalendar", json!([])),
        ("requiresConfirmation", json!(scene.kind.options.requires_confirmation)),
        ("seatsShowAttendees", json!(false)),
        ("assignmentReason", Value::Null),
        ("hideBranding", json!(false)),
        ("price", json!(scene.kind.options.price_cents)),
        ("length", json!(scene.kind.length_minutes)),
        ("status", json!(status(event))),
    ]));
    match &event.detail {
        Detail::Rejected { reason } => {
            payload.insert("rejectionReason".to_owned(), json!(reason.as_deref().unwrap_or_default()));
        }
        _ => {
            payload.insert("metadata".to_owned(), with_video(Map::new(), booking));
        }
    }
    payload
}

/// Cancelled, and not yet written down (handleCancelBooking.ts). No metadata.
pub(super) fn cancelled(event: &Event, scene: Scene<'_>) -> Payload {
    let Detail::Cancelled { by, reason, whole_series, .. } = &event.detail else { return Map::new() };
    let mut payload = ending(&event.booking, scene, reason.as_deref());
    payload.insert("attendees".to_owned(), attendees(&event.booking, attendee));
    if let Some(by) = by {
        payload.insert("cancelledBy".to_owned(), json!(by));
    }
    if *whole_series {
        recurring(&mut payload, &event.booking, scene);
    }
    payload
}

/// One seat less (cancelAttendeeSeat.ts): the attendee who left is the only one named.
pub(super) fn seat_cancelled(
    booking: &Booking,
    scene: Scene<'_>,
    left: &Attendee,
    reason: Option<&str>,
) -> Payload {
    let mut payload = ending(booking, scene, Some(reason.unwrap_or_default()));
    let named = json!([{
        "id": left.id, "email": left.email, "name": left.name, "timeZone": left.time_zone,
        "phoneNumber": left.phone, "locale": left.language, "bookingId": booking.id, "noShow": left.absent,
        "language": { "locale": left.language },
        "utcOffset": utc_offset_minutes(left.zone(), booking.start),
    }]);
    payload.insert("attendees".to_owned(), named);
    payload
}

/// The host asks for another time (requestReschedule.handler.ts).
pub(super) fn another_time(
    booking: &Booking,
    scene: Scene<'_>,
    by: Option<&str>,
    reason: Option<&str>,
) -> Payload {
    let host = scene.host;
    let attendees: Vec<Value> = booking
        .attendees
        .iter()
        .map(|one| {
            let mut named = attendee(one, booking.start);
            named["id"] = json!(one.id);
            named["username"] = json!("");
            named
        })
        .collect();
    object([
        ("bookingId", json!(booking.id)),
        ("type", json!(scene.kind.slug)),
        ("title", json!(booking.title)),
        ("description", json!(booking.notes)),
        ("customInputs", json!({})),
        ("responses", filled(booking)),
        ("userFieldsResponses", json!({})),
        ("startTime", json!(offset(booking.start))),
        ("endTime", json!(offset(booking.end))),
        (
            "organizer",
            json!({ "id": host.id, "email": host.email, "name": host.name, "username": host.username,
                    "language": { "locale": host.locale }, "timeZone": host.time_zone.name(),
                    "utcOffset": utc_offset_minutes(host.time_zone, booking.start) }),
        ),
        ("attendees", json!(attendees)),
        ("uid", json!(booking.uid)),
        ("location", json!(booking.location)),
        ("destinationCalendar", json!([])),
        ("iCalUID", json!(booking.ics_uid)),
        ("cancelledBy", json!(by)),
        ("cancellationReason", json!(format!("Please reschedule. {}", reason.unwrap_or_default()))),
        ("status", json!("CANCELLED")),
        ("eventTypeId", json!(scene.kind.id)),
        ("length", json!(scene.kind.length_minutes)),
        ("iCalSequence", json!(booking.ical_sequence + 1)),
        ("eventTitle", json!(scene.kind.title)),
        ("requestReschedule", json!(true)),
    ])
}

pub(super) fn payment(event: &Event, scene: Scene<'_>) -> Payload {
    let booking = &event.booking;
    let mut host = organizer(scene.host, booking.start);
    if let Some(host) = host.as_object_mut() {
        host.remove("usernameInOrg");
    }
    let metadata = if booking.paid {
        json!({ "identifier": "cal.com", "bookingId": booking.id, "eventTypeId": scene.kind.id,
                "bookerEmail": booking.booker().map(|booker| &booker.email), "eventTitle": scene.kind.title,
                "externalId": format!("pi_example_{}", booking.id) })
    } else {
        json!({})
    };
    object([
        ("type", json!(scene.kind.slug)),
        ("title", json!(booking.title)),
        ("description", json!("")),
        ("additionalNotes", json!(booking.notes)),
        ("customInputs", json!({})),
        ("startTime", json!(millis(booking.start))),
        ("endTime", json!(millis(booking.end))),
        ("organizer", host),
        ("attendees", attendees(booking, attendee)),
        ("location", json!(booking.location)),
        ("destinationCalendar", Value::Null),
        ("hideCalendarNotes", json!(false)),
        ("requiresConfirmation", json!(scene.kind.options.requires_confirmation)),
        ("eventTypeId", json!(scene.kind.id)),
        ("seatsShowAttendees", json!(true)),
        ("seatsShowAvailabilityCount", json!(true)),
        ("schedulingType", Value::Null),
        ("iCalUID", json!(booking.ics_uid)),
        ("iCalSequence", json!(booking.ical_sequence)),
        ("uid", json!(booking.uid)),
        ("bookingId", json!(booking.id)),
        ("eventTitle", json!(scene.kind.title)),
        ("eventDescription", json!("")),
        ("price", json!(scene.kind.options.price_cents)),
        ("currency", json!("eur")),
        ("length", json!(scene.kind.length_minutes)),
        ("paymentId", json!(booking.payment_id)),
        ("metadata", metadata),
        ("status", json!(status(event))),
    ])
}

/// The event type's id can be told no more once it is deleted; everything else stays.
fn ending(booking: &Booking, scene: Scene<'_>, reason: Option<&str>) -> Payload {
    let mut payload = core(booking, scene, offset);
    for absent in
        ["hideCalendarNotes", "hideCalendarEventDetails", "disableCancelling", "disableRescheduling"]
    {
        payload.remove(absent);
    }
    payload.extend(object([
        ("length", json!(scene.kind.length_minutes)),
        ("description", json!(booking.notes)),
        ("responses", filled(booking)),
        ("destinationCalendar", json!([])),
        ("seatsShowAttendees", json!(false)),
        ("iCalUID", json!(booking.ics_uid)),
        ("iCalSequence", json!(booking.ical_sequence + 1)),
        ("schedulingType", Value::Null),
        ("hideBranding", json!(false)),
        ("eventDescription", Value::Null),
        ("requiresConfirmation", Value::Null),
        ("price", Value::Null),
        ("status", json!("CANCELLED")),
        ("requestReschedule", json!(false)),
    ]));
    if let Some(reason) = reason {
        payload.insert("cancellationReason".to_owned(), json!(reason));
    }
    payload
}

fn core(booking: &Booking, scene: Scene<'_>, time: fn(DateTime<Utc>) -> String) -> Payload {
    object([
        ("bookerUrl", json!("https://cal.com")),
        ("title", json!(booking.title)),
        ("type", json!(scene.kind.slug)),
        ("startTime", json!(time(booking.start))),
        ("endTime", json!(time(booking.end))),
        ("additionalNotes", json!(booking.notes)),
        ("eventTypeId", json!(scene.kind.id)),
        ("hideCalendarNotes", json!(false)),
        ("hideCalendarEventDetails", json!(false)),
        ("hideOrganizerEmail", json!(false)),
        ("seatsPerTimeSlot", json!(scene.kind.options.seats)),
        ("customReplyToEmail", Value::Null),
        ("disableRescheduling", json!(scene.kind.options.disable_rescheduling)),
        ("disableCancelling", json!(scene.kind.options.disable_cancelling)),
        ("organizer", organizer(scene.host, booking.start)),
        ("customInputs", json!({})),
        ("userFieldsResponses", json!({})),
        ("location", json!(booking.location)),
        ("organizationId", Value::Null),
        ("uid", json!(booking.uid)),
        ("bookingId", json!(booking.id)),
        ("eventTitle", json!(scene.kind.title)),
        ("eventDescription", json!(scene.kind.options.description)),
        ("currency", json!("eur")),
    ])
}

pub(super) fn recurring(payload: &mut Payload, booking: &Booking, scene: Scene<'_>) {
    if let (Some(_), Some(recurrence)) = (&booking.recurring_uid, scene.kind.options.recurrence) {
        payload.insert("recurringEvent".to_owned(), recurrence.told());
    }
}
