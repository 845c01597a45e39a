//! What could not be applied is tried again by the server, or replayed by an admin.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::{
    domain::inbound,
    ids::TenantId,
    proto::{self, SignatureScheme, WebhookEventCause, WebhookEventStatus},
    store::outbox::Outcome,
};
use tonic::Status;
use uuid::Uuid;

use super::erika;
use crate::support::{
    PATIENCE,
    app::TestApp,
    caller::TestCaller,
    database::Session,
    desk, reason,
    said::{said, said_at},
    wait_until,
};

/// From now on no appointment can be written, for a reason that nobody foresaw.
pub(super) async fn break_appointments(owner: &Session) {
    owner
        .run(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN RAISE EXCEPTION 'broken for Erika Muster'; END $$; \
             CREATE TRIGGER appointment_broken BEFORE INSERT ON appointment \
             FOR EACH ROW EXECUTE FUNCTION broken()",
        )
        .await;
}

fn booking(id: &str) -> Value {
    json!({ "id": id, "patient_id": "p-1", "scheduled_at": "2026-03-02T09:00:00+01:00",
        "duration_minutes": 30 })
}

async fn replay(by: &TestCaller, event: &str, key: &str) -> Result<proto::WebhookEvent, Status> {
    let request =
        proto::ReplayWebhookEventRequest { webhook_event_id: event.into(), idempotency_key: key.into() };
    Ok(by.webhooks().replay_webhook_event(request).await?.into_inner().webhook_event.unwrap())
}

/// P1, P12.
#[tokio::test]
async fn an_event_that_could_not_be_applied_is_kept_and_applied_later() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    tool.tell(&said("patient.created", erika())).await.kept();
    break_appointments(&owner).await;

    let booked = said_at("e-1", "appointment.created", Utc::now(), booking("a-1"));
    let answer = tool.tell(&booked).await;
    let repeat = tool.tell(&booked).await;
    let while_broken = desk::event(&acme.admin, answer.event_id()).await;
    owner.run("DROP TRIGGER appointment_broken ON appointment").await;
    wait_until("the event has been applied", PATIENCE, async || {
        desk::event(&acme.admin, answer.event_id()).await.effective_status() == WebhookEventStatus::Success
    })
    .await;

    assert_eq!([answer.kept(), repeat.kept()], ["error", "duplicate"]);
    assert!(!answer.body.to_string().contains("broken"), "{}", answer.body);
    assert_eq!(
        (while_broken.status(), while_broken.effective_status(), while_broken.will_retry),
        (WebhookEventStatus::Error, WebhookEventStatus::Error, true)
    );
    let original = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!((original.status(), original.will_retry), (WebhookEventStatus::Error, false));
    let retry = desk::events(&acme.admin).await.remove(0);
    assert_eq!((retry.cause(), retry.status()), (WebhookEventCause::Retry, WebhookEventStatus::Success));
    assert_eq!(retry.original_webhook_event_id, answer.event_id());
    let appointment = desk::only_appointment(&acme.admin).await;
    assert_eq!(appointment.external_id, "a-1");
    wait_until("the queue is empty", PATIENCE, async || {
        owner.value("SELECT count(*) FROM outbox").await == "0"
    })
    .await;
}

/// P12.
#[tokio::test]
async fn an_event_that_never_fits_ends_as_an_error_that_nobody_retries() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    tool.tell(&said("patient.created", erika())).await.kept();
    break_appointments(&owner).await;
    let answer = tool.tell(&said_at("e-1", "appointment.created", Utc::now(), booking("a-1"))).await;

    wait_until("the attempts are used up", PATIENCE, async || {
        app.hurry().await;
        !desk::event(&acme.admin, answer.event_id()).await.will_retry
    })
    .await;

    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!(event.effective_status(), WebhookEventStatus::Error);
    owner.run("DROP TRIGGER appointment_broken ON appointment").await;
    let replayed = replay(&acme.admin, answer.event_id(), "").await.unwrap();
    assert_eq!(replayed.status(), WebhookEventStatus::Success);
    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!(event.effective_status(), WebhookEventStatus::Success);
}

