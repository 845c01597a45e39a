//! Complete readings: what they take over, how they go on, and how they end.

use serde_json::json;
use stellwerk::{
    sandbox::asana::{Fault, Operation, Point, Rule},
    words::SyncState,
};

use crate::support::asana::{self, Planner, counted, errors};

#[tokio::test]
async fn a_first_run_takes_over_projects_phases_and_users() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let (assembly, hours) = (planner.option("Montage"), planner.hours.gid.to_string());
    let area = planner.area.gid.to_string();
    let roof = planner.task_in(
        planner.project,
        "Dachstuhl",
        json!({
            "start_on": "2026-11-02", "due_on": "2026-11-13",
            "custom_fields": { area: assembly, hours: 37.5 },
        }),
    );
    let bare = planner.task("Abnahme", "2026-12-01");

    let run = planner.sync().await;

    assert_eq!((run.state, errors(&run)), (SyncState::Succeeded, Vec::new()));
    assert_eq!(planner.plan(roof).await, "2026-11-02 2026-11-13 37.5 assembly");
    assert_eq!(planner.plan(bare).await, "- 2026-12-01 - -");
    assert_eq!(planner.history(roof).await, ["created asana"]);
    assert_eq!(counted(&run, "phases", "processed"), 2);
    assert_eq!(planner.lines("name", "project").await, ["Haus am Wall"]);
    assert_eq!(planner.lines("email_folded", "external_user").await, ["mara.vogt@example.com"]);
    assert!(planner.settings().await.initial_sync_time.is_some());
}

#[tokio::test]
async fn a_second_run_that_finds_nothing_new_changes_nothing() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;
    let before = planner.lines("update_time", "phase").await;

    let run = planner.sync().await;

    assert_eq!(planner.lines("update_time", "phase").await, before);
    assert_eq!(planner.history(task).await, ["created asana"]);
    assert_eq!(counted(&run, "phases", "repaired"), 0);
}

/// P6, P14: kill it at any page, and the next one goes on there.
#[tokio::test]
async fn a_run_goes_on_with_the_page_it_was_at_when_its_worker_died() {
    let app = asana::app().without_worker().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    for number in 0..250 {
        planner.task(&format!("Phase {number:03}"), "2026-11-13");
    }
    let run = planner.start().await;

    for operation in [Operation::ListUsers, Operation::ListProjects, Operation::GetEvents] {
        let mut gate = double.pause_next(Point::AfterApplying, operation);
        let worker = app.worker();
        gate.reached().await.expect("it is asked for");
        worker.kill().await;
        gate.open();
    }
    // Each dies with a page on its way, and all but the first have read the one before it.
    for kept in ["0", "100", "200"] {
        let before = (kept != "0").then(|| double.pause_next(Point::AfterApplying, Operation::ListTasks));
        let mut gate = double.pause_next(Point::AfterApplying, Operation::ListTasks);
        let worker = app.worker();
        if let Some(mut before) = before {
            before.reached().await.expect("the page that was lost");
            before.open();
        }
        gate.reached().await.expect("the next page");
        assert_eq!(planner.value("count(*)", "phase").await, kept);
        worker.kill().await;
        gate.open();
    }
    double.forget_requests();
    let _last = app.worker();
    let ended = planner.ended(run.id).await;

    assert_eq!(ended.state, SyncState::Succeeded);
    assert_eq!(double.count(Operation::ListTasks), 1, "only the page that was lost");
    assert_eq!(planner.value("count(*)", "phase").await, "250");
    assert_eq!(planner.value("count(*)", "phase_change").await, "250", "no phase twice");
    assert_eq!(counted(&ended, "phases", "processed"), 250);
}

#[tokio::test]
async fn answers_that_get_lost_are_asked_for_again() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    planner.task("Rohbau", "2026-11-13");
    for operation in [Operation::ListUsers, Operation::ListProjects, Operation::ListTasks] {
        double.add_fault(Rule::next(1, Fault::ErrorBefore { status: 502 }).on(operation));
    }

    let run = planner.sync().await;

    assert_eq!((run.state, errors(&run)), (SyncState::Succeeded, Vec::new()));
    assert_eq!(planner.phases().await, ["Rohbau present"]);
}

#[tokio::test]
async fn a_list_whose_place_was_forgotten_is_read_from_its_beginning() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    for number in 0..150 {
        planner.task(&format!("Phase {number:03}"), "2026-11-13");
    }
    // The first page has no place to forget.
    double.add_fault(Rule::next(2, Fault::OffsetExpired).on(Operation::ListTasks));

    let run = planner.sync().await;

    assert_eq!((run.state, errors(&run)), (SyncState::Succeeded, Vec::new()));
    assert_eq!(planner.value("count(*)", "phase_change").await, "150");
    assert_eq!(double.count(Operation::ListTasks), 4);
}
