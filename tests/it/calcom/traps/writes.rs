//! Writes: what is sent, when it is sent again, and what comes back of it.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeZone, Utc};
use chrono_tz::Europe::Berlin;
use serde_json::{Value, json};
use stellwerk::{
    proto::{
        AppointmentStatus::*,
        BookAppointmentRequest, HoldSlotRequest,
        ProviderSyncState::{Pending, Review, Synced},
        SyncOrigin, WebhookEventStatus,
    },
    sandbox::calcom::{Fault, NewBooking, Operation, Point, Rule, Source, Trigger},
};

use super::{newest_event, open, shape, standing};
use crate::{
    calcom::practice::Practice,
    support::{PATIENCE, desk, reason, wait_until},
};

/// Trap 4. P7.
#[tokio::test]
async fn a_create_whose_answer_was_lost_is_looked_for_and_not_repeated() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    let lost = Rule::next(1, Fault::AnswerLost { hold: false }).on(Operation::CreateBooking);
    practice.calcom.add_fault(lost);

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    assert_eq!(shape(&booked), (practice.slot(0), Booked, Synced));
    assert_eq!(standing(&practice), [(booked.external_id, practice.slot(0))]);
    let after = operations(&practice, Operation::CreateBooking);
    assert_eq!(after.iter().filter(|one| **one == Operation::CreateBooking).count(), 1, "{after:?}");
    assert!(after.contains(&Operation::ListBookings), "{after:?}");
}

/// Trap 4. P7.
#[tokio::test]
async fn a_slot_that_our_own_first_try_took_is_ours() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    practice.calcom.add_fault(Rule::next(1, Fault::ErrorAfter { status: 500 }).on(Operation::CreateBooking));
    // The look after it sees Cal.com as it was before.
    practice.calcom.add_fault(Rule::next(1, Fault::StaleRead).on(Operation::ListBookings));

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    assert_eq!(shape(&booked), (practice.slot(0), Booked, Synced));
    assert_eq!(standing(&practice), [(booked.external_id, practice.slot(0))]);
}

/// Trap 5. P8.
#[tokio::test]
async fn no_second_write_begins_while_the_first_is_on_its_way() {
    let practice = open().await;
    let mut gate = practice.calcom.pause_next(Point::BeforeApplying, Operation::CreateBooking);
    let wish = practice.wish(&practice.visit, &practice.erika().await, practice.slot(0));
    let booked = desk::book(&practice.acme.admin, wish).await.expect("booked");
    gate.reached().await.expect("the write arrives");

    desk::cancel(&practice.acme.admin, &booked.appointment_id).await;
    practice.app.hurry().await;
    // Somebody else's lane moves on meanwhile, so the worker has looked.
    let other = practice.patient("Jonas", "Probe", "jonas@example.org", "").await;
    let beside = practice.wish(&practice.visit, &other, practice.slot(4));
    let beside = desk::book(&practice.acme.admin, beside).await.expect("booked");
    let synced = async || shape(&practice.appointment(&beside.appointment_id).await).2 == Synced;
    wait_until("another appointment is through", PATIENCE, synced).await;
    let meanwhile: Vec<_> = practice.writes().iter().filter_map(|one| one.operation).collect();
    gate.open();
    practice.work_through().await;

    assert_eq!(meanwhile, [Operation::CreateBooking, Operation::CreateBooking]);
    assert_eq!(standing(&practice).len(), 1);
    assert_eq!(practice.appointment(&booked.appointment_id).await.status(), Cancelled);
}

/// Trap 7. P13.
#[tokio::test]
async fn a_429_uses_up_no_try_however_often_it_comes() {
    let practice = open().await;
    let throttled = Fault::Throttled { retry_after_seconds: None };
    practice.calcom.add_fault(Rule::next(6, throttled).on(Operation::CreateBooking));

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    assert_eq!(shape(&booked), (practice.slot(0), Booked, Synced));
    assert_eq!(operations(&practice, Operation::CreateBooking).len(), 7);
    assert!(practice.reviews().await.is_empty());
}

/// Trap 7. P12.
#[tokio::test]
async fn a_refusal_that_no_try_would_change_is_put_to_a_person_at_once() {
    let practice = open().await;
    practice.calcom.block_attendee("erika@example.org");

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    assert_eq!(shape(&booked).2, Review);
    let reviews = practice.reviews().await;
    let kinds: Vec<_> = reviews[&booked.appointment_id].iter().map(|item| &*item.kind).collect();
    assert_eq!(kinds, ["requires_manual_review"]);
    let creates = practice.writes().len();
    assert_eq!(creates, 1);
}