/// P11, P12.
#[tokio::test]
async fn what_was_to_be_tried_again_for_a_forgotten_person_is_let_go() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    tool.tell(&said("patient.created", erika())).await.kept();
    let patient_id = desk::only_patient(&acme.admin).await.patient_id;
    break_appointments(&owner).await;
    let answer = tool.tell(&said_at("e-1", "appointment.created", Utc::now(), booking("a-1"))).await;

    let request = proto::DeletePatientRequest { patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    owner.run("DROP TRIGGER appointment_broken ON appointment").await;
    app.hurry().await;
    app.work_until_idle().await;

    assert_eq!(answer.kept(), "error");
    assert!(desk::appointments(&acme.admin).await.is_empty());
    assert!(desk::patients(&acme.admin).await.is_empty());
    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!((event.body_preview.as_str(), event.will_retry), ("", false));
    assert_eq!(event.effective_status(), WebhookEventStatus::Ignored);
    let told = desk::events(&acme.admin).await.remove(0);
    assert_eq!((told.cause(), told.reason.as_str()), (WebhookEventCause::Retry, "BODY_GONE"));
}

/// P8.
#[tokio::test]
async fn one_event_that_cannot_be_applied_does_not_hold_up_the_others() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    tool.tell(&said("patient.created", erika())).await.kept();
    break_appointments(&owner).await;
    tool.tell(&said_at("e-1", "appointment.created", Utc::now(), booking("a-1"))).await.kept();

    let next = tool
        .tell(&said("patient.created", json!({ "id": "p-2", "vorname": "Max", "nachname": "Beispiel" })))
        .await;

    assert_eq!(next.kept(), "success");
    assert_eq!(desk::names(&acme.admin).await, ["Max Beispiel", "Erika Muster"]);
}

/// P9.
#[tokio::test]
async fn a_replay_points_at_the_original_and_obeys_the_order_of_events() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let now = Utc::now();
    let named = |name: &str| json!({ "id": "p-1", "vorname": name, "nachname": "Muster" });
    let first =
        tool.tell(&said_at("e-1", "patient.updated", now - TimeDelta::minutes(2), named("Erica"))).await;
    let second =
        tool.tell(&said_at("e-2", "patient.updated", now - TimeDelta::minutes(1), named("Erika"))).await;

    let overtaken = replay(&acme.admin, first.event_id(), "").await.unwrap();
    let again = replay(&acme.admin, &overtaken.webhook_event_id, "").await.unwrap();
    let newest = replay(&acme.admin, second.event_id(), "").await.unwrap();

    assert_eq!((overtaken.status(), overtaken.reason.as_str()), (WebhookEventStatus::Ignored, "OLDER_STATE"));
    assert_eq!(overtaken.cause(), WebhookEventCause::Replay);
    assert_eq!(newest.status(), WebhookEventStatus::Success);
    for replayed in [&overtaken, &again] {
        assert_eq!(replayed.original_webhook_event_id, first.event_id());
    }
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
}

/// P9.
#[tokio::test]
async fn a_replay_of_an_event_without_id_and_time_does_not_bring_back_an_older_state() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let named =
        |name: &str| said("patient.updated", json!({ "id": "p-1", "vorname": name, "nachname": "Muster" }));
    let first = tool.tell(&named("Erica")).await;
    tool.tell(&named("Erika")).await.kept();

    let replayed = replay(&acme.admin, first.event_id(), "").await.unwrap();

    assert_eq!((replayed.status(), replayed.reason.as_str()), (WebhookEventStatus::Ignored, "OLDER_STATE"));
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
}

