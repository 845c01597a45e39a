//! Our webhooks at the provider: made, found out, repaired, and taken back in the end.

use std::collections::HashSet;

use chrono::{TimeDelta, Utc};
use http::StatusCode;
use stellwerk::{
    domain::integration,
    provider::calcom::SUBSCRIBED_TRIGGERS,
    sandbox::calcom::{EventTypeOptions, Fault, Operation, Outcome, Rule, Scope, Trigger},
    words::{IntegrationState, SubscriptionState},
};

use crate::support::{
    calcom::{self, on_day},
    link::{Linked, line},
};

#[tokio::test]
async fn every_event_type_has_one_webhook_with_an_address_and_a_secret_of_its_own() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    double.add_event_type(linked.host.id, "talk", "Talk", 20, EventTypeOptions::default()).expect("a kind");

    linked.link().await;
    linked.idle().await;

    let webhooks = double.webhooks();
    assert_eq!(webhooks.len(), 2);
    assert!(webhooks.iter().all(|one| one.active && one.triggers.len() == SUBSCRIBED_TRIGGERS.len()));
    assert!(webhooks.iter().all(|one| matches!(one.scope, Scope::EventType(_))));
    assert_eq!(webhooks.iter().map(|one| &one.subscriber_url).collect::<HashSet<_>>().len(), 2);
    assert_eq!(webhooks.iter().filter_map(|one| one.secret.as_ref()).collect::<HashSet<_>>().len(), 2);
    assert_eq!(linked.lines("resource || ' ' || state", "subscription").await.len(), 2);
    let standing = linked.status().await.subscriptions;
    assert!(standing.iter().all(|one| one.state == SubscriptionState::Active && one.reason.is_none()));
}

#[tokio::test]
async fn what_happens_there_arrives_here_by_webhook() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.forget_requests();

    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;

    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.asked(Operation::ListBookings), 0);
}

#[tokio::test]
async fn a_webhook_that_somebody_deleted_is_made_again() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let before = linked.webhooks_of(linked.event_type).remove(0);
    double.unsubscribe(&before.id).expect("deleted");

    linked.check_subscriptions().await;

    let after = linked.webhooks_of(linked.event_type);
    assert_eq!(after.len(), 1);
    assert_ne!(after[0].id, before.id);
    assert_eq!(after[0].subscriber_url, before.subscriber_url);
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
}

#[tokio::test]
async fn a_webhook_that_somebody_changed_is_put_right() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let right = linked.webhooks_of(linked.event_type).remove(0);

    for change in [
        r#"{"active": false}"#,
        r#"{"triggers": ["BOOKING_CREATED"]}"#,
        r#"{"secret": "another"}"#,
        r#"{"subscriberUrl": "http://127.0.0.1:9/elsewhere"}"#,
    ] {
        change_webhook(&linked, &right.id, change).await;
        assert_ne!(linked.webhooks_of(linked.event_type)[0], right, "{change}");

        linked.check_subscriptions().await;

        assert_eq!(linked.webhooks_of(linked.event_type), std::slice::from_ref(&right), "{change}");
    }
}

/// What the owner of the account does by the API.
async fn change_webhook(linked: &Linked, id: &str, change: &'static str) {
    let url = format!("{}/v2/event-types/{}/webhooks/{id}", linked.calcom.url(), linked.event_type);
    let request = stellwerk::egress::EgressRequest {
        method: http::Method::PATCH,
        url: url.parse().expect("a URL"),
        headers: [
            (
                http::header::AUTHORIZATION,
                format!("Bearer {}", linked.host.api_key).parse().expect("a header"),
            ),
            (http::header::CONTENT_TYPE, "application/json".parse().expect("a header")),
        ]
        .into_iter()
        .collect(),
        body: change.into(),
    };
    let answer = linked.domain.egress.send(request).await.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_webhook_with_a_template_is_replaced_because_nothing_else_takes_it_away() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let before = linked.webhooks_of(linked.event_type).remove(0);
    double.set_payload_template(&before.id, "{\"title\": \"{{title}}\"}").expect("set");

    linked.check_subscriptions().await;

    let after = linked.webhooks_of(linked.event_type);
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].payload_template.clone(), after[0].id != before.id), (None, true));
}

#[tokio::test]
async fn doubles_of_ours_are_removed_and_webhooks_of_others_are_left_alone() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let ours = linked.webhooks_of(linked.event_type).remove(0);
    let scope = Scope::EventType(linked.event_type);
    let forgotten = format!("{}/api/webhooks/calcom/an-older-address", linked.domain.public_url);
    double.subscribe(scope, &forgotten, Some("x"), &[Trigger::BookingCreated]).expect("a stray");
    let others = double
        .subscribe(scope, "https://example.org/hook", None, &[Trigger::BookingCreated])
        .expect("another's");

    linked.check_subscriptions().await;

    let left: HashSet<String> = linked.webhooks_of(linked.event_type).into_iter().map(|one| one.id).collect();
    assert_eq!(left, HashSet::from([ours.id, others.id]));
}

#[tokio::test]
async fn a_webhook_whose_making_was_not_answered_is_not_made_twice() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    let lost = Fault::AnswerLost { hold: false };
    double.add_fault(Rule::next(1, lost).on(Operation::CreateEventTypeWebhook));

    linked.link().await;
    linked.idle().await;

    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
    assert_eq!(linked.status().await.subscriptions[0].state, SubscriptionState::Active);
}

