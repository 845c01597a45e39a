//! What the tool tells while somebody has paused what comes in is kept, and takes effect when the pause ends.

use chrono::{DateTime, TimeDelta, Utc};
use prost_types::FieldMask;
use serde_json::{Value, json};
use stellwerk::proto::{self, AppointmentStatus, SignatureScheme, WebhookEventStatus};

use super::erika;
use crate::support::{
    PATIENCE,
    app::TestApp,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    desk,
    said::{said, said_at, written},
    wait_until,
};

async fn pause(by: &TestCaller, tool: &TestBookingTool, inbound_paused: bool) {
    let request = proto::UpdateIntegrationRequest {
        integration_id: tool.endpoint.integration_id.clone(),
        inbound_paused,
        update_mask: Some(FieldMask { paths: vec!["inbound_paused".into()] }),
        ..Default::default()
    };
    let changed = by.integrations().update_integration(request).await.unwrap().into_inner();
    assert_eq!(changed.integration.unwrap().inbound_paused, inbound_paused);
}

fn visit(id: &str, start: DateTime<Utc>) -> Value {
    json!({ "id": id, "patient_id": "p-1", "scheduled_at": written(start), "duration_minutes": 30 })
}

/// The worker has looked at what waits, and let it wait.
async fn until_it_waits(app: &TestApp) {
    let owner = app.database.owner().await;
    let halted = "SELECT count(*) FROM outbox WHERE reason = 'INBOUND_PAUSED'";
    wait_until("the events wait", PATIENCE, async || owner.value(halted).await == "1").await;
}

async fn until_nothing_waits(app: &TestApp) {
    let owner = app.database.owner().await;
    wait_until("nothing waits any longer", PATIENCE, async || {
        owner.value("SELECT count(*) FROM outbox").await == "0"
    })
    .await;
}

/// P1. By a tool that gives neither ids nor times: the order of arrival counts.
#[tokio::test]
async fn what_arrives_in_a_pause_is_applied_in_its_order_when_the_pause_ends() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    let (start, other) = (desk::in_days(7), desk::in_days(8));
    pause(&acme.admin, &tool, true).await;

    let told = [
        said("appointment.created", visit("a-1", start)),
        said("patient.created", erika()),
        said("appointment.updated", visit("a-1", other)),
        said("appointment.updated", visit("a-1", start)),
        said("appointment.created", visit("a-2", other)),
        said("appointment.cancelled", json!({ "id": "a-2", "reason": "ill" })),
    ];
    let mut kept = Vec::new();
    for event in &told {
        kept.push(tool.tell(event).await);
    }
    until_it_waits(&app).await;
    let meanwhile = (desk::patients(&acme.admin).await.len(), desk::appointments(&acme.admin).await.len());
    let waiting = desk::event(&acme.admin, kept[0].event_id()).await;
    pause(&acme.admin, &tool, false).await;
    until_nothing_waits(&app).await;

    assert!(kept.iter().all(|one| (one.kept(), one.reason()) == ("ignored", "INBOUND_PAUSED")), "{kept:?}");
    assert_eq!(meanwhile, (0, 0));
    assert_eq!((waiting.status(), waiting.will_retry), (WebhookEventStatus::Ignored, true));
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
    let visits = desk::appointments(&acme.admin).await;
    let ends: Vec<_> = visits.iter().map(|visit| (visit.external_id.as_str(), visit.status())).collect();
    assert_eq!(ends, [("a-1", AppointmentStatus::Booked), ("a-2", AppointmentStatus::Cancelled)]);
    assert_eq!(visits[0].start_time.unwrap().seconds, start.timestamp());
    for answer in &kept {
        let event = desk::event(&acme.admin, answer.event_id()).await;
        assert_eq!((event.effective_status(), event.will_retry), (WebhookEventStatus::Success, false));
    }
}

/// P1, P9.
#[tokio::test]
async fn a_redelivery_in_or_after_a_pause_changes_nothing_and_later_news_stay() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let now = Utc::now();
    let named = |name: &str| json!({ "id": "p-1", "vorname": name, "nachname": "Muster" });
    let in_pause = said_at("e-1", "patient.created", now - TimeDelta::minutes(2), named("Erica"));
    let news = said_at("e-2", "patient.updated", now - TimeDelta::minutes(1), named("Erika"));
    pause(&acme.admin, &tool, true).await;

    let first = tool.tell(&in_pause).await;
    let again = tool.tell(&in_pause).await;
    until_it_waits(&app).await;
    pause(&acme.admin, &tool, false).await;
    tool.tell(&news).await.kept();
    let late = tool.tell(&in_pause).await;
    until_nothing_waits(&app).await;

    assert_eq!([first.kept(), again.kept(), late.kept()], ["ignored", "duplicate", "duplicate"]);
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
}

/// P8. One that cannot be applied is tried on its own.
#[tokio::test]
async fn one_event_that_cannot_be_applied_after_a_pause_does_not_hold_up_the_others() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", erika())).await.kept();
    super::retries::break_appointments(&app.database.owner().await).await;
    pause(&acme.admin, &tool, true).await;
    tool.tell(&said("appointment.created", visit("a-1", desk::in_days(7)))).await.kept();
    tool.tell(&said("patient.created", json!({ "id": "p-2", "nachname": "Beispiel" }))).await.kept();
    until_it_waits(&app).await;

    pause(&acme.admin, &tool, false).await;
    wait_until("the second one is applied", PATIENCE, async || desk::patients(&acme.admin).await.len() == 2)
        .await;

    let owner = app.database.owner().await;
    let left = "SELECT lane LIKE 'webhook_event/%' AND state = 'pending' FROM outbox";
    assert_eq!(owner.lines(left).await, ["t"]);
    owner.run("DROP TRIGGER appointment_broken ON appointment").await;
    app.hurry().await;
    app.work_until_idle().await;
    assert_eq!(desk::only_appointment(&acme.admin).await.external_id, "a-1");
}

/// P11. Nobody could find a person in it again; and there is nothing to wait for.
#[tokio::test]
async fn of_an_unknown_event_nothing_is_kept_in_a_pause_either() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    pause(&acme.admin, &tool, true).await;

    let answer = tool.tell(&said("invoice.created", json!({ "to": "Erika Muster" }))).await;

    assert_eq!((answer.kept(), answer.reason()), ("quarantined", "UNKNOWN_EVENT"));
    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!((event.body_preview.as_str(), event.will_retry), ("", false));
}

/// P12. An admin's replay changes nothing about what the end of the pause will do.
#[tokio::test]
async fn a_replay_in_a_pause_leaves_the_event_to_its_end() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    pause(&acme.admin, &tool, true).await;
    let kept = tool.tell(&said("patient.created", erika())).await;
    let request =
        proto::ReplayWebhookEventRequest { webhook_event_id: kept.event_id().into(), ..Default::default() };

    let replayed = acme.admin.webhooks().replay_webhook_event(request).await.unwrap().into_inner();
    let meanwhile = desk::event(&acme.admin, kept.event_id()).await;
    until_it_waits(&app).await;
    pause(&acme.admin, &tool, false).await;
    until_nothing_waits(&app).await;

    let replayed = replayed.webhook_event.unwrap();
    assert_eq!((replayed.reason.as_str(), replayed.will_retry), ("INBOUND_PAUSED", false));
    assert_eq!((meanwhile.effective_status(), meanwhile.will_retry), (WebhookEventStatus::Ignored, true));
    let event = desk::event(&acme.admin, kept.event_id()).await;
    assert_eq!((event.effective_status(), event.will_retry), (WebhookEventStatus::Success, false));
    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster"]);
}
