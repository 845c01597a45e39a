//! Seats, series, requests for another time, absences and ends.

use serde_json::json;
use stellwerk::proto::AppointmentStatus;

use super::practice;
use crate::support::{
    calcom::on_day,
    calcom_hook::{Story, with},
    desk,
};

#[tokio::test]
async fn one_seat_that_is_given_back_cancels_nothing_until_the_booking_is_read() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();

    let answer = practice.hook.tell(&story.told("booking-cancelled.one-seat")).await;

    assert_eq!((answer.kept(), answer.reason()), ("success", "BOOKING_IS_BEING_READ"));
    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), AppointmentStatus::Booked);
    assert_eq!(practice.promised().await, ["booking_refresh"]);
}

#[tokio::test]
async fn a_cancelled_series_cancels_the_one_that_is_named_and_reads_the_rest() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    practice.hook.tell(&story.at("uid-2", on_day(10, 9)).created()).await.kept();

    let series = json!({ "recurringEvent": { "freq": 2, "count": 2, "interval": 1 } });
    practice.hook.tell(&with(story.cancelled(), series)).await.kept();

    let rows = desk::appointments(&practice.acme.admin).await;
    let statuses: Vec<_> = rows.iter().map(|row| row.status()).collect();
    assert_eq!(statuses, [AppointmentStatus::Cancelled, AppointmentStatus::Booked]);
    assert_eq!(practice.promised().await, ["booking_refresh"]);
}

#[tokio::test]
async fn an_appointment_for_which_another_time_is_asked_is_cancelled_and_goes_on_when_one_is_chosen() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();

    practice.hook.tell(&story.told("booking-cancelled.request-reschedule")).await.kept();
    let in_between = desk::only_appointment(&practice.acme.admin).await;
    practice.hook.tell(&story.at("uid-2", on_day(5, 10)).rescheduled_from("uid-1")).await.kept();

    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(
        (in_between.status(), row.status()),
        (AppointmentStatus::Cancelled, AppointmentStatus::Booked)
    );
    assert_eq!((row.appointment_id, row.cancel_reason.as_str()), (in_between.appointment_id, ""));
}

#[tokio::test]
async fn an_absence_is_marked_and_taken_back() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let status = async || desk::only_appointment(&practice.acme.admin).await.status();

    practice.hook.tell(&story.no_show(true)).await.kept();
    let marked = status().await;
    practice.hook.tell(&story.no_show(false)).await.kept();

    assert_eq!((marked, status().await), (AppointmentStatus::NoShow, AppointmentStatus::Booked));
    // Marks have no version: how it is at last is read.
    assert_eq!(practice.promised().await, ["booking_refresh"]);
}

#[tokio::test]
async fn the_absence_of_a_guest_is_not_the_patients() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();

    let guest = Story { email: "guest@example.org".into(), ..story };
    practice.hook.tell(&guest.no_show(true)).await.kept();

    assert_eq!(desk::only_appointment(&practice.acme.admin).await.status(), AppointmentStatus::Booked);
}

#[tokio::test]
async fn an_appointment_that_took_place_is_completed_and_an_absence_outlasts_that() {
    let practice = practice().await;
    let came = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    let absent = came.at("uid-2", on_day(3, 11));
    for story in [&came, &absent] {
        practice.hook.tell(&story.created()).await.kept();
    }

    practice.hook.tell(&came.ended()).await.kept();
    practice.hook.tell(&absent.no_show(true)).await.kept();
    practice.hook.tell(&absent.ended()).await.kept();

    let rows = desk::appointments(&practice.acme.admin).await;
    let statuses: Vec<_> = rows.iter().map(|row| row.status()).collect();
    assert_eq!(statuses, [AppointmentStatus::Completed, AppointmentStatus::NoShow]);
}

#[tokio::test]
async fn a_booking_that_nobody_told_of_is_read_when_its_attendee_was_absent() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));

    let answer = practice.hook.tell(&story.no_show(true)).await;

    assert_eq!((answer.kept(), answer.reason()), ("success", "BOOKING_IS_BEING_READ"));
    assert_eq!(practice.promised().await, ["booking_refresh"]);
    // Its body holds an address of somebody who is not known here.
    let event = desk::event(&practice.acme.admin, answer.event_id()).await;
    assert_eq!(event.body_preview, "");
}

#[tokio::test]
async fn the_end_and_the_absence_at_the_old_time_are_not_those_of_what_was_moved_here_meanwhile() {
    let practice = practice().await;
    let story = Story::new(&practice.rows, "uid-1", on_day(3, 9));
    practice.hook.tell(&story.created()).await.kept();
    let id = desk::only_appointment(&practice.acme.admin).await.appointment_id;
    practice.rows.reschedule(id.parse().unwrap(), on_day(4, 9)).await;

    let over = practice.hook.tell(&story.ended()).await;
    let absent = practice.hook.tell(&story.no_show(true)).await;

    for answer in [over, absent] {
        assert_eq!((answer.kept(), answer.reason()), ("success", "BOOKING_IS_BEING_READ"));
    }
    let row = desk::only_appointment(&practice.acme.admin).await;
    assert_eq!(
        (row.status(), row.start_time),
        (AppointmentStatus::Booked, Some(desk::timestamp(on_day(4, 9))))
    );
    assert_eq!(practice.promised().await, ["appointment_push", "booking_refresh"]);
}
