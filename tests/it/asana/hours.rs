//! Hours that were worked.

use chrono::{Days, Utc};
use stellwerk::{
    sandbox::asana::{Fault, Operation, Rule},
    words::SyncState,
};

use crate::support::asana::{self, Planner, day, errors, refusal};

#[tokio::test]
async fn hours_are_read_where_a_tasks_sum_has_changed_and_nowhere_else() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let (worked, idle) = (planner.task("Rohbau", "2026-11-13"), planner.task("Dach", "2026-11-20"));
    let entry = planner.boss.log_time(worked, 90, day("2026-11-03")).expect("logged");
    planner.sync().await;
    assert_eq!(entries(&planner).await, ["90 2026-11-03"]);
    assert_eq!(double.count(Operation::ListTaskTimeEntries), 1);

    planner.boss.change_time(entry, 120).expect("changed");
    planner.boss.log_time(idle, 15, day("2026-11-04")).expect("logged");
    double.forget_requests();
    planner.sync().await;

    assert_eq!(entries(&planner).await, ["120 2026-11-03", "15 2026-11-04"]);
    assert_eq!(double.count(Operation::ListTaskTimeEntries), 2);
    double.forget_requests();
    planner.sync().await;
    assert_eq!(double.count(Operation::ListTaskTimeEntries), 0);
}

#[tokio::test]
async fn an_entry_that_was_deleted_is_forgotten() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    let wrong = planner.boss.log_time(task, 90, day("2026-11-03")).expect("logged");
    planner.boss.log_time(task, 30, day("2026-11-04")).expect("logged");
    planner.sync().await;

    planner.boss.delete_time(wrong).expect("deleted");
    planner.sync().await;

    assert_eq!(entries(&planner).await, ["30 2026-11-04"]);
}

/// 402: the workspace's plan has no time tracking.
#[tokio::test]
async fn hours_that_the_plan_does_not_include_are_told_and_keep_nothing_else_back() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.boss.log_time(task, 90, day("2026-11-03")).expect("logged");
    double.add_fault(
        Rule::next(1, Fault::Refused { refusal: refusal(402) }).on(Operation::ListTaskTimeEntries),
    );

    let run = planner.sync().await;

    assert_eq!((run.state, errors(&run)), (SyncState::Partial, vec!["time_entries PLAN_LIMIT".to_owned()]));
    assert_eq!(planner.phases().await, ["Rohbau present"]);
    assert_eq!(planner.value("time_entries_reason", "planning_health").await, "PLAN_LIMIT");
    planner.sync().await;
    assert_eq!(planner.value("time_entries_reason", "planning_health").await, "");
    assert_eq!(entries(&planner).await, ["90 2026-11-03"]);
}

/// Entries that are corrected within one sum change nothing that the task tells.
#[tokio::test]
async fn hours_that_move_from_one_person_to_another_are_seen_by_the_daily_reading() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let erika = planner.user("Erika Muster", "erika@example.org");
    let (task, today) = (planner.task("Rohbau", "2026-11-13"), Utc::now().date_naive());
    let wrong = planner.boss.log_time(task, 60, today).expect("logged");
    let old = planner.task("Aushub", "2026-11-13");
    planner.boss.log_time(old, 60, today - Days::new(40)).expect("logged");
    planner.sync().await;

    planner.boss.delete_time(wrong).expect("deleted");
    erika.log_time(task, 60, today).expect("logged");
    double.forget_requests();
    planner.read_hours().await;
    planner.read_hours().await;

    let of = "time_entry AND entry_date > now() - interval '31 days'";
    let who = planner.value("(SELECT name FROM external_user u WHERE u.id = user_id)", of).await;
    assert_eq!(who, "Erika Muster");
    assert_eq!(double.count(Operation::ListTaskTimeEntries), 1, "once a day, and of what is young");
}

#[tokio::test]
async fn entries_of_many_phases_that_vanish_at_once_wait_for_a_person() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let logged: Vec<_> = (0..12)
        .map(|number| {
            let task = planner.task(&format!("Phase {number}"), "2026-11-13");
            planner.boss.log_time(task, 30, day("2026-11-03")).expect("logged")
        })
        .collect();
    planner.sync().await;

    logged.iter().for_each(|entry| planner.boss.delete_time(*entry).expect("deleted"));
    let run = planner.sync().await;
    let (asked, held) = (planner.review_items().await, entries(&planner).await.len());
    planner.accept_theirs(&asked[0]).await;

    assert_eq!((errors(&run), held), (vec!["time_entries TOO_MANY_GONE".to_owned()], 12));
    assert_eq!(entries(&planner).await, [""; 0]);
    assert_eq!(planner.review_items().await, []);
}

async fn entries(planner: &Planner) -> Vec<String> {
    planner.lines("minutes || ' ' || entry_date", "time_entry ORDER BY entry_date").await
}

/// A sum of nothing is no word about the entries that were read.
#[tokio::test]
async fn entries_that_are_gone_are_forgotten_though_they_were_to_be_read_again_anyway() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    let only = planner.boss.log_time(task, 90, day("2026-11-03")).expect("logged");
    planner.sync().await;
    // As the daily reading of what was worked on lately leaves it until it comes to the phase.
    planner.owner.run("UPDATE phase SET counted_minutes = NULL").await;

    planner.boss.delete_time(only).expect("deleted");
    planner.sync().await;

    assert_eq!(entries(&planner).await, [""; 0]);
}
