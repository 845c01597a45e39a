//! Every published body, delivered as it stands to somebody who has heard nothing before.

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::Value;
use stellwerk::{
    ids::EventTypeId,
    sandbox::calcom::Calcom,
    store::{self, event_type::EventType},
};

use crate::support::{
    app::TestApp,
    calcom::{Connected, app, connect_calcom, double},
    calcom_hook::{Hook, sample},
    desk,
};

/// What becomes of one: the event's status and reason, the appointment's status if there is one,
/// and whether the booking is read.
type Expected = (&'static str, &'static str, Option<&'static str>, bool);

const READ: bool = true;

const EXPECTED: [(&str, Expected); 32] = [
    ("after-guests-cal-video-no-show", ("ignored", "BOOKING_UNKNOWN", None, false)),
    ("after-hosts-cal-video-no-show", ("ignored", "BOOKING_UNKNOWN", None, false)),
    ("booking-cancelled", ("success", "OK", Some("cancelled"), false)),
    ("booking-cancelled.one-seat", ("success", "BOOKING_IS_BEING_READ", None, READ)),
    ("booking-cancelled.queued", ("success", "OK", Some("cancelled"), false)),
    ("booking-cancelled.request-reschedule", ("success", "OK", Some("cancelled"), READ)),
    ("booking-cancelled.via-api", ("success", "OK", Some("cancelled"), false)),
    ("booking-created", ("success", "OK", Some("booked"), false)),
    ("booking-created.after-confirmation", ("success", "OK", Some("booked"), false)),
    ("booking-created.phone-only-attendee", ("success", "OK", Some("booked"), false)),
    ("booking-created.queued", ("success", "OK", Some("booked"), false)),
    ("booking-no-show-updated", ("success", "BOOKING_IS_BEING_READ", None, READ)),
    ("booking-paid", ("ignored", "BOOKING_UNKNOWN", None, false)),
    ("booking-payment-initiated", ("ignored", "BOOKING_UNKNOWN", None, false)),
    ("booking-rejected", ("success", "OK", Some("cancelled"), false)),
    ("booking-requested", ("success", "OK", Some("requested"), READ)),
    ("booking-requested.from-reschedule", ("success", "OK", Some("requested"), READ)),
    ("booking-requested.from-reschedule.no-link", ("success", "OK", Some("requested"), READ)),
    ("booking-rescheduled", ("success", "OK", Some("booked"), READ)),
    ("booking-rescheduled.queued", ("success", "OK", Some("booked"), READ)),
    ("custom-template", ("quarantined", "CUSTOM_TEMPLATE", None, false)),
    ("delegation-credential-error", ("ignored", "RECORDED", None, false)),
    ("form-submitted", ("ignored", "NOT_WANTED", None, false)),
    ("form-submitted-no-event", ("ignored", "NOT_WANTED", None, false)),
    ("instant-meeting", ("ignored", "BOOKING_UNKNOWN", None, false)),
    ("meeting-ended", ("success", "BOOKING_IS_BEING_READ", None, READ)),
    ("meeting-started", ("ignored", "BOOKING_UNKNOWN", None, false)),
    ("ooo-created", ("ignored", "NOT_WANTED", None, false)),
    ("ping", ("ignored", "PING", None, false)),
    ("recording-ready", ("ignored", "NOT_WANTED", None, false)),
    ("recording-transcription-generated", ("ignored", "NOT_WANTED", None, false)),
    ("wrong-assignment-report", ("ignored", "BOOKING_UNKNOWN", None, false)),
];

/// The event type that a body names, wherever it does.
fn event_type_in(body: &Value) -> Option<i64> {
    let payload = body.get("payload").unwrap_or(body);
    [&payload["eventTypeId"], &payload["eventType"]["id"], &payload["booking"]["eventType"]["id"]]
        .into_iter()
        .find_map(Value::as_i64)
}

async fn register(rows: &Connected, number: i64) {
    let row = EventType {
        id: EventTypeId::new(),
        integration_id: rows.integration,
        // Event types are unique per instance, whoever's they are.
        instance_url: format!("https://{}.example.org/v2", rows.tenant),
        external_id: number.to_string(),
        slug: "visit".into(),
        title: "Visit".into(),
        service_id: Some(rows.service),
        practitioner_id: Some(rows.practitioner),
        length_minutes: 30,
        length_options: Vec::new(),
        requires_confirmation: false,
        is_seated: false,
        is_recurring: false,
        unsupported_reason: None,
        archived: false,
        check_time: chrono::Utc::now(),
    };
    let mut tx = rows.tx().await;
    assert!(store::event_type::insert(&mut tx, &row).await.unwrap());
    tx.commit().await.unwrap();
}

/// Delivers a body to a tenant of its own.
async fn outcome(app: &TestApp, double: &Calcom, name: &str) -> (String, String, Option<String>, bool) {
    let body = sample(name);
    let tenant = app.tenant(name).await;
    let rows = connect_calcom(app, &tenant, double).await;
    if let Some(number) = event_type_in(&body) {
        register(&rows, number).await;
    }
    let hook = Hook::of(app, &rows).await;

    let answer = hook.tell(&body).await;

    let status = desk::appointments(&tenant.admin)
        .await
        .first()
        .map(|row| row.status().as_str_name().trim_start_matches("APPOINTMENT_STATUS_").to_lowercase());
    let sql = format!("SELECT count(*) FROM outbox WHERE tenant_id = '{}'", rows.tenant);
    let promised = app.database.owner().await.value(&sql).await;
    (answer.kept().into(), answer.reason().into(), status, promised == "1")
}

#[tokio::test]
async fn every_published_body_is_accepted_and_does_what_it_says() {
    let app = app().without_worker().start().await;
    let double = double().await;

    for (name, expected) in EXPECTED {
        let (status, reason, appointment, is_read) = outcome(&app, &double, name).await;
        assert_eq!((status.as_str(), reason.as_str(), appointment.as_deref(), is_read), expected, "{name}");
    }
}

#[test]
fn no_published_body_is_left_out() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/calcom");
    let published: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name != "signature-vectors")
        .collect();

    let expected: BTreeSet<String> = EXPECTED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(published, expected);
}

#[tokio::test]
async fn the_published_story_of_one_appointment_ends_as_it_should() {
    let app = app().without_worker().start().await;
    let acme = app.tenant("acme").await;
    let rows = connect_calcom(&app, &acme, &double().await).await;
    register(&rows, 481_207).await;
    let hook = Hook::of(&app, &rows).await;

    for name in ["booking-created", "booking-rescheduled", "booking-no-show-updated", "meeting-ended"] {
        hook.tell(&sample(name)).await.kept();
    }

    let row = desk::only_appointment(&acme.admin).await;
    assert_eq!(row.status().as_str_name(), "APPOINTMENT_STATUS_NO_SHOW");
    assert_eq!(
        row.start_time.unwrap().seconds,
        "2026-10-15T13:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp()
    );
}
