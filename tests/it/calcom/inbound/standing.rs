//! Integrations that are paused or given up.

use stellwerk::{
    proto::{ReplayWebhookEventRequest, WebhookEventStatus},
    store,
    store::integration::Integration,
    words::IntegrationState,
};

use super::{Practice, practice};
use crate::support::{calcom::on_day, calcom_hook::Story, desk};

async fn change(practice: &Practice, change: impl FnOnce(&mut Integration)) {
    let mut tx = practice.rows.tx().await;
    let mut row = store::integration::find_for_update(&mut tx, practice.rows.integration).await.unwrap();
    change(&mut row);
    store::integration::save(&mut tx, &row).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn what_comes_while_inbound_is_paused_is_kept_and_can_be_replayed() {
    let practice = practice().await;
    change(&practice, |row| row.inbound_paused = true).await;
    let answer = practice.hook.tell(&Story::new(&practice.rows, "uid-1", on_day(3, 9)).created()).await;
    let while_paused = desk::appointments(&practice.acme.admin).await.len();

    change(&practice, |row| row.inbound_paused = false).await;
    let request =
        ReplayWebhookEventRequest { webhook_event_id: answer.event_id().into(), ..Default::default() };
    let replayed = practice.acme.admin.webhooks().replay_webhook_event(request).await.unwrap().into_inner();

    assert_eq!((answer.kept(), answer.reason(), while_paused), ("ignored", "INBOUND_PAUSED", 0));
    assert_eq!(replayed.webhook_event.unwrap().status(), WebhookEventStatus::Success);
    assert_eq!(desk::only_appointment(&practice.acme.admin).await.external_id, "uid-1");
}

#[tokio::test]
async fn what_comes_after_an_integration_was_given_up_is_answered_and_dropped() {
    let practice = practice().await;
    change(&practice, |row| row.state = IntegrationState::Disconnecting).await;

    let answer = practice.hook.tell(&Story::new(&practice.rows, "uid-1", on_day(3, 9)).created()).await;

    assert_eq!((answer.kept(), answer.reason()), ("ignored", "INTEGRATION_DISCONNECTED"));
    assert_eq!(desk::event(&practice.acme.admin, answer.event_id()).await.body_preview, "");
    assert!(desk::appointments(&practice.acme.admin).await.is_empty());
}
