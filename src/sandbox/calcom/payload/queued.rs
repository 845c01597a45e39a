//! Bodies of the queued generation: one builder for all (BookingPayloadBuilder.ts), from what is stored.

use serde_json::{Map, Value, json};

use super::Scene;
use super::inline::recurring;
use super::parts::{attendee, attendees, form, millis, organizer, predecessor, status, video, with_video};
use crate::sandbox::calcom::booking::Attendee;
use crate::sandbox::calcom::booking::new_uuid;
use crate::sandbox::calcom::engine::{Detail, Event};
use crate::sandbox::calcom::event_type::object;

pub(super) fn booking(event: &Event, scene: Scene<'_>) -> Map<String, Value> {
    let booking = &event.booking;
    let ends = matches!(event.detail, Detail::Cancelled { .. });
    let mut payload = object([
        ("bookerUrl", json!("https://cal.com")),
        ("title", json!(booking.title)),
        ("startTime", json!(millis(booking.start))),
        ("endTime", json!(millis(booking.end))),
        ("type", json!(scene.kind.slug)),
        ("organizer", organizer(scene.host, booking.start)),
        ("attendees", attendees(booking, named)),
        ("additionalNotes", json!(booking.notes)),
        ("description", json!(scene.kind.options.description)),
        ("eventTypeId", json!(scene.kind.id)),
        ("hideCalendarNotes", json!(false)),
        ("hideCalendarEventDetails", json!(false)),
        ("hideOrganizerEmail", json!(false)),
        ("schedulingType", Value::Null),
        ("seatsPerTimeSlot", json!(scene.kind.options.seats)),
        ("seatsShowAttendees", json!(false)),
        ("seatsShowAvailabilityCount", json!(false)),
        ("customReplyToEmail", Value::Null),
        ("disableRescheduling", json!(scene.kind.options.disable_rescheduling)),
        ("disableCancelling", json!(scene.kind.options.disable_cancelling)),
        ("customInputs", Value::Null),
        ("responses", form(booking, None)),
        ("userFieldsResponses", json!({})),
        ("location", json!(booking.location)),
        ("iCalUID", json!(booking.ics_uid)),
        ("iCalSequence", json!(booking.ical_sequence)),
        ("requiresConfirmation", json!(scene.kind.options.requires_confirmation)),
        ("uid", json!(booking.uid)),
        ("oneTimePassword", json!(new_uuid().to_string())),
        ("organizationId", Value::Null),
        ("hideBranding", json!(false)),
        ("bookingId", json!(booking.id)),
        ("hashedLink", Value::Null),
        ("status", json!(status(event))),
        ("eventTitle", json!(scene.kind.title)),
        ("eventDescription", Value::Null),
        ("price", json!(scene.kind.options.price_cents)),
        ("currency", json!("eur")),
        ("length", json!(scene.kind.length_minutes)),
        ("assignmentReason", json!([])),
        ("destinationCalendar", Value::Null),
    ]);
    for platform in ["ClientId", "RescheduleUrl", "CancelUrl", "BookingUrl"] {
        payload.insert(format!("platform{platform}"), json!(""));
    }
    video(&mut payload, booking);
    // A cancelled booking has no room left.
    let stored = booking.metadata.clone();
    let metadata = if ends { Value::Object(stored) } else { with_video(stored, booking) };
    payload.insert("metadata".to_owned(), metadata);
    recurring(&mut payload, booking, scene);
    match &event.detail {
        Detail::Moved(moved) if status(event) != "PENDING" || scene.names_predecessor => {
            predecessor(&mut payload, moved, millis);
        }
        Detail::Cancelled { by, reason, .. } => {
            if let Some(by) = by {
                payload.insert("cancelledBy".to_owned(), json!(by));
            }
            if let Some(reason) = reason {
                payload.insert("cancellationReason".to_owned(), json!(reason));
            }
            payload.insert("requestReschedule".to_owned(), json!(false));
        }
        Detail::Rejected { reason } => {
            payload.insert("rejectionReason".to_owned(), json!(reason.as_deref().unwrap_or_default()));
            payload.remove("metadata");
        }
        _ => {}
    }
    payload
}

fn named(one: &Attendee, at: chrono::DateTime<chrono::Utc>) -> Value {
    let mut named = attendee(one, at);
    let (first, last) = one.name.split_once(' ').unwrap_or((&one.name, ""));
    named["firstName"] = json!(first);
    named["lastName"] = json!(last);
    named["bookingSeat"] = match &one.seat {
        Some(seat) => json!({ "referenceUid": seat.uid, "data": { "responses": seat.responses } }),
        None => Value::Null,
    };
    named
}
