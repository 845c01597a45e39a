//! Changing a phase here.

use prost_types::FieldMask;
use stellwerk::{
    proto::{Area, PhaseChangeKind, ProviderSyncState, SyncOrigin, UpdatePhaseRequest},
    store::planning::{phase::Phase, phase::PhaseFields, settings},
    words::{self, IntegrationState, Presence},
};
use tonic::Code;

use super::{get_phase, history, planning, update};
use crate::support::{
    app::TestApp,
    fields,
    planning::{Board, day, hours, planned},
    reason,
};

fn of(phase: &Phase) -> UpdatePhaseRequest {
    UpdatePhaseRequest { phase_id: phase.id.to_string(), ..Default::default() }
}

fn naming(phase: &Phase, paths: &[&str]) -> UpdatePhaseRequest {
    let paths = paths.iter().map(ToString::to_string).collect();
    UpdatePhaseRequest { update_mask: Some(FieldMask { paths }), ..of(phase) }
}

/// The messages that will write a phase, with their causes.
async fn promised(app: &TestApp, phase: &Phase) -> Vec<String> {
    let query = format!("SELECT kind || ' ' || cause FROM outbox WHERE lane = 'phase/{}'", phase.id);
    app.database.owner().await.lines(&query).await
}

async fn montage(board: &Board) -> Phase {
    let project = board.project("Haus am Wall").await;
    board.phase(&project, "Montage", planned(2, 6)).await
}

/// P6.
#[tokio::test]
async fn a_changed_phase_shows_it_at_once_and_promises_it_to_the_tool() {
    let (app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let hr = acme.hr().await;

    let request = UpdatePhaseRequest {
        due_date: "2026-03-13".into(),
        planned_hours: "37.5".into(),
        area: Area::Production.into(),
        ..of(&phase)
    };
    let changed = update(&hr, request).await.unwrap();

    let shown = (changed.start_date.as_str(), changed.due_date.as_str(), changed.planned_hours.as_str());
    assert_eq!(shown, ("2026-03-02", "2026-03-13", "37.5"));
    assert_eq!((changed.area(), changed.presence()), (Area::Production, stellwerk::proto::Presence::Present));
    let standing = changed.provider_sync.clone().unwrap();
    assert_eq!(standing.state(), ProviderSyncState::Pending);
    assert_eq!(get_phase(&acme.admin, phase.id).await.phase.unwrap(), changed);
    assert_eq!(promised(&app, &phase).await, [format!("phase_push {}", standing.initiated_by)]);
    let row = board.row(phase.id).await;
    assert_eq!((PhaseFields::from(row.base), row.changed.start_date_change_time), (phase.fields, None));
    assert!(row.changed.due_date_change_time.is_some() && row.changed.area_change_time.is_some());
}

/// P5.
#[tokio::test]
async fn the_history_says_who_changed_what_and_from_where() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;

    update(&acme.admin, UpdatePhaseRequest { due_date: "2026-03-13".into(), ..of(&phase) }).await.unwrap();
    update(&acme.admin, UpdatePhaseRequest { planned_hours: "8".into(), ..of(&phase) }).await.unwrap();

    let changes = history(&acme.admin, phase.id).await;
    let told: Vec<_> = changes
        .iter()
        .map(|change| {
            (change.kind(), change.origin(), change.due_date.as_str(), change.planned_hours.as_str())
        })
        .collect();
    let (kind, origin) = (PhaseChangeKind::Fields, SyncOrigin::Admin);
    assert_eq!(told, [(kind, origin, "2026-03-13", "40"), (kind, origin, "2026-03-13", "8")]);
    assert!(changes.iter().all(|change| change.cause.starts_with("api_key|")), "{changes:?}");
}

#[tokio::test]
async fn changes_that_follow_each_other_are_one_promise_whoever_makes_them() {
    let (app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let callers = [acme.hr().await, acme.admin.clone(), acme.hr().await];

    for (caller, due) in callers.iter().zip(["2026-03-09", "2026-03-10", "2026-03-11"]) {
        update(caller, UpdatePhaseRequest { due_date: due.into(), ..of(&phase) }).await.unwrap();
    }

    assert_eq!(promised(&app, &phase).await.len(), 1);
    assert_eq!(board.row(phase.id).await.fields.due_date, day(11));
}

#[tokio::test]
async fn an_empty_value_clears_the_fields_that_the_mask_names() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;

    let changed =
        update(&acme.admin, naming(&phase, &["start_date", "planned_hours", "area"])).await.unwrap();

    assert_eq!((changed.start_date.as_str(), changed.planned_hours.as_str()), ("", ""));
    assert_eq!((changed.due_date.as_str(), changed.area()), ("2026-03-06", Area::Unspecified));
}

