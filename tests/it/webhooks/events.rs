//! What was delivered, as an admin sees it.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::proto::{self, SignatureScheme, WebhookEventStatus};
use tonic::Code;

use super::{erika, sized};
use crate::support::{
    app::TestApp,
    desk,
    said::{said, said_at},
    server::Installation,
};

/// P12.
#[tokio::test]
async fn every_status_of_an_event_is_told_and_shown() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let now = Utc::now();
    let created = said_at("e-1", "patient.created", now, erika());

    let success = tool.tell(&created).await;
    let duplicate = tool.tell(&created).await;
    let older = said_at("e-2", "patient.updated", now - TimeDelta::hours(1), erika());
    let ignored = tool.tell(&older).await;
    let error = tool.tell(&said_at("e-3", "patient.updated", now, json!({ "id": "p-1" }))).await;
    let quarantined =
        tool.tell(&said_at("e-4", "invoice.created", now, json!({ "to": "Erika Muster" }))).await;

    assert_eq!([success.kept(), duplicate.kept(), ignored.kept()], ["success", "duplicate", "ignored"]);
    assert_eq!((error.status.as_u16(), error.body["status"].as_str()), (422, Some("error")));
    assert_eq!(quarantined.kept(), "quarantined");
    let shown = desk::events(&acme.admin).await;
    let shown: Vec<_> = shown.iter().map(|event| (event.status(), event.reason.as_str())).collect();
    assert_eq!(
        shown,
        [
            (WebhookEventStatus::Quarantined, "UNKNOWN_EVENT"),
            (WebhookEventStatus::Error, "FIELD_MISSING"),
            (WebhookEventStatus::Ignored, "OLDER_STATE"),
            (WebhookEventStatus::Duplicate, ""),
            (WebhookEventStatus::Success, ""),
        ]
    );
}

/// P12.
#[tokio::test]
async fn events_are_listed_newest_first_by_page_and_filter_with_masked_bodies() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let other = acme.booking_tool(SignatureScheme::Standard).await;
    let mut told = Vec::new();
    for number in 0..7 {
        let named =
            json!({ "id": number, "vorname": "Erika", "nachname": "Muster", "geburtsdatum": "1980-02-01" });
        told.insert(0, tool.tell(&said("patient.created", named)).await.event_id().to_string());
    }
    told.insert(0, other.tell(&said("ping", json!({}))).await.event_id().to_string());
    let list = async |request: proto::ListWebhookEventsRequest| {
        acme.admin.webhooks().list_webhook_events(request).await.unwrap().into_inner()
    };
    let ids = |page: &proto::ListWebhookEventsResponse| {
        page.webhook_events.iter().map(|event| event.webhook_event_id.clone()).collect::<Vec<_>>()
    };

    let first = list(proto::ListWebhookEventsRequest { page_size: 5, ..Default::default() }).await;
    let second = list(proto::ListWebhookEventsRequest {
        page_size: 5,
        page_token: first.next_page_token.clone(),
        ..Default::default()
    })
    .await;
    let pings =
        list(proto::ListWebhookEventsRequest { event_type: "ping".into(), ..Default::default() }).await;
    let ignored = list(proto::ListWebhookEventsRequest {
        status: WebhookEventStatus::Ignored.into(),
        ..Default::default()
    })
    .await;
    let of_other = list(proto::ListWebhookEventsRequest {
        webhook_endpoint_id: other.endpoint.webhook_endpoint_id.clone(),
        ..Default::default()
    })
    .await;

    assert_eq!([ids(&first), ids(&second)].concat(), told);
    assert_eq!(second.next_page_token, "");
    for page in [&pings, &ignored, &of_other] {
        assert_eq!(ids(page), told[..1]);
    }
    let preview = &second.webhook_events[0].body_preview;
    let preview: Value = serde_json::from_str(preview).unwrap();
    let masked = json!({ "id": "…", "vorname": "…", "nachname": "…", "geburtsdatum": "…" });
    assert_eq!(preview, said("patient.created", masked));
}

