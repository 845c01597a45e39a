//! A webhook reaches its own tenant's bookings and nobody else's.

use serde_json::json;
use stellwerk::proto::{self, AppointmentStatus, WebhookEventStatus};

use super::{Practice, practice};
use crate::support::{
    calcom::{connect_calcom, on_day},
    calcom_hook::{Hook, Story, with},
    desk,
    tenant::TestTenant,
};

/// Another tenant with an account at the same server.
async fn neighbour(of: &Practice) -> (TestTenant, Story, Hook) {
    let tenant = of.app.tenant("neighbour").await;
    let rows = connect_calcom(&of.app, &tenant, &of.rows.calcom).await;
    let hook = Hook::of(&of.app, &rows).await;
    (tenant, Story::new(&rows, "uid-1", on_day(3, 9)), hook)
}

/// A booking of the practice, and a neighbour who somehow knows its uid.
async fn known_to_a_neighbour() -> (Practice, TestTenant, Story, Hook) {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let (neighbour, theirs, their_hook) = neighbour(&practice).await;
    (practice, neighbour, theirs, their_hook)
}

async fn still_stands(practice: &Practice) {
    let row = desk::only_appointment(&practice.acme.admin).await;
    let begin = desk::timestamp(on_day(3, 9));
    assert_eq!((row.status(), row.start_time), (AppointmentStatus::Booked, Some(begin)));
}

#[tokio::test]
async fn a_webhook_cannot_cancel_another_tenants_booking() {
    let (practice, neighbour, theirs, their_hook) = known_to_a_neighbour().await;

    their_hook.tell(&theirs.cancelled()).await.kept();

    still_stands(&practice).await;
    // What they were told of is theirs alone.
    assert_eq!(desk::only_appointment(&neighbour.admin).await.status(), AppointmentStatus::Cancelled);
}

#[tokio::test]
async fn a_webhook_cannot_move_another_tenants_booking() {
    let (practice, neighbour, theirs, their_hook) = known_to_a_neighbour().await;

    their_hook.tell(&theirs.at("uid-2", on_day(5, 9)).rescheduled_from("uid-1")).await.kept();

    still_stands(&practice).await;
    // They have one of that name of their own, and see no other.
    assert_eq!(desk::only_appointment(&neighbour.admin).await.external_id, "uid-2");
}

#[tokio::test]
async fn a_webhook_can_neither_end_another_tenants_booking_nor_miss_its_attendee() {
    let (practice, _, theirs, their_hook) = known_to_a_neighbour().await;

    their_hook.tell(&theirs.no_show(true)).await.kept();
    their_hook.tell(&theirs.ended()).await.kept();

    still_stands(&practice).await;
}

#[tokio::test]
async fn a_webhook_cannot_create_a_booking_of_another_tenants_event_type() {
    let practice = practice().await;
    let (neighbour, theirs, their_hook) = neighbour(&practice).await;
    let ours = Story::new(&practice.rows, "uid-7", on_day(4, 9));

    let answer = their_hook.tell(&ours.created()).await;
    their_hook.tell(&theirs.created()).await.kept();

    assert_eq!((answer.kept(), answer.reason()), ("quarantined", "EVENT_TYPE_UNKNOWN"));
    let event = desk::event(&neighbour.admin, answer.event_id()).await;
    assert_eq!((event.status(), event.body_preview.as_str()), (WebhookEventStatus::Quarantined, ""));
    assert!(desk::appointments(&practice.acme.admin).await.is_empty());
    assert_eq!(desk::only_appointment(&neighbour.admin).await.external_id, "uid-1");
}

#[tokio::test]
async fn one_uid_in_two_tenants_is_two_bookings() {
    let practice = practice().await;
    let (neighbour, theirs, their_hook) = neighbour(&practice).await;
    let ours = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    practice.hook.tell(&ours.created()).await.kept();
    their_hook.tell(&theirs.created()).await.kept();
    practice.hook.tell(&ours.cancelled()).await.kept();

    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), AppointmentStatus::Cancelled);
    assert_eq!(desk::only_appointment(&neighbour.admin).await.status(), AppointmentStatus::Booked);
    assert_eq!(practice.bookings().await, ["uid-1 accepted", "uid-1 cancelled"]);
}

#[tokio::test]
async fn an_event_type_of_nobody_here_is_quarantined_without_its_body() {
    let practice = practice().await;
    let private = Story { event_type: 999_999, ..Story::new(&practice.rows, "uid-1", on_day(3, 9)) };

    let answer = practice.hook.tell(&private.created()).await;

    assert_eq!((answer.kept(), answer.reason()), ("quarantined", "EVENT_TYPE_UNKNOWN"));
    let event = desk::event(&practice.acme.admin, answer.event_id()).await;
    assert_eq!((event.status(), event.body_preview.as_str()), (WebhookEventStatus::Quarantined, ""));
    assert!(desk::appointments(&practice.acme.admin).await.is_empty());
    assert_eq!(practice.bookings().await, [""; 0]);
    let kept =
        practice.app.database.owner().await.value("SELECT count(sealed_body) FROM webhook_event").await;
    assert_eq!(kept, "0");
}

/// P11. The pause's end reads what is ours at Cal.com.
#[tokio::test]
async fn in_a_pause_nothing_is_kept_either_of_what_is_not_ours() {
    let practice = practice().await;
    let request = proto::UpdateIntegrationRequest {
        integration_id: practice.rows.integration.to_string(),
        inbound_paused: true,
        ..Default::default()
    };
    practice.acme.admin.integrations().update_integration(request).await.unwrap();
    let ours = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    let private = Story { event_type: 999_999, ..Story::new(&practice.rows, "uid-2", on_day(3, 10)) };

    let (waits, foreign) =
        (practice.hook.tell(&ours.created()).await, practice.hook.tell(&private.created()).await);

    assert_eq!((waits.kept(), waits.reason()), ("ignored", "INBOUND_PAUSED"));
    assert_eq!((foreign.kept(), foreign.reason()), ("quarantined", "EVENT_TYPE_UNKNOWN"));
    let preview = desk::event(&practice.acme.admin, foreign.event_id()).await.body_preview;
    assert_eq!(preview, "");
    assert_eq!(practice.bookings().await, [""; 0]);
}

#[tokio::test]
async fn a_known_booking_under_a_foreign_event_type_stays_as_it_is() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();

    let answer = practice.hook.tell(&with(story.cancelled(), json!({ "eventTypeId": 999_999 }))).await;

    assert_eq!((answer.kept(), answer.reason()), ("quarantined", "EVENT_TYPE_UNKNOWN"));
    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), AppointmentStatus::Booked);
}

#[tokio::test]
async fn a_cancellation_without_an_event_type_is_known_by_its_booking() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let without = |story: &Story| with(story.cancelled(), json!({ "eventTypeId": null }));

    let known = practice.hook.tell(&without(&story)).await;
    let unknown = practice.hook.tell(&without(&story.at("uid-9", on_day(4, 9)))).await;

    assert_eq!(known.kept(), "success");
    assert_eq!((unknown.kept(), unknown.reason()), ("success", "BOOKING_IS_BEING_READ"));
    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), AppointmentStatus::Cancelled);
    assert_eq!(practice.promised().await, ["booking_refresh"]);
}