#[tokio::test]
async fn a_phase_that_starts_on_its_last_day_has_no_start_date_of_its_own() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;

    let request = UpdatePhaseRequest { start_date: "2026-03-06".into(), ..of(&phase) };
    let changed = update(&acme.admin, request).await.unwrap();

    assert_eq!((changed.start_date.as_str(), changed.due_date.as_str()), ("", "2026-03-06"));
}

#[tokio::test]
async fn what_stands_already_is_neither_recorded_nor_written() {
    let (app, acme, board) = planning().await;
    let phase = montage(&board).await;

    let request =
        UpdatePhaseRequest { due_date: "2026-03-06".into(), planned_hours: "40.00".into(), ..of(&phase) };
    let same = update(&acme.admin, request).await.unwrap();

    assert_eq!(same.provider_sync.unwrap().state(), ProviderSyncState::Synced);
    assert_eq!(promised(&app, &phase).await, [""; 0]);
    assert_eq!(history(&acme.admin, phase.id).await, []);
}

#[tokio::test]
async fn a_value_put_back_is_no_change_of_ours_any_more_but_the_tool_is_looked_at() {
    let (app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let due = |due: &str| UpdatePhaseRequest { due_date: due.into(), ..of(&phase) };

    update(&acme.admin, due("2026-03-13")).await.unwrap();
    update(&acme.admin, due("2026-03-06")).await.unwrap();

    let row = board.row(phase.id).await;
    assert_eq!((row.fields, row.changed), (phase.fields.clone(), phase.changed.clone()));
    assert_eq!(promised(&app, &phase).await.len(), 1);
}

/// P7.
#[tokio::test]
async fn a_repeated_update_changes_nothing_more_and_another_one_under_its_key_is_refused() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let request =
        UpdatePhaseRequest { idempotency_key: "k1".into(), due_date: "2026-03-13".into(), ..of(&phase) };
    update(&acme.admin, request.clone()).await.unwrap();
    update(&acme.admin, UpdatePhaseRequest { due_date: "2026-03-20".into(), ..of(&phase) }).await.unwrap();

    let repeated = update(&acme.admin, request.clone()).await.unwrap();
    let other = UpdatePhaseRequest { due_date: "2026-03-14".into(), ..request };
    let refused = update(&acme.admin, other).await.unwrap_err();

    assert_eq!(repeated.due_date, "2026-03-20");
    assert_eq!(history(&acme.admin, phase.id).await.len(), 2);
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED")
    );
}

#[tokio::test]
async fn values_that_no_phase_can_have_are_refused_by_their_field() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let cases = [
        ("start_date", UpdatePhaseRequest { start_date: "2026-03-07".into(), ..of(&phase) }),
        ("due_date", UpdatePhaseRequest { due_date: "2026-03-01".into(), ..of(&phase) }),
        ("due_date", naming(&phase, &["due_date"])),
        ("due_date", UpdatePhaseRequest { due_date: "2026-02-30".into(), ..of(&phase) }),
        ("due_date", UpdatePhaseRequest { due_date: "tomorrow".into(), ..of(&phase) }),
        ("planned_hours", UpdatePhaseRequest { planned_hours: "-1".into(), ..of(&phase) }),
        ("planned_hours", UpdatePhaseRequest { planned_hours: "1e3".into(), ..of(&phase) }),
        ("planned_hours", UpdatePhaseRequest { planned_hours: "0.125".into(), ..of(&phase) }),
        ("update_mask", naming(&phase, &["name"])),
        ("area", UpdatePhaseRequest { area: 9, ..of(&phase) }),
    ];

    let mut told = Vec::new();
    for (field, request) in cases {
        let refused = update(&acme.admin, request).await.unwrap_err();
        told.push((refused.code(), fields(&refused), field));
    }

    for (code, refused, field) in told {
        assert_eq!((code, refused), (Code::InvalidArgument, vec![field.to_string()]), "{field}");
    }
    assert_eq!(board.row(phase.id).await, phase);
}

