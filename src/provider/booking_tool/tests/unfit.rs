//! Bodies that are authentic and do not fit, and the borders of what does.

use super::*;

/// The field and problem of a body that does not fit.
fn flaw(body: &Value) -> (String, Problem) {
    match read(body) {
        Err(ParseError::Unfit { field, problem, .. }) => (field, problem),
        other => panic!("{body} was read as {other:?}"),
    }
}

fn patient_flaw(name: &str, value: Value) -> (String, Problem) {
    flaw(&json!({ "event": "patient.updated", "data": with(patient_data(), name, value) }))
}

fn appointment_flaw(name: &str, value: Value) -> (String, Problem) {
    flaw(&json!({ "event": "appointment.created", "data": with(appointment_data(), name, value) }))
}

fn at(field: &str, problem: Problem) -> (String, Problem) {
    (field.to_owned(), problem)
}

#[test]
fn an_unfit_event_is_kept_under_its_own_envelope() {
    let data = with(appointment_data(), "duration_minutes", json!(0));
    let body = json!({ "id": "evt_9", "event": "appointment.created",
                       "occurred_at": "2026-02-17T09:30:00Z", "data": data });

    let Err(ParseError::Unfit { envelope, event, field, problem }) = read(&body) else {
        panic!("it was read")
    };

    assert_eq!(envelope.id.as_deref(), Some("evt_9"));
    assert_eq!(envelope.kind, Kind::AppointmentCreated);
    assert!(envelope.occurred_time.is_some());
    assert_eq!((event.as_str(), field.as_str()), ("appointment.created", "data.duration_minutes"));
    assert_eq!((problem, problem.reason()), (Problem::OutOfRange, "FIELD_OUT_OF_RANGE"));
}

#[test]
fn an_envelope_that_does_not_fit_is_named() {
    let ping = |name: &str, value: Value| flaw(&with(json!({ "event": "ping" }), name, value));

    for id in [json!(""), json!("evt 1"), json!("évt"), json!("evt\u{0}"), json!(7), json!({})] {
        assert_eq!(ping("id", id.clone()), at("id", Problem::Invalid), "{id}");
    }
    assert_eq!(ping("id", json!("a".repeat(129))), at("id", Problem::TooLong));
    assert!(read(&json!({ "event": "ping", "id": "!~".repeat(64) })).is_ok());

    for time in [json!(""), json!("2026-02-30T00:00:00Z"), json!("2026-02-17"), json!(1_771_320_600)] {
        assert_eq!(ping("occurred_at", time.clone()), at("occurred_at", Problem::Invalid), "{time}");
    }
    assert_eq!(ping("occurred_at", json!("9999-01-01T00:00:00Z")), at("occurred_at", Problem::OutOfRange));

    let Err(ParseError::Unfit { event, field, .. }) = read(&json!({ "event": "pi\u{0}ng" })) else {
        panic!("it was read")
    };
    assert_eq!((event.as_str(), field.as_str()), ("ping", "event"));
    assert_eq!(flaw(&json!({ "event": "a".repeat(201) })), at("event", Problem::Invalid));
}

#[test]
fn what_is_required_is_missed() {
    for (name, data, field) in [
        ("patient.created", json!(null), "data"),
        ("patient.created", json!({}), "data.id"),
        ("patient.updated", json!({ "id": "", "nachname": "Muster" }), "data.id"),
        ("patient.updated", json!({ "id": "p-1" }), "data.nachname"),
        ("patient.updated", json!({ "id": "p-1", "nachname": " ", "last_name": "" }), "data.nachname"),
        ("patient.deleted", json!({}), "data.id"),
        ("appointment.cancelled", json!({ "id": null }), "data.id"),
        ("appointment.created", with(appointment_data(), "id", json!(null)), "data.id"),
        ("appointment.created", with(appointment_data(), "patient_id", json!("")), "data.patient_id"),
        ("appointment.created", with(appointment_data(), "scheduled_at", json!(null)), "data.scheduled_at"),
        (
            "appointment.created",
            with(appointment_data(), "duration_minutes", json!(null)),
            "data.duration_minutes",
        ),
    ] {
        let found = flaw(&json!({ "event": name, "data": data }));
        assert_eq!(found, at(field, Problem::Missing), "{name}");
    }
    assert_eq!(flaw(&json!({ "event": "patient.created" })), at("data", Problem::Missing));
    assert_eq!(flaw(&json!({ "event": "patient.created", "data": [] })), at("data", Problem::Invalid));
}

#[test]
fn ids_are_texts_or_whole_numbers() {
    for (id, text) in [
        (json!("7"), "7"),
        (json!(7), "7"),
        (json!(-7), "-7"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!("ä b"), "ä b"),
    ] {
        assert_eq!(patient_of(with(patient_data(), "id", id)).id, text);
    }

    for id in [json!(1.5), json!(1e30), json!(true), json!(["7"]), json!("a\u{0}"), json!("a\n")] {
        assert_eq!(patient_flaw("id", id.clone()), at("data.id", Problem::Invalid), "{id}");
    }
    assert_eq!(patient_flaw("id", json!("ü".repeat(201))), at("data.id", Problem::TooLong));
    assert_eq!(patient_of(with(patient_data(), "id", json!("ü".repeat(200)))).id.chars().count(), 200);
}

