//! Who is away when.

use chrono::{Days, NaiveDate, Utc};
use serde_json::json;
use stellwerk::{
    proto::{ListUserMappingsRequest, SetUserMappingRequest},
    sandbox::asana::{Fault, Operation, Rule},
    words::{AbsenceSource, ReviewKind, SyncState},
};

use crate::support::{
    asana::{self, Planner, errors, refusal, told},
    database::TestDatabase,
};

fn in_days(days: u64) -> NaiveDate {
    Utc::now().date_naive() + Days::new(days)
}

/// Trap 26.
#[tokio::test]
async fn absences_of_people_who_are_somebody_here_are_read_one_by_one() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let (erika, max) =
        (planner.user("Erika Muster", "erika@example.org"), planner.user("Max", "m@example.org"));
    planner.sync().await;
    let practitioner = tenant.put_practitioner("Erika Muster").await;
    planner.map(&erika, &practitioner).await;
    let holiday = erika.take_leave(planner.workspace, in_days(3), in_days(9)).expect("leave");
    max.take_leave(planner.workspace, in_days(3), in_days(4)).expect("leave");
    double.forget_requests();

    planner.read_absences().await;
    let first = away(&planner).await;
    assert_eq!(double.count(Operation::ListAbsences), 1, "nobody asks for who is nobody here");
    erika.change_leave(holiday, in_days(4), in_days(9)).expect("changed");
    planner.sync().await;
    let moved = away(&planner).await;
    erika.cancel_leave(holiday);
    planner.sync().await;

    assert_eq!(first, [format!("{} {} out_of_office", in_days(3), in_days(9))]);
    assert_eq!(moved, [format!("{} {} out_of_office", in_days(4), in_days(9))]);
    assert_eq!(away(&planner).await, [""; 0]);
}

/// Else they would be seen with the next full hour.
#[tokio::test]
async fn absences_are_read_as_soon_as_it_is_said_who_somebody_is() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let erika = planner.user("Erika Muster", "erika@example.org");
    planner.sync().await;
    erika.take_leave(planner.workspace, in_days(3), in_days(9)).expect("leave");
    let practitioner_id = tenant.put_practitioner("Erika Muster").await;
    let hr = tenant.hr().await;
    let users = hr.planning().list_user_mappings(ListUserMappingsRequest::default()).await.expect("users");
    let users = users.into_inner().user_mappings;
    let user = users.into_iter().find(|user| user.name == "Erika Muster").expect("she was read");
    double.forget_requests();

    for _ in 0..2 {
        let (external_user_id, practitioner_id) = (user.external_user_id.clone(), practitioner_id.clone());
        let said = SetUserMappingRequest { external_user_id, practitioner_id, ..Default::default() };
        hr.planning().set_user_mapping(said).await.expect("said");
        planner.idle().await;
    }

    assert_eq!(away(&planner).await, [format!("{} {} out_of_office", in_days(3), in_days(9))]);
    assert_eq!(double.count(Operation::ListAbsences), 1, "what was said before is no news");
}

#[tokio::test]
async fn absences_that_the_plan_does_not_include_are_told_and_keep_nothing_else_back() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let practitioner = tenant.put_practitioner("Mara Vogt").await;
    planner.task("Rohbau", "2026-11-13");
    planner.sync().await;
    planner.map(&planner.boss, &practitioner).await;

    for (refusal, reason) in [(refusal(402), "absences PLAN_LIMIT"), (refusal(403), "NOT_ALLOWED")] {
        double.add_fault(Rule::next(1, Fault::Refused { refusal }).on(Operation::ListAbsences));
        let run = planner.sync().await;

        assert_eq!(run.state, SyncState::Partial);
        assert!(errors(&run).iter().any(|error| error.ends_with(reason)), "{:?}", errors(&run));
        assert_eq!(planner.phases().await, ["Rohbau present"]);
    }
    let run = planner.sync().await;
    assert_eq!((run.state, errors(&run)), (SyncState::Succeeded, Vec::new()));
}

