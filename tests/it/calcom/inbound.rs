//! What Cal.com tells becomes appointments here, once, whatever the order.

mod convergence;
mod ends;
mod ours;
mod people;
mod reads;
mod samples;
mod standing;
mod tenants;

use serde_json::json;
use stellwerk::proto::{
    AppointmentChangeKind, AppointmentStatus, ProviderSyncState, SyncOrigin, WebhookEventStatus,
};

use crate::support::{
    app::TestApp,
    calcom::{Connected, app, connect_calcom, double, on_day},
    calcom_hook::{Hook, Story, sent_now},
    desk,
    tenant::TestTenant,
};

/// A practice whose webhooks nobody follows up, so that only what is told counts.
pub(crate) struct Practice {
    pub(crate) app: TestApp,
    pub(crate) acme: TestTenant,
    pub(crate) rows: Connected,
    pub(crate) hook: Hook,
}

pub(crate) async fn practice() -> Practice {
    let app = app().without_worker().start().await;
    let acme = app.tenant("acme").await;
    let rows = connect_calcom(&app, &acme, &double().await).await;
    let hook = Hook::of(&app, &rows).await;
    Practice { app, acme, rows, hook }
}

impl Practice {
    /// What waits in the outbox, oldest first.
    pub(crate) async fn promised(&self) -> Vec<String> {
        self.app.database.owner().await.lines("SELECT kind FROM outbox ORDER BY id").await
    }

    /// The bookings of all tenants as `uid status`, by uid.
    pub(crate) async fn bookings(&self) -> Vec<String> {
        let owner = self.app.database.owner().await;
        owner.lines("SELECT external_id || ' ' || status FROM booking ORDER BY external_id").await
    }

    /// The kinds of the open review items.
    pub(crate) async fn reviews(&self) -> Vec<String> {
        self.rows.review_items().await.iter().map(|item| item.kind.to_string()).collect()
    }
}

#[tokio::test]
async fn a_booking_made_there_is_a_booked_appointment_here() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    let answer = practice.hook.tell(&story.created()).await;

    assert_eq!(answer.kept(), "success");
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!((row.status(), row.origin()), (AppointmentStatus::Booked, SyncOrigin::Calcom));
    assert_eq!(row.start_time, Some(desk::timestamp(on_day(3, 9))));
    assert_eq!(row.patient_id, practice.rows.patient.to_string());
    assert_eq!(row.practitioner_id, practice.rows.practitioner.to_string());
    assert_eq!(row.service_id, practice.rows.service.to_string());
    assert_eq!((row.therapist_name.as_str(), row.service_name.as_str()), ("Mara Vogt", "Visit"));
    assert_eq!((row.time_zone.as_str(), row.external_id.as_str()), ("Europe/Berlin", "uid-1"));
    assert_eq!(row.provider_sync.unwrap().state(), ProviderSyncState::Synced);
    // A change that came from there is not written back.
    assert_eq!(practice.promised().await, [""; 0]);
}

#[tokio::test]
async fn a_request_waits_until_it_is_confirmed() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    practice.hook.tell(&story.requested()).await.kept();
    let waiting = desk::only_appointment(&practice.acme.admin).await;
    practice.hook.tell(&story.confirmed()).await.kept();

    let confirmed = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(
        (waiting.status(), confirmed.status()),
        (AppointmentStatus::Requested, AppointmentStatus::Booked)
    );
    // A request may replace a booking without saying so: that is read there.
    assert_eq!(practice.promised().await, ["booking_refresh"]);
}

#[tokio::test]
async fn a_request_that_is_declined_is_called_off_with_the_reason() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    practice.hook.tell(&story.requested()).await.kept();
    practice.hook.tell(&story.rejected()).await.kept();

    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(row.status(), AppointmentStatus::Cancelled);
    assert!(!row.cancel_reason.is_empty());
}