#[test]
fn texts_are_bounded_and_free_of_control_characters() {
    for (name, most) in [
        ("vorname", 200),
        ("first_name", 200),
        ("nachname", 200),
        ("last_name", 200),
        ("email", 320),
        ("telefon", 50),
        ("phone", 50),
    ] {
        let field = format!("data.{name}");
        let data = || match name {
            "last_name" => json!({ "id": "p-1" }),
            _ => patient_data(),
        };
        let found = |value| flaw(&json!({ "event": "patient.created", "data": with(data(), name, value) }));

        patient_of(with(data(), name, json!("é".repeat(most))));
        assert_eq!(found(json!("é".repeat(most + 1))), at(&field, Problem::TooLong));
        for refused in [json!("a\u{0}b"), json!("\u{0}"), json!("a\nb"), json!("\u{85}"), json!(7)] {
            assert_eq!(found(refused), at(&field, Problem::Invalid));
        }
    }
    for name in ["therapist_name", "service_name"] {
        let field = format!("data.{name}");
        appointment_of(with(appointment_data(), name, json!("é".repeat(200))));
        assert_eq!(appointment_flaw(name, json!("é".repeat(201))), at(&field, Problem::TooLong));
        assert_eq!(appointment_flaw(name, json!("a\u{0}")), at(&field, Problem::Invalid));
    }
    let cancelled = |reason: String| {
        flaw(&json!({ "event": "appointment.cancelled", "data": { "id": 1, "reason": reason } }))
    };
    assert_eq!(cancelled("é".repeat(2001)), at("data.reason", Problem::TooLong));
    assert_eq!(cancelled("a\u{0}b".to_owned()), at("data.reason", Problem::Invalid));
}

#[test]
fn a_birth_date_exists_and_is_plausible() {
    for day in ["1880-01-01", "2000-02-29", "2026-02-17", "2026-02-18"] {
        let patient = patient_of(with(patient_data(), "geburtsdatum", json!(day)));
        assert_eq!(patient.birth_date.unwrap().to_string(), day);
    }

    for (name, day, problem) in [
        ("geburtsdatum", "2026-02-30", Problem::Invalid),
        ("birth_date", "1999-02-29", Problem::Invalid),
        ("geburtsdatum", "1999-2-9", Problem::Invalid),
        ("geburtsdatum", "29.02.2000", Problem::Invalid),
        ("geburtsdatum", "2000-02-29T00:00:00Z", Problem::Invalid),
        ("geburtsdatum", "+200-02-29", Problem::Invalid),
        ("geburtsdatum", "0000-00-00", Problem::Invalid),
        ("geburtsdatum", "1879-12-31", Problem::OutOfRange),
        ("birth_date", "2026-02-19", Problem::OutOfRange),
    ] {
        assert_eq!(patient_flaw(name, json!(day)), at(&format!("data.{name}"), problem), "{day}");
    }
}

#[test]
fn a_time_has_its_offset_and_lies_in_our_century() {
    for time in ["2000-01-01T00:00:00Z", "2100-12-31T23:59:59Z", "2026-03-02t09:30:00z"] {
        appointment_of(with(appointment_data(), "scheduled_at", json!(time)));
    }

    for (time, problem) in [
        ("2026-03-02T09:30:00", Problem::Invalid),
        ("2026-03-02", Problem::Invalid),
        ("2026-02-29T09:30:00Z", Problem::Invalid),
        ("2026-03-02T24:30:00Z", Problem::Invalid),
        ("2026-03-02T09:30:00+25:00", Problem::Invalid),
        ("2026-03-02T09:30:00 Europe/Berlin", Problem::Invalid),
        ("1999-12-31T23:59:59Z", Problem::OutOfRange),
        ("2100-12-31T23:59:59-00:01", Problem::OutOfRange),
    ] {
        let found = appointment_flaw("scheduled_at", json!(time));
        assert_eq!(found, at("data.scheduled_at", problem), "{time}");
    }
    let cancelled = json!({ "event": "appointment.cancelled", "data": { "id": 1, "cancelled_at": "now" } });
    assert_eq!(flaw(&cancelled), at("data.cancelled_at", Problem::Invalid));
}

#[test]
fn a_duration_is_1_to_1440_whole_minutes() {
    for minutes in [1, 1440] {
        let data = with(appointment_data(), "duration_minutes", json!(minutes));
        assert_eq!(appointment_of(data).duration_minutes, minutes);
    }

    let found = |value: Value| appointment_flaw("duration_minutes", value).1;
    for minutes in [json!(0), json!(-1), json!(1441), json!(u64::MAX), json!(i64::MIN)] {
        assert_eq!(found(minutes.clone()), Problem::OutOfRange, "{minutes}");
    }
    for minutes in [json!(50.0), json!(50.5), json!("50"), json!(true), json!([50])] {
        assert_eq!(found(minutes.clone()), Problem::Invalid, "{minutes}");
    }
}

#[test]
fn an_undocumented_status_is_invalid() {
    for word in [json!("booked"), json!("Scheduled"), json!("held"), json!(1)] {
        assert_eq!(appointment_flaw("status", word), at("data.status", Problem::Invalid));
    }
}
