//! What the booking tool posts: taken, refused, kept, and shown to an admin.

mod bodies;
mod endpoints;
mod events;
mod limits;
mod noise;
mod pauses;
mod retries;
mod signatures;
mod tools;

use chrono::Utc;
use http::HeaderMap;
use rand::{Rng, distr::Alphanumeric};
use serde_json::{Value, json};
use stellwerk::proto::{self, SignatureScheme, WebhookEventStatus};

use crate::support::{
    app::TestApp,
    booking_tool::{Answer, TestBookingTool},
    desk,
    said::{NO_LIMIT, limit_new_endpoints, said, said_at},
    searched::open_words,
};

const MIB: usize = 1024 * 1024;

fn erika() -> Value {
    json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster", "email": "erika@example.org" })
}

/// P1.
#[tokio::test]
async fn a_signed_registration_is_kept_and_applied_by_either_scheme() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let legacy = acme.booking_tool(SignatureScheme::Legacy).await;
    let standard = acme.booking_tool(SignatureScheme::Standard).await;

    let first = legacy.tell(&said("patient.created", erika())).await;
    let second = standard
        .tell(&said("patient.created", json!({ "id": "p-2", "first_name": "Max", "last_name": "Beispiel" })))
        .await;

    assert_eq!([first.kept(), second.kept()], ["success", "success"]);
    assert_eq!(desk::names(&acme.admin).await, ["Max Beispiel", "Erika Muster"]);
    let events = desk::events(&acme.admin).await;
    assert_eq!(
        events.iter().map(|event| &event.webhook_event_id).collect::<Vec<_>>(),
        [second.event_id(), first.event_id()]
    );
}

/// P2.
#[tokio::test]
async fn an_unknown_a_disabled_and_a_foreign_endpoint_get_the_same_answer() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let disabled = acme.booking_tool(SignatureScheme::Legacy).await;
    let request = proto::DisableWebhookEndpointRequest {
        webhook_endpoint_id: disabled.endpoint.webhook_endpoint_id.clone(),
        ..Default::default()
    };
    acme.admin.webhooks().disable_webhook_endpoint(request).await.unwrap();
    let body = said("patient.created", erika());

    let unknown = reached_by(&tool, format!("{}x", tool.path)).tell(&body).await;
    let foreign = reached_by(&tool, tool.path.replace("/booking/", "/calcom/")).tell(&body).await;
    let disabled = disabled.tell(&body).await;

    assert_eq!((unknown.status.as_u16(), unknown.reason()), (404, "WEBHOOK_ENDPOINT_NOT_FOUND"));
    for other in [foreign, disabled] {
        assert_eq!((other.status, other.body), (unknown.status, unknown.body.clone()));
        assert_eq!(names_of(&other.headers), names_of(&unknown.headers));
    }
    assert!(desk::events(&acme.admin).await.is_empty());
}

fn reached_by(tool: &TestBookingTool, path: String) -> TestBookingTool {
    let mut other = tool.clone();
    other.path = path;
    other
}

/// What is said of Erika, in so many bytes.
fn sized(bytes: usize) -> Vec<u8> {
    let mut body = said("patient.created", erika());
    body["note"] = Value::from("");
    body["note"] = Value::from("n".repeat(bytes - body.to_string().len()));
    body.to_string().into_bytes()
}

fn names_of(headers: &HeaderMap) -> Vec<&str> {
    headers.keys().map(|name| name.as_str()).collect()
}

/// P13.
#[tokio::test]
async fn a_body_of_one_mebibyte_is_taken_and_a_byte_more_is_not() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    let too_large = tool.tell_bytes(sized(MIB + 1)).await;
    let nothing = desk::events(&acme.admin).await;
    let just_fits = tool.tell_bytes(sized(MIB)).await;

    assert_eq!((too_large.status.as_u16(), too_large.reason()), (413, "BODY_TOO_LARGE"));
    assert!(nothing.is_empty(), "{nothing:?}");
    assert_eq!(just_fits.kept(), "success");
    assert_eq!(desk::event(&acme.admin, just_fits.event_id()).await.body_size_bytes, MIB as i32);
}

