//! What the clock begins, once however many look at it, and what it clears away.

use chrono::Utc;
use stellwerk::{
    domain::{
        engine::schedule::{self, Seen},
        upkeep,
    },
    proto, store,
    words::SyncKind,
    worker::{Worker, WorkerConfig},
};
use tokio_util::sync::CancellationToken;

use crate::support::{
    PATIENCE,
    calcom::{self, on_day},
    desk,
    link::Linked,
    wait_until,
};

#[tokio::test]
async fn an_occurrence_is_queued_once_however_many_instances_there_are() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;
    // All of them have an occurrence here or shortly before.
    let now = "2031-05-06T03:30:10Z".parse().expect("a time");

    let (mut one, mut other, mut late) = (Seen::default(), Seen::default(), Seen::default());
    tokio::join!(
        schedule::run(&linked.domain, &mut one, now),
        schedule::run(&linked.domain, &mut other, now)
    );
    schedule::run(&linked.domain, &mut late, now).await;

    assert_eq!(
        linked.lines("cause", "outbox AND cause LIKE 'schedule/%' ORDER BY cause").await,
        [
            "schedule/check-subscriptions",
            "schedule/reconcile-calcom",
            "schedule/refresh-event-types",
            "schedule/sweep-calcom"
        ]
    );
}

#[tokio::test]
async fn a_worker_makes_up_for_what_was_due_while_nobody_worked() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;

    let worker = Worker::new(linked.domain.clone(), WorkerConfig::default());
    let stop = CancellationToken::new();
    let working = tokio::spawn(worker.run(stop.clone()));
    wait_until("a sweep was made", PATIENCE, async || {
        linked.runs().await.iter().any(|run| run.kind == SyncKind::Scheduled && run.end_time.is_some())
    })
    .await;
    linked.idle().await;
    stop.cancel();
    working.await.expect("the worker ends in order");

    let run = linked.owner.lines("SELECT DISTINCT schedule FROM schedule_run").await;
    for name in [
        "check-subscriptions",
        "cleanup-sync-logs",
        "reconcile-calcom",
        "refresh-event-types",
        "sweep-calcom",
    ] {
        assert!(run.iter().any(|one| one == name), "{name}: {run:?}");
    }
}

#[tokio::test]
async fn what_waits_already_is_not_queued_again_by_the_next_occurrence() {
    let app = calcom::app().reachable().without_worker().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let mut linked = Linked::prepare(&app, &tenant, &double).await;
    linked.link().await;

    for minute in ["10:00", "10:05", "10:10"] {
        let now = format!("2031-05-06T{minute}:01Z").parse().expect("a time");
        schedule::run(&linked.domain, &mut Seen::default(), now).await;
    }

    let queued = linked.lines("count(*)", "outbox AND cause = 'schedule/reconcile-calcom'").await;
    assert_eq!(queued, ["1"]);
}

#[tokio::test]
async fn what_the_clock_began_is_done_and_seen() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    double.add_event_type(linked.host.id, "talk", "Talk", 20, Default::default()).expect("a kind");

    schedule::run(&linked.domain, &mut Seen::default(), "2031-05-06T04:00:10Z".parse().expect("a time"))
        .await;
    linked.idle().await;

    assert_eq!(linked.lines("slug", "event_type ORDER BY slug").await, ["talk", "visit"]);
    let causes: Vec<String> = linked.runs().await.into_iter().map(|run| run.cause).collect();
    assert!(causes.contains(&"schedule/refresh-event-types".into()), "{causes:?}");
}

#[tokio::test]
async fn old_records_of_runs_are_swept_and_young_ones_stay() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let aged = |kind: &str, state: &str, days: i32| {
        format!(
            "INSERT INTO sync_log (tenant_id, id, integration_id, kind, state, cause, start_time, end_time) \
             SELECT '{}', gen_random_uuid(), '{}', '{kind}', '{state}', 'aged {days}', at, at \
             FROM (SELECT now() - interval '{days} days' AS at) aged",
            linked.tenant, linked.integration
        )
    };
    for (kind, state, days) in [
        ("incremental", "succeeded", 8),
        ("incremental", "succeeded", 6),
        ("incremental", "failed", 8),
        ("manual", "succeeded", 91),
        ("manual", "succeeded", 89),
    ] {
        linked.owner.run(&aged(kind, state, days)).await;
    }

    let swept = store::schedule::sweep_sync_logs(&linked.domain.store).await.expect("swept");

    assert_eq!(swept, 2);
    assert_eq!(
        linked.lines("cause", "sync_log AND cause LIKE 'aged%' ORDER BY cause").await,
        ["aged 6", "aged 8", "aged 89"]
    );
}

#[tokio::test]
async fn a_hold_that_ran_out_gives_its_time_back_though_nobody_asks() {
    let app = calcom::app().start().await;
    let tenant = app.tenant("Praxis am Wall").await;
    let practitioner = tenant.put_practitioner("Dr. Muster").await;
    let request = proto::HoldSlotRequest {
        practitioner_id: practitioner,
        start_time: Some(desk::timestamp(on_day(5, 9))),
        duration: Some(prost_types::Duration { seconds: 1800, nanos: 0 }),
        ..Default::default()
    };
    tenant.admin.appointments().hold_slot(request).await.expect("held");
    let owner = app.database.owner().await;
    owner.run("UPDATE appointment SET hold_expire_time = now() - interval '1 s' WHERE status = 'held'").await;

    upkeep::release_holds(&app.domain, Utc::now()).await;

    assert_eq!(owner.lines("SELECT status FROM appointment").await, ["cancelled"]);
}
