//! Small budgets: work of several requests comes to its end, however few of them may be made at once.

use chrono::Utc;
use stellwerk::{domain::engine::reconcile, sandbox::asana::Operation};

use crate::support::asana::{self, Planner, errors, told};

/// One request may be made now and the next one after this part of a second; nothing is left.
async fn one_at_a_time(planner: &Planner, per_second: u32) {
    let sql = format!(
        "UPDATE integration_flow SET capacity = 1, refill_per_s = {per_second}, tokens = 0, \
         refill_time = clock_timestamp() WHERE integration_id = '{}'",
        planner.integration
    );
    planner.owner.run(&sql).await;
}

#[tokio::test]
async fn a_poll_that_is_put_off_again_and_again_asks_each_project_once() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    for name in ["Werkhalle", "Schule", "Kita", "Rathaus"] {
        double.add_project(planner.workspace, name, &[planner.area.gid, planner.hours.gid]);
    }
    assert_eq!(errors(&planner.sync().await), [""; 0]);
    double.forget_requests();
    one_at_a_time(&planner, 2).await;

    planner.poll().await;

    assert_eq!(double.count(Operation::GetEvents), 5);
}

#[tokio::test]
async fn a_list_of_several_pages_is_read_to_its_end_one_page_at_a_time() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    for number in 0..250 {
        planner.user(&format!("Kollege {number}"), &format!("kollege.{number}@example.com"));
    }
    one_at_a_time(&planner, 4).await;

    let run = planner.sync().await;

    assert_eq!(errors(&run), [""; 0]);
    assert_eq!(double.count(Operation::ListUsers), 3);
}

#[tokio::test]
async fn what_webhooks_tell_of_more_than_may_be_asked_is_read_with_the_whole_project() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let tasks = (0..6).map(|number| planner.task(&format!("Phase {number}"), "2026-11-13"));
    let tasks: Vec<_> = tasks.collect();
    planner.sync().await;
    // Not in the list of what has changed, so that each would be asked for on its own.
    let elsewhere = double.add_project(planner.workspace, "Werkhalle", &[planner.area.gid]);
    let moved: Vec<_> = (0..4)
        .map(|number| planner.task_in(elsewhere, &format!("Fremd {number}"), serde_json::json!({})))
        .collect();
    double.forget_requests();
    one_at_a_time(&planner, 2).await;

    let events: Vec<_> = moved.iter().map(|task| told("changed", *task)).collect();
    planner.heed(planner.project, &events).await;

    assert_eq!((double.count(Operation::GetTask), double.count(Operation::ListTasks)), (0, 2));
    assert_eq!(planner.presence(tasks[0]).await, "present");
}

/// One for each of what was told, if they were not merged.
#[tokio::test]
async fn what_is_asked_for_again_before_it_begins_is_done_once() {
    let app = asana::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let mut tx = planner.tx().await;
    let (of, now) = (planner.integration, Utc::now());
    for _ in 0..3 {
        reconcile::queue(&mut tx, of, "test", now).await.expect("queued");
        reconcile::queue_absences(&mut tx, of, "test", now).await.expect("queued");
    }
    tx.commit().await.expect("committed");
    assert_eq!(planner.lines("kind", "outbox").await.len(), 2);

    // What has begun may have looked already.
    planner.owner.run("UPDATE outbox SET lease_epoch = 1").await;
    let mut tx = planner.tx().await;
    reconcile::queue(&mut tx, of, "test", now).await.expect("queued");
    tx.commit().await.expect("committed");
    assert_eq!(planner.lines("kind", "outbox").await.len(), 3);
}
