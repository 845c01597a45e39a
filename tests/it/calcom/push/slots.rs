//! What is free, and what is kept while somebody makes up their mind.

use chrono::{TimeDelta, Utc};
use stellwerk::{
    domain::appointment::{self, Booking, FreeSlot, Hold, Slot},
    error::Error,
    ids::AppointmentId,
    sandbox::calcom::{Fault, Operation, Point},
};

use crate::support::{
    PATIENCE,
    calcom::{Connected, app, connect_calcom, double, no_key, on_day},
    wait_until,
};

async fn free(practice: &Connected, from: i64, until: i64) -> Result<Vec<FreeSlot>, Error> {
    appointment::free_slots(
        &practice.domain,
        &practice.admin(),
        practice.service,
        practice.practitioner,
        on_day(3, from),
        on_day(3, until),
        Utc::now(),
    )
    .await
}

#[tokio::test]
async fn a_slot_is_free_when_it_is_free_at_calcom_and_here() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.calcom.block(practice.host.id, on_day(3, 9), on_day(3, 10));
    // Of this Cal.com knows nothing.
    let local =
        Booking { service: None, duration: Some(TimeDelta::minutes(45)), ..practice.visit(on_day(3, 11)) };
    practice.try_book(local).await.unwrap();

    let found = free(&practice, 9, 13).await.unwrap();

    let half = TimeDelta::minutes(30);
    let starts: Vec<_> = found.iter().map(|slot| slot.start).collect();
    assert_eq!(starts, [on_day(3, 10), on_day(3, 10) + half, on_day(3, 12), on_day(3, 12) + half]);
    assert_eq!(found[0].end - found[0].start, half);
}

#[tokio::test]
async fn slots_are_asked_for_in_bounds_and_only_where_there_are_any() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    let backwards = free(&practice, 12, 9).await.unwrap_err();
    practice.change_integration(|row| row.read_only = true).await;
    let unconnected = free(&practice, 9, 12).await.unwrap_err();
    practice.change_integration(|row| row.read_only = false).await;
    practice.calcom.stop().await;
    let out = free(&practice, 9, 12).await.unwrap_err();

    assert!(matches!(backwards, Error::Invalid(_)), "{backwards}");
    assert!(matches!(unconnected, Error::ServiceNotConnected), "{unconnected}");
    assert!(matches!(out, Error::ProviderUnavailable(_)), "{out}");
}

#[tokio::test]
async fn a_held_slot_is_kept_from_calcoms_page_until_the_hold_ends() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;

    for end in [End::Booked, End::Cancelled, End::RunOut] {
        let length = if end == End::RunOut { TimeDelta::seconds(2) } else { TimeDelta::minutes(10) };
        let id = hold(&practice, length).await;
        wait_until("the slot is reserved", PATIENCE, async || practice.calcom.reservations().len() == 1)
            .await;
        let reserved = practice.calcom.reservations().remove(0);
        match end {
            End::Booked => drop(practice.try_book(Booking { hold: Some(id), ..Booking::default() }).await),
            End::Cancelled => practice.cancel(id).await,
            End::RunOut => {}
        }
        wait_until("the slot is given back", PATIENCE, async || practice.calcom.reservations().is_empty())
            .await;
        app.work_until_idle().await;

        assert_eq!(reserved.start, on_day(3, 9), "{end:?}");
        if end == End::Booked {
            practice.cancel(id).await;
            app.work_until_idle().await;
        }
    }
}

#[tokio::test]
async fn a_reservation_that_fails_keeps_nobody_from_holding_and_booking() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.fail(1, Operation::ReserveSlot, Fault::ErrorBefore { status: 500 });

    let id = hold(&practice, TimeDelta::minutes(10)).await;
    practice.try_book(Booking { hold: Some(id), ..Booking::default() }).await.unwrap();
    practice.until_synced(id).await;
    app.work_until_idle().await;

    assert_eq!(practice.only_living().start, on_day(3, 9));
}

#[tokio::test]
async fn no_slot_is_kept_from_calcoms_page_while_writes_are_paused() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.change_integration(|row| row.outbound_paused = true).await;

    hold(&practice, TimeDelta::minutes(10)).await;
    let owner = app.database.owner().await;
    let waits = "SELECT coalesce(reason, '') FROM outbox WHERE NOT is_leased";
    wait_until("the reservation waits", PATIENCE, async || owner.lines(waits).await == ["OUTBOUND_PAUSED"])
        .await;
    let asked = practice.asked(Operation::ReserveSlot);
    practice.change_integration(|row| row.outbound_paused = false).await;
    app.hurry().await;
    app.work_until_idle().await;

    assert_eq!((asked, practice.calcom.reservations().len()), (0, 1));
}

#[tokio::test]
async fn a_booking_does_not_wait_for_the_reservation_of_its_hold() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    let mut gate = practice.calcom.pause_next(Point::BeforeApplying, Operation::ReserveSlot);
    let id = hold(&practice, TimeDelta::minutes(10)).await;
    gate.reached().await.unwrap();

    practice.try_book(Booking { hold: Some(id), ..Booking::default() }).await.unwrap();
    practice.until_synced(id).await;
    gate.open();
    app.work_until_idle().await;

    assert_eq!((practice.only_living().start, practice.calcom.reservations()), (on_day(3, 9), vec![]));
}

/// How a hold ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Booked,
    Cancelled,
    RunOut,
}

async fn hold(practice: &Connected, length: TimeDelta) -> AppointmentId {
    let hold = Hold {
        slot: Slot {
            patient: Some(practice.patient),
            practitioner: practice.practitioner,
            service: Some(practice.service),
            start: on_day(3, 9),
            duration: None,
            time_zone: String::new(),
        },
        hold_duration: Some(length),
    };
    let held = appointment::hold(&practice.domain, &practice.admin(), &no_key(), hold, Utc::now()).await;
    held.unwrap().appointment.id
}