#[tokio::test]
async fn a_move_is_the_same_appointment_at_another_time() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let before = desk::only_appointment(&practice.acme.admin).await;

    let moved = story.at("uid-2", on_day(4, 11));
    let answer = practice.hook.tell(&moved.rescheduled_from("uid-1")).await;

    assert_eq!(answer.kept(), "success");
    let after = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(after.appointment_id, before.appointment_id);
    assert_eq!(
        (after.status(), after.start_time),
        (AppointmentStatus::Booked, Some(desk::timestamp(moved.start)))
    );
    assert_eq!(after.external_id, "uid-2");
    assert_eq!(practice.bookings().await, ["uid-1 rescheduled", "uid-2 accepted"]);
    let history = desk::history(&practice.acme.admin, &after.appointment_id).await;
    let kinds: Vec<_> = history.iter().map(|change| (change.kind(), change.origin())).collect();
    assert_eq!(
        kinds,
        [
            (AppointmentChangeKind::Created, SyncOrigin::Calcom),
            (AppointmentChangeKind::Moved, SyncOrigin::Calcom)
        ]
    );
    assert_eq!(practice.promised().await, [""; 0]);
}

#[tokio::test]
async fn a_move_that_waits_for_confirmation_frees_the_old_time_at_once() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();

    practice.hook.tell(&story.at("uid-2", on_day(4, 11)).requested_from("uid-1")).await.kept();

    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!((row.status(), row.external_id.as_str()), (AppointmentStatus::Requested, "uid-2"));
    let at_the_old_time = Story {
        name: "Max Beispiel".into(),
        email: "max@example.org".into(),
        ..story.at("uid-3", on_day(3, 9))
    };
    practice.hook.tell(&at_the_old_time.created()).await.kept();
    assert_eq!(practice.reviews().await, [""; 0]);
}

#[tokio::test]
async fn a_cancellation_frees_the_time_and_keeps_the_reason() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();

    let answer = practice.hook.tell(&story.cancelled()).await;

    assert_eq!(answer.kept(), "success");
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(
        (row.status(), row.cancel_reason.as_str()),
        (AppointmentStatus::Cancelled, "Unable to attend")
    );
    practice.rows.book(on_day(3, 9)).await;
}

#[tokio::test]
async fn what_is_told_of_a_retired_booking_is_stale() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    let moved = story.at("uid-2", on_day(4, 11));
    practice.hook.tell(&story.created()).await.kept();
    practice.hook.tell(&moved.rescheduled_from("uid-1")).await.kept();

    let created = practice.hook.tell(&story.created()).await;
    let cancelled = practice.hook.tell(&story.cancelled()).await;
    let no_show = practice.hook.tell(&story.no_show(true)).await;

    for answer in [created, cancelled, no_show] {
        assert_eq!((answer.kept(), answer.reason()), ("ignored", "OLDER_STATE"));
    }
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(
        (row.status(), row.start_time),
        (AppointmentStatus::Booked, Some(desk::timestamp(moved.start)))
    );
}

#[tokio::test]
async fn the_same_bytes_and_the_same_meaning_change_nothing_twice() {
    let practice = practice().await;
    let second_subscription = Hook::of(&practice.app, &practice.rows).await;
    let body = Story::new(&practice.rows, "uid-1", on_day(3, 9)).created();
    practice.hook.tell(&body).await.kept();

    let same_bytes = practice.hook.tell(&body).await;
    let same_meaning = practice.hook.tell(&sent_now(body.clone())).await;
    let elsewhere = second_subscription.tell(&sent_now(body)).await;

    assert_eq!(
        [same_bytes, same_meaning, elsewhere].each_ref().map(|answer| answer.kept()),
        ["duplicate"; 3]
    );
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(desk::history(&practice.acme.admin, &row.appointment_id).await.len(), 1);
}

#[tokio::test]
async fn a_booking_that_was_promised_for_a_taken_time_is_kept_and_both_are_put_before_a_person() {
    let practice = practice().await;
    let local = practice.rows.book(on_day(3, 9)).await;
    let story = Story {
        name: "Max Beispiel".into(),
        email: "max@example.org".into(),
        ..Story::new(&practice.rows, "uid-1", on_day(3, 9))
    };

    let answer = practice.hook.tell(&story.created()).await;
    let items = practice.rows.review_items().await;
    practice.rows.cancel(local).await;

    assert_eq!(answer.kept(), "success");
    let mut rows = desk::appointments(&practice.acme.admin).await;
    rows.retain(|row| row.appointment_id != local.to_string());
    let inbound = rows.remove(0);
    let mut told: Vec<_> =
        items.iter().map(|item| (item.kind.as_str(), item.appointment_id.unwrap())).collect();
    told.sort_unstable_by_key(|(_, id)| *id);
    assert_eq!(told, [("conflict", local), ("conflict", inbound.appointment_id.parse().unwrap())]);
    // The time is free again: the other one has it, and there is nothing left to decide.
    assert_eq!(inbound.status(), AppointmentStatus::Booked);
    assert_eq!(practice.reviews().await, [""; 0]);
}

