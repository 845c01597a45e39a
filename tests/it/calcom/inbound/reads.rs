//! Where what was told is not enough, the booking is read;
//! here with a double of Cal.com that tells and answers.

use chrono::TimeDelta;
use stellwerk::{
    proto::AppointmentStatus,
    sandbox::calcom::{
        Calcom, EventTypeOptions, Frequency, Limits, NewBooking, Recurrence, Scope, Settings, Trigger,
    },
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    calcom::{Connected, app, connect_with, on_day},
    calcom_hook::{Hook, Story},
    desk,
    tenant::TestTenant,
    wait_until,
};

const TOLD: [Trigger; 7] = [
    Trigger::BookingCreated,
    Trigger::BookingRequested,
    Trigger::BookingRescheduled,
    Trigger::BookingCancelled,
    Trigger::BookingRejected,
    Trigger::BookingNoShowUpdated,
    Trigger::MeetingEnded,
];

/// A practice whose Cal.com tells it of everything.
struct Subscribed {
    app: TestApp,
    acme: TestTenant,
    rows: Connected,
    hook: Hook,
}

async fn subscribed(options: EventTypeOptions) -> Subscribed {
    let app = app().start().await;
    let acme = app.tenant("acme").await;
    // As older versions do, which the hosted service may be.
    let settings =
        Settings { limits: Limits::none(), requests_name_predecessor: false, ..Settings::default() };
    let double = Calcom::start(settings).await.unwrap();
    let rows = connect_with(&app, &acme, &double, options).await;
    let hook = Hook::of(&app, &rows).await;
    double.subscribe(Scope::EventType(rows.event_type), &hook.url(), Some(&hook.secret), &TOLD).unwrap();
    Subscribed { app, acme, rows, hook }
}

impl Subscribed {
    /// Works through what was promised, without waiting for when it is due.
    async fn settle(&self) {
        let owner = self.app.database.owner().await;
        wait_until("the outbox is empty", PATIENCE, async || {
            owner.run("UPDATE outbox SET run_time = now() WHERE NOT is_leased AND state = 'pending'").await;
            owner.run("NOTIFY stellwerk_outbox").await;
            owner.value("SELECT count(*) FROM outbox").await == "0"
        })
        .await;
    }

    async fn statuses(&self) -> Vec<AppointmentStatus> {
        desk::appointments(&self.acme.admin).await.iter().map(|row| row.status()).collect()
    }
}

#[tokio::test]
async fn what_people_do_there_is_followed_from_booking_to_end() {
    let practice = subscribed(EventTypeOptions::default()).await;
    let calcom = &practice.rows.calcom;

    let booked = practice.rows.book_there(on_day(3, 9)).await;
    let moved = calcom.reschedule_as_attendee(&booked.uid, on_day(4, 10)).await.unwrap();
    let moved = calcom.reschedule_as_host(&moved.uid, on_day(4, 12)).await.unwrap();
    let row = desk::only_appointment(&practice.acme.admin).await;
    calcom.cancel_as_attendee(&moved.uid, Some("ill")).await.unwrap();
    practice.settle().await;

    assert_eq!(
        (row.status(), row.start_time),
        (AppointmentStatus::Booked, Some(desk::timestamp(on_day(4, 12))))
    );
    assert_eq!(practice.statuses().await, [AppointmentStatus::Cancelled]);
}

#[tokio::test]
async fn a_request_that_does_not_say_what_it_replaces_is_found_to_be_a_move() {
    let needs = EventTypeOptions { requires_confirmation: true, ..Default::default() };
    let practice = subscribed(needs).await;
    let calcom = &practice.rows.calcom;
    let booked = practice.rows.book_there(on_day(3, 9)).await;
    calcom.confirm(&booked.uid).await.unwrap();
    practice.settle().await;
    let before = desk::only_appointment(&practice.acme.admin).await;

    calcom.reschedule_as_attendee(&booked.uid, on_day(5, 9)).await.unwrap();
    practice.settle().await;

    let after = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(before.status(), AppointmentStatus::Booked);
    assert_eq!(
        (after.status(), after.start_time),
        (AppointmentStatus::Requested, Some(desk::timestamp(on_day(5, 9))))
    );
    assert_eq!(after.appointment_id, before.appointment_id);
}

#[tokio::test]
async fn a_seat_that_is_given_back_leaves_the_booking_to_the_others() {
    let practice = subscribed(EventTypeOptions { seats: Some(3), ..Default::default() }).await;
    let calcom = &practice.rows.calcom;
    let sit = async |name: &str, email: &str| {
        let wish = NewBooking::new(practice.rows.event_type, on_day(3, 9), name, email);
        calcom.book_as_attendee(wish).await.unwrap()
    };
    sit("Erika Muster", "erika@example.org").await;
    let booked = sit("Max Beispiel", "max@example.org").await;
    let seats: Vec<String> =
        booked.attendees.iter().filter_map(|attendee| Some(attendee.seat.as_ref()?.uid.clone())).collect();

    calcom.cancel_seat(&booked.uid, &seats[0]).await.unwrap();
    practice.settle().await;
    let with_one_left = practice.statuses().await;
    calcom.cancel_seat(&booked.uid, &seats[1]).await.unwrap();
    practice.settle().await;

    assert_eq!(with_one_left, [AppointmentStatus::Booked]);
    assert_eq!(practice.statuses().await, [AppointmentStatus::Cancelled]);
}