#[tokio::test]
async fn a_refused_webhook_says_why_and_does_not_keep_the_others_from_being_made() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    double.add_event_type(linked.host.id, "talk", "Talk", 20, EventTypeOptions::default()).expect("a kind");
    double.add_fault(Rule::next(1, Fault::ErrorBefore { status: 422 }).on(Operation::CreateEventTypeWebhook));

    linked.link().await;
    linked.idle().await;

    let states: Vec<_> = linked
        .status()
        .await
        .subscriptions
        .into_iter()
        .map(|one| (one.state, one.reason.is_some()))
        .collect();
    assert_eq!(states, [(SubscriptionState::Failed, true), (SubscriptionState::Active, false)]);
    linked.check_subscriptions().await;
    assert_eq!(double.webhooks().len(), 2);
}

#[tokio::test]
async fn an_event_type_that_went_takes_its_address_with_it() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;

    double.delete_event_type(linked.event_type);
    linked.sync().await;

    assert_eq!(linked.status().await.subscriptions.len(), 0);
    assert_eq!(linked.lines("disable_time IS NOT NULL", "webhook_endpoint").await, ["t"]);
}

#[tokio::test]
async fn disconnecting_takes_the_webhooks_back_and_destroys_the_key() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;

    let begun = linked.disconnect().await;
    linked.until(IntegrationState::Disconnected).await;

    assert_eq!(begun.state, IntegrationState::Disconnecting);
    assert_eq!(double.webhooks(), []);
    assert_eq!(linked.lines("count(*)", "credential").await, ["0"]);
    assert_eq!(linked.lines("count(*)", "event_type").await, ["0"]);
    // The people keep their appointments.
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    assert_eq!(linked.integration().await.state_reason, None);
}

#[tokio::test]
async fn a_late_delivery_to_an_ended_integration_is_answered_well_and_dropped() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let webhook = linked.webhooks_of(linked.event_type).remove(0);
    linked.disconnect().await;
    linked.until(IntegrationState::Disconnected).await;
    let scope = Scope::EventType(linked.event_type);
    let secret = webhook.secret.as_deref();
    double.subscribe(scope, &webhook.subscriber_url, secret, &[Trigger::BookingCreated]).expect("a late one");

    linked.book_there(on_day(3, 10)).await;

    let delivered = double.deliveries().pop().expect("a delivery");
    assert_eq!(delivered.outcome, Outcome::Answered(200));
    assert_eq!(
        linked.lines("status || ' ' || reason", "webhook_event ORDER BY id DESC LIMIT 1").await,
        ["ignored INTEGRATION_DISCONNECTED"]
    );
    assert_eq!(linked.appointments().await, [""; 0]);
}

#[tokio::test]
async fn another_tenant_may_link_what_was_given_up() {
    let app = calcom::app().reachable().start().await;
    let double = calcom::double().await;
    let first = Linked::new(&app, &app.tenant("Praxis am Wall").await, &double).await;
    first.disconnect().await;
    first.until(IntegrationState::Disconnected).await;
    let mut second = Linked::prepare(&app, &app.tenant("Praxis am Tor").await, &double).await;
    second.host = first.host.clone();

    second.link().await;
    second.idle().await;

    assert_eq!(second.first_run().await.error_count, 0);
    assert_eq!(second.webhooks_of(first.event_type).len(), 1);
}

#[tokio::test]
async fn the_same_tenant_may_link_an_account_again_that_it_had_ended() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::new(&app, &tenant, &double).await;
    linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    linked.disconnect().await;
    linked.until(IntegrationState::Disconnected).await;

    let ended = linked.integration;
    linked.link().await;
    linked.idle().await;

    // The same one goes on, so that its bookings are known and none is taken for a second appointment.
    assert_eq!((linked.integration, linked.state().await), (ended, IntegrationState::Connected));
    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
    assert_eq!(linked.appointments().await, [line("booked", on_day(3, 10))]);
    linked.book_there(on_day(4, 10)).await;
    linked.idle().await;
    assert_eq!(linked.appointments().await.len(), 2);
}

#[tokio::test]
async fn a_provider_that_is_out_cannot_keep_an_integration_alive() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;
    let worker = app.worker();
    linked.idle().await;
    worker.kill().await;
    double.stop().await;
    linked.disconnect().await;
    let payload = serde_json::json!({ "integration_id": linked.integration });
    let (domain, tenant) = (&linked.domain, linked.tenant);

    let tried = integration::run_disconnecting(domain, tenant, &payload, Utc::now()).await;
    assert!(tried.is_err(), "{tried:?}");
    assert_eq!(linked.state().await, IntegrationState::Disconnecting);
    integration::give_up_disconnecting(domain, tenant, &payload, Utc::now() + TimeDelta::minutes(15))
        .await
        .expect("ended");

    let ended = linked.integration().await;
    assert_eq!(
        (ended.state, ended.state_reason.as_deref()),
        (IntegrationState::Disconnected, Some("WEBHOOKS_LEFT"))
    );
    assert_eq!(linked.lines("count(*)", "credential").await, ["0"]);
}

#[tokio::test]
async fn an_integration_whose_key_is_refused_ends_and_says_what_was_left() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.revoke_key(&linked.host.api_key);

    linked.disconnect().await;
    linked.until(IntegrationState::Disconnected).await;

    assert_eq!(linked.integration().await.state_reason.as_deref(), Some("WEBHOOKS_LEFT"));
    assert_eq!(linked.webhooks_of(linked.event_type).len(), 1);
}

#[tokio::test]
async fn what_was_ended_stays_ended() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    linked.disconnect().await;
    linked.until(IntegrationState::Disconnected).await;

    let again = linked.disconnect().await;
    let changed = linked.change(integration::Changes { read_only: Some(true), ..Default::default() }).await;

    assert_eq!(again.state, IntegrationState::Disconnected);
    assert!(changed.is_err());
    linked.idle().await;
}
