//! What arrives, and what happens when it does not.

use std::time::Duration;

use super::*;

/// An alert that was just told.
async fn alarmed(watched: &Watched) {
    watched.open_items(11).await;
    watched.look(1).await;
    watched.look(2).await;
}

#[tokio::test]
async fn a_notice_says_who_what_since_when_how_bad_and_what_to_do() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    let headers = [("Authorization", "Bearer hidden"), ("X-Team", "desk")];
    watched.put(AlertDestinationKind::Webhook, &receiver.url("/alerts?key=hidden"), &headers).await;
    alarmed(&watched).await;

    let outcomes = watched.deliver(2).await;

    assert_eq!(outcomes, [Outcome::Done]);
    let [received] = &receiver.received()[..] else { panic!("not one request") };
    let header = |name: &str| received.headers[name].to_str().unwrap().to_string();
    assert_eq!(received.path, "/alerts?key=hidden");
    assert_eq!(
        ["authorization", "x-team", "content-type"].map(header),
        ["Bearer hidden", "desk", "application/json"]
    );
    let tenant = watched.tenant.to_string();
    let alert = watched.alerts().await[0].id.to_string();
    insta::assert_json_snapshot!(received.body, {
        ".notice_id" => "[uuid]",
        ".begin_time" => insta::dynamic_redaction(move |value, _| {
            let told: DateTime<Utc> = value.as_str().unwrap().parse().unwrap();
            assert!((told - Utc::now()).abs() < TimeDelta::minutes(5));
            "[a minute before]"
        }),
        ".time" => "[now]",
        ".tenant_id" => insta::dynamic_redaction(move |value, _| {
            assert_eq!(value.as_str(), Some(&*tenant));
            "[tenant]"
        }),
        ".alert_id" => insta::dynamic_redaction(move |value, _| {
            assert_eq!(value.as_str(), Some(&*alert));
            "[alert]"
        }),
    }, @r#"
    {
      "advice": "Decide the open items: ListReviewItems, ResolveReviewItem.",
      "alert_id": "[alert]",
      "begin_time": "[a minute before]",
      "integration_id": null,
      "notice_id": "[uuid]",
      "provider": null,
      "rule": "review_queue",
      "state": "firing",
      "tenant_id": "[tenant]",
      "tenant_name": "Praxis Muster",
      "text": "11 review items wait for a decision; more than 10 are too many.",
      "threshold": 10.0,
      "time": "[now]",
      "unit": "review items",
      "value": 11.0
    }
    "#);
}

#[tokio::test]
async fn slack_gets_a_text_and_blocks_for_people() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    watched.put(AlertDestinationKind::Slack, &receiver.url("/services/T0/B0/hidden"), &[]).await;
    watched.owner.run("UPDATE tenant SET name = '<!channel> & Söhne' WHERE name = 'Praxis Muster'").await;
    watched.look(76).await;
    watched.look(77).await;

    watched.deliver(77).await;

    let [received] = &receiver.received()[..] else { panic!("not one request") };
    let integration = watched.integration.to_string();
    let since = (watched.begin + TimeDelta::minutes(76)).to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let told = received.body.to_string().replace(&integration, "[integration]").replace(&since, "[since]");
    let told: Value = told.parse().unwrap();
    insta::assert_json_snapshot!(told, @r#"
    {
      "blocks": [
        {
          "text": {
            "text": ":rotating_light: *Alert for &lt;!channel&gt; &amp; Söhne, calcom integration [integration]: What the provider has was last read 1 h 17 min ago; more than 15 min is too long.*",
            "type": "mrkdwn"
          },
          "type": "section"
        },
        {
          "text": {
            "text": "Since [since] (1 min).\nSee why the provider is not read: GetIntegrationStatus; connect again if the credential is refused.",
            "type": "mrkdwn"
          },
          "type": "section"
        }
      ],
      "text": "Alert for &lt;!channel&gt; &amp; Söhne, calcom integration [integration]: What the provider has was last read 1 h 17 min ago; more than 15 min is too long."
    }
    "#);
}

/// P10, P11. What leaves the house, and what waits to leave it.
#[tokio::test]
async fn no_notice_holds_a_secret_or_a_word_about_a_person() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    let headers = [("X-Api-Key", "hidden-header")];
    watched.put(AlertDestinationKind::Webhook, &receiver.url("/hidden-path"), &headers).await;
    watched.put(AlertDestinationKind::Slack, &receiver.url("/hidden-path"), &[]).await;
    let (tenant, integration) = (watched.tenant, watched.integration);
    watched
        .owner
        .run(&format!(
            "INSERT INTO outbox (tenant_id, id, kind, lane, payload, cause, integration_id) \
             SELECT '{tenant}', gen_random_uuid(), 'booking_refresh', 'booking/erika-uid/' || n, \
                 '{{\"uid\": \"erika-uid\"}}', 'api_key|erika', '{integration}' \
                 FROM generate_series(1, 100) n; \
             UPDATE outbox SET state = 'dead', is_head = false, reason = 'erika@example.org', \
                 update_time = now() + interval '75 min' WHERE lane LIKE '%5'"
        ))
        .await;
    watched.open_items(11).await;
    for minute in [80, 81] {
        watched.look(minute).await;
    }
    let waiting = watched
        .owner
        .lines("SELECT payload || cause || lane FROM outbox WHERE kind = 'alert_delivery'")
        .await;
    let alerts = watched.owner.lines("SELECT a::text FROM alert a").await;
    watched.owner.run("DELETE FROM outbox WHERE kind <> 'alert_delivery'").await;
    watched.deliver(81).await;

    let received = receiver.received();
    let bodies: Vec<String> = received.iter().map(|received| received.body.to_string()).collect();
    assert_eq!((alerts.len(), waiting.len(), bodies.len()), (4, 8, 8));
    for text in waiting.iter().chain(&alerts).chain(&bodies) {
        let text = text.to_lowercase();
        assert!(!text.contains("erika") && !text.contains("hidden"), "{text}");
    }
    let kept = watched.owner.value("SELECT string_agg(d::text, ' ') FROM alert_destination d").await;
    assert!(!kept.contains("hidden") && kept.contains("127.0.0.1"), "{kept}");
}

