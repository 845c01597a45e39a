//! What is found between two complete readings: by event streams, and by what webhooks tell.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use stellwerk::sandbox::asana::{Fault, Operation, Rule};

use crate::support::asana::{self, Planner, day, told, told_field};

#[tokio::test]
async fn a_poll_reads_the_tasks_that_events_name_and_nothing_else() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 5).await;
    planner.boss.set_dates(tasks[2], None, Some(day("2026-12-24"))).expect("changed");
    double.forget_requests();

    planner.poll().await;

    assert_eq!(planner.plan(tasks[2]).await, "- 2026-12-24 - -");
    assert_eq!((double.count(Operation::GetTask), double.count(Operation::ListTasks)), (1, 0));
}

/// Trap 21: the token is taken before the reading, so that nothing falls between the two.
#[tokio::test]
async fn what_changes_while_a_project_is_being_read_is_found_by_the_next_poll() {
    let app = asana::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    let run = planner.start().await;
    let mut gate = double.pause_next(stellwerk::sandbox::asana::Point::AfterApplying, Operation::ListTasks);
    let _worker = app.worker();
    gate.reached().await.expect("the page is on its way");

    planner.boss.set_dates(task, None, Some(day("2026-12-24"))).expect("changed");
    gate.open();
    planner.ended(run.id).await;
    assert_eq!(planner.plan(task).await, "- 2026-11-13 - -", "the page was older");
    planner.poll().await;

    assert_eq!(planner.plan(task).await, "- 2026-12-24 - -");
}

/// Trap 21: 412 is no failure, but what was missed must be read.
#[tokio::test]
async fn a_token_that_has_expired_has_the_project_read_as_a_whole() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 3).await;
    planner.boss.set_dates(tasks[0], None, Some(day("2026-12-24"))).expect("changed");
    planner.boss.delete_task(tasks[1]);
    double.expire_sync_tokens();
    double.forget_requests();

    planner.poll().await;
    assert_eq!(planner.plan(tasks[0]).await, "- 2026-12-24 - -");
    assert_eq!(planner.presence(tasks[1]).await, "missing");
    assert_eq!(double.count(Operation::ListTasks), 1);

    // The fresh token is good for the next one.
    planner.boss.set_dates(tasks[2], None, Some(day("2026-12-24"))).expect("changed");
    planner.poll().await;
    assert_eq!(planner.plan(tasks[2]).await, "- 2026-12-24 - -");
    assert_eq!(double.count(Operation::ListTasks), 1);
}

/// Trap 28: webhooks carry no values. P9.
#[tokio::test]
async fn what_a_webhook_tells_is_read_whatever_it_says_and_however_often() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 2).await;
    planner.boss.set_dates(tasks[0], None, Some(day("2026-12-24"))).expect("changed");
    let late = told_field(tasks[0], "due_on", Utc::now() - TimeDelta::minutes(10));

    planner.heed(planner.project, &[late.clone(), late.clone()]).await;
    planner.heed(planner.project, &[late]).await;

    assert_eq!(planner.plan(tasks[0]).await, "- 2026-12-24 - -");
    assert_eq!(planner.history(tasks[0]).await, ["created asana", "fields asana"]);
}

#[tokio::test]
async fn what_webhooks_tell_in_quick_succession_is_read_once() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 2).await;
    double.forget_requests();

    for _ in 0..5 {
        planner.hear(planner.project, &[told("changed", tasks[0])]).await;
    }
    planner.idle().await;

    assert_eq!(double.count(Operation::GetTask), 1);
}

#[tokio::test]
async fn many_changes_of_one_project_are_listed_rather_than_read_one_by_one() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 20).await;
    let begin = Utc::now();
    for task in &tasks {
        planner.boss.set_dates(*task, None, Some(day("2026-12-24"))).expect("changed");
    }
    let events: Vec<_> = tasks.iter().map(|task| told_field(*task, "due_on", begin)).collect();
    double.forget_requests();

    planner.heed(planner.project, &events).await;

    let there = planner.value("count(*)", "phase AND due_date = '2026-12-24'").await;
    assert_eq!(there, "20");
    assert_eq!((double.count(Operation::ListTasks), double.count(Operation::GetTask)), (1, 0));
}

#[tokio::test]
async fn a_task_that_is_new_becomes_a_phase_as_soon_as_it_is_told_of() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, _) = Planner::synced_with(&app, &tenant, &double, 1).await;
    let made = planner.boss.create_task(planner.project, json!({ "name": "Dach", "due_on": "2026-12-01" }));
    let made = made.expect("made");

    planner.heed(planner.project, &[told("added", made)]).await;

    assert_eq!(planner.plan(made).await, "- 2026-12-01 - -");
}

/// P15: what webhooks do not tell is found, and counted.
#[tokio::test]
async fn a_change_that_no_webhook_tells_is_counted_as_missed() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 3).await;
    planner.change_settings(|settings| settings.webhooks_time = Some(Utc::now())).await;
    for task in &tasks[..2] {
        planner.boss.set_dates(*task, None, Some(day("2026-12-24"))).expect("changed");
    }
    planner.poll().await;
    assert_eq!(planner.value("count(*)", "unheard_change").await, "2");

    // One of them is told after all; the other has waited long enough.
    planner.heed(planner.project, &[told("changed", tasks[0])]).await;
    let age = "UPDATE unheard_change SET find_time = find_time - interval '20 minutes' RETURNING 1";
    planner.owner.lines(age).await;
    planner.poll().await;

    assert_eq!(planner.value("missed_events", "planning_health").await, "1");
    assert_eq!(planner.value("count(*)", "unheard_change").await, "0");
}

#[tokio::test]
async fn what_happened_during_a_pause_is_read_when_it_ends() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 1).await;
    planner.change_integration(|row| row.inbound_paused = true).await;
    planner.boss.set_dates(tasks[0], None, Some(day("2026-12-24"))).expect("changed");
    planner.heed(planner.project, &[told("changed", tasks[0])]).await;
    planner.poll().await;
    assert_eq!(planner.plan(tasks[0]).await, "- 2026-11-13 - -");

    planner.change_integration(|row| row.inbound_paused = false).await;
    planner.poll().await;

    assert_eq!(planner.plan(tasks[0]).await, "- 2026-12-24 - -");
}

/// Trap 34: a grant with granular scopes has no event stream.
#[tokio::test]
async fn without_an_event_stream_changes_are_found_by_their_time() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    let refused = Fault::Refused { refusal: asana::refusal(403) };
    double.add_fault(Rule::always(refused).on(Operation::GetEvents));
    planner.sync().await;
    planner.boss.set_dates(task, None, Some(day("2026-12-24"))).expect("changed");

    planner.poll().await;

    assert_eq!(planner.plan(task).await, "- 2026-12-24 - -");
}

/// Trap 17: refused calls count, too.
#[tokio::test]
async fn a_run_that_is_throttled_waits_and_comes_to_its_end() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    planner.task("Rohbau", "2026-11-13");
    double.add_fault(Rule::next(1, Fault::Throttled { retry_after_seconds: 1 }).on(Operation::ListTasks));

    let run = planner.sync().await;

    assert_eq!(asana::errors(&run), [""; 0]);
    assert_eq!(double.count(Operation::ListTasks), 2);
    assert_eq!(planner.phases().await, ["Rohbau present"]);
}
