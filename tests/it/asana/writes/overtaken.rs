//! Answers to writes, and what others read meanwhile, overtake each other.

use serde_json::json;
use stellwerk::sandbox::asana::{Gate, Gid, Operation, Point};

use super::{Scene, due};
use crate::support::asana::{self, told};

/// A scene with a second project, *Haus am Markt*, to which the task can be moved.
async fn two_projects() -> (Scene, Gid) {
    let mut other = None;
    let scene = Scene::over(&asana::double().await, |planner| {
        let fields = [planner.area.gid, planner.hours.gid];
        other = Some(planner.asana.add_project(planner.workspace, "Haus am Markt", &fields));
        Scene::montage(planner)
    })
    .await;
    (scene, other.expect("a project"))
}

/// Whose the phase is, and where.
async fn place(scene: &Scene) -> Vec<String> {
    let columns = "SELECT concat_ws(' in ', coalesce(u.name, 'nobody''s'), r.name) \
        FROM phase p LEFT JOIN external_user u ON u.id = p.assignee_id \
        JOIN phase_project l ON l.phase_id = p.id JOIN project r ON r.id = l.project_id ORDER BY 1";
    scene.planner.owner.lines(columns).await
}

/// Somebody there gives the task to Mara Vogt and moves it.
fn hand_over(scene: &Scene, to: Gid) {
    let boss = &scene.planner.boss;
    boss.change_task(scene.task, json!({ "assignee": boss.gid().to_string() })).expect("assigned");
    boss.move_task(scene.task, scene.planner.project, to).expect("moved");
}

/// A webhook tells of the task; the answer of the reading that follows is on its way until it is let go.
async fn late_reading(scene: &Scene) -> Gate {
    let mut late = scene.planner.asana.pause_next(Point::AfterApplying, Operation::GetTask);
    scene.planner.hear(scene.planner.project, &[told("changed", scene.task)]).await;
    scene.app.hurry().await;
    late.reached().await.expect("the webhook's reading is on its way");
    late
}

/// P9. Who looks later than the webhook's reading must know all that it tells, because it is dropped.
#[tokio::test]
async fn what_a_look_before_a_write_overtakes_is_known_from_that_look() {
    let (scene, other) = two_projects().await;
    hand_over(&scene, other);
    let late = late_reading(&scene).await;

    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;
    late.open();
    scene.planner.idle().await;

    assert_eq!(place(&scene).await, ["Mara Vogt in Haus am Markt"]);
    assert_eq!(scene.here().await, "2026-11-02 2026-11-20 40 assembly");
}

/// P9. The same between the look and the write.
#[tokio::test]
async fn what_the_answer_to_a_write_overtakes_is_known_from_that_answer() {
    let (scene, other) = two_projects().await;
    let mut write = scene.planner.asana.pause_next(Point::BeforeApplying, Operation::UpdateTask);
    scene.change(due("2026-11-20")).await;
    scene.app.hurry().await;
    write.reached().await.expect("the write is on its way");
    hand_over(&scene, other);
    let late = late_reading(&scene).await;

    write.open();
    scene.until_synced().await;
    late.open();
    scene.planner.idle().await;

    assert_eq!(place(&scene).await, ["Mara Vogt in Haus am Markt"]);
    assert_eq!(scene.here().await, "2026-11-02 2026-11-20 40 assembly");
}

/// P9. A move leaves the task's version as it is, so that only the times tell which answer is younger.
#[tokio::test]
async fn a_move_that_was_read_before_the_answer_to_a_write_came_is_not_undone_by_it() {
    let (scene, other) = two_projects().await;
    let mut write = scene.planner.asana.pause_next(Point::AfterApplying, Operation::UpdateTask);
    scene.change(due("2026-11-20")).await;
    scene.app.hurry().await;
    write.reached().await.expect("the answer is on its way");
    scene.planner.boss.move_task(scene.task, scene.planner.project, other).expect("moved");
    scene.planner.heed(scene.planner.project, &[told("changed", scene.task)]).await;
    let read = place(&scene).await;

    write.open();
    scene.until_synced().await;

    assert_eq!(read, ["nobody's in Haus am Markt"]);
    assert_eq!(place(&scene).await, read);
    assert_eq!((scene.here().await, scene.intents().await), (scene.there(), vec!["done".to_string()]));
}

/// As for a phase of which that is known: there is nothing of ours to be written.
#[tokio::test]
async fn a_task_that_was_taken_out_of_its_projects_is_not_written() {
    let scene = Scene::new().await;
    scene.planner.boss.remove_from_project(scene.task, scene.planner.project).expect("taken out");

    scene.change(due("2026-11-20")).await;
    scene.until("review PHASE_NOT_PRESENT").await;

    assert_eq!(scene.planner.presence(scene.task).await, "detached");
    assert_eq!(scene.written().len(), 0);
}
