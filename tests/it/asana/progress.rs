//! What a run tells of how far it is, while it goes.

use chrono::{TimeDelta, Utc};
use stellwerk::{
    sandbox::asana::{Operation, Point},
    store::sync_log::SyncLog,
};

use crate::support::asana::{self, Planner, counted, day};

const TASKS: u64 = 150;

/// Nobody knows how large a project is that was never read; what is known by then is told at every step.
#[tokio::test]
async fn a_first_run_tells_what_is_done_what_is_left_and_when_it_will_be_through() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    double.add_project(planner.workspace, "Büro", &[]);
    for number in 0..TASKS {
        let task = planner.task(&format!("Phase {number:03}"), "2026-11-13");
        planner.boss.log_time(task, 60, day("2026-11-03")).expect("logged");
    }
    let mut first_page = double.pause_next(Point::BeforeApplying, Operation::ListTasks);
    let mut second_page = double.pause_next(Point::BeforeApplying, Operation::ListTasks);
    let mut hours = double.pause_next(Point::BeforeApplying, Operation::ListTaskTimeEntries);
    let id = planner.start().await.id;

    first_page.reached().await.expect("the first page");
    let listed = planner.run(id).await;
    first_page.open();
    second_page.reached().await.expect("the second page");
    let half = planner.run(id).await;
    second_page.open();
    hours.reached().await.expect("the first entries");
    let (read, now) = (planner.run(id).await, Utc::now());
    hours.open();
    let ended = planner.ended(id).await;

    assert_eq!((told(&listed, "projects"), told(&listed, "requests")), ((0, 2), (2, 4)));
    // One of them has no phases. The other goes on, for as long again as far as anybody knows.
    assert_eq!((told(&half, "projects"), told(&half, "phases")), ((1, 2), (100, 100)));
    assert_eq!(told(&half, "requests"), (4, 5));
    assert_eq!((told(&read, "projects"), told(&read, "phases")), ((2, 2), (TASKS, TASKS)));
    assert_eq!((told(&read, "requests"), told(&read, "time_entries")), ((5, 5 + TASKS), (0, TASKS)));
    // At four answers in 0.3 s.
    let left = read.expect_end_time.expect("an expected end") - now;
    assert!(left > TimeDelta::seconds(5) && left < TimeDelta::seconds(12), "{left}");
    for (noun, all) in [("projects", 2), ("phases", TASKS), ("requests", 5 + TASKS), ("time_entries", TASKS)]
    {
        assert_eq!(told(&ended, noun), (all, all), "{noun}");
    }
}

fn told(run: &SyncLog, noun: &str) -> (u64, u64) {
    (counted(run, noun, "processed"), counted(run, noun, "total"))
}
