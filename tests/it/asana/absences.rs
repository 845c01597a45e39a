//! Who is away when.

use chrono::{Days, NaiveDate, Utc};
use serde_json::json;
use stellwerk::{
    proto::{ListUserMappingsRequest, SetUserMappingRequest},
    sandbox::asana::{Fault, Operation, Rule},
    words::{AbsenceSource, SyncState},
};

use crate::support::asana::{self, Planner, errors, refusal};

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

async fn away(planner: &Planner) -> Vec<String> {
    planner.lines("start_date || ' ' || end_date || ' ' || source", "absence ORDER BY start_date").await
}