/// P13.
#[tokio::test]
async fn a_body_above_64_kibibytes_is_shown_by_its_size_alone() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    let large = tool.tell_bytes(sized(64 * 1024 + 1)).await.event_id().to_string();
    let just_fits = tool.tell_bytes(sized(64 * 1024)).await.event_id().to_string();

    let (large, just_fits) =
        (desk::event(&acme.admin, &large).await, desk::event(&acme.admin, &just_fits).await);
    assert_eq!((large.body_size_bytes, large.body_preview.as_str()), (64 * 1024 + 1, ""));
    assert_eq!((just_fits.body_size_bytes, just_fits.body_preview.is_empty()), (64 * 1024, false));
}

/// P12.
#[tokio::test]
async fn a_body_that_cannot_be_opened_does_not_hide_the_events() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    for id in ["p-1", "p-2"] {
        tool.tell(&said("patient.created", json!({ "id": id, "nachname": "Muster" }))).await.kept();
    }
    let spoilt = "UPDATE webhook_body_key SET wrapped_key = 'spoilt' WHERE external_patient_id = 'p-1'";
    app.database.owner().await.run(spoilt).await;

    let request = proto::ListWebhookEventsRequest::default();
    let listed = acme.admin.webhooks().list_webhook_events(request).await.unwrap().into_inner();

    let shown: Vec<bool> = listed.webhook_events.iter().map(|event| !event.body_preview.is_empty()).collect();
    assert_eq!(shown, [true, false]);
}

/// A page of bodies that are as large as they may be: 200 MiB together.
const LARGE_BODIES: &str = "CREATE TEMP TABLE many AS \
        SELECT e.*, n FROM webhook_event e, generate_series(1, 200) n; \
    UPDATE many SET id = overlay(id::text PLACING lpad(to_hex(n), 12, '0') FROM 25)::uuid, \
        body_size_bytes = 1048576, sealed_body = convert_to(repeat('x', 1048576), 'UTF8'); \
    ALTER TABLE many DROP COLUMN n; \
    INSERT INTO webhook_event SELECT * FROM many; \
    INSERT INTO webhook_body_key (tenant_id, webhook_event_id, wrapped_key) \
        SELECT k.tenant_id, m.id, k.wrapped_key FROM many m, webhook_body_key k";
/// Far less than the bodies.
const GROWTH_AT_MOST_KIB: u64 = 32 * 1024;

/// P13.
#[tokio::test]
async fn a_page_of_large_bodies_is_listed_in_bounded_memory() {
    let installation = Installation::new().await;
    let server = installation.serve(&[]).await;
    let acme = installation.tenant(&server, "acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("ping", json!({}))).await.kept();
    // So that what is loaded once is not counted.
    desk::events(&acme.admin).await;
    let owner = installation.owner().await;
    owner.run(LARGE_BODIES).await;
    assert_eq!(owner.value("SELECT count(*) FROM webhook_body_key").await, "201");
    let before = server.peak_memory_kib();

    let request = proto::ListWebhookEventsRequest { page_size: 200, ..Default::default() };
    let listed = acme.admin.webhooks().list_webhook_events(request).await.unwrap().into_inner();

    let grown = server.peak_memory_kib() - before;
    assert_eq!(listed.webhook_events.len(), 200);
    assert!(grown < GROWTH_AT_MOST_KIB, "{before} KiB before, {grown} KiB more");
}

/// P2, P3.
#[tokio::test]
async fn nobody_but_an_admin_sees_or_replays_events() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let event = tool.tell(&said("patient.created", erika())).await.event_id().to_string();
    let globex = app.tenant("globex").await;
    let replay =
        || proto::ReplayWebhookEventRequest { webhook_event_id: event.clone(), ..Default::default() };

    for caller in
        [&acme.hr().await, &acme.service(&["patients:read", "patients:write"]).await, &app.operator()]
    {
        let listed = caller.webhooks().list_webhook_events(proto::ListWebhookEventsRequest::default()).await;
        let replayed = caller.webhooks().replay_webhook_event(replay()).await;
        assert_eq!(listed.unwrap_err().code(), Code::PermissionDenied);
        assert_eq!(replayed.unwrap_err().code(), Code::PermissionDenied);
    }
    assert!(desk::events(&globex.admin).await.is_empty());
    let strangers = globex.admin.webhooks().replay_webhook_event(replay()).await;
    assert_eq!(strangers.unwrap_err().code(), Code::NotFound);
}