#[tokio::test]
async fn a_field_that_the_tool_cannot_hold_is_refused_before_it_costs_the_dates() {
    let (_app, acme, board) = planning().await;
    let mut bare = board.project("Lager").await;
    bare.has_hours_field = false;
    board.save_project(&bare).await;
    let without_hours = board.phase(&bare, "Aufräumen", planned(2, 6)).await;
    let phase = montage(&board).await;
    let mut tx = board.tx().await;
    let mut options = settings::area_mappings(&mut tx, board.integration).await.unwrap();
    for option in &mut options {
        option.is_enabled = option.area != Some(words::Area::Production);
    }
    settings::replace_area_mappings(&mut tx, board.integration, &options).await.unwrap();
    tx.commit().await.unwrap();

    let no_hours = UpdatePhaseRequest { planned_hours: "8".into(), ..of(&without_hours) };
    let disabled_option = UpdatePhaseRequest { area: Area::Production.into(), ..of(&phase) };
    let refused = [
        update(&acme.admin, no_hours).await.unwrap_err(),
        update(&acme.admin, disabled_option).await.unwrap_err(),
    ];

    for status in refused {
        let told = (status.code(), reason(&status));
        assert_eq!(told, (Code::FailedPrecondition, "PHASE_FIELD_NOT_WRITABLE".into()));
    }
    update(&acme.admin, naming(&phase, &["area"])).await.unwrap();
}

#[tokio::test]
async fn a_phase_that_the_tool_has_no_more_is_not_changed() {
    let (_app, acme, board) = planning().await;
    for presence in [Presence::Detached, Presence::Gone] {
        let mut phase = montage(&board).await;
        (phase.presence, phase.missing_time) = (presence, Some(phase.update_time));
        board.save_phase(&phase).await;

        let request = UpdatePhaseRequest { due_date: "2026-03-13".into(), ..of(&phase) };
        let refused = update(&acme.admin, request).await.unwrap_err();

        let told = (refused.code(), reason(&refused));
        assert_eq!(told, (Code::FailedPrecondition, "PHASE_NOT_PRESENT".into()), "{presence}");
    }
}

#[tokio::test]
async fn nothing_is_changed_that_nobody_would_ever_write() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let request = UpdatePhaseRequest { due_date: "2026-03-13".into(), ..of(&phase) };
    let mut told = Vec::new();

    for (state, read_only) in [(IntegrationState::Connected, true), (IntegrationState::Disconnected, false)] {
        let mut tx = board.tx().await;
        let mut row = stellwerk::store::integration::find(&mut tx, board.integration).await.unwrap();
        (row.state, row.read_only) = (state, read_only);
        stellwerk::store::integration::save(&mut tx, &row).await.unwrap();
        tx.commit().await.unwrap();
        told.push(reason(&update(&acme.admin, request.clone()).await.unwrap_err()));
    }

    assert_eq!(told, ["INTEGRATION_READ_ONLY", "INTEGRATION_STATE"]);
    assert_eq!(board.row(phase.id).await, phase);
}

/// P3.
#[tokio::test]
async fn planning_is_for_planners() {
    let (_app, acme, board) = planning().await;
    let phase = montage(&board).await;
    let request = UpdatePhaseRequest { due_date: "2026-03-13".into(), ..of(&phase) };
    let reader = acme.service(&["planning:read"]).await;
    let writer = acme.service(&["planning:read", "planning:write"]).await;

    let refused = [
        update(&acme.practitioner().await.caller, request.clone()).await.unwrap_err(),
        update(&acme.patient().await.caller, request.clone()).await.unwrap_err(),
        update(&reader, request.clone()).await.unwrap_err(),
    ];
    let changed = update(&writer, request).await.unwrap();

    let told = refused.each_ref().map(reason);
    assert_eq!(told, ["ROLE_NOT_ALLOWED", "ROLE_NOT_ALLOWED", "SCOPE_MISSING"]);
    assert_eq!(changed.due_date, "2026-03-13");
    assert_eq!(get_phase(&reader, phase.id).await.phase, Some(changed));
}

/// P8.
#[tokio::test]
async fn racing_updates_of_different_fields_are_all_kept() {
    let (app, acme, board) = planning().await;
    let phase = montage(&board).await;

    let (dates, planned) = tokio::join!(
        update(&acme.admin, UpdatePhaseRequest { due_date: "2026-03-13".into(), ..of(&phase) }),
        update(&acme.admin, UpdatePhaseRequest { planned_hours: "8".into(), ..of(&phase) }),
    );

    dates.unwrap();
    planned.unwrap();
    let row = board.row(phase.id).await;
    assert_eq!((row.fields.due_date, row.fields.planned_hours), (day(13), hours("8")));
    assert_eq!(promised(&app, &phase).await.len(), 1);
}
