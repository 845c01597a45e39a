//! Fields that both sides had changed, and letting the other side prevail.

use stellwerk::{
    proto::{
        self, ConflictSide, ListConflictsRequest, ProviderSyncState, RevertConflictRequest,
        UpdatePhaseRequest,
    },
    store::planning::conflict::PhaseConflict,
    words::{PhaseField, Presence},
};
use tonic::{Code, Status};

use super::{history, planning, update};
use crate::support::{
    caller::TestCaller,
    planning::{day, planned},
    reason,
};

async fn revert(by: &TestCaller, conflict: &PhaseConflict) -> Result<proto::RevertConflictResponse, Status> {
    let request = RevertConflictRequest { phase_conflict_id: conflict.id.to_string(), ..Default::default() };
    Ok(by.planning().revert_conflict(request).await?.into_inner())
}

async fn conflicts(by: &TestCaller, request: ListConflictsRequest) -> proto::ListConflictsResponse {
    by.planning().list_conflicts(request).await.unwrap().into_inner()
}

/// P12.
#[tokio::test]
async fn a_conflict_shows_both_values_and_who_prevailed() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(2, 13)).await;
    let conflict = board.conflict(phase.id, PhaseField::DueDate, "2026-03-09", "2026-03-13").await;

    let listed = conflicts(&acme.hr().await, ListConflictsRequest::default()).await.conflicts;

    assert_eq!(listed.len(), 1);
    let shown = &listed[0];
    assert_eq!(shown.phase_conflict_id, conflict.id.to_string());
    assert_eq!((shown.our_value.as_str(), shown.their_value.as_str()), ("2026-03-09", "2026-03-13"));
    assert_eq!((shown.winner(), shown.field()), (ConflictSide::Theirs, proto::PhaseField::DueDate));
    assert!(shown.revertable && shown.revert_time.is_none());
}

/// P6.
#[tokio::test]
async fn a_reverted_conflict_puts_the_other_value_in_and_promises_it_to_the_tool() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(2, 13)).await;
    let conflict = board.conflict(phase.id, PhaseField::DueDate, "2026-03-09", "2026-03-13").await;

    let reverted = revert(&acme.admin, &conflict).await.unwrap();

    let (shown, changed) = (reverted.conflict.unwrap(), reverted.phase.unwrap());
    assert_eq!(changed.due_date, "2026-03-09");
    assert_eq!(changed.provider_sync.unwrap().state(), ProviderSyncState::Pending);
    assert!(!shown.revertable && shown.revert_time.is_some() && shown.reverted_by.starts_with("api_key|"));
    assert_eq!(history(&acme.admin, phase.id).await[0].cause, format!("phase_conflict/{}", conflict.id));
    let open = ListConflictsRequest { unreverted_only: true, ..Default::default() };
    assert_eq!(conflicts(&acme.admin, open).await.conflicts, []);
}

#[tokio::test]
async fn a_conflict_is_reverted_once() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(2, 13)).await;
    let conflict = board.conflict(phase.id, PhaseField::DueDate, "2026-03-09", "2026-03-13").await;
    let keyed =
        RevertConflictRequest { idempotency_key: "k1".into(), phase_conflict_id: conflict.id.to_string() };
    let first = acme.admin.planning().revert_conflict(keyed.clone()).await.unwrap().into_inner();

    let repeated = acme.admin.planning().revert_conflict(keyed).await.unwrap().into_inner();
    let refused = revert(&acme.admin, &conflict).await.unwrap_err();

    assert_eq!(repeated, first);
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "PHASE_CONFLICT_REVERTED")
    );
    assert_eq!(history(&acme.admin, phase.id).await.len(), 1);
}

