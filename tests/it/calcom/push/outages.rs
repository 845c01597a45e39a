//! An outage is nobody's failure: what waits keeps its order and its tries, and goes on by itself.

use std::time::Duration;

use stellwerk::{
    domain::dead_letter::{self, Which},
    store::{dead_letter::Filter, integration_flow},
    words::{Breaker, IntegrationState, ProviderSync},
};

use crate::support::{
    PATIENCE,
    calcom::{app, connect_calcom, double, no_key, on_day, until_within},
    wait_until,
};

#[tokio::test]
async fn an_outage_opens_the_breaker_and_what_waited_catches_up_by_itself() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let moved = practice.book(on_day(3, 9)).await;
    practice.until_synced(moved).await;
    app.work_until_idle().await;
    practice.calcom.stop().await;

    practice.reschedule(moved, on_day(3, 12)).await;
    let mut booked = Vec::new();
    for hour in [14, 15, 16] {
        booked.push(practice.book(on_day(3, hour)).await);
    }
    practice.cancel(booked[2]).await;
    wait_until("the breaker is open", PATIENCE, async || breaker(&practice).await == Breaker::Open).await;
    practice.calcom.start_again().await.unwrap();
    for id in [moved, booked[0], booked[1], booked[2]] {
        until_within(&practice, id, ProviderSync::Synced, Duration::from_secs(90)).await;
    }
    app.work_until_idle().await;

    let mut living: Vec<_> = practice.living().iter().map(|booking| booking.start).collect();
    living.sort_unstable();
    assert_eq!(living, [on_day(3, 12), on_day(3, 14), on_day(3, 15)]);
    assert_eq!(practice.review_items().await, []);
    assert_eq!(breaker(&practice).await, Breaker::Closed);
}

#[tokio::test]
async fn a_credential_that_is_refused_pauses_the_integration_and_loses_nothing() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.calcom.revoke_key(&practice.host.api_key);

    let id = practice.book(on_day(3, 9)).await;
    wait_until("somebody is asked to reconnect", PATIENCE, async || {
        practice.integration().await.state == IntegrationState::NeedsReconnect
    })
    .await;
    wait_until("the appointment says why it waits", PATIENCE, async || {
        practice.appointment(id).await.sync.provider_sync_reason.as_deref() == Some("CREDENTIAL_REFUSED")
    })
    .await;

    assert_eq!(practice.standing(id).await, ProviderSync::Pending);
    assert_eq!(practice.integration().await.state_reason.as_deref(), Some("CREDENTIAL_REFUSED"));
    assert_eq!(practice.review_items().await, []);
}

#[tokio::test]
async fn paused_writes_wait_and_a_read_only_integration_gets_none() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    practice.change_integration(|row| row.outbound_paused = true).await;
    let waiting = practice.book(on_day(3, 9)).await;
    wait_until("the appointment says why it waits", PATIENCE, async || {
        practice.appointment(waiting).await.sync.provider_sync_reason.as_deref() == Some("OUTBOUND_PAUSED")
    })
    .await;
    practice.change_integration(|row| row.read_only = true).await;
    let unconcerned = practice.book(on_day(3, 11)).await;

    assert_eq!(practice.standing(waiting).await, ProviderSync::Pending);
    assert_eq!(practice.standing(unconcerned).await, ProviderSync::None);
    app.hurry().await;
    practice.until(waiting, ProviderSync::None).await;
    assert_eq!(practice.calcom.requests(), []);
}

#[tokio::test]
async fn what_began_while_it_waited_is_not_called_done_but_shown_to_a_person() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.change_integration(|row| row.outbound_paused = true).await;
    let id = practice.book(on_day(3, 9)).await;
    wait_until("the appointment says why it waits", PATIENCE, async || {
        practice.appointment(id).await.sync.provider_sync_reason.as_deref() == Some("OUTBOUND_PAUSED")
    })
    .await;

    // Days go by.
    let passed = "UPDATE appointment SET start_time = start_time - interval '9 days', \
        end_time = end_time - interval '9 days', \
        occupied_start_time = occupied_start_time - interval '9 days', \
        occupied_end_time = occupied_end_time - interval '9 days'";
    app.database.owner().await.run(passed).await;
    practice.change_integration(|row| row.outbound_paused = false).await;
    app.hurry().await;
    let row = practice.until(id, ProviderSync::Review).await;

    assert_eq!(row.sync.provider_sync_reason.as_deref(), Some("TOO_LATE"));
    assert_eq!(practice.review_items().await.len(), 1);
    assert_eq!(practice.calcom.requests(), []);
}

/// P12.
#[tokio::test]
async fn a_write_that_was_given_up_is_made_when_it_is_requeued() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.change_integration(|row| row.outbound_paused = true).await;
    let id = practice.book(on_day(3, 9)).await;
    let owner = app.database.owner().await;
    wait_until("the write waits", PATIENCE, async || {
        owner.value("SELECT count(*) FROM outbox WHERE reason = 'OUTBOUND_PAUSED'").await == "1"
    })
    .await;
    // As whoever gives up leaves it.
    owner
        .run(
            "UPDATE outbox SET state = 'dead', is_head = false, reason = 'INTERNAL'; \
             UPDATE appointment SET provider_sync = 'review', provider_sync_reason = 'INTERNAL', \
                 provider_sync_review_time = now()",
        )
        .await;
    practice.change_integration(|row| row.outbound_paused = false).await;

    let all = Which::Matching(Filter::default());
    let count = dead_letter::requeue(&practice.domain, &practice.admin(), &no_key(), &all).await.unwrap();
    let row = practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!((count, row.sync.provider_sync_attempts), (1, 1));
    assert_eq!(practice.only_living().start, on_day(3, 9));
}

async fn breaker(practice: &crate::support::calcom::Connected) -> Breaker {
    let mut tx = practice.tx().await;
    let flow = integration_flow::find(&mut tx, practice.integration).await.unwrap().unwrap();
    tx.end_reading();
    flow.breaker
}
