//! What an operator's monitoring sees: `/metrics`, for all tenants together.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{self, on_day},
    database::Session,
    wait_until,
};

async fn scrape(metrics: SocketAddr) -> String {
    let mut stream = TcpStream::connect(metrics).await.expect("a listener");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n")
        .await
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

/// The value of one series.
fn value(text: &str, series: &str) -> Option<f64> {
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// A tenant with a bit of everything that is measured. Returns its id.
async fn plant(owner: &Session) -> String {
    let tenant = owner.value("SELECT gen_random_uuid()").await;
    owner
        .run(&format!(
            "INSERT INTO tenant (tenant_id, name) VALUES ('{tenant}', 'Praxis Muster'); \
             SET stellwerk.tenant_id = '{tenant}'; \
             INSERT INTO integration (id, provider, name, instance_url, create_time) \
                 SELECT gen_random_uuid(), 'calcom', 'Calendar', 'https://calendar.example.org/v2', \
                     now() - interval '1 hour' \
                 FROM generate_series(1, 3); \
             INSERT INTO integration (id, provider, name, instance_url, create_time) \
                 VALUES (gen_random_uuid(), 'asana', 'Planning', 'https://app.asana.com/api/1.0', \
                     now() - interval '1 hour'); \
             INSERT INTO planning_settings (integration_id, initial_sync_time) \
                 SELECT id, now() FROM integration WHERE tenant_id = '{tenant}' AND provider = 'asana'; \
             INSERT INTO integration_flow (integration_id, capacity, refill_per_s, tokens, breaker) \
                 SELECT id, 100, 2, 100, \
                     CASE row_number() OVER (ORDER BY provider DESC) WHEN 1 THEN 'open' ELSE 'closed' END \
                 FROM integration WHERE tenant_id = '{tenant}'; \
             INSERT INTO sync_cursor (integration_id, noun, last_run_time) \
                 SELECT id, 'bookings', now() - row_number() OVER () * interval '100 s' \
                 FROM integration WHERE tenant_id = '{tenant}' AND provider = 'calcom'; \
             INSERT INTO sync_cursor (integration_id, noun, last_run_time) \
                 SELECT id, 'phases', now() - interval '500 s' \
                 FROM integration WHERE tenant_id = '{tenant}' AND provider = 'asana'; \
             INSERT INTO sync_log (id, integration_id, kind, state, cause, end_time) \
                 SELECT overlay(gen_random_uuid()::text PLACING \
                     left(stellwerk_uuid_floor(now())::text, 14) || '7' FROM 1 FOR 15)::uuid, \
                     (SELECT id FROM integration WHERE tenant_id = '{tenant}' AND provider = of LIMIT 1), \
                     'scheduled', CASE n WHEN 1 THEN 'failed' ELSE 'succeeded' END, 'c', now() \
                 FROM (SELECT 'calcom' AS of, generate_series(1, 4) AS n \
                     UNION ALL SELECT 'asana', generate_series(1, 2)) AS run; \
             INSERT INTO review_item (id, kind, reason) SELECT gen_random_uuid(), 'unmatched', 'X' \
             FROM generate_series(1, 5); \
             INSERT INTO outbox (id, kind, lane, payload, cause, run_time) \
                 SELECT gen_random_uuid(), 'sync_run', n::text, '{{}}', 'c', now() + interval '1 hour' \
                 FROM generate_series(1, 6) n; \
             UPDATE outbox SET state = 'dead', is_head = false, reason = 'why' WHERE lane IN ('1', '2'); \
             RESET stellwerk.tenant_id"
        ))
        .await;
    tenant
}

/// P12, P15.
#[tokio::test]
async fn a_scrape_shows_what_waits_what_was_given_up_and_how_providers_stand() {
    let app = TestApp::builder().without_worker().start().await;
    let owner = app.database.owner().await;
    let tenants = [plant(&owner).await, plant(&owner).await];

    let text = scrape(app.metrics()).await;

    for (series, expected) in [
        (r#"stellwerk_outbox_depth{kind="sync_run"}"#, 8.0),
        (r#"stellwerk_outbox_depth{kind="reconcile"}"#, 0.0),
        (r#"stellwerk_dead_letters{kind="sync_run"}"#, 4.0),
        (r#"stellwerk_review_items{kind="unmatched"}"#, 10.0),
        (r#"stellwerk_review_items{kind="conflict"}"#, 0.0),
        (r#"stellwerk_breakers{provider="calcom",state="open"}"#, 2.0),
        (r#"stellwerk_breakers{provider="calcom",state="closed"}"#, 4.0),
        (r#"stellwerk_sync_outcomes{provider="calcom",outcome="failure"}"#, 2.0),
        (r#"stellwerk_sync_success_ratio{provider="calcom"}"#, 0.75),
        (r#"stellwerk_breakers{provider="asana",state="closed"}"#, 2.0),
        (r#"stellwerk_sync_outcomes{provider="asana",outcome="success"}"#, 2.0),
        (r#"stellwerk_sync_success_ratio{provider="asana"}"#, 0.5),
    ] {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    for (provider, oldest) in [("calcom", 300.0), ("asana", 500.0)] {
        let freshness = value(&text, &format!("stellwerk_freshness_seconds{{provider=\"{provider}\"}}"));
        let freshness = freshness.unwrap_or_else(|| panic!("{provider}: {text}"));
        assert!((oldest..oldest + 60.0).contains(&freshness), "{provider}: {freshness}");
    }
    // Other tests of this process take its deliveries in; of how it stands there is nothing.
    for standing in ["breakers", "freshness_seconds", "sync_success_ratio"] {
        let series = format!("stellwerk_{standing}{{provider=\"booking\"");
        assert!(!text.contains(&series), "one that only posts is never asked: {text}");
    }
    for tenant in tenants {
        assert!(!text.contains(&tenant), "{text}");
    }
}

/// P13. Counting a million messages takes a while: scrapers share a measurement,
/// and the next one follows when it is due.
#[tokio::test]
async fn what_was_measured_a_moment_ago_is_shown_until_the_next_measurement() {
    let app = TestApp::builder().without_worker().start().await;
    let owner = app.database.owner().await;
    let series = r#"stellwerk_review_items{kind="unmatched"}"#;
    let blocker = app.database.owner().await;
    blocker.run("BEGIN; LOCK TABLE review_item").await;
    let first = tokio::spawn(scrape(app.metrics()));
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
        AND datname = current_database()";
    wait_until("the measurement waits", PATIENCE, async || owner.value(waits).await == "1").await;

    // The first scrape's measurement goes on; nobody begins another one meanwhile.
    let others = futures::future::join_all((0..5).map(|_| scrape(app.metrics()))).await;
    let measuring = owner.value(waits).await;
    blocker.run("ROLLBACK").await;
    plant(&owner).await;

    assert_eq!((others.len(), measuring.as_str()), (5, "1"));
    first.await.unwrap();
    // The next measurement is the later, the longer this one had to wait, but no later than after a minute.
    wait_until("the new items are shown", PATIENCE * 4, async || {
        value(&scrape(app.metrics()).await, series) == Some(5.0)
    })
    .await;
}

#[tokio::test]
async fn how_long_a_change_took_to_become_true_at_its_provider_is_measured() {
    let app = calcom::app().start().await;
    let acme = app.tenant("acme").await;
    let practice = calcom::connect_calcom(&app, &acme, &calcom::double().await).await;

    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    practice.reschedule(id, on_day(3, 11)).await;
    practice.until_synced(id).await;
    practice.cancel(id).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    let text = scrape(app.metrics()).await;
    for kind in ["create", "reschedule", "cancel"] {
        let series = format!(r#"stellwerk_push_latency_seconds_count{{provider="calcom",kind="{kind}"}}"#);
        assert!(value(&text, &series).is_some_and(|count| count >= 1.0), "{series}\n{text}");
    }
}
