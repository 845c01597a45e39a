//! A booking that could not be read for a while is nobody's work once it was read.

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::engine::refresh,
    sandbox::calcom::{Fault, Operation, Rule},
};

use crate::support::{
    PATIENCE,
    calcom::{self, on_day},
    link::Linked,
    wait_until,
};

const STANDING: &str = "concat_ws(' ', state, attempts, reason)";

const DEAD: &str = "dead 6 PROVIDER_UNREADABLE";

/// A look at a booking that has one try left.
async fn queue_last_try(linked: &Linked, uid: &str) {
    let later = Utc::now() + TimeDelta::hours(1);
    let mut tx = linked.tx().await;
    refresh::queue(&mut tx, linked.integration, uid, "test", later).await.unwrap();
    tx.commit().await.unwrap();
    linked.owner.run("UPDATE outbox SET attempts = 5 WHERE kind = 'booking_refresh'").await;
}

async fn until_looks(linked: &Linked, standing: &[&str]) {
    wait_until(&format!("looks stand at {standing:?}"), PATIENCE, async || {
        let due = "UPDATE outbox SET run_time = now() WHERE NOT is_leased AND state = 'pending'; \
            UPDATE integration_flow SET breaker_until = least(breaker_until, now()); NOTIFY stellwerk_outbox";
        linked.owner.run(due).await;
        let looks = "outbox AND kind = 'booking_refresh' ORDER BY id";
        linked.lines(STANDING, looks).await == standing
    })
    .await;
}

/// P12.
#[tokio::test]
async fn an_outage_uses_up_no_try_of_a_look_at_a_booking() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let booking = linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    double.stop().await;

    queue_last_try(&linked, &booking.uid).await;
    until_looks(&linked, &["pending 5 PROVIDER_OUT"]).await;
    double.start_again().await.unwrap();

    until_looks(&linked, &[]).await;
}

/// P12, P13.
#[tokio::test]
async fn a_look_that_alone_is_not_answered_is_given_up_until_the_booking_was_read_by_another() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let booking = linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    double.add_fault(Rule::always(Fault::ErrorBefore { status: 502 }).on(Operation::GetBooking));

    queue_last_try(&linked, &booking.uid).await;
    until_looks(&linked, &[DEAD]).await;
    linked.reconcile().await;

    until_looks(&linked, &[]).await;
}

#[tokio::test]
async fn a_look_that_a_person_asked_for_and_was_given_up_stays_on_the_list() {
    let app = calcom::app().reachable().start().await;
    let (tenant, double) = (app.tenant("Praxis am Wall").await, calcom::double().await);
    let linked = Linked::new(&app, &tenant, &double).await;
    let booking = linked.book_there(on_day(3, 10)).await;
    linked.idle().await;
    double.add_fault(Rule::always(Fault::ErrorBefore { status: 502 }).on(Operation::GetBooking));
    let mut tx = linked.tx().await;
    let later = Utc::now() + TimeDelta::hours(1);
    refresh::queue_forced(&mut tx, linked.integration, &booking.uid, "test", later).await.unwrap();
    tx.commit().await.unwrap();
    linked.owner.run("UPDATE outbox SET attempts = 5 WHERE kind = 'booking_refresh'").await;
    until_looks(&linked, &[DEAD]).await;
    double.clear_faults();

    let mut tx = linked.tx().await;
    refresh::queue(&mut tx, linked.integration, &booking.uid, "test", Utc::now()).await.unwrap();
    tx.commit().await.unwrap();

    until_looks(&linked, &[DEAD]).await;
}