#[tokio::test]
async fn a_conflict_is_settled_by_whoever_frees_the_time() {
    let practice = practice().await;
    let local = practice.rows.book(on_day(3, 9)).await;
    let story = Story {
        name: "Max Beispiel".into(),
        email: "max@example.org".into(),
        ..Story::new(&practice.rows, "uid-1", on_day(3, 9))
    };
    practice.hook.tell(&story.created()).await.kept();
    let phone_agent = practice.acme.service(&["appointments:write"]).await;

    desk::cancel(&phone_agent, &local.to_string()).await;

    assert_eq!(practice.reviews().await, [""; 0]);
}

#[tokio::test]
async fn a_conflict_that_is_moved_away_there_is_settled() {
    let practice = practice().await;
    practice.rows.book(on_day(3, 9)).await;
    let story = Story {
        name: "Max Beispiel".into(),
        email: "max@example.org".into(),
        ..Story::new(&practice.rows, "uid-1", on_day(3, 9))
    };
    practice.hook.tell(&story.created()).await.kept();
    let before = practice.reviews().await;

    practice.hook.tell(&story.at("uid-2", on_day(5, 9)).rescheduled_from("uid-1")).await.kept();

    assert_eq!((before, practice.reviews().await), (vec!["conflict".to_string(); 2], Vec::new()));
}

#[tokio::test]
async fn the_test_button_is_a_sign_of_life_and_nothing_else() {
    let practice = practice().await;

    let answer = practice.hook.tell(&sent_now(crate::support::calcom_hook::sample("ping"))).await;

    assert_eq!((answer.kept(), answer.reason()), ("ignored", "PING"));
    let listed = desk::listed(&practice.acme.admin).await;
    let source =
        listed.sources.iter().find(|source| source.integration_id == practice.rows.integration.to_string());
    assert!(source.unwrap().last_delivery_time.is_some());
    assert!(listed.appointments.is_empty());
}

#[tokio::test]
async fn an_event_that_could_not_be_applied_is_tried_again_as_what_its_provider_says() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let rows = connect_calcom(&app, &acme, &double().await).await;
    let hook = Hook::of(&app, &rows).await;
    let owner = app.database.owner().await;
    owner
        .run(
            "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; \
             END $$; \
             CREATE TRIGGER booking_broken BEFORE INSERT ON booking FOR EACH ROW EXECUTE FUNCTION broken()",
        )
        .await;

    let answer = hook.tell(&Story::new(&rows, "uid-1", on_day(3, 9)).created()).await;
    owner.run("DROP TRIGGER booking_broken ON booking").await;
    app.work_until_idle().await;

    assert_eq!((answer.kept(), answer.reason()), ("error", "INTERNAL"));
    let event = desk::event(&acme.admin, answer.event_id()).await;
    assert_eq!(event.effective_status(), WebhookEventStatus::Success);
    assert_eq!(desk::only_appointment(&acme.admin).await.status(), AppointmentStatus::Booked);
}

#[tokio::test]
async fn an_endpoint_whose_limit_is_0_takes_whatever_comes() {
    let practice = practice().await;
    let limited = Hook::with_limit(&practice.app, &practice.rows, 1).await;
    let ping = || sent_now(crate::support::calcom_hook::sample("ping"));

    let mut unlimited = Vec::new();
    for _ in 0..3 {
        unlimited.push(practice.hook.tell(&ping()).await.status.as_u16());
    }
    let first = limited.tell(&ping()).await.status.as_u16();
    let second = limited.tell(&ping()).await.status.as_u16();

    assert_eq!(unlimited, [200, 200, 200]);
    assert_eq!((first, second), (200, 429));
}

#[tokio::test]
async fn what_is_not_signed_with_the_endpoints_secret_is_refused() {
    let practice = practice().await;
    let stranger = practice.hook.with_secret("another secret");
    let body = json!({ "triggerEvent": "PING", "payload": {} });

    let answer = stranger.tell(&body).await;

    assert_eq!(answer.status, 401);
    assert!(desk::events(&practice.acme.admin).await.is_empty());
}
