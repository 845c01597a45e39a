//! Both sides change the same field.

use stellwerk::{
    domain::planning::conflict,
    ids::PhaseConflictId,
    sandbox::asana::{Operation, Point},
};
use uuid::Uuid;

use super::{Scene, due, hours};
use crate::support::{
    asana::{self, day},
    calcom::no_key,
};

#[tokio::test]
async fn a_change_there_that_came_after_ours_prevails_and_is_not_overwritten() {
    let scene = Scene::new().await;

    scene.change(due("2026-11-20")).await;
    // By the double's clock a minute later.
    scene.planner.asana.advance(chrono::TimeDelta::minutes(1)).await;
    scene.planner.boss.set_dates(scene.task, Some(day("2026-11-02")), Some(day("2026-11-27"))).unwrap();
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-27 40 assembly");
    assert_eq!(scene.here().await, scene.there());
    assert_eq!(scene.conflicts().await, ["due_date 2026-11-20 2026-11-27 theirs"]);
    assert_eq!(scene.written().len(), 0);
}

#[tokio::test]
async fn a_change_here_that_came_after_theirs_prevails_and_is_written() {
    let scene = Scene::new().await;
    scene.planner.boss.set_dates(scene.task, Some(day("2026-11-02")), Some(day("2026-11-27"))).unwrap();
    // Two changes of one instant are nobody's to order: ours is made to be later.
    let earlier = scene.planner.asana.task(scene.task).unwrap().modified_at;
    super::wait_until("the clocks have gone on", super::PATIENCE, async || {
        chrono::Utc::now() - earlier > chrono::TimeDelta::milliseconds(2500)
    })
    .await;

    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
    assert_eq!(scene.here().await, scene.there());
    assert_eq!(scene.conflicts().await, ["due_date 2026-11-20 2026-11-27 ours"]);
}

#[tokio::test]
async fn different_fields_changed_on_both_sides_are_both_kept() {
    let scene = Scene::new().await;
    scene.planner.boss.set_field(scene.task, scene.planner.hours.gid, 16).unwrap();

    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 16 assembly");
    assert_eq!((scene.here().await, scene.conflicts().await), (scene.there(), vec![]));
}

/// P5, P9. The page was asked for before the write and is applied after it.
#[tokio::test]
async fn an_old_answer_does_not_undo_a_write() {
    let scene = Scene::new().await;
    let mut gate = scene.planner.asana.pause_next(Point::AfterApplying, Operation::GetTask);
    scene.planner.hear(scene.planner.project, &[asana::told("changed", scene.task)]).await;
    scene.app.hurry().await;
    gate.reached().await.unwrap();

    scene.change(due("2026-11-20")).await;
    scene.until("synced").await;
    gate.open();
    scene.planner.idle().await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
    assert_eq!((scene.here().await, scene.conflicts().await), (scene.there(), vec![]));
}

/// P8.
#[tokio::test]
async fn what_changes_while_a_write_is_on_its_way_is_written_after_it() {
    let scene = Scene::new().await;
    scene.change(due("2026-11-20")).await;
    let mut gate = scene.planner.asana.pause_next(Point::BeforeApplying, Operation::UpdateTask);
    scene.app.hurry().await;
    gate.reached().await.unwrap();

    scene.change(due("2026-11-27")).await;
    scene.change(hours("8")).await;
    gate.open();
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-27 8 assembly");
    assert_eq!((scene.here().await, scene.conflicts().await), (scene.there(), vec![]));
    assert_eq!(scene.written().len(), 2);
}

#[tokio::test]
async fn a_reverted_conflict_is_written_to_asana() {
    let scene = Scene::new().await;
    scene.change(due("2026-11-20")).await;
    scene.planner.asana.advance(chrono::TimeDelta::minutes(1)).await;
    scene.planner.boss.set_dates(scene.task, Some(day("2026-11-02")), Some(day("2026-11-27"))).unwrap();
    scene.until_synced().await;
    let id = scene.planner.value("id", "phase_conflict").await;

    let id = PhaseConflictId(id.parse::<Uuid>().unwrap());
    let (domain, admin) = (&scene.planner.domain, scene.planner.admin());
    conflict::revert(domain, &admin, &no_key(), id, chrono::Utc::now()).await.unwrap();
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
    assert_eq!(scene.here().await, scene.there());
}

/// Trap 25.
#[tokio::test]
async fn hours_that_asana_rounds_do_not_go_to_and_fro() {
    let scene = Scene::new().await;
    // Somebody set the field to fewer places than the onboarding saw.
    scene
        .planner
        .asana
        .edit_field(scene.planner.hours.gid, |field| {
            if let stellwerk::sandbox::asana::Kind::Number { precision, .. } = &mut field.kind {
                *precision = 0;
            }
        })
        .unwrap();

    scene.change(hours("7.5")).await;
    scene.until_synced().await;
    scene.planner.heed(scene.planner.project, &[asana::told("changed", scene.task)]).await;
    scene.until_synced().await;

    assert_eq!(
        (scene.here().await, scene.there().as_str()),
        (scene.there(), "2026-11-02 2026-11-13 8 assembly")
    );
    assert_eq!((scene.written().len(), scene.conflicts().await), (1, vec![]));
}
