use chrono::TimeZone as _;
use serde_json::json;

use super::*;

mod properties;
mod unfit;

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 2, 17, 12, 0, 0).unwrap()
}

fn read(body: &Value) -> Result<(Envelope, Event), ParseError> {
    parse_at(body.to_string().as_bytes(), now())
}

fn event(name: &str, data: Value) -> Event {
    read(&json!({ "event": name, "data": data })).unwrap().1
}

fn patient_of(data: Value) -> ToolPatient {
    match event("patient.created", data) {
        Event::PatientUpserted { patient, .. } => patient,
        other => panic!("{other:?}"),
    }
}

fn appointment_of(data: Value) -> ToolAppointment {
    match event("appointment.updated", data) {
        Event::AppointmentUpserted { created: false, appointment } => appointment,
        other => panic!("{other:?}"),
    }
}

fn patient_data() -> Value {
    json!({ "id": "p-1", "nachname": "Muster" })
}

fn appointment_data() -> Value {
    json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": "2026-03-02T09:30:00+01:00",
            "duration_minutes": 50 })
}

fn with(mut data: Value, name: &str, value: Value) -> Value {
    data[name] = value;
    data
}

#[test]
fn a_full_delivery_is_read_with_its_envelope() {
    let body = json!({
        "id": "evt_01J9", "event": "patient.created", "occurred_at": "2026-02-17T10:30:00.1234567+01:00",
        "data": { "id": "p-1", "vorname": "Erika", "nachname": " Muster ", "email": "erika@example.org ",
                  "telefon": "+49 30 1234567", "geburtsdatum": "1984-02-29", "newsletter": true },
        "schema": 3,
    });

    let (envelope, event) = read(&body).unwrap();

    assert_eq!(envelope.id.as_deref(), Some("evt_01J9"));
    assert_eq!(envelope.kind, Kind::PatientCreated);
    assert_eq!(envelope.occurred_time.unwrap().to_rfc3339(), "2026-02-17T09:30:00.123456+00:00");
    let patient = ToolPatient {
        id: "p-1".to_owned(),
        first_name: Some("Erika".to_owned()),
        last_name: "Muster".to_owned(),
        email: Some("erika@example.org".to_owned()),
        phone: Some("+49 30 1234567".to_owned()),
        birth_date: NaiveDate::from_ymd_opt(1984, 2, 29),
    };
    assert_eq!(event, Event::PatientUpserted { created: true, patient });
}

#[test]
fn old_versions_have_neither_id_nor_time() {
    for body in [json!({ "event": "ping" }), json!({ "event": "ping", "id": null, "occurred_at": null })] {
        let (envelope, event) = read(&body).unwrap();

        assert_eq!(envelope, Envelope { id: None, kind: Kind::Ping, occurred_time: None });
        assert_eq!(event, Event::Ping);
    }
}

#[test]
fn english_names_serve_and_german_ones_win() {
    let english = json!({ "id": 7, "first_name": "Max", "last_name": "Beispiel", "phone": "030 1",
                          "birth_date": "1990-01-31" });
    let both = json!({ "id": "7", "vorname": "Max", "first_name": "Other", "nachname": "Beispiel",
                       "last_name": "Other", "telefon": "030 1", "phone": "030 2",
                       "geburtsdatum": "1990-01-31", "birth_date": "1991-01-31" });
    let blank_german = json!({ "id": "7", "vorname": "", "first_name": "Max", "nachname": null,
                               "last_name": "Beispiel", "telefon": "  ", "phone": "030 1",
                               "geburtsdatum": "", "birth_date": "1990-01-31" });

    let expected = patient_of(english);

    assert_eq!(expected.first_name.as_deref(), Some("Max"));
    assert!(patient_of(both) == expected && patient_of(blank_german) == expected);
}

#[test]
fn null_and_empty_mean_absent() {
    let bare = patient_of(patient_data());
    let nulls = json!({ "id": "p-1", "vorname": null, "nachname": "Muster", "email": "",
                        "telefon": null, "geburtsdatum": "" });
    assert!(patient_of(nulls) == bare);

    let bare = appointment_of(appointment_data());
    let nulls = with(with(appointment_data(), "therapist_name", json!("")), "status", json!(null));
    assert!(appointment_of(nulls) == bare);
}