#[tokio::test]
async fn a_destination_that_fails_is_tried_again_and_shows_it() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    let id = watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await.id;
    receiver.answer([(503, None), (200, None)]);
    alarmed(&watched).await;

    let first = watched.deliver(2).await;
    let failed = watched.destination(id).await;
    let second = watched.deliver(3).await;
    let succeeded = watched.destination(id).await;

    let retry = Outcome::Retry { after: Duration::from_secs(10), reason: "HTTP_503".into() };
    assert_eq!((first, second), (vec![retry], vec![Outcome::Done]));
    assert_eq!((failed.last_failure_reason.as_deref(), failed.last_success_time), (Some("HTTP_503"), None));
    assert!(succeeded.last_success_time > succeeded.last_failure_time);
    let ids: Vec<_> = receiver.received().iter().map(|received| received.body["notice_id"].clone()).collect();
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_destination_that_asks_for_patience_gets_it_and_uses_up_no_attempt() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    watched.put(AlertDestinationKind::Slack, &receiver.url("/"), &[]).await;
    receiver.answer([(429, Some(30))]);
    alarmed(&watched).await;

    let outcomes = watched.deliver(2).await;

    let wait = Outcome::Release { after: Duration::from_secs(30), reason: Some("HTTP_429".into()) };
    assert_eq!(outcomes, [wait]);
    assert_eq!(watched.owner.value("SELECT attempts FROM outbox").await, "0");
}

#[tokio::test]
async fn a_notice_that_is_refused_is_given_up_at_once_and_the_next_one_follows() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await;
    receiver.answer([(404, None)]);
    alarmed(&watched).await;
    watched.close_items().await;
    watched.look(3).await;
    watched.look(4).await;

    let outcomes = watched.deliver(4).await;

    assert_eq!(outcomes, [Outcome::Dead { reason: "HTTP_404".into() }, Outcome::Done]);
    let states: Vec<_> = receiver.received().iter().map(|received| received.body["state"].clone()).collect();
    assert_eq!(states, ["firing", "ended"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await;
    receiver.answer([(307, None)]);
    alarmed(&watched).await;

    let outcomes = watched.deliver(2).await;

    assert_eq!(outcomes, [Outcome::Dead { reason: "HTTP_307".into() }]);
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn nothing_is_sent_to_what_was_deleted_or_disabled_meanwhile() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    let deleted = watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await.id;
    let disabled = watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await.id;
    alarmed(&watched).await;
    alert::delete(&watched.domain, &watched.admin(), &no_key(), deleted).await.unwrap();
    let off = NewDestination {
        disabled: true,
        ..destination(AlertDestinationKind::Webhook, &receiver.url("/"), &[])
    };
    watched.try_put(Some(disabled), &off).await.unwrap();

    let outcomes = watched.deliver(2).await;

    assert_eq!(outcomes, [Outcome::Done, Outcome::Done]);
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_notice_of_yesterday_is_told_to_nobody() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await;
    alarmed(&watched).await;

    let outcomes = watched.deliver(3 + 24 * 60).await;

    assert_eq!(outcomes, [Outcome::Dead { reason: "OUTDATED".into() }]);
    assert_eq!(receiver.received().len(), 0);
}

#[tokio::test]
async fn a_test_says_at_once_whether_notices_arrive_and_why_not() {
    let watched = Watched::new().await;
    let receiver = Receiver::start().await;
    let id = watched.put(AlertDestinationKind::Webhook, &receiver.url("/"), &[]).await.id;
    let nobody = watched.put(AlertDestinationKind::Webhook, "http://127.0.0.1:1/", &[]).await.id;
    receiver.answer([(200, None), (403, None), (429, None)]);
    let test = async |id| alert::test(&watched.domain, &watched.admin(), id, watched.begin).await;

    let mut told = Vec::new();
    for id in [id, id, id, nobody] {
        let tested = test(id).await.unwrap();
        told.push((tested.succeeded, tested.reason));
    }
    let unknown = test(AlertDestinationId::new()).await;

    let reasons = [None, Some("HTTP_403"), Some("HTTP_429"), Some("UNREACHABLE")];
    assert_eq!(told, reasons.map(|reason| (reason.is_none(), reason.map(str::to_string))));
    assert!(matches!(unknown, Err(Error::NotFound(_))), "{unknown:?}");
    assert_eq!(receiver.received()[0].body["state"], "test");
    assert_eq!(watched.owner.value("SELECT count(*) FROM alert").await, "0");
}