#[tokio::test]
async fn one_cancellation_of_a_series_ends_all_of_it() {
    let recurrence = Recurrence { frequency: Frequency::Weekly, interval: 1, occurrences: 3 };
    let practice = subscribed(EventTypeOptions { recurrence: Some(recurrence), ..Default::default() }).await;
    let calcom = &practice.rows.calcom;
    let first = practice.rows.book_there(on_day(3, 9)).await;
    practice.settle().await;
    let booked = practice.statuses().await;

    calcom.cancel_as_host(first.recurring_uid.as_deref().unwrap(), Some("closed")).await.unwrap();
    practice.settle().await;

    assert_eq!(booked, [AppointmentStatus::Booked; 3]);
    assert_eq!(practice.statuses().await, [AppointmentStatus::Cancelled; 3]);
}

#[tokio::test]
async fn a_cancellation_that_never_happened_is_taken_back_when_it_reads_so_twice() {
    let practice = subscribed(EventTypeOptions::default()).await;
    let booked = practice.rows.book_there(on_day(3, 9)).await;
    let story = Story::new(&practice.rows, &booked.uid, booked.start);

    practice.hook.tell(&story.told("booking-cancelled.request-reschedule")).await.kept();
    let told = practice.statuses().await;
    practice.settle().await;

    assert_eq!(told, [AppointmentStatus::Cancelled]);
    assert_eq!(practice.statuses().await, [AppointmentStatus::Booked]);
    let reads = practice.rows.asked(stellwerk::sandbox::calcom::Operation::GetBooking);
    assert_eq!(reads, 2);
}

#[tokio::test]
async fn a_move_from_a_booking_that_nobody_told_of_is_read_to_both_its_ends() {
    let practice = subscribed(EventTypeOptions::default()).await;
    let calcom = &practice.rows.calcom;
    let webhooks = calcom.webhooks();
    calcom.unsubscribe(&webhooks[0].id).unwrap();
    let first = practice.rows.book_there(on_day(3, 9)).await;
    let second = calcom.reschedule_as_attendee(&first.uid, on_day(4, 9)).await.unwrap();
    let third = calcom.reschedule_as_attendee(&second.uid, on_day(5, 9)).await.unwrap();

    let story = Story::new(&practice.rows, &second.uid, second.start);
    practice.hook.tell(&story.rescheduled_from(&first.uid)).await.kept();
    practice.settle().await;

    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!((row.external_id, row.start_time), (third.uid, Some(desk::timestamp(on_day(5, 9)))));
}

#[tokio::test]
async fn a_booking_that_is_gone_there_is_cancelled_here() {
    let practice = subscribed(EventTypeOptions::default()).await;
    let story = Story::new(&practice.rows, "uid-of-nothing", on_day(3, 9));

    practice.hook.tell(&story.requested()).await.kept();
    let told = practice.statuses().await;
    practice.settle().await;

    assert_eq!(told, [AppointmentStatus::Requested]);
    assert_eq!(practice.statuses().await, [AppointmentStatus::Cancelled]);
}

#[tokio::test]
async fn a_uid_of_somebody_elses_event_type_brings_nothing_in() {
    let practice = subscribed(EventTypeOptions::default()).await;
    let calcom = &practice.rows.calcom;
    let stranger = calcom.add_user("Max Fremd", "fremd@example.org", chrono_tz::Europe::Berlin);
    let foreign =
        calcom.add_event_type(stranger.id, "talk", "Talk", 30, EventTypeOptions::default()).unwrap();
    let wish =
        NewBooking::new(foreign, on_day(3, 9) + TimeDelta::hours(1), "Max Beispiel", "max@example.org");
    let theirs = calcom.book_as_attendee(wish).await.unwrap();

    let story = Story::new(&practice.rows, &theirs.uid, theirs.start);
    practice.hook.tell(&story.no_show(true)).await.kept();
    practice.settle().await;

    assert!(desk::appointments(&practice.acme.admin).await.is_empty());
    assert_eq!(desk::names(&practice.acme.admin).await, ["Erika Muster"]);
}

#[tokio::test]
async fn while_there_is_no_credential_the_reading_waits() {
    let practice = subscribed(EventTypeOptions::default()).await;
    let owner = practice.app.database.owner().await;
    owner.run("DELETE FROM credential").await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    practice.hook.tell(&story.no_show(true)).await.kept();

    wait_until("the reading waits", PATIENCE, async || {
        owner.run("UPDATE outbox SET run_time = now() WHERE NOT is_leased AND reason IS NULL").await;
        owner.run("NOTIFY stellwerk_outbox").await;
        owner.lines("SELECT reason FROM outbox WHERE state = 'pending'").await == ["CREDENTIAL_REFUSED"]
    })
    .await;
    assert_eq!(owner.value("SELECT attempts FROM outbox").await, "0");
}
