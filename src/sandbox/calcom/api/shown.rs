//! Bookings as `cal-api-version: 2024-08-13` shows them.

use serde_json::{Map, Value, json};

use crate::sandbox::calcom::booking::{Attendee, Booking};
use crate::sandbox::calcom::engine::Shown;
use crate::sandbox::calcom::event_type::merge;
use crate::sandbox::calcom::payload::millis;
use crate::sandbox::calcom::world::World;

/// One booking; a booking with seats shows its attendees with theirs.
pub(super) fn booking(world: &World, booking: &Booking) -> Value {
    let owner = world.user(booking.user_id);
    let slug = world.event_type(booking.event_type_id).map(|kind| kind.slug.as_str());
    let has_seats = booking.attendees.iter().any(|one| one.seat.is_some());
    let place = if booking.has_video() { booking.video_url() } else { booking.location.clone() };
    let hosts: Vec<Value> = owner
        .iter()
        .map(|host| {
            json!({ "id": host.id, "name": host.name, "email": host.email, "displayEmail": host.email,
                    "username": host.username, "timeZone": host.time_zone.name() })
        })
        .collect();
    let mut shown = json!({
        "id": booking.id,
        "uid": booking.uid,
        "title": booking.title,
        "description": booking.notes,
        "hosts": hosts,
        "status": booking.status.as_str(),
        "cancellationReason": booking.cancellation_reason.as_deref().or(booking.rejection_reason.as_deref())
            .unwrap_or_default(),
        "cancelledByEmail": booking.cancelled_by.as_deref().unwrap_or_default(),
        "start": millis(booking.start),
        "end": millis(booking.end),
        "duration": booking.minutes(),
        "eventTypeId": booking.event_type_id,
        "eventType": { "id": booking.event_type_id, "slug": slug.unwrap_or_default() },
        "meetingUrl": place,
        "location": place,
        "absentHost": booking.absent_host,
        "createdAt": millis(booking.created_at),
        "updatedAt": millis(booking.updated_at),
        "rating": null,
        "icsUid": booking.ics_uid,
        "attendees": booking.attendees.iter().map(attendee).collect::<Vec<_>>(),
    });
    if !has_seats {
        let rest = json!({ "metadata": booking.metadata, "guests": booking.guests,
                           "bookingFieldsResponses": booking.responses });
        merge(&mut shown, rest);
    } else {
        merge(&mut shown, json!({ "metadata": {}, "bookingFieldsResponses": {} }));
    }
    let optional = [
        ("rescheduledFromUid", &booking.rescheduled_from),
        ("rescheduledToUid", &booking.rescheduled_to),
        ("rescheduledByEmail", &booking.rescheduled_by),
        ("reschedulingReason", &booking.rescheduling_reason),
        ("recurringBookingUid", &booking.recurring_uid),
    ];
    let there =
        optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), json!(value.as_ref()?))));
    merge(&mut shown, Value::Object(there.collect::<Map<_, _>>()));
    shown
}

/// What a change answers with.
pub(super) fn changed(world: &World, shown: &Shown) -> Value {
    match shown {
        Shown::One(one) => booking(world, one),
        Shown::Seat(one, seat_uid) => {
            let mut seen = booking(world, one);
            seen["seatUid"] = json!(seat_uid);
            seen
        }
        Shown::Series(series) => series.iter().map(|one| booking(world, one)).collect(),
    }
}

/// What creating and rescheduling say on top.
pub(super) fn made(world: &World, shown: &Shown) -> Value {
    let mut seen = changed(world, shown);
    let mark = |one: &mut Value| merge(one, json!({ "isPlatformManagedUserBooking": false }));
    match &mut seen {
        Value::Array(series) => series.iter_mut().for_each(mark),
        one => mark(one),
    }
    seen
}

fn attendee(one: &Attendee) -> Value {
    let mut shown = json!({ "name": one.name, "email": one.email, "displayEmail": one.email,
                            "timeZone": one.time_zone, "language": one.language, "absent": one.absent });
    if let Some(phone) = &one.phone {
        shown["phoneNumber"] = json!(phone);
    }
    if let Some(seat) = &one.seat {
        let rest = json!({ "seatUid": seat.uid, "bookingFieldsResponses": seat.responses,
                           "metadata": seat.metadata });
        merge(&mut shown, rest);
    }
    shown
}
