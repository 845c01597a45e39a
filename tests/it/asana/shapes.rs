//! What tasks look like, and what of them is a phase.

use serde_json::json;
use stellwerk::sandbox::asana::{Fault, Operation, Point, Rule};

use crate::support::asana::{self, Planner, counted, errors, told};

/// Trap: one task may be in twenty projects, and is one task all the same.
#[tokio::test]
async fn a_task_in_several_projects_is_one_phase_in_all_of_them() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let fields = [planner.area.gid, planner.hours.gid];
    let second = double.add_project(planner.workspace, "Halle Nord", &fields);
    let third = double.add_project(planner.workspace, "Büro", &[]);
    let task = planner.task("Rohbau", "2026-11-13");
    for project in [second, third] {
        planner.boss.add_to_project(task, project).expect("added");
    }

    let run = planner.sync().await;
    assert_eq!(planner.value("count(*)", "phase").await, "1");
    assert_eq!(planner.value("count(*)", "phase_project").await, "2", "only where tasks are phases");
    assert_eq!(errors(&run), [""; 0]);

    planner.boss.remove_from_project(task, planner.project).expect("removed");
    planner.heed(planner.project, &[told("removed", task)]).await;
    assert_eq!(planner.presence(task).await, "present");
    assert_eq!(planner.value("count(*)", "phase_project").await, "1");
}

#[tokio::test]
async fn milestones_and_subtasks_are_not_read() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let parent = planner.task("Rohbau", "2026-11-13");
    planner.task_in(
        planner.project,
        "Richtfest",
        json!({ "resource_subtype": "milestone", "due_on": "2026-11-20" }),
    );
    let subtask = planner.boss.create_subtask(parent, json!({ "name": "Schalung" })).expect("made");
    planner.boss.add_to_project(subtask, planner.project).expect("added");

    let run = planner.sync().await;

    assert_eq!(planner.phases().await, ["Rohbau present"]);
    assert_eq!(counted(&run, "phases", "processed"), 1);
}

/// Trap 25: what is rounded there must not look like a change here.
#[tokio::test]
async fn hours_keep_their_precision_and_do_not_change_by_being_read() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.boss.set_field(task, planner.hours.gid, 37.26).expect("set");
    planner.sync().await;
    assert_eq!(planner.plan(task).await, "- 2026-11-13 37.3 -");

    planner.sync().await;

    assert_eq!(planner.history(task).await, ["created asana"]);
    assert_eq!(planner.value("planned_hours = 37.3", "phase").await, "t");
}

/// Traps: `due_at` counts in the tenant's zone, whatever zone Asana tells `due_on` by.
#[tokio::test]
async fn a_time_of_day_lies_on_the_day_of_the_tenants_zone() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, {
        let time_zone = chrono_tz::America::Los_Angeles;
        asana::double_with(stellwerk::sandbox::asana::Settings { time_zone, ..Default::default() }).await
    });
    let planner = Planner::new(&app, &tenant, &double).await;
    let zone = planner.value("time_zone", "tenant").await;
    assert_eq!(zone, "Europe/Berlin");
    // Two minutes before and after midnight in Berlin, on the day that its clocks go back.
    let before = planner.task_in(planner.project, "vor", json!({ "due_at": "2026-10-25T22:58:00.000Z" }));
    let after = planner.task_in(planner.project, "nach", json!({ "due_at": "2026-10-25T23:02:00.000Z" }));

    planner.sync().await;

    assert_eq!(planner.plan(before).await, "- 2026-10-25 - -");
    assert_eq!(planner.plan(after).await, "- 2026-10-26 - -");
}

#[tokio::test]
async fn an_option_that_is_ignored_gives_no_area_and_a_new_one_changes_it() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    let area = planner.area.gid;
    planner.boss.set_field(task, area, planner.option("Verwaltung")).expect("set");
    planner.sync().await;
    let ignored = planner.plan(task).await;

    planner.boss.set_field(task, area, planner.option("Produktion")).expect("set");
    planner.heed(planner.project, &[told("changed", task)]).await;

    assert_eq!(
        (ignored.as_str(), planner.plan(task).await.as_str()),
        ("- 2026-11-13 - -", "- 2026-11-13 - production")
    );
}

/// Trap 19: ids do not fit a double.
#[tokio::test]
async fn ids_are_texts_of_all_their_digits() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");

    planner.sync().await;

    assert_eq!(planner.lines("external_id", "phase").await, [task.to_string()]);
    assert!(task.to_string().parse::<u64>().expect("digits") > 1 << 53);
}

/// Trap 33: where a page goes on is its offset's to say, not its address's.
#[tokio::test]
async fn a_page_that_names_another_address_leads_nowhere_else() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    double.add_fault(Rule::always(Fault::StrayNextPage).on(Operation::ListTasks));

    let (planner, _) = Planner::synced_with(&app, &tenant, &double, 150).await;

    assert_eq!(planner.value("count(*)", "phase").await, "150");
}

/// Traps 16 and 18: requests are what is scarce.
#[tokio::test]
async fn a_full_run_takes_at_most_twelve_requests_for_a_thousand_tasks_and_says_so_before() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    for number in 0..1_000 {
        planner.task(&format!("Phase {number:04}"), "2026-11-13");
    }

    let first = planner.sync().await;
    let for_tasks: u64 = double.counts().iter().map(|(_, count)| count).sum::<u64>()
        - double.count(Operation::ListUsers)
        - double.count(Operation::ListProjects);
    let mut gate = double.pause_next(Point::BeforeApplying, Operation::ListTasks);
    let begun = planner.start().await;
    gate.reached().await.expect("its first page");
    let told = counted(&planner.run(begun.id).await, "requests", "total");
    gate.open();
    let second = planner.ended(begun.id).await;

    assert!(for_tasks <= 12, "{for_tasks}: {:?}", double.counts());
    assert_eq!(counted(&first, "requests", "processed"), for_tasks + 2);
    assert_eq!(counted(&first, "requests", "total"), for_tasks + 2);
    // By then it is known how large the project is.
    let made = counted(&second, "requests", "processed");
    assert!(told.abs_diff(made) <= 2, "{told} were expected, {made} were made");
}
