//! What Asana has no more, or not for us: missing first, gone when a second look agrees, and never much at
//! once unasked.

use stellwerk::{
    sandbox::asana::{Fault, Operation, ProjectEdit, Rule},
    words::{AbsenceSource, ReviewKind},
};

use crate::support::asana::{self, Planner, errors, refusal, told};

/// Trap 20: times of change tell nothing of deletions.
#[tokio::test]
async fn a_task_that_was_deleted_unheard_is_missing_first_and_gone_with_the_next_run() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let (kept, lost) = (planner.task("Rohbau", "2026-11-13"), planner.task("Dach", "2026-11-20"));
    planner.sync().await;

    planner.boss.delete_task(lost);
    planner.sync().await;
    let first = planner.presence(lost).await;
    planner.sync().await;

    assert_eq!((first.as_str(), planner.presence(lost).await.as_str()), ("missing", "gone"));
    assert_eq!(planner.presence(kept).await, "present");
    assert_eq!(planner.history(lost).await, ["created asana", "presence asana", "presence asana"]);
}

#[tokio::test]
async fn a_task_that_is_restored_is_a_phase_again() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;
    planner.boss.delete_task(task);
    planner.heed(planner.project, &[told("deleted", task)]).await;
    assert_eq!(planner.presence(task).await, "gone");

    planner.boss.undelete_task(task);
    planner.heed(planner.project, &[told("undeleted", task)]).await;

    assert_eq!(planner.presence(task).await, "present");
    assert_eq!(planner.value("count(*)", "phase").await, "1");
}

/// Trap 29.
#[tokio::test]
async fn a_task_that_is_not_found_without_a_word_of_its_deletion_is_only_missing() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;

    planner.boss.delete_task(task);
    planner.heed(planner.project, &[told("changed", task)]).await;

    assert_eq!(planner.presence(task).await, "missing");
}

/// Trap 29: a permission that was lost is no deletion.
#[tokio::test]
async fn a_task_that_we_may_no_longer_see_is_detached_and_its_plan_stays() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;
    let plan = planner.plan(task).await;

    let closed = Fault::Refused { refusal: refusal(403) };
    double.add_fault(Rule::next(1, closed).on(Operation::GetTask));
    planner.heed(planner.project, &[told("changed", task)]).await;

    assert_eq!(planner.presence(task).await, "detached");
    assert_eq!(planner.plan(task).await, plan);
}

#[tokio::test]
async fn much_that_vanishes_at_once_waits_for_a_person() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 40).await;
    tasks[..10].iter().for_each(|task| planner.boss.delete_task(*task));

    let first = planner.sync().await;
    let second = planner.sync().await;

    for run in [first, second] {
        assert_eq!(errors(&run), ["phases TOO_MANY_GONE"]);
    }
    assert_eq!(present(&planner).await, "40", "nothing is lost unasked");
    let items = planner.review_items().await;
    assert_eq!(items.iter().map(|item| item.kind).collect::<Vec<_>>(), [ReviewKind::DeletionsOverGuard]);
}

#[tokio::test]
async fn what_vanished_goes_when_a_person_says_that_it_was_meant_to() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 40).await;
    tasks[..30].iter().for_each(|task| planner.boss.delete_task(*task));
    planner.sync().await;
    let item = planner.review_items().await.remove(0);

    planner.accept_theirs(&item).await;

    assert_eq!(present(&planner).await, "10");
    assert_eq!(planner.review_items().await, []);
}

/// What stands in the projects stays with them, and so does the question, whatever of the run finds nothing.
#[tokio::test]
async fn projects_that_vanish_at_once_wait_for_a_person_too() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let new = |number| double.add_project(planner.workspace, &format!("Halle {number:02}"), &[]);
    let halls: Vec<_> = (0..12).map(new).collect();
    planner.task("Rohbau", "2026-11-13");
    planner.sync().await;

    halls.iter().for_each(|hall| planner.boss.delete_project(*hall).expect("deleted"));
    let first = planner.sync().await;
    let asked = planner.review_items().await;
    let second = planner.sync().await;
    let asked_again = planner.review_items().await;
    let held = projects(&planner).await;
    planner.accept_theirs(&asked[0]).await;

    assert_eq!([errors(&first), errors(&second)], [["projects TOO_MANY_GONE"], ["projects TOO_MANY_GONE"]]);
    assert_eq!(asked.iter().map(|item| item.kind).collect::<Vec<_>>(), [ReviewKind::DeletionsOverGuard]);
    assert_eq!(asked_again, asked, "it is one question");
    assert_eq!((held.as_str(), projects(&planner).await.as_str()), ("13", "1"));
    assert_eq!(planner.review_items().await, []);
}

