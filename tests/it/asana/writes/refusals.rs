//! What Asana does not take.

use serde_json::{Value, json};
use stellwerk::{
    domain::dead_letter::{self, Which},
    sandbox::asana::{Fault, Operation, Refusal, Rule},
    store::dead_letter::Filter,
    words::Area,
};

use super::{Changes, Scene, due, hours};
use crate::support::{PATIENCE, asana, asana::day, calcom::no_key, wait_until};

fn refuse(scene: &Scene, status: u16, message: &str) {
    let refusal = Refusal { status, message: message.into(), sync: None, retry_after_seconds: None };
    let rule = Rule::next(1, Fault::Refused { refusal }).on(Operation::UpdateTask);
    scene.planner.asana.add_fault(rule);
}

/// The reasons of the writes that were given up.
async fn dead(scene: &Scene) -> Vec<String> {
    scene.planner.lines("reason", "outbox AND state = 'dead'").await
}

/// The phase says so a moment before its message does.
async fn until_dead(scene: &Scene, reason: &str) {
    wait_until("the write was given up", PATIENCE, async || dead(scene).await == [reason]).await;
}

/// Trap 24.
#[tokio::test]
async fn a_field_that_asana_does_not_take_does_not_cost_the_dates() {
    let scene = Scene::new().await;
    refuse(&scene, 400, "Custom field with ID 12 is not on given object");

    scene.change(due("2026-11-20")).await;
    scene.change(hours("8")).await;
    scene.until("review FIELD_NOT_ON_TASK").await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
    let written = scene.written();
    assert_eq!(written.len(), 2, "{written:?}");
    assert_eq!(written[1], json!({ "start_on": "2026-11-02", "due_on": "2026-11-20" }));
    assert_eq!(scene.intents().await, ["refused", "done"]);
    until_dead(&scene, "FIELD_NOT_ON_TASK").await;
}

/// Trap 24.
#[tokio::test]
async fn a_field_that_the_task_does_not_have_is_not_even_sent() {
    let scene = Scene::new().await;
    let (project, field) = (scene.planner.project, scene.planner.hours.gid);
    scene.planner.boss.detach_field(project, field).unwrap();

    scene.change(hours("8")).await;
    scene.change(due("2026-11-20")).await;
    scene.until("review FIELD_NOT_ON_TASK").await;

    assert_eq!(scene.written(), [json!({ "start_on": "2026-11-02", "due_on": "2026-11-20" })]);
}

/// Trap 24. Every later change differs in the locked field, too.
#[tokio::test]
async fn a_locked_field_does_not_cost_the_dates_that_are_changed_later() {
    let scene = Scene::new().await;
    let hours_field = scene.planner.hours.gid;
    scene.planner.asana.edit_field(hours_field, |field| field.is_locked = true).unwrap();
    scene.change(hours("8")).await;
    scene.until("review NOT_ALLOWED").await;
    until_dead(&scene, "NOT_ALLOWED").await;
    scene.planner.asana.forget_requests();

    scene.change(due("2026-11-20")).await;
    wait_until("the date is there", PATIENCE, async || {
        scene.app.hurry().await;
        scene.there() == "2026-11-02 2026-11-20 40 assembly"
    })
    .await;
    scene.until("review NOT_ALLOWED").await;
    until_dead(&scene, "NOT_ALLOWED").await;

    let written = scene.written();
    assert_eq!(written.len(), 2, "{written:?}");
    assert_eq!(written[1], json!({ "start_on": "2026-11-02", "due_on": "2026-11-20" }));
    assert_eq!(scene.here().await, "2026-11-02 2026-11-20 8 assembly");
    assert_eq!(scene.intents().await, ["refused", "refused", "done"]);
}

/// Trap 24. Which one it is shows by writing each by itself; of two, the first one is enough if it is taken.
#[tokio::test]
async fn a_locked_field_does_not_cost_another_one() {
    let cases = [
        ("2026-11-02 2026-11-13 40 production", vec!["refused", "refused", "done"]),
        ("2026-11-02 2026-11-13 8 assembly", vec!["refused", "done"]),
    ];
    for (is_area, (there, intents)) in cases.into_iter().enumerate() {
        let scene = Scene::new().await;
        let locked = [scene.planner.hours.gid, scene.planner.area.gid][is_area];
        scene.planner.asana.edit_field(locked, |field| field.is_locked = true).unwrap();

        scene.change(hours("8")).await;
        scene.change(Changes { area: Some(Some(Area::Production)), ..Changes::default() }).await;
        scene.until("review NOT_ALLOWED").await;

        assert_eq!(scene.there(), there);
        assert_eq!(scene.here().await, "2026-11-02 2026-11-13 8 production");
        assert_eq!(scene.intents().await, intents);
        assert_eq!(scene.written().len(), intents.len());
        until_dead(&scene, "NOT_ALLOWED").await;
    }
}

/// P12.
#[tokio::test]
async fn a_refusal_shows_with_its_reason_and_can_be_requeued() {
    for (status, reason) in [(402, "PLAN_LIMIT"), (403, "NOT_ALLOWED")] {
        let scene = Scene::new().await;
        refuse(&scene, status, "No.");

        scene.change(due("2026-11-20")).await;
        scene.until(&format!("review {reason}")).await;
        until_dead(&scene, reason).await;
        let (domain, admin) = (&scene.planner.domain, scene.planner.admin());
        let all = Which::Matching(Filter::default());
        dead_letter::requeue(domain, &admin, &no_key(), &all).await.unwrap();
        scene.until_synced().await;

        assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly", "{status}");
        assert_eq!(scene.intents().await, ["refused", "done"], "{status}");
    }
}

