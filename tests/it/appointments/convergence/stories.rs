//! What a tool tells of one appointment, from its patient's registration on.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::support::said::{said_at, written};

/// A story is told with the ids of one appointment and one patient, and begins at some time of day.
pub(super) type Story = fn(&str, DateTime<Utc>) -> [Value; 4];

pub(super) fn occurred(event: &str, number: &str, at_s: i64, data: Value) -> Value {
    let at = "2026-02-01T08:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(at_s);
    said_at(&format!("{number}-{event}-{at_s}"), event, at, data)
}

pub(super) fn registered(number: &str, at_s: i64) -> Value {
    let name = json!({ "id": format!("p-{number}"), "vorname": "Erika", "nachname": number });
    occurred("patient.created", number, at_s, name)
}

pub(super) fn appointment(
    number: &str,
    scheduled_at: String,
    minutes: i64,
    therapist: &str,
    status: &str,
) -> Value {
    json!({ "id": format!("a-{number}"), "patient_id": format!("p-{number}"), "scheduled_at": scheduled_at,
        "duration_minutes": minutes, "therapist_name": therapist, "status": status,
        "service_name": format!("Massage {minutes}") })
}

/// The same instant, written in another zone.
fn in_summer(at: DateTime<Utc>) -> String {
    at.with_timezone(&chrono::FixedOffset::east_opt(7200).unwrap()).to_rfc3339()
}

pub(super) fn booked_moved_cancelled(number: &str, start: DateTime<Utc>) -> [Value; 4] {
    let moved = in_summer(start + TimeDelta::hours(1));
    [
        registered(number, 0),
        occurred(
            "appointment.created",
            number,
            1,
            appointment(number, written(start), 30, "Dr. Anna Beispiel", "scheduled"),
        ),
        occurred(
            "appointment.updated",
            number,
            2,
            appointment(number, moved, 45, "Jonas Muster", "confirmed"),
        ),
        occurred("appointment.cancelled", number, 3, json!({ "id": format!("a-{number}"), "reason": "ill" })),
    ]
}

pub(super) fn booked_and_moved_twice(number: &str, start: DateTime<Utc>) -> [Value; 4] {
    let (first, second) = (in_summer(start + TimeDelta::hours(1)), in_summer(start + TimeDelta::hours(2)));
    [
        registered(number, 2),
        occurred(
            "appointment.created",
            number,
            1,
            appointment(number, written(start), 30, "Nobody Known", "scheduled"),
        ),
        occurred(
            "appointment.updated",
            number,
            2,
            appointment(number, first, 45, "Dr. Anna Beispiel", "scheduled"),
        ),
        occurred(
            "appointment.updated",
            number,
            3,
            appointment(number, second, 60, "Dr. Anna Beispiel", "confirmed"),
        ),
    ]
}

pub(super) fn cancelled_and_booked_again(number: &str, start: DateTime<Utc>) -> [Value; 4] {
    let later = in_summer(start + TimeDelta::hours(3));
    [
        registered(number, 9),
        occurred(
            "appointment.created",
            number,
            1,
            appointment(number, written(start), 30, "Dr. Anna Beispiel", "scheduled"),
        ),
        occurred(
            "appointment.cancelled",
            number,
            2,
            json!({ "id": format!("a-{number}"), "reason": "holidays" }),
        ),
        occurred(
            "appointment.updated",
            number,
            3,
            appointment(number, later, 30, "Dr. Anna Beispiel", "confirmed"),
        ),
    ]
}

pub(super) fn moved_and_moved_back(number: &str, start: DateTime<Utc>) -> [Value; 4] {
    let at_first = || appointment(number, written(start), 30, "Dr. Anna Beispiel", "scheduled");
    let moved = in_summer(start + TimeDelta::hours(1));
    [
        registered(number, 0),
        occurred("appointment.created", number, 1, at_first()),
        occurred(
            "appointment.updated",
            number,
            2,
            appointment(number, moved, 45, "Dr. Anna Beispiel", "scheduled"),
        ),
        occurred("appointment.updated", number, 3, at_first()),
    ]
}

pub(super) fn cancelled_booked_again_and_cancelled(number: &str, start: DateTime<Utc>) -> [Value; 4] {
    let cancelled = |at_s| {
        occurred(
            "appointment.cancelled",
            number,
            at_s,
            json!({ "id": format!("a-{number}"), "reason": "ill" }),
        )
    };
    [
        registered(number, 0),
        cancelled(1),
        occurred(
            "appointment.updated",
            number,
            2,
            appointment(number, written(start), 30, "Dr. Anna Beispiel", "scheduled"),
        ),
        cancelled(3),
    ]
}