/// P2.
#[tokio::test]
async fn what_is_no_json_object_that_names_its_event_is_answered_400_and_not_kept() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let deep = "[".repeat(100_000);
    let unreadable =
        ["", "Erika", "[]", "{}", "null", r#"{"event":5}"#, r#"{"event":""}"#, r#"{"event":"ping""#, &deep];

    for body in unreadable {
        let answer = tool.tell_bytes(body.into()).await;
        assert_eq!(answer.status, 400, "{body:.20}: {}", answer.body);
    }

    assert!(desk::events(&acme.admin).await.is_empty());
}

/// P1, P12.
#[tokio::test]
async fn an_unfit_body_is_answered_422_with_the_field_and_a_repeat_of_it_the_same() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let now = Utc::now();
    let appointment = |minutes: i64| {
        json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": "2026-03-02T09:00:00+01:00",
            "duration_minutes": minutes })
    };
    let unfit = [
        (said_at("e-1", "appointment.created", now, appointment(0)), "data.duration_minutes", true),
        (said("appointment.updated", appointment(1441)), "data.duration_minutes", true),
        (said("patient.created", json!({ "nachname": "Muster" })), "data.id", false),
        (
            said("patient.created", json!({ "id": 1, "nachname": "Muster", "geburtsdatum": "1980-02-30" })),
            "data.geburtsdatum",
            true,
        ),
        (said("patient.updated", json!({ "id": "p-1", "vorname": "Erika" })), "data.nachname", true),
        (said("appointment.cancelled", json!({})), "data.id", false),
        (json!({ "event": "patient.deleted" }), "data", false),
        (json!({ "event": "ping", "id": 7 }), "id", false),
    ];

    for (body, field, says_whose) in unfit {
        let first = tool.tell(&body).await;
        let repeat = tool.tell(&body).await;

        assert_eq!(
            (first.status.as_u16(), first.body["field"].as_str()),
            (422, Some(field)),
            "{body}: {}",
            first.body
        );
        assert_eq!(without_event(&repeat), without_event(&first), "{body}");
        let kept = desk::event(&acme.admin, first.event_id()).await;
        let repeated = desk::event(&acme.admin, repeat.event_id()).await;
        assert_eq!((kept.status(), kept.field.as_str()), (WebhookEventStatus::Error, field));
        assert_eq!((kept.will_retry, !kept.body_preview.is_empty()), (false, says_whose), "{body}");
        assert_eq!((repeated.status(), repeated.field.as_str()), (WebhookEventStatus::Duplicate, field));
    }
    assert!(desk::patients(&acme.admin).await.is_empty());
}

/// P1, P11, P12. Such an id is nothing that anybody is known by, or that could be kept beside the body.
#[tokio::test]
async fn an_unfit_delivery_is_kept_whatever_it_gives_as_an_id_and_its_body_if_that_says_whose_it_is() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let endless = incompressible(8_000);
    let unfit = [
        (said("patient.deleted", json!({ "id": "p\u{0}" })), false),
        (said("patient.deleted", json!({ "id": endless })), false),
        (said("appointment.cancelled", json!({ "id": endless })), false),
        (said("appointment.created", json!({ "id": "a-1", "patient_id": endless })), true),
    ];

    for (body, says_whose) in &unfit {
        let answer = tool.tell(body).await;
        assert_eq!(answer.status, 422, "{}", answer.body);
        let event = desk::event(&acme.admin, answer.event_id()).await;
        assert_eq!(
            (event.status(), &!event.body_preview.is_empty()),
            (WebhookEventStatus::Error, says_whose)
        );
    }
}

/// Text that PostgreSQL cannot make shorter.
fn incompressible(chars: usize) -> String {
    rand::rng().sample_iter(Alphanumeric).take(chars).map(char::from).collect()
}

/// An answer as far as a repeat must be told the same; every delivery is an event of its own.
fn without_event(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    body.as_object_mut().and_then(|body| body.remove("event_id")).expect("an event");
    (answer.status.as_u16(), body)
}

