//! Lists of projects, phases, absences and hours.

use stellwerk::{
    proto::{
        self, Area, GetProjectRequest, ListAbsencesRequest, ListPhasesRequest, ListProjectsRequest,
        ListTimeEntriesRequest, SetUserMappingRequest,
    },
    store::planning::{phase::PhaseFields, user::ExternalUser},
    words::{Presence, ProviderSync},
};
use tonic::Code;

use super::{get_phase, planning};
use crate::support::{
    caller::TestCaller,
    planning::{Board, hours, planned},
    reason,
};

async fn phases(by: &TestCaller, request: ListPhasesRequest) -> Vec<String> {
    let listed = by.planning().list_phases(request).await.unwrap().into_inner();
    listed.phases.into_iter().map(|phase| phase.name).collect()
}

async fn projects(by: &TestCaller, request: ListProjectsRequest) -> Vec<String> {
    let listed = by.planning().list_projects(request).await.unwrap().into_inner();
    listed.projects.into_iter().map(|project| project.name).collect()
}

async fn map(by: &TestCaller, user: &ExternalUser, practitioner: &str) {
    let request = SetUserMappingRequest {
        external_user_id: user.id.to_string(),
        practitioner_id: practitioner.into(),
        ..Default::default()
    };
    by.planning().set_user_mapping(request).await.unwrap();
}

#[tokio::test]
async fn a_project_says_what_its_phases_add_up_to() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let mut done = board.phase(&project, "Zuschnitt", planned(2, 6)).await;
    (done.is_completed, done.actual_minutes) = (true, Some(90));
    board.save_phase(&done).await;
    let half = PhaseFields { planned_hours: hours("7.5"), ..planned(9, 13) };
    board.phase(&project, "Montage", half).await;
    let mut gone = board.phase(&project, "Abnahme", planned(16, 17)).await;
    (gone.presence, gone.missing_time) = (Presence::Gone, Some(gone.update_time));
    board.save_phase(&gone).await;
    let empty = board.project("Werkstatt").await;
    let get = async |id: String| {
        let request = GetProjectRequest { project_id: id };
        let found = acme.admin.planning().get_project(request).await.unwrap().into_inner();
        found.project.unwrap().totals.unwrap()
    };

    let totals = get(project.id.to_string()).await;
    let nothing = get(empty.id.to_string()).await;

    assert_eq!((totals.phase_count, totals.completed_phase_count), (2, 1));
    assert_eq!((totals.planned_hours.as_str(), totals.actual_minutes), ("47.5", 90));
    assert_eq!((nothing.phase_count, nothing.planned_hours.as_str()), (0, "0"));
}

#[tokio::test]
async fn projects_that_are_put_away_gone_or_without_phases_are_listed_on_demand() {
    let (_app, acme, board) = planning().await;
    board.project("Haus am Wall").await;
    let mut archived = board.project("Altbau").await;
    archived.is_archived = true;
    board.save_project(&archived).await;
    let mut gone = board.project("Scheune").await;
    (gone.presence, gone.missing_time) = (Presence::Gone, Some(gone.update_time));
    board.save_project(&gone).await;
    let mut bare = board.project("Urlaub").await;
    bare.has_area_field = false;
    board.save_project(&bare).await;

    let usual = projects(&acme.admin, ListProjectsRequest::default()).await;
    let all = ListProjectsRequest { include_archived: true, ..Default::default() };
    let with_phases = ListProjectsRequest { with_phases_only: true, ..Default::default() };
    let gone = ListProjectsRequest { presence: proto::Presence::Gone.into(), ..Default::default() };

    assert_eq!(usual, ["Haus am Wall", "Urlaub"]);
    assert_eq!(projects(&acme.admin, all).await, ["Haus am Wall", "Altbau", "Urlaub"]);
    assert_eq!(projects(&acme.admin, with_phases).await, ["Haus am Wall"]);
    assert_eq!(projects(&acme.admin, gone).await, ["Scheune"]);
}