#[tokio::test]
async fn a_conflict_about_a_field_that_was_changed_since_is_not_reverted() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(2, 13)).await;
    let conflict = board.conflict(phase.id, PhaseField::DueDate, "2026-03-09", "2026-03-13").await;
    let since = UpdatePhaseRequest {
        phase_id: phase.id.to_string(),
        due_date: "2026-03-20".into(),
        ..Default::default()
    };
    update(&acme.admin, since).await.unwrap();

    let refused = revert(&acme.admin, &conflict).await.unwrap_err();
    let listed = conflicts(&acme.admin, ListConflictsRequest::default()).await.conflicts;

    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "PHASE_CONFLICT_OUTDATED")
    );
    assert!(!listed[0].revertable);
    assert_eq!(board.row(phase.id).await.fields.due_date, day(20));
}

#[tokio::test]
async fn a_date_that_does_not_fit_the_other_one_is_not_put_back_alone() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(8, 13)).await;
    let conflict = board.conflict(phase.id, PhaseField::DueDate, "2026-03-05", "2026-03-13").await;

    let refused = revert(&acme.admin, &conflict).await.unwrap_err();

    assert_eq!(reason(&refused), "PHASE_CONFLICT_OUTDATED");
    assert_eq!(board.row(phase.id).await, phase);
    let listed = conflicts(&acme.admin, ListConflictsRequest::default()).await.conflicts;
    assert_eq!(listed[0].revert_time, None);
}

#[tokio::test]
async fn dates_that_were_decided_together_are_reverted_together() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(16, 20)).await;
    let due = board.conflict(phase.id, PhaseField::DueDate, "2026-03-06", "2026-03-20").await;
    let start = PhaseConflict {
        id: stellwerk::ids::PhaseConflictId::new(),
        field: PhaseField::StartDate,
        our_value: Some("2026-03-02".into()),
        their_value: Some("2026-03-16".into()),
        ..due.clone()
    };
    board.add_conflicts(std::slice::from_ref(&start)).await;

    let reverted = revert(&acme.admin, &start).await.unwrap().phase.unwrap();

    assert_eq!((reverted.start_date.as_str(), reverted.due_date.as_str()), ("2026-03-02", "2026-03-06"));
    let open = ListConflictsRequest { unreverted_only: true, ..Default::default() };
    assert_eq!(conflicts(&acme.admin, open).await.conflicts, []);
}

#[tokio::test]
async fn a_conflict_of_a_phase_that_is_gone_is_history() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let mut phase = board.phase(&project, "Montage", planned(2, 13)).await;
    let conflict = board.conflict(phase.id, PhaseField::DueDate, "2026-03-09", "2026-03-13").await;
    (phase.presence, phase.missing_time) = (Presence::Gone, Some(phase.update_time));
    board.save_phase(&phase).await;

    let listed = conflicts(&acme.admin, ListConflictsRequest::default()).await.conflicts;
    let refused = revert(&acme.admin, &conflict).await.unwrap_err();

    assert!(!listed[0].revertable);
    assert_eq!(reason(&refused), "PHASE_CONFLICT_OUTDATED");
}

/// P13.
#[tokio::test]
async fn conflicts_are_paged_newest_first_and_found_by_phase() {
    let (_app, acme, board) = planning().await;
    let project = board.project("Haus am Wall").await;
    let phase = board.phase(&project, "Montage", planned(2, 13)).await;
    let other = board.phase(&project, "Zuschnitt", planned(2, 13)).await;
    let mut made = Vec::new();
    for due in ["2026-03-07", "2026-03-08", "2026-03-09"] {
        let conflict = board.conflict(phase.id, PhaseField::DueDate, due, "2026-03-13").await;
        made.insert(0, conflict.id.to_string());
    }
    board.conflict(other.id, PhaseField::PlannedHours, "8", "16").await;
    let page = |page_token| ListConflictsRequest {
        page_size: 2,
        page_token,
        phase_id: phase.id.to_string(),
        ..Default::default()
    };

    let first = conflicts(&acme.admin, page(String::new())).await;
    let last = conflicts(&acme.admin, page(first.next_page_token.clone())).await;

    let listed = first.conflicts.iter().chain(&last.conflicts).map(|one| one.phase_conflict_id.clone());
    assert_eq!((listed.collect::<Vec<_>>(), last.next_page_token.as_str()), (made, ""));
}