/// P12.
#[tokio::test]
async fn a_repeated_replay_is_one_and_a_body_that_was_not_kept_cannot_be_replayed() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let kept = tool.tell(&said("patient.created", erika())).await;
    let gone = tool.tell(&said("invoice.created", json!({}))).await;

    let once = replay(&acme.admin, kept.event_id(), "k-1").await.unwrap();
    let twice = replay(&acme.admin, kept.event_id(), "k-1").await.unwrap();
    let reused = replay(&acme.admin, gone.event_id(), "k-1").await.unwrap_err();
    let without_body = replay(&acme.admin, gone.event_id(), "").await.unwrap_err();

    assert_eq!(once.webhook_event_id, twice.webhook_event_id);
    assert_eq!(reason(&reused), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(reason(&without_body), "WEBHOOK_BODY_GONE");
    assert_eq!(desk::events(&acme.admin).await.len(), 3);
}

/// P8, P9, P12. A worker that is killed between its commit and the end of its message leaves the message to
/// another one.
#[tokio::test]
async fn an_event_that_was_applied_meanwhile_is_not_tried_again() {
    let app = TestApp::builder().without_worker().start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    let now = Utc::now();
    tool.tell(&said("patient.created", erika())).await.kept();
    break_appointments(&owner).await;
    let booked = said_at("e-1", "appointment.created", now - TimeDelta::minutes(1), booking("a-1"));
    let answer = tool.tell(&booked).await;
    owner.run("DROP TRIGGER appointment_broken ON appointment").await;
    let payload = json!({ "webhook_event_id": answer.event_id() });
    let attempt = || inbound::retry(&app.domain, TenantId(acme.id), &payload, Utc::now());

    let first = attempt().await.unwrap();
    tool.tell(&said_at("e-2", "appointment.updated", now, booking("a-1"))).await.kept();
    let second = attempt().await.unwrap();

    assert_eq!((first, second), (Outcome::Done, Outcome::Done));
    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!((event.effective_status(), event.will_retry), (WebhookEventStatus::Success, false));
    let retries = "SELECT count(*) FROM webhook_event WHERE cause = 'retry'";
    assert_eq!(owner.value(retries).await, "1");
}

/// P12. A month that is kept no longer takes events away that are still in the queue.
#[tokio::test]
async fn an_event_that_is_no_longer_there_is_let_go() {
    let app = TestApp::start().await;
    let acme = TenantId(app.tenant("acme").await.id);
    let gone = json!({ "webhook_event_id": Uuid::now_v7() });

    let retried = inbound::retry(&app.domain, acme, &gone, Utc::now()).await;
    let given_up = inbound::give_up(&app.domain, acme, &gone, Utc::now()).await;

    assert!(matches!(retried, Ok(Outcome::Done)), "{retried:?}");
    assert!(given_up.is_ok(), "{given_up:?}");
}

/// P12. Neither an admin's own try, nor the end of the attempts before somebody asked for more of them.
#[tokio::test]
async fn an_event_will_be_retried_for_as_long_as_the_queue_has_it() {
    let app = TestApp::builder().without_worker().start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let owner = app.database.owner().await;
    tool.tell(&said("patient.created", erika())).await.kept();
    break_appointments(&owner).await;
    let answer = tool.tell(&said_at("e-1", "appointment.created", Utc::now(), booking("a-1"))).await;
    let will_retry = async || desk::event(&acme.admin, answer.event_id()).await.will_retry;

    let replayed = replay(&acme.admin, answer.event_id(), "").await.unwrap();
    let after_replay = will_retry().await;
    let payload = json!({ "webhook_event_id": answer.event_id() });
    owner.run("UPDATE outbox SET state = 'dead', reason = 'x'").await;
    inbound::give_up(&app.domain, TenantId(acme.id), &payload, Utc::now()).await.unwrap();
    let given_up = will_retry().await;
    let all = proto::RequeueDeadLettersRequest { filter: Some(Default::default()), ..Default::default() };
    acme.admin.reviews().requeue_dead_letters(all).await.unwrap();
    let requeued = will_retry().await;

    assert_eq!((replayed.status(), replayed.will_retry), (WebhookEventStatus::Error, false));
    assert_eq!((after_replay, given_up, requeued), (true, false, true));
}