#[tokio::test]
async fn phases_are_found_by_project_area_person_and_standing() {
    let (_app, acme, board) = planning().await;
    let (house, shop) = (board.project("Haus am Wall").await, board.project("Werkstatt").await);
    let practitioner = acme.put_practitioner("Erika Muster").await;
    let user = board.user("Erika Muster", "erika@example.org").await;
    map(&acme.admin, &user, &practitioner).await;
    let mut cut = board.phase(&shop, "Zuschnitt", PhaseFields { area: None, ..planned(2, 6) }).await;
    (cut.assignee_id, cut.is_completed) = (Some(user.id), true);
    board.save_phase(&cut).await;
    let mut mounted = board.phase(&house, "Montage", planned(2, 6)).await;
    mounted.sync.provider_sync = ProviderSync::Failed;
    board.save_phase(&mounted).await;
    let mut missing = board.phase(&house, "Abnahme", planned(2, 6)).await;
    (missing.presence, missing.missing_time) = (Presence::Missing, Some(missing.update_time));
    board.save_phase(&missing).await;
    let none = ListPhasesRequest::default();
    let failed = proto::ProviderSyncState::Failed.into();
    let filters = [
        (ListPhasesRequest { project_id: shop.id.to_string(), ..none.clone() }, vec!["Zuschnitt"]),
        (ListPhasesRequest { area: Area::Assembly.into(), ..none.clone() }, vec!["Montage", "Abnahme"]),
        (ListPhasesRequest { without_area: true, ..none.clone() }, vec!["Zuschnitt"]),
        (ListPhasesRequest { assignee_id: user.id.to_string(), ..none.clone() }, vec!["Zuschnitt"]),
        (ListPhasesRequest { practitioner_id: practitioner.clone(), ..none.clone() }, vec!["Zuschnitt"]),
        (ListPhasesRequest { provider_sync: failed, ..none.clone() }, vec!["Montage"]),
        (ListPhasesRequest { presence: proto::Presence::Missing.into(), ..none.clone() }, vec!["Abnahme"]),
        (ListPhasesRequest { open_only: true, ..none.clone() }, vec!["Montage", "Abnahme"]),
        (none, vec!["Zuschnitt", "Montage", "Abnahme"]),
    ];

    for (request, expected) in filters {
        assert_eq!(phases(&acme.admin, request.clone()).await, expected, "{request:?}");
    }
}

#[tokio::test]
async fn a_time_finds_the_phases_that_have_a_day_in_it_by_their_last_day() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let one_day = PhaseFields { start_date: None, ..planned(1, 9) };
    let undated = PhaseFields { start_date: None, due_date: None, ..planned(1, 9) };
    for (name, fields) in [
        ("davor", planned(1, 8)),
        ("danach", planned(14, 20)),
        ("darüber hinaus", planned(1, 27)),
        ("darin", planned(10, 12)),
        ("ein Tag", one_day),
        ("am letzten Tag", planned(13, 16)),
        ("ohne Termin", undated),
    ] {
        board.phase(&project, name, fields).await;
    }

    let request = ListPhasesRequest {
        date_from: "2026-03-09".into(),
        date_until: "2026-03-13".into(),
        ..Default::default()
    };

    assert_eq!(phases(&acme.admin, request).await, ["ein Tag", "darin", "am letzten Tag", "darüber hinaus"]);
}

/// P13.
#[tokio::test]
async fn pages_of_phases_go_on_where_they_ended_in_either_order() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    // Two of the same last day.
    for (name, due) in [("a", 9), ("b", 6), ("c", 9), ("d", 12)] {
        board.phase(&project, name, planned(2, due)).await;
    }
    let timed = ListPhasesRequest { page_size: 1, date_from: "2026-03-01".into(), ..Default::default() };
    let plain = ListPhasesRequest { page_size: 3, ..Default::default() };

    for (request, expected) in [(timed, "bacd"), (plain, "abcd")] {
        let (mut names, mut token) = (String::new(), String::new());
        loop {
            let request = ListPhasesRequest { page_token: token, ..request.clone() };
            let page = acme.admin.planning().list_phases(request).await.unwrap().into_inner();
            names.extend(page.phases.iter().map(|phase| phase.name.as_str()));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(names, expected);
    }
}

/// P13.
#[tokio::test]
async fn a_page_token_belongs_to_the_filters_it_was_given_for() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    for name in ["a", "b"] {
        board.phase(&project, name, planned(2, 6)).await;
    }
    let first = ListPhasesRequest { page_size: 1, ..Default::default() };
    let page = acme.admin.planning().list_phases(first.clone()).await.unwrap().into_inner();

    let other = ListPhasesRequest { page_token: page.next_page_token, area: Area::Assembly.into(), ..first };
    let refused = acme.admin.planning().list_phases(other).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
}

/// Two users with an absence each; the first one is the practitioner.
async fn absent(board: &Board, by: &TestCaller, practitioner: &str) -> [ExternalUser; 2] {
    let users = [board.user("Erika Muster", "").await, board.user("Max Beispiel", "").await];
    map(by, &users[0], practitioner).await;
    board.absence(users[0].id, 2, 6).await;
    board.absence(users[1].id, 4, 10).await;
    users
}

/// P3.
#[tokio::test]
async fn a_practitioner_sees_its_own_absences_and_planners_see_all() {
    let (_app, acme, board) = planning().await;
    let erika = acme.practitioner().await;
    absent(&board, &acme.admin, &erika.id).await;
    let list = async |by: &TestCaller| {
        let listed = by.planning().list_absences(ListAbsencesRequest::default()).await.unwrap();
        let absences = listed.into_inner().absences;
        absences.into_iter().map(|one| (one.name, one.start_date, one.end_date)).collect::<Vec<_>>()
    };

    let own = list(&erika.caller).await;
    let all = list(&acme.hr().await).await;

    let first = ("Erika Muster".into(), "2026-03-02".into(), "2026-03-06".into());
    assert_eq!(own, std::slice::from_ref(&first));
    assert_eq!(all, [first, ("Max Beispiel".into(), "2026-03-04".into(), "2026-03-10".into())]);
}