/// P12. Once a later write has made it good, nobody needs to look at it.
#[tokio::test]
async fn a_write_that_succeeds_takes_what_was_given_up_before_off_the_list() {
    let scene = Scene::new().await;
    refuse(&scene, 403, "No.");
    scene.change(due("2026-11-20")).await;
    scene.until("review NOT_ALLOWED").await;
    until_dead(&scene, "NOT_ALLOWED").await;

    scene.change(hours("8")).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 8 assembly");
    assert_eq!(dead(&scene).await, [""; 0]);
}

#[tokio::test]
async fn of_writes_of_one_phase_that_are_given_up_one_after_the_other_the_last_is_listed() {
    let scene = Scene::new().await;
    for (status, reason) in [(403, "NOT_ALLOWED"), (402, "PLAN_LIMIT")] {
        refuse(&scene, status, "No.");
        scene.change(hours(&status.to_string())).await;
        scene.until(&format!("review {reason}")).await;

        until_dead(&scene, reason).await;
    }
}

#[tokio::test]
async fn what_was_given_up_is_off_the_list_when_somebody_does_the_same_there() {
    let scene = Scene::new().await;
    refuse(&scene, 403, "No.");
    scene.change(due("2026-11-20")).await;
    scene.until("review NOT_ALLOWED").await;
    until_dead(&scene, "NOT_ALLOWED").await;

    let (from, until) = (Some(day("2026-11-02")), Some(day("2026-11-20")));
    scene.planner.boss.set_dates(scene.task, from, until).unwrap();
    scene.planner.heed(scene.planner.project, &[asana::told("changed", scene.task)]).await;

    assert_eq!(scene.standing().await, "synced");
    assert_eq!(dead(&scene).await, [""; 0]);
}

#[tokio::test]
async fn a_refused_write_is_not_tried_again_by_every_look_at_the_task() {
    let scene = Scene::new().await;
    refuse(&scene, 403, "No.");
    scene.change(due("2026-11-20")).await;
    scene.until("review NOT_ALLOWED").await;

    scene.planner.heed(scene.planner.project, &[asana::told("changed", scene.task)]).await;

    assert_eq!(scene.standing().await, "review NOT_ALLOWED");
    assert_eq!(scene.written().len(), 1);
}

/// Trap 29.
#[tokio::test]
async fn a_task_that_is_not_found_is_missing_until_a_full_run_has_looked() {
    let scene = Scene::new().await;
    scene.planner.boss.delete_task(scene.task);

    scene.change(due("2026-11-20")).await;
    scene.until("review NOT_FOUND").await;

    assert_eq!(scene.planner.presence(scene.task).await, "missing");
    assert_eq!(scene.written(), [] as [Value; 0]);
}

/// Trap 17.
#[tokio::test]
async fn a_throttled_write_waits_as_told_and_uses_up_no_try() {
    let scene = Scene::new().await;
    let rule = Rule::next(1, Fault::Throttled { retry_after_seconds: 1 }).on(Operation::UpdateTask);
    scene.planner.asana.add_fault(rule);

    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
    assert_eq!(dead(&scene).await, [""; 0]);
}

/// P7.
#[tokio::test]
async fn a_write_whose_answer_was_lost_is_looked_up_and_not_repeated() {
    for fault in [Fault::AnswerLost { hold: false }, Fault::ErrorAfter { status: 500 }, Fault::Truncated] {
        let scene = Scene::new().await;
        scene.planner.asana.add_fault(Rule::next(1, fault.clone()).on(Operation::UpdateTask));

        scene.change(due("2026-11-20")).await;
        scene.until_synced().await;

        assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly", "{fault:?}");
        assert_eq!(scene.written().len(), 1, "{fault:?}");
        assert_eq!(
            (scene.intents().await, scene.conflicts().await),
            (vec!["done".into()], vec![]),
            "{fault:?}"
        );
    }
}

/// P7.
#[tokio::test]
async fn a_write_that_did_not_arrive_is_repeated() {
    for fault in [Fault::Reset, Fault::ErrorBefore { status: 503 }] {
        let scene = Scene::new().await;
        scene.planner.asana.add_fault(Rule::next(2, fault.clone()).on(Operation::UpdateTask));

        scene.change(due("2026-11-20")).await;
        scene.until_synced().await;

        assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly", "{fault:?}");
        assert_eq!(scene.here().await, scene.there(), "{fault:?}");
    }
}

/// What was tried in vain waits longer and longer; somebody who edits does not.
#[tokio::test]
async fn an_edit_does_not_wait_out_the_pause_of_an_older_write() {
    let scene = Scene::new().await;
    scene.change(due("2026-11-20")).await;
    let tried = "UPDATE outbox SET attempts = 4, run_time = now() + interval '10 min'";
    scene.planner.owner.run(tried).await;

    scene.change(due("2026-11-27")).await;

    let soon = "attempts || ' ' || (run_time < now() + interval '6 s')";
    assert_eq!(scene.planner.lines(soon, "outbox").await, ["0 true"]);
    scene.until_synced().await;
    assert_eq!(scene.there(), "2026-11-02 2026-11-27 40 assembly");
}