/// Trap 8. P5.
#[tokio::test]
async fn the_desks_change_of_a_booking_born_at_cal_com_reaches_cal_com() {
    let practice = open().await;
    let wish = practice.attendee(&practice.visit, practice.slot(0));
    practice.calcom.book_as_attendee(wish).await.unwrap();
    let theirs = desk::only_appointment(&practice.acme.admin).await;

    desk::cancel(&practice.acme.admin, &theirs.appointment_id).await;
    practice.work_through().await;

    assert_eq!(theirs.origin(), SyncOrigin::Calcom);
    assert_eq!(standing(&practice), []);
}

/// Trap 10. P5.
#[tokio::test]
async fn an_echo_before_the_answer_attaches_the_uid_and_waits_for_nobody() {
    let practice = open().await;
    // Inline, the gate is behind the delivery of the webhook.
    let mut gate = practice.calcom.pause_next(Point::AfterApplying, Operation::CreateBooking);
    let wish = practice.wish(&practice.visit, &practice.erika().await, practice.slot(0));
    let booked = desk::book(&practice.acme.admin, wish).await.expect("booked");

    gate.reached().await.expect("the echo was taken before the answer");
    let told = newest_event(&practice).await;
    let early = practice.appointment(&booked.appointment_id).await;
    gate.open();
    practice.work_through().await;

    assert_eq!(told, (WebhookEventStatus::Success, "ECHO".into()));
    let uid = &practice.calcom.bookings()[0].uid;
    let known = "SELECT external_id FROM booking WHERE appointment_id IS NOT NULL";
    assert_eq!(practice.app.database.owner().await.lines(known).await, [uid.as_str()]);
    assert_eq!((early.status(), shape(&early).2), (Booked, Pending));
    assert_eq!(shape(&desk::only_appointment(&practice.acme.admin).await).2, Synced);
}

/// Trap 25.
#[tokio::test]
async fn times_are_sent_in_utc_on_either_side_of_a_change_of_clocks() {
    let practice = open().await;
    let patient = practice.erika().await;
    let summer = next_change_of_clocks() - Days::new(1);
    let winter = summer + Days::new(2);
    let at_nine = |date: NaiveDate| {
        let local = date.and_hms_opt(9, 0, 0).expect("a time");
        Berlin.from_local_datetime(&local).single().expect("nine exists").to_utc()
    };

    for date in [summer, winter] {
        let wish = practice.wish(&practice.visit, &patient, at_nine(date));
        let wish = BookAppointmentRequest { time_zone: "Europe/Berlin".into(), ..wish };
        desk::book(&practice.acme.admin, wish).await.expect("booked");
        practice.work_through().await;
    }

    let sent: Vec<(Value, Value)> = practice
        .writes()
        .iter()
        .map(|one| (one.body["start"].clone(), one.body["attendee"]["timeZone"].clone()))
        .collect();
    let expected = [(summer, 7), (winter, 8)].map(|(date, hour)| format!("{date}T{hour:02}:00:00"));
    for ((start, zone), expected) in sent.iter().zip(&expected) {
        let start = start.as_str().expect("a text");
        assert!(start.starts_with(expected) && start.ends_with('Z'), "{start} is not {expected}Z");
        assert_eq!(zone, &json!("Europe/Berlin"));
    }
    assert_eq!(sent.len(), 2);
}

/// Trap 26. P4.
#[tokio::test]
async fn a_time_that_an_attendee_took_first_is_given_up_here_and_put_to_a_person() {
    let practice = open().await;
    practice.calcom.add_fault(Rule::next(1, Fault::LostRace).on(Operation::CreateBooking));

    let booked = practice.booked(&practice.erika().await, practice.slot(0)).await;

    assert_eq!(shape(&booked), (practice.slot(0), Conflicting, Review));
    let theirs = desk::appointments(&practice.acme.admin).await;
    let theirs: Vec<_> = theirs.iter().filter(|one| one.status() == Booked).map(|one| one.origin()).collect();
    assert_eq!(theirs, [SyncOrigin::Calcom]);
    assert!(practice.reviews().await.contains_key(&booked.appointment_id));
    let by_us = practice.calcom.bookings().into_iter().filter(|one| one.source == Source::ApiV2);
    assert_eq!(by_us.count(), 0);
}

