//! P6 and P7: a worker that dies anywhere leaves exactly one booking in the right state.

use chrono::Utc;
use serde_json::json;
use stellwerk::{
    domain::engine::push,
    ids::{AppointmentId, TenantId},
    sandbox::calcom::{Fault, Operation, Point, Rule},
    store::outbox::{self, Claimed},
    words::{MessageKind, ProviderSync},
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{Connected, app, connect_calcom, double, on_day, until_within},
    wait_until,
};

/// When the worker dies.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The write is recorded and did not arrive.
    ItHasNotArrived,
    /// Cal.com has it and has not changed anything.
    ItHasNotApplied,
    /// It is done, and the answer is on its way.
    NoAnswerCame,
    /// The answer came and was not written down.
    NothingIsSettled,
}

const MOMENTS: [Moment; 4] =
    [Moment::ItHasNotArrived, Moment::ItHasNotApplied, Moment::NoAnswerCame, Moment::NothingIsSettled];

#[tokio::test]
async fn a_worker_that_dies_over_a_new_booking_leaves_one() {
    for moment in MOMENTS {
        let (app, practice) = practice().await;

        let id = practice.book(on_day(3, 9)).await;
        die_and_come_back(&app, &practice, moment, Operation::CreateBooking, id).await;

        assert_eq!(practice.only_living().start, on_day(3, 9), "{moment:?}");
        assert_eq!(practice.calcom.bookings().len(), 1, "{moment:?}");
        assert_eq!(practice.review_items().await, [], "{moment:?}");
    }
}

#[tokio::test]
async fn a_worker_that_dies_over_a_move_leaves_one_at_the_new_time() {
    for moment in MOMENTS {
        let (app, practice) = practice().await;
        let id = booked(&app, &practice).await;

        practice.reschedule(id, on_day(3, 12)).await;
        die_and_come_back(&app, &practice, moment, Operation::RescheduleBooking, id).await;

        assert_eq!(practice.only_living().start, on_day(3, 12), "{moment:?}");
        assert_eq!(practice.calcom.bookings().len(), 2, "{moment:?}");
        assert_eq!(practice.appointment(id).await.start_time, on_day(3, 12), "{moment:?}");
        assert_eq!(practice.review_items().await, [], "{moment:?}");
    }
}

#[tokio::test]
async fn a_worker_that_dies_over_a_cancellation_leaves_none() {
    for moment in MOMENTS {
        let (app, practice) = practice().await;
        let id = booked(&app, &practice).await;

        practice.cancel(id).await;
        die_and_come_back(&app, &practice, moment, Operation::CancelBooking, id).await;

        assert_eq!(practice.living(), [], "{moment:?}");
        assert_eq!(practice.calcom.bookings().len(), 1, "{moment:?}");
        assert_eq!(practice.review_items().await, [], "{moment:?}");
    }
}

/// P7. Its lease ran out while it slept, and somebody else has the message.
#[tokio::test]
async fn a_worker_that_slept_past_its_lease_sends_nothing_beside_its_successor() {
    let (app, practice) = practice().await;
    let id = practice.book(on_day(3, 9)).await;
    let claims = outbox::claim(&practice.domain.store, TenantId::HOUSE, 10, 60, None).await.unwrap();
    let late = claims.messages.iter().find(|one| one.kind == MessageKind::AppointmentPush).unwrap();
    let payload = json!({ "appointment_id": id });
    app.database.owner().await.run("UPDATE outbox SET lease_epoch = lease_epoch + 1").await;

    push::run(&practice.domain, late, payload.clone(), Utc::now()).await.unwrap();
    let sent_late = practice.asked(Operation::CreateBooking);
    let successor = Claimed { lease_epoch: late.lease_epoch + 1, ..*late };
    push::run(&practice.domain, &successor, payload, Utc::now()).await.unwrap();

    assert_eq!((sent_late, practice.asked(Operation::CreateBooking)), (0, 1));
    assert_eq!(practice.standing(id).await, ProviderSync::Synced);
}

/// Nobody works unless the test says so.
async fn practice() -> (TestApp, Connected) {
    let app = app().without_worker().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    (app, practice)
}

async fn booked(app: &TestApp, practice: &Connected) -> AppointmentId {
    let id = practice.book(on_day(3, 9)).await;
    let worker = app.worker();
    practice.until_synced(id).await;
    app.work_until_idle().await;
    worker.kill().await;
    id
}

async fn die_and_come_back(
    app: &TestApp,
    practice: &Connected,
    moment: Moment,
    operation: Operation,
    id: AppointmentId,
) {
    let owner = app.database.owner().await;
    match moment {
        Moment::ItHasNotArrived => {
            // As if the request had never left: it is recorded, and the connection ends before anything
            // happens.
            let rule = practice.calcom.add_fault(Rule::always(Fault::Reset).on(operation));
            let worker = app.worker();
            wait_until("the write was recorded and lost", PATIENCE, async || {
                owner.value("SELECT count(*) FROM intent WHERE state = 'unknown'").await != "0"
            })
            .await;
            worker.kill().await;
            owner.run("UPDATE intent SET state = 'sent', reason = NULL WHERE state = 'unknown'").await;
            practice.calcom.remove_fault(rule);
        }
        Moment::ItHasNotApplied | Moment::NoAnswerCame => {
            let point = match moment {
                Moment::ItHasNotApplied => Point::BeforeApplying,
                _ => Point::AfterApplying,
            };
            let mut gate = practice.calcom.pause_next(point, operation);
            let worker = app.worker();
            gate.reached().await.unwrap();
            worker.kill().await;
            gate.open();
            practice.calcom.quiet().await;
        }
        Moment::NothingIsSettled => {
            let mut gate = practice.calcom.pause_next(Point::AfterApplying, operation);
            let worker = app.worker();
            gate.reached().await.unwrap();
            // Whoever settles waits for this lock.
            let blocker = app.database.owner().await;
            blocker.run(&format!("BEGIN; SELECT FROM appointment WHERE id = '{id}' FOR UPDATE")).await;
            gate.open();
            wait_until("the answer came", PATIENCE, async || {
                owner
                    .value(
                        "SELECT count(*) FROM pg_stat_activity \
                         WHERE wait_event_type = 'Lock' AND datname = current_database()",
                    )
                    .await
                    != "0"
            })
            .await;
            worker.kill().await;
            blocker.run("ROLLBACK").await;
        }
    }
    let worker = app.worker();
    until_within(practice, id, ProviderSync::Synced, PATIENCE * 2).await;
    app.work_until_idle().await;
    worker.kill().await;
}
