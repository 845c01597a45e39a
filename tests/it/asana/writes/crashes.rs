//! P6 and P7: a worker that dies anywhere over a write leaves the task as it should be.

use stellwerk::sandbox::asana::{Fault, Operation, Point, Rule};

use super::{Scene, due};
use crate::support::{PATIENCE, app::TestApp, asana, asana::Planner, wait_until};

/// When the worker dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The task is being read, nothing is recorded.
    ItIsLookedAt,
    /// The write is recorded and did not arrive.
    ItHasNotArrived,
    /// Asana has it and has not changed anything.
    ItHasNotApplied,
    /// It is done, and the answer is on its way.
    NoAnswerCame,
    /// The answer came and was not written down.
    NothingIsSettled,
}

const MOMENTS: [Moment; 5] = [
    Moment::ItIsLookedAt,
    Moment::ItHasNotArrived,
    Moment::ItHasNotApplied,
    Moment::NoAnswerCame,
    Moment::NothingIsSettled,
];

/// Read by a worker that is gone by now.
async fn scene() -> Scene {
    let double = asana::double().await;
    let app: TestApp = asana::app().without_worker().start().await;
    let tenant = app.tenant("Planungsbüro am Wall").await;
    let planner = Planner::new(&app, &tenant, &double).await;
    let task = Scene::montage(&planner);
    let worker = app.worker();
    planner.sync().await;
    planner.idle().await;
    worker.kill().await;
    Scene { app, planner, task }
}

#[tokio::test]
async fn a_worker_that_dies_over_a_write_leaves_the_task_as_it_was_meant() {
    for moment in MOMENTS {
        let scene = scene().await;

        scene.change(due("2026-11-20")).await;
        die(&scene, moment).await;
        let worker = scene.app.worker();
        scene.until_synced().await;
        worker.kill().await;

        assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly", "{moment:?}");
        assert_eq!((scene.here().await, scene.conflicts().await), (scene.there(), vec![]), "{moment:?}");
        assert_eq!(scene.planner.value("count(*)", "outbox").await, "0", "{moment:?}");
    }
}

/// P5. The write that nobody heard of again is recognised, though something else is wanted by now.
#[tokio::test]
async fn what_is_changed_after_such_a_death_is_no_conflict_with_ourselves() {
    for moment in MOMENTS {
        let scene = scene().await;

        scene.change(due("2026-11-20")).await;
        die(&scene, moment).await;
        scene.change(due("2026-11-27")).await;
        let worker = scene.app.worker();
        scene.until_synced().await;
        worker.kill().await;

        assert_eq!(scene.there(), "2026-11-02 2026-11-27 40 assembly", "{moment:?}");
        assert_eq!((scene.here().await, scene.conflicts().await), (scene.there(), vec![]), "{moment:?}");
    }
}

async fn die(scene: &Scene, moment: Moment) {
    let owner = scene.app.database.owner().await;
    let asana = &scene.planner.asana;
    match moment {
        Moment::ItHasNotArrived => {
            let rule = asana.add_fault(Rule::always(Fault::Reset).on(Operation::UpdateTask));
            let worker = scene.app.worker();
            scene.app.hurry().await;
            let open = "SELECT count(*) FROM phase_intent WHERE state IN ('unknown', 'recorded')";
            wait_until("the write was recorded and lost", PATIENCE, async || owner.value(open).await != "0")
                .await;
            worker.kill().await;
            owner.run("UPDATE phase_intent SET state = 'sent' WHERE state IN ('unknown', 'recorded')").await;
            asana.remove_fault(rule);
        }
        Moment::ItIsLookedAt | Moment::ItHasNotApplied | Moment::NoAnswerCame => {
            let mut gate = match moment {
                Moment::ItIsLookedAt => asana.pause_next(Point::AfterApplying, Operation::GetTask),
                Moment::ItHasNotApplied => asana.pause_next(Point::BeforeApplying, Operation::UpdateTask),
                _ => asana.pause_next(Point::AfterApplying, Operation::UpdateTask),
            };
            let worker = scene.app.worker();
            scene.app.hurry().await;
            gate.reached().await.unwrap();
            worker.kill().await;
            gate.open();
            asana.quiet().await;
        }
        Moment::NothingIsSettled => {
            let mut gate = asana.pause_next(Point::AfterApplying, Operation::UpdateTask);
            let worker = scene.app.worker();
            scene.app.hurry().await;
            gate.reached().await.unwrap();
            // Whoever settles waits for this lock.
            let blocker = scene.app.database.owner().await;
            blocker
                .run(&format!("BEGIN; SELECT FROM phase WHERE external_id = '{}' FOR UPDATE", scene.task))
                .await;
            gate.open();
            let waits = "SELECT count(*) FROM pg_stat_activity \
                 WHERE wait_event_type = 'Lock' AND datname = current_database()";
            wait_until("the answer came", PATIENCE, async || owner.value(waits).await != "0").await;
            worker.kill().await;
            blocker.run("ROLLBACK").await;
        }
    }
}