/// P3.
#[tokio::test]
async fn a_practitioner_whose_account_it_is_no_more_sees_its_absences_no_more() {
    let (_app, acme, board) = planning().await;
    let erika = acme.practitioner().await;
    let [user, _] = absent(&board, &acme.admin, &erika.id).await;

    map(&acme.admin, &user, "").await;
    let seen = erika.planning().list_absences(ListAbsencesRequest::default()).await.unwrap().into_inner();

    assert_eq!(seen.absences, []);
}

#[tokio::test]
async fn absences_are_found_by_time_and_person() {
    let (_app, acme, board) = planning().await;
    let practitioner = acme.put_practitioner("Erika Muster").await;
    let [_, max] = absent(&board, &acme.admin, &practitioner).await;
    let none = ListAbsencesRequest::default();
    let filters = [
        (ListAbsencesRequest { date_from: "2026-03-07".into(), ..none.clone() }, vec!["Max Beispiel"]),
        (ListAbsencesRequest { date_until: "2026-03-03".into(), ..none.clone() }, vec!["Erika Muster"]),
        (ListAbsencesRequest { practitioner_id: practitioner, ..none.clone() }, vec!["Erika Muster"]),
        (ListAbsencesRequest { external_user_id: max.id.to_string(), ..none.clone() }, vec!["Max Beispiel"]),
        (ListAbsencesRequest { date_from: "2026-03-11".into(), ..none }, vec![]),
    ];

    for (request, expected) in filters {
        let listed = acme.admin.planning().list_absences(request.clone()).await.unwrap().into_inner();
        let names: Vec<_> = listed.absences.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, expected, "{request:?}");
    }
}

#[tokio::test]
async fn hours_are_told_per_phase_and_person() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(2, 6)).await;
    let other = board.phase(&board.project("Werkstatt").await, "Zuschnitt", planned(2, 6)).await;
    let practitioner = acme.put_practitioner("Erika Muster").await;
    let (erika, max) = (board.user("Erika Muster", "").await, board.user("Max Beispiel", "").await);
    map(&acme.admin, &erika, &practitioner).await;
    for (of, user, on, minutes) in [
        (&phase, Some(erika.id), 3, 60),
        (&phase, Some(erika.id), 4, 30),
        (&phase, Some(max.id), 3, 240),
        (&phase, None, 5, 15),
        (&other, Some(max.id), 9, 45),
    ] {
        board.time_entry(of.id, user, on, minutes).await;
    }

    let times = get_phase(&acme.admin, phase.id).await.times;

    let told: Vec<_> = times.iter().map(|time| (time.name.as_str(), time.minutes)).collect();
    assert_eq!(told, [("Max Beispiel", 240), ("Erika Muster", 90), ("", 15)]);
    assert_eq!(times[1].practitioner_id, practitioner);
    let none = ListTimeEntriesRequest::default();
    let filters = [
        (ListTimeEntriesRequest { phase_id: phase.id.to_string(), ..none.clone() }, vec![60, 240, 30, 15]),
        (
            ListTimeEntriesRequest { project_id: project.id.to_string(), ..none.clone() },
            vec![60, 240, 30, 15],
        ),
        (ListTimeEntriesRequest { practitioner_id: practitioner, ..none.clone() }, vec![60, 30]),
        (ListTimeEntriesRequest { external_user_id: max.id.to_string(), ..none.clone() }, vec![240, 45]),
        (ListTimeEntriesRequest { date_from: "2026-03-05".into(), ..none.clone() }, vec![15, 45]),
        (ListTimeEntriesRequest { date_until: "2026-03-03".into(), ..none }, vec![60, 240]),
    ];
    for (request, expected) in filters {
        let listed = acme.admin.planning().list_time_entries(request.clone()).await.unwrap().into_inner();
        let minutes: Vec<_> = listed.time_entries.iter().map(|entry| entry.minutes).collect();
        assert_eq!(minutes, expected, "{request:?}");
    }
}

#[tokio::test]
async fn a_phase_says_its_projects_and_that_it_has_no_values() {
    let (_app, acme, board) = planning().await;
    let (house, shop) = (board.project("Haus am Wall").await, board.project("Werkstatt").await);
    let nothing = PhaseFields { start_date: None, due_date: None, planned_hours: None, area: None };
    let phase = board.phase(&house, "Montage", nothing).await;
    board.place(&phase, &shop).await;

    let shown = get_phase(&acme.admin, phase.id).await.phase.unwrap();

    assert_eq!(shown.project_ids, [house.id, shop.id].map(|id| id.to_string()));
    let texts = [&shown.start_date, &shown.due_date, &shown.planned_hours, &shown.assignee_id];
    assert_eq!((texts.map(String::as_str), shown.area()), ([""; 4], Area::Unspecified));
    let listed = ListPhasesRequest { project_id: shop.id.to_string(), ..Default::default() };
    assert_eq!(phases(&acme.admin, listed).await, ["Montage"]);
}