#[test]
fn an_appointment_keeps_instant_offset_and_verbatim_names() {
    let data = with(appointment_data(), "therapist_name", json!(" Dr.  Anna Beispiel"));
    let data = with(data, "service_name", json!("Erstgespräch"));

    let appointment = appointment_of(data);

    assert_eq!(appointment.start_time.to_rfc3339(), "2026-03-02T08:30:00+00:00");
    assert_eq!((appointment.utc_offset_minutes, appointment.duration_minutes), (60, 50));
    assert_eq!(appointment.therapist_name.as_deref(), Some(" Dr.  Anna Beispiel"));
    assert_eq!(appointment.service_name.as_deref(), Some("Erstgespräch"));
    assert_eq!(appointment.status, ToolStatus::Booked);
    let west = with(appointment_data(), "scheduled_at", json!("2026-03-02T09:30:00-03:30"));
    assert_eq!(appointment_of(west).utc_offset_minutes, -210);
}

#[test]
fn every_documented_status_is_known() {
    for (word, status) in [
        ("scheduled", ToolStatus::Booked),
        ("confirmed", ToolStatus::Booked),
        ("cancelled", ToolStatus::Cancelled),
        ("completed", ToolStatus::Completed),
        ("no_show", ToolStatus::NoShow),
    ] {
        assert_eq!(appointment_of(with(appointment_data(), "status", json!(word))).status, status);
    }
}

#[test]
fn deletions_and_cancellations_name_what_they_mean() {
    assert_eq!(event("patient.deleted", json!({ "id": 12 })), Event::PatientDeleted { id: "12".into() });

    let data = json!({ "id": "a-1", "cancelled_at": "2026-02-17T09:30:00Z", "reason": "krank,\nruft an" });
    let expected = Event::AppointmentCancelled {
        id: "a-1".to_owned(),
        cancelled_time: Some(Utc.with_ymd_and_hms(2026, 2, 17, 9, 30, 0).unwrap()),
        reason: Some("krank,\nruft an".to_owned()),
    };
    assert_eq!(event("appointment.cancelled", data), expected);

    let bare = Event::AppointmentCancelled { id: "a-1".to_owned(), cancelled_time: None, reason: None };
    assert_eq!(event("appointment.cancelled", json!({ "id": "a-1" })), bare);
}

#[test]
fn an_event_nobody_documented_is_unknown_and_its_data_unread() {
    let body = json!({ "id": "evt_1", "event": "invoice.paid", "data": [1, "\u{0}"] });

    let (envelope, event) = read(&body).unwrap();

    assert_eq!((envelope.kind, envelope.id.as_deref()), (Kind::Unknown, Some("evt_1")));
    assert_eq!(event, Event::Unknown { event: "invoice.paid".to_owned() });
}

#[test]
fn what_is_not_an_object_with_an_event_is_not_parsed() {
    let deep = format!(r#"{{"event":"ping","data":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let bomb = "[".repeat(100_000);
    for body in [
        "",
        " ",
        "null",
        "[]",
        "7",
        "\"ping\"",
        "{",
        "{}",
        r#"{"event":null}"#,
        r#"{"event":7}"#,
        r#"{"event":""}"#,
        r#"{"data":{}}"#,
        r#"{"event":"ping"} x"#,
        r#"{"event":"\ud800"}"#,
        "\u{feff}{\"event\":\"ping\"}",
        &deep,
        &bomb,
    ] {
        assert_eq!(parse(body.as_bytes()), Err(ParseError::NotJson), "{:.40}", body);
    }
    assert_eq!(parse(b"{\"event\":\"p\xffng\"}"), Err(ParseError::NotJson));
}

#[test]
fn nothing_personal_is_printed() {
    let patient = with(patient_data(), "email", json!("erika@example.org"));
    let cancelled = event("appointment.cancelled", json!({ "id": "a-1", "reason": "krank" }));
    let booked = event("appointment.created", with(appointment_data(), "service_name", json!("EMDR")));

    let printed = format!("{:?} {cancelled:?} {booked:?}", event("patient.created", patient));

    for word in ["Muster", "example.org", "krank", "EMDR"] {
        assert!(!printed.contains(word), "{printed}");
    }
    assert!(printed.contains("p-1") && printed.contains("a-1"));
}

#[test]
fn a_text_that_moves_to_the_next_field_is_another_state() {
    let first = ToolPatient { first_name: Some("a".into()), email: None, ..patient_of(patient_data()) };
    let second = ToolPatient { first_name: None, email: Some("a".into()), ..first.clone() };

    assert_ne!(first.canonical(), second.canonical());
    assert_ne!(first.canonical(), ToolPatient { email: Some(String::new()), ..first.clone() }.canonical());
}