#[tokio::test]
async fn a_project_can_hold_the_absences_a_task_for_each() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let erika = planner.user("Erika Muster", "erika@example.org");
    let kind = double.add_enum_field(planner.workspace, "Art", &["Urlaub", "Fortbildung"]);
    // It has the area field, too: its tasks are absences all the same.
    let project = double.add_project(planner.workspace, "Abwesenheiten", &[kind.gid, planner.area.gid]);
    let stellwerk::sandbox::asana::Kind::Enum(options) = &kind.kind else { panic!("an enum") };
    let holiday = planner.task_in(
        project,
        "Urlaub Erika",
        json!({
            "assignee": erika.gid().to_string(), "start_on": in_days(3), "due_on": in_days(9),
            "custom_fields": { kind.gid.to_string(): options[0].gid.to_string() },
        }),
    );
    planner.task_in(project, "Nobody's", json!({ "due_on": in_days(9) }));
    planner
        .change_settings(|settings| {
            settings.absence_source = AbsenceSource::Project;
            settings.absence_project_id = Some(project.to_string());
            settings.absence_kind_field_id = Some(kind.gid.to_string());
        })
        .await;

    planner.sync().await;
    let first = planner.lines("start_date || ' ' || end_date || ' ' || kind", "absence").await;
    planner.boss.delete_task(holiday);
    planner.read_absences().await;

    assert_eq!(first, [format!("{} {} Urlaub", in_days(3), in_days(9))]);
    assert_eq!(away(&planner).await, [""; 0]);
    assert_eq!(planner.phases().await, [""; 0]);
}

/// P14. Times of all instances are the database's: here its clock is two hours ahead of this machine's.
#[tokio::test]
async fn absences_of_a_project_are_stamped_by_the_databases_clock() {
    let database = TestDatabase::new().await;
    let owner = database.owner().await;
    owner
        .run(
            "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
                 AS 'SELECT pg_catalog.clock_timestamp() + interval ''2 hours'''; \
             DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', \
                 current_database()); END $$",
        )
        .await;
    let app = asana::app().database(database).start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let erika = planner.user("Erika Muster", "erika@example.org");
    let project = double.add_project(planner.workspace, "Abwesenheiten", &[]);
    let due = json!({ "assignee": erika.gid().to_string(), "due_on": in_days(9) });
    planner.task_in(project, "Urlaub Erika", due);
    planner
        .change_settings(|settings| {
            settings.absence_source = AbsenceSource::Project;
            settings.absence_project_id = Some(project.to_string());
        })
        .await;

    planner.sync().await;

    let is_theirs = "update_time > pg_catalog.clock_timestamp() + interval '1 hour'";
    assert_eq!(planner.lines(is_theirs, "absence").await, ["t"]);
}

/// A dozen whose leave is not told any more from one look to the next.
#[tokio::test]
async fn leave_of_many_that_vanishes_at_once_waits_for_a_person() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let new = |number| planner.user(&format!("Person {number:02}"), &format!("p{number}@example.org"));
    let people: Vec<_> = (0..12).map(new).collect();
    planner.sync().await;
    let mut leave = Vec::new();
    for person in &people {
        let practitioner = tenant.put_practitioner(&person.gid().to_string()).await;
        planner.map(person, &practitioner).await;
        leave.push(person.take_leave(planner.workspace, in_days(3), in_days(9)).expect("leave"));
    }
    planner.sync().await;
    assert_eq!(away(&planner).await.len(), 12);

    people.iter().zip(&leave).for_each(|(person, leave)| person.cancel_leave(*leave));
    let run = planner.sync().await;
    let asked = planner.review_items().await;
    planner.sync().await;
    let asked_again = planner.review_items().await;
    let held = away(&planner).await.len();
    planner.accept_theirs(&asked[0]).await;

    assert_eq!(errors(&run), ["absences TOO_MANY_GONE"]);
    assert_eq!(asked.iter().map(|item| item.kind).collect::<Vec<_>>(), [ReviewKind::DeletionsOverGuard]);
    assert_eq!(asked_again, asked, "it is one question");
    assert_eq!((held, away(&planner).await.len()), (12, 0));
    assert_eq!(planner.review_items().await, []);
}