/// Trap 27. P4.
#[tokio::test]
async fn a_caller_on_the_phone_waits_for_cal_com_and_hears_what_is_free_instead() {
    let practice = open().await;
    let phone = practice.phone().await;
    let patient = practice.erika().await;
    // Nobody here has heard of it.
    practice.calcom.add_fault(Rule::always(Fault::WebhookLost));
    let taken = practice.attendee(&practice.visit, practice.slot(0));
    practice.calcom.book_as_attendee(taken).await.unwrap();
    let waiting = |slot| BookAppointmentRequest {
        wait_for_provider: Some(prost_types::Duration { seconds: 20, nanos: 0 }),
        ..practice.wish(&practice.visit, &patient, practice.slot(slot))
    };

    let refused = desk::book(&phone, waiting(0)).await.unwrap_err();
    let confirmed = desk::book(&phone, waiting(1)).await.expect("free");

    assert_eq!(reason(&refused), "SLOT_TAKEN");
    assert_eq!(shape(&confirmed), (practice.slot(1), Booked, Synced));
    let kept = desk::appointments(&practice.acme.admin).await;
    let released = kept.iter().filter(|one| one.status() == Cancelled).count();
    assert_eq!((kept.len(), released), (2, 1));
    practice.work_through().await;
    assert!(practice.reviews().await.is_empty());
}

/// Trap 27.
#[tokio::test]
async fn a_held_slot_is_reserved_at_cal_com_and_given_back_when_it_is_booked() {
    let practice = open().await;
    let patient = practice.erika().await;
    let request = HoldSlotRequest {
        practitioner_id: practice.practitioner_id.clone(),
        service_id: practice.visit.service_id.clone(),
        start_time: Some(desk::timestamp(practice.slot(0))),
        ..Default::default()
    };

    let held = practice.acme.admin.appointments().hold_slot(request).await.expect("held").into_inner();
    practice.work_through().await;
    let reserved: Vec<DateTime<Utc>> = practice.calcom.reservations().iter().map(|one| one.start).collect();
    let booking = BookAppointmentRequest {
        hold_appointment_id: held.appointment.expect("shown").appointment_id,
        patient_id: patient,
        ..Default::default()
    };
    desk::book(&practice.acme.admin, booking).await.expect("booked");
    practice.work_through().await;

    assert_eq!(reserved, [practice.slot(0)]);
    assert_eq!(practice.calcom.reservations(), []);
    assert_eq!(standing(&practice).len(), 1);
}

/// Trap 28. P4.
#[tokio::test]
async fn a_booking_over_a_local_appointment_is_kept_as_conflicting_and_put_to_a_person() {
    let practice = open().await;
    // Cal.com does not hear of it in time.
    practice.calcom.add_fault(Rule::always(Fault::ErrorBefore { status: 502 }).on(Operation::CreateBooking));
    let wish = practice.wish(&practice.visit, &practice.erika().await, practice.slot(0));
    let ours = desk::book(&practice.acme.admin, wish).await.expect("booked");

    let theirs =
        NewBooking::new(practice.visit.event_type, practice.slot(0), "Max Beispiel", "max@example.org");
    practice.calcom.book_as_attendee(theirs).await.unwrap();

    assert_eq!(super::delivered(&practice, Trigger::BookingCreated).outcome, answered(200));
    let known = desk::appointments(&practice.acme.admin).await;
    let theirs = known.iter().find(|one| one.appointment_id != ours.appointment_id).expect("kept");
    assert_eq!(theirs.status(), Conflicting);
    let reviews = practice.reviews().await;
    let conflicts =
        |id: &str| reviews.get(id).is_some_and(|all| all.iter().any(|one| one.kind == "conflict"));
    assert!(conflicts(&theirs.appointment_id) || conflicts(&ours.appointment_id), "{reviews:?}");
}

fn answered(status: u16) -> stellwerk::sandbox::calcom::Outcome {
    stellwerk::sandbox::calcom::Outcome::Answered(status)
}

/// What Cal.com was asked, from the first such request on, webhooks and the like left out.
fn operations(practice: &Practice, from: Operation) -> Vec<Operation> {
    let asked = practice.calcom.requests().into_iter().filter_map(|one| one.operation);
    asked.skip_while(|one| *one != from).collect()
}

/// The last Sunday of an October to come, in Berlin.
fn next_change_of_clocks() -> NaiveDate {
    use chrono::Datelike;
    let earliest = (Utc::now() + Duration::from_secs(3 * 24 * 3600)).date_naive();
    let is_change =
        |date: &NaiveDate| date.month() == 10 && date.day() > 24 && date.weekday() == chrono::Weekday::Sun;
    earliest.iter_days().find(is_change).expect("every year has one")
}