/// P11.
#[tokio::test]
async fn of_an_unknown_event_facts_are_kept_and_its_body_is_not() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let body = said("invoice.created", json!({ "to": "Erika Muster" }));

    let answer = tool.tell(&body).await;

    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!((event.event_type.as_str(), event.body_preview.as_str()), ("invoice.created", ""));
    assert_eq!(event.body_size_bytes as usize, body.to_string().len());
    let owner = app.database.owner().await;
    assert_eq!(owner.value("SELECT count(sealed_body) FROM webhook_event").await, "0");
    assert_eq!(owner.value("SELECT count(*) FROM webhook_body_key").await, "0");
}

/// P15.
#[tokio::test]
async fn a_ping_is_a_sign_of_life() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let before = desk::listed(&acme.admin).await.sources.remove(0);

    let answer = tool.tell(&said("ping", json!({}))).await;

    assert_eq!((answer.kept(), answer.reason()), ("ignored", "PING"));
    let after = desk::listed(&acme.admin).await.sources.remove(0);
    assert_eq!((before.last_delivery_time, before.is_stale), (None, true));
    assert!(after.last_delivery_time.is_some() && !after.is_stale);
    let request = proto::ListWebhookEndpointsRequest::default();
    let listed = acme.admin.webhooks().list_webhook_endpoints(request).await.unwrap().into_inner();
    let endpoint = &listed.webhook_endpoints[0];
    assert_eq!(endpoint.last_delivery_time, after.last_delivery_time);
}

/// P1.
#[tokio::test]
async fn a_hundred_concurrent_deliveries_of_one_event_have_one_effect() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    limit_new_endpoints(&acme.admin, NO_LIMIT).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let created = said_at("e-1", "patient.created", Utc::now(), erika());

    let answers = futures::future::join_all((0..100).map(|_| tool.tell(&created))).await;

    let told = |status| answers.iter().filter(|answer| answer.kept() == status).count();
    assert_eq!((told("success"), told("duplicate")), (1, 99));
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
    let owner = app.database.owner().await;
    let kept =
        owner.lines("SELECT status || ' ' || count(*) FROM webhook_event GROUP BY status ORDER BY 1").await;
    assert_eq!(kept, ["duplicate 99", "success 1"]);
}

/// P9.
#[tokio::test]
async fn without_ids_there_and_back_again_are_changes_and_the_same_again_is_a_duplicate() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let named =
        |name: &str| said("patient.updated", json!({ "id": "p-1", "vorname": name, "nachname": "Muster" }));
    let lasting = |minutes: i64| {
        let data = json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": "2026-03-02T09:00:00+01:00",
            "duration_minutes": minutes });
        said("appointment.updated", data)
    };
    let (a, b) = ([named("Erika"), lasting(30)], [named("Erica"), lasting(45)]);

    for noun in 0..2 {
        let mut told = Vec::new();
        for body in [&a, &a, &b, &b, &a, &a] {
            told.push(tool.tell(&body[noun]).await.kept().to_string());
        }
        assert_eq!(told, ["success", "duplicate", "success", "duplicate", "success", "duplicate"]);
    }

    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
    let appointment = desk::only_appointment(&acme.admin).await;
    let changes = desk::history(&acme.admin, &appointment.appointment_id).await;
    let kinds: Vec<_> = changes.iter().map(|change| change.kind()).collect();
    use proto::AppointmentChangeKind::{Created, Moved};
    assert_eq!(kinds, [Created, Moved, Moved]);
}

/// P10, P11.
#[tokio::test]
async fn bodies_are_sealed_at_rest() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let secret_name = "Xanthippe";
    let patient =
        json!({ "id": "p-1", "vorname": secret_name, "nachname": "Muster", "note": "strictly private" });

    tool.tell(&said_at("e-1", "patient.created", Utc::now(), patient.clone())).await.kept();
    tool.tell(&said_at("e-1", "patient.created", Utc::now(), patient)).await.kept();
    tool.tell(&said("patient.created", json!({ "id": "p-2", "vorname": secret_name }))).await;

    let owner = app.database.owner().await;
    assert_eq!(open_words(&owner, &["strictly private"]).await, [""; 0]);
    // What was taken over is the practice's now, and the link knows it as the tool's last state.
    let taken_over = ["patient", "patient_link"].map(|table| format!("{secret_name} in {table}"));
    assert_eq!(open_words(&owner, &[secret_name]).await, taken_over);
    assert_eq!(owner.value("SELECT count(sealed_body) FROM webhook_event").await, "2");
}