/// What comes back while somebody is asked stays, whatever is answered then.
#[tokio::test]
async fn leave_that_is_told_again_is_not_lost_with_what_is_gone() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let practitioner = tenant.put_practitioner("Mara Vogt").await;
    planner.sync().await;
    planner.map(&planner.boss, &practitioner).await;
    planner.boss.take_leave(planner.workspace, in_days(3), in_days(9)).expect("leave");
    planner.sync().await;
    planner.owner.run("UPDATE absence SET missing_time = now()").await;

    planner.sync().await;

    assert_eq!(planner.value("count(*) - count(missing_time)", "absence").await, "1");
}

/// The question is answered by a run that must know the answer.
#[tokio::test]
async fn absences_of_a_project_that_vanish_at_once_go_when_a_person_says_so() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let project = double.add_project(planner.workspace, "Abwesenheiten", &[]);
    let boss = planner.boss.gid().to_string();
    let task = json!({ "assignee": boss, "start_on": in_days(3), "due_on": in_days(9) });
    let add = |number| planner.task_in(project, &format!("Urlaub {number}"), task.clone());
    let tasks: Vec<_> = (0..40).map(add).collect();
    planner
        .change_settings(|settings| {
            settings.absence_source = AbsenceSource::Project;
            settings.absence_project_id = Some(project.to_string());
        })
        .await;
    planner.sync().await;

    tasks[..15].iter().for_each(|task| planner.boss.delete_task(*task));
    let run = planner.sync().await;
    let (asked, held) = (planner.review_items().await, away(&planner).await.len());
    planner.accept_theirs(&asked[0]).await;

    assert_eq!((errors(&run), held), (vec!["absences TOO_MANY_GONE".to_owned()], 40));
    assert_eq!(away(&planner).await.len(), 25);
    assert_eq!(planner.review_items().await, []);
}

/// Nobody asks for whoever is nobody here, so what is kept of them would be wrong soon.
#[tokio::test]
async fn leave_of_who_is_nobody_here_any_more_goes_and_comes_back_with_the_next_mapping() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let practitioner = tenant.put_practitioner("Mara Vogt").await;
    planner.sync().await;
    let hr = tenant.hr().await;
    let user = planner.value("id", "external_user").await;
    let say = async |practitioner_id: &str| {
        let (external_user_id, practitioner_id) = (user.clone(), practitioner_id.to_owned());
        let said = SetUserMappingRequest { external_user_id, practitioner_id, ..Default::default() };
        hr.planning().set_user_mapping(said).await.expect("said");
        planner.idle().await;
        away(&planner).await.len()
    };
    planner.boss.take_leave(planner.workspace, in_days(3), in_days(9)).expect("leave");

    let shown = [say(&practitioner).await, say("").await, say(&practitioner).await];

    assert_eq!(shown, [1, 0, 1]);
}

async fn away(planner: &Planner) -> Vec<String> {
    planner.lines("start_date || ' ' || end_date || ' ' || source", "absence ORDER BY start_date").await
}

#[tokio::test]
async fn what_changes_in_the_project_of_absences_has_them_read_once() {
    let app = asana::app().start().await;
    let (tenant, double) = (app.tenant("Planungsbüro am Wall").await, asana::double().await);
    let planner = Planner::new(&app, &tenant, &double).await;
    let project = double.add_project(planner.workspace, "Urlaub", &[planner.area.gid]);
    let project_id = Some(project.to_string());
    planner
        .change_settings(|settings| {
            settings.absence_source = AbsenceSource::Project;
            settings.absence_project_id = project_id;
        })
        .await;
    planner.sync().await;
    let tenants = planner.boss.gid().to_string();
    planner.map(&planner.boss, &tenant.put_practitioner("Mara Vogt").await).await;
    let data = json!({ "due_on": in_days(9), "start_on": in_days(3), "assignee": tenants });
    let tasks: Vec<_> = (0..3).map(|_| planner.task_in(project, "Urlaub", data.clone())).collect();
    double.forget_requests();

    let events: Vec<_> = tasks.iter().map(|task| told("added", *task)).collect();
    planner.heed(project, &events).await;

    assert_eq!(away(&planner).await.len(), 3);
    assert_eq!((double.count(Operation::ListTasks), double.count(Operation::GetTask)), (1, 0));
}