#[tokio::test]
async fn the_question_settles_itself_when_what_vanished_comes_back() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 20).await;
    tasks.iter().for_each(|task| planner.boss.delete_task(*task));
    planner.sync().await;
    assert_eq!(planner.review_items().await.len(), 1);

    tasks.iter().for_each(|task| planner.boss.undelete_task(*task));
    let run = planner.sync().await;

    assert_eq!(errors(&run), [""; 0]);
    assert_eq!(planner.review_items().await, []);
    assert_eq!(present(&planner).await, "20");
}

/// A webhook for each of many deletions is as suspicious as a list without them.
#[tokio::test]
async fn many_deletions_that_webhooks_tell_wait_for_a_person_too() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, tasks) = Planner::synced_with(&app, &tenant, &double, 40).await;
    tasks[..20].iter().for_each(|task| planner.boss.delete_task(*task));

    let events: Vec<_> = tasks[..20].iter().map(|task| told("deleted", *task)).collect();
    planner.heed(planner.project, &events).await;

    assert_eq!(present(&planner).await, "40");
    assert_eq!(planner.review_items().await.len(), 1);
}

#[tokio::test]
async fn a_phase_that_moves_to_where_nothing_is_read_is_detached_and_comes_back_with_its_task() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let elsewhere = double.add_project(planner.workspace, "Büro", &[]);
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;

    planner.boss.move_task(task, planner.project, elsewhere).expect("moved");
    planner.heed(planner.project, &[told("removed", task)]).await;
    let away = planner.presence(task).await;
    planner.boss.move_task(task, elsewhere, planner.project).expect("moved back");
    planner.heed(planner.project, &[told("added", task)]).await;

    assert_eq!((away.as_str(), planner.presence(task).await.as_str()), ("detached", "present"));
    assert_eq!(planner.value("count(*)", "phase").await, "1");
}

#[tokio::test]
async fn a_project_that_loses_its_area_field_is_not_read_and_one_that_gets_it_is() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let other = double.add_project(planner.workspace, "Halle Nord", &[]);
    let (ours, theirs) =
        (planner.task("Rohbau", "2026-11-13"), planner.task_in(other, "Dach", serde_json::json!({})));
    planner.sync().await;
    assert_eq!(planner.phases().await, ["Rohbau present"]);

    planner.boss.detach_field(planner.project, planner.area.gid).expect("detached");
    planner.boss.attach_field(other, planner.area.gid).expect("attached");
    planner.sync().await;
    assert_eq!(planner.phases().await, ["Dach present", "Rohbau missing"]);
    planner.sync().await;
    let without = (planner.presence(ours).await, planner.presence(theirs).await);
    planner.boss.attach_field(planner.project, planner.area.gid).expect("attached");
    planner.sync().await;

    assert_eq!(without, ("detached".to_owned(), "present".to_owned()));
    assert_eq!(planner.phases().await, ["Dach present", "Rohbau present"]);
}

/// One that cannot be read says nothing about what is in it.
#[tokio::test]
async fn a_project_that_is_refused_loses_no_phases() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let (planner, _) = Planner::synced_with(&app, &tenant, &double, 3).await;
    let refused = Fault::Refused { refusal: refusal(400) };
    double.add_fault(Rule::next(1, refused).on(Operation::ListTasks));

    let run = planner.sync().await;

    assert_eq!(errors(&run).len(), 1);
    assert_eq!(present(&planner).await, "3");
}

async fn projects(planner: &Planner) -> String {
    planner.value("count(*)", "project AND presence = 'present'").await
}

async fn present(planner: &Planner) -> String {
    planner.value("count(*)", "phase AND presence = 'present'").await
}

#[tokio::test]
async fn what_is_in_a_project_stays_when_the_project_is_archived() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = planner.task("Rohbau", "2026-11-13");
    planner.sync().await;
    let archived = ProjectEdit { archived: Some(true), ..ProjectEdit::default() };
    planner.boss.edit_project(planner.project, archived).expect("archived");
    planner.sync().await;
    let late = planner.task("Zu spät", "2026-11-13");

    planner.heed(planner.project, &[told("changed", task), told("added", late)]).await;

    assert_eq!(planner.phases().await, ["Rohbau present"]);
}

#[tokio::test]
async fn the_tasks_of_a_project_that_absences_are_kept_in_from_now_on_are_no_phases_any_more() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    planner.task("Urlaub", "2026-11-13");
    planner.sync().await;
    let project = Some(planner.project.to_string());
    planner
        .change_settings(|settings| {
            settings.absence_source = AbsenceSource::Project;
            settings.absence_project_id = project;
        })
        .await;

    planner.sync().await;
    planner.sync().await;

    assert_eq!(planner.phases().await, ["Urlaub detached"]);
}
