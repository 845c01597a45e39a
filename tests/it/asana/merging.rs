//! Both sides change: echoes, conflicts, answers that come late.

use chrono::{NaiveDate, TimeDelta, Utc};
use stellwerk::{
    sandbox::asana::{Gid, Operation, Point},
    store,
    words::ProviderSync,
};

use crate::support::asana::{self, Planner, day, told, told_field};

/// Trap 27: the person who granted access edits in Asana, too; only values tell an echo.
#[tokio::test]
async fn an_edit_by_the_one_who_granted_access_is_no_echo() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 1).await;

    planner.boss.set_dates(tasks[0], None, Some(day("2026-12-24"))).expect("changed");
    planner.heed(planner.project, &[told("changed", tasks[0])]).await;

    assert_eq!(planner.plan(tasks[0]).await, "- 2026-12-24 - -");
}

/// P5.
#[tokio::test]
async fn what_equals_what_stands_here_is_an_echo_and_changes_nothing() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 1).await;
    change_here(&planner, tasks[0], day("2026-12-24"), Utc::now()).await;
    planner.boss.set_dates(tasks[0], None, Some(day("2026-12-24"))).expect("as a write of ours would");

    planner.heed(planner.project, &[told("changed", tasks[0])]).await;

    assert_eq!(planner.history(tasks[0]).await, ["created asana"]);
    assert_eq!(planner.value("count(*)", "phase_conflict").await, "0");
    let agreed = planner.value("base_due_date", "phase").await;
    assert_eq!(agreed, "2026-12-24");
}

/// Trap: a comment raises a task's time of change, and must not beat an edit.
#[tokio::test]
async fn a_comment_there_does_not_undo_a_change_here() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 1).await;
    change_here(&planner, tasks[0], day("2026-12-24"), Utc::now()).await;

    planner.boss.comment(tasks[0]).expect("a comment");
    planner.heed(planner.project, &[told("changed", tasks[0])]).await;

    assert_eq!(planner.plan(tasks[0]).await, "- 2026-12-24 - -");
    assert_eq!(planner.value("count(*)", "phase_conflict").await, "0");
}

#[tokio::test]
async fn of_two_changes_of_one_field_the_later_one_stands_and_both_are_kept() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 2).await;
    let now = Utc::now();
    change_here(&planner, tasks[0], day("2026-12-01"), now - TimeDelta::minutes(5)).await;
    change_here(&planner, tasks[1], day("2026-12-01"), now + TimeDelta::minutes(5)).await;
    for task in &tasks {
        planner.boss.set_dates(*task, None, Some(day("2026-12-24"))).expect("changed");
    }

    let events: Vec<_> = tasks.iter().map(|task| told_field(*task, "due_on", now)).collect();
    planner.heed(planner.project, &events).await;

    assert_eq!(planner.plan(tasks[0]).await, "- 2026-12-24 - -", "theirs was later");
    assert_eq!(planner.plan(tasks[1]).await, "- 2026-12-01 - -", "ours was later");
    let kept = planner
        .lines("winner || ' ' || our_value || ' ' || their_value", "phase_conflict ORDER BY winner")
        .await;
    assert_eq!(kept, ["ours 2026-12-01 2026-12-24", "theirs 2026-12-01 2026-12-24"]);
    let of = format!("phase AND external_id = '{}'", tasks[1]);
    assert_eq!(planner.value("provider_sync", &of).await, ProviderSync::Pending.as_str());
}

/// Clocks differ: Asana's is told by the header of its answers.
#[tokio::test]
async fn a_clock_that_goes_wrong_there_decides_nothing() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    double.advance(TimeDelta::hours(1)).await;
    planner.sync().await;
    let ours = Utc::now() - TimeDelta::minutes(1);

    planner.boss.set_dates(task, None, Some(day("2026-12-24"))).expect("changed");
    change_here(&planner, task, day("2026-12-01"), ours + TimeDelta::minutes(10)).await;
    // By its own clock an hour ahead of ours.
    planner.heed(planner.project, &[told_field(task, "due_on", ours + TimeDelta::hours(1))]).await;

    assert_eq!(planner.plan(task).await, "- 2026-12-01 - -", "ours was later by any one clock");
}

/// P9: an answer that was asked for before a newer one says nothing any more.
#[tokio::test]
async fn a_page_that_comes_late_does_not_undo_what_was_read_meanwhile() {
    let app = asana::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    let worker = app.worker();
    planner.sync().await;
    let run = planner.start().await;
    let mut gate = double.pause_next(Point::AfterApplying, Operation::ListTasks);
    gate.reached().await.expect("a page with the old day is on its way");

    planner.boss.set_dates(task, None, Some(day("2026-12-24"))).expect("changed");
    planner.hear(planner.project, &[told("changed", task)]).await;
    let is_read = async || planner.plan(task).await == "- 2026-12-24 - -";
    crate::support::wait_until("the change is read", crate::support::PATIENCE, is_read).await;
    gate.open();
    planner.ended(run.id).await;

    assert_eq!(planner.plan(task).await, "- 2026-12-24 - -");
    assert_eq!(planner.history(task).await, ["created asana", "fields asana"]);
    worker.kill().await;
}

/// P13, and the law: what nobody allows any more is not read to its end.
#[tokio::test]
async fn a_consent_that_is_revoked_in_the_middle_of_a_run_ends_it() {
    let app = asana::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    for number in 0..150 {
        planner.task(&format!("Phase {number:03}"), "2026-11-13");
    }
    let run = planner.start().await;
    let mut gate = double.pause_next(Point::AfterApplying, Operation::ListTasks);
    let _worker = app.worker();
    gate.reached().await.expect("the first page is on its way");

    planner.change_integration(|row| row.consent_required = true).await;
    gate.open();
    let ended = planner.ended(run.id).await;

    assert_eq!(ended.reason.as_deref(), Some("CONSENT_MISSING"));
    assert_eq!(planner.value("count(*)", "phase").await, "0", "the page was not kept");
    assert_eq!(double.count(Operation::ListTasks), 1);
}

/// As a person at the board here would, at this time.
async fn change_here(planner: &Planner, task: Gid, due: NaiveDate, at: chrono::DateTime<Utc>) {
    let mut tx = planner.tx().await;
    let of = task.to_string();
    let found = store::planning::phase::find_by_external_id_for_update(&mut tx, planner.integration, &of);
    let mut row = found.await.expect("an answer").expect("a phase");
    row.fields.due_date = Some(due);
    row.changed.due_date_change_time = Some(at);
    row.sync.provider_sync = ProviderSync::Pending;
    store::planning::phase::save(&mut tx, &row).await.expect("saved");
    tx.commit().await.expect("committed");
}
