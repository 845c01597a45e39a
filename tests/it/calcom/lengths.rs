//! How long a booking is when nobody says so.

use chrono::{DateTime, TimeDelta, Utc};
use stellwerk::{
    domain::appointment,
    proto::{HoldSlotRequest, ListFreeSlotsRequest},
    sandbox::calcom::Settings,
};

use super::practice::Practice;
use crate::support::{
    calcom::{app, connect_calcom, double, on_day},
    desk,
};

fn minutes(start: Option<prost_types::Timestamp>, end: Option<prost_types::Timestamp>) -> i64 {
    (end.expect("an end").seconds - start.expect("a begin").seconds) / 60
}

/// The owner changes at Cal.com how long something takes; what is offered must be what can be booked.
#[tokio::test]
async fn what_is_booked_without_a_length_is_as_long_as_it_is_offered_by_now() {
    let practice = Practice::open(Settings::default()).await;
    let (erika, admin) = (practice.erika().await, &practice.acme.admin);
    let longer = |event_type: &mut stellwerk::sandbox::calcom::EventType| event_type.length_minutes = 45;
    practice.calcom.edit_event_type(practice.visit.event_type, longer).expect("a known event type");
    practice.sync().await;

    let wanted = ListFreeSlotsRequest {
        practitioner_id: practice.practitioner_id.clone(),
        service_id: practice.visit.service_id.clone(),
        start_time_from: Some(desk::timestamp(practice.slot(0))),
        ..Default::default()
    };
    let free = admin.appointments().list_free_slots(wanted).await.expect("slots").into_inner().free_slots;
    let wish = practice.wish(&practice.visit, &erika, practice.slot(0));
    let booked = desk::book(admin, wish.clone()).await.expect("booked");
    let hold = HoldSlotRequest {
        practitioner_id: wish.practitioner_id,
        service_id: wish.service_id,
        start_time: Some(desk::timestamp(practice.slot(4))),
        ..Default::default()
    };
    let held = admin.appointments().hold_slot(hold).await.expect("held").into_inner().appointment;
    practice.work_through().await;

    let held = held.expect("shown");
    assert_eq!(minutes(free[0].start_time, free[0].end_time), 45);
    assert_eq!(minutes(booked.start_time, booked.end_time), 45);
    assert_eq!(minutes(held.start_time, held.end_time), 45);
    let there: Vec<_> = practice.calcom.bookings().iter().map(|one| (one.start, one.minutes())).collect();
    assert_eq!(there, [(practice.slot(0), 45)]);
}

#[tokio::test]
async fn of_several_event_types_the_one_that_takes_as_long_as_the_service_is_offered_and_booked() {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    let practice = connect_calcom(&app, &acme, &double().await).await;
    practice.calcom.edit_event_type(practice.event_type, |one| one.length_minutes = 60).expect("known");
    app.database.owner().await.run("UPDATE event_type SET length_minutes = 60").await;
    let usual = practice.offer(&practice.host, practice.practitioner, Default::default()).await;

    let free = appointment::free_slots(
        &practice.domain,
        &practice.admin(),
        practice.service,
        practice.practitioner,
        on_day(3, 9),
        on_day(3, 10),
        Utc::now(),
    )
    .await
    .expect("slots");
    let id = practice.book(on_day(3, 9)).await;
    practice.until_synced(id).await;
    app.work_until_idle().await;

    let half = |from: DateTime<Utc>| (from, from + TimeDelta::minutes(30));
    let offered: Vec<_> = free.iter().map(|slot| (slot.start, slot.end)).collect();
    assert_eq!(offered, [half(on_day(3, 9)), half(on_day(3, 9) + TimeDelta::minutes(30))]);
    assert_eq!((practice.only_living().event_type_id, practice.only_living().minutes()), (usual, 30));
}
