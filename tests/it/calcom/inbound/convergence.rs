//! In whatever order, and however often, Cal.com tells of an appointment: the end is the same.

use chrono::{DateTime, TimeDelta, Utc};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::Value;
use stellwerk::proto::{AppointmentStatus, WatchAppointmentsRequest, watch_appointments_response::Event};
use tokio::time::timeout;

use super::{Practice, practice};
use crate::support::{
    PATIENCE,
    calcom::on_day,
    calcom_hook::{Story, sent_now},
    desk,
};

/// What is told of one attendee's appointment that begins at some hour of a day of its own.
type History = fn(&Story) -> Vec<Value>;

/// Everything about an appointment that must not depend on the order.
#[derive(Debug, PartialEq, Eq)]
struct End {
    appointments: usize,
    status: AppointmentStatus,
    /// Seconds after the time the story begins with.
    start_s: i64,
    cancel_reason: String,
    /// Which of the story's bookings it is.
    current: String,
    /// Each as `name status successor`.
    bookings: Vec<String>,
}

fn later(story: &Story, number: u32) -> Story {
    story.at(&format!("{}-{number}", story.uid), story.start + TimeDelta::hours(number.into()))
}

fn moved_twice(story: &Story) -> Vec<Value> {
    let (second, third) = (later(story, 1), later(story, 2));
    vec![story.created(), second.rescheduled_from(&story.uid), third.rescheduled_from(&second.uid)]
}

fn moved_and_cancelled(story: &Story) -> Vec<Value> {
    let (second, third) = (later(story, 1), later(story, 2));
    let mut told = moved_twice(story);
    told.insert(2, second.created());
    told.push(third.cancelled());
    told
}

fn requested_confirmed_moved_and_confirmed_again(story: &Story) -> Vec<Value> {
    let second = later(story, 1);
    vec![story.requested(), story.confirmed(), second.requested_from(&story.uid), second.confirmed()]
}

fn requested_moved_and_declined(story: &Story) -> Vec<Value> {
    let second = later(story, 1);
    vec![story.requested(), second.requested_from(&story.uid), second.rejected()]
}

fn asked_for_another_time_and_answered(story: &Story) -> Vec<Value> {
    let second = later(story, 1);
    vec![
        story.created(),
        story.told("booking-cancelled.request-reschedule"),
        second.rescheduled_from(&story.uid),
    ]
}

const HISTORIES: [(&str, History); 5] = [
    ("moved twice", moved_twice),
    ("moved and cancelled", moved_and_cancelled),
    ("requested and confirmed", requested_confirmed_moved_and_confirmed_again),
    ("declined", requested_moved_and_declined),
    ("asked for another time", asked_for_another_time_and_answered),
];

/// The story of a number, at a time and of a person that no other has.
fn story(practice: &Practice, number: i64) -> Story {
    let start: DateTime<Utc> = on_day(3 + number / 4, 1 + 6 * (number % 4));
    Story {
        name: format!("Erika Muster{number}"),
        email: format!("erika-{number}@example.org"),
        ..Story::new(&practice.rows, &format!("story-{number}"), start)
    }
}

async fn end(practice: &Practice, story: &Story) -> End {
    let admin = &practice.acme.admin;
    let patients = desk::patients(admin).await;
    let theirs: Vec<_> = patients.iter().filter(|patient| patient.email == story.email).collect();
    assert_eq!(theirs.len(), 1, "one person came");
    let request = stellwerk::proto::ListAppointmentsRequest {
        patient_id: theirs[0].patient_id.clone(),
        page_size: 200,
        ..Default::default()
    };
    let rows = admin.appointments().list_appointments(request).await.unwrap().into_inner().appointments;
    let row = rows.first().expect("an appointment");
    let owner = practice.app.database.owner().await;
    let own = |text: &str| text.replace(&story.uid, "uid");
    let sql = format!(
        "SELECT external_id || ' ' || status || ' ' || coalesce(successor_external_id, '-') \
         || ' ' || is_current \
         FROM booking WHERE appointment_id = '{}' ORDER BY external_id",
        row.appointment_id
    );
    End {
        appointments: rows.len(),
        status: row.status(),
        start_s: row.start_time.unwrap().seconds - story.start.timestamp(),
        cancel_reason: row.cancel_reason.clone(),
        current: own(&row.external_id),
        bookings: owner.lines(&sql).await.iter().map(|line| own(line)).collect(),
    }
}

#[tokio::test]
async fn every_order_of_a_history_leads_to_the_same_end() {
    let practice = practice().await;
    let mut random = StdRng::seed_from_u64(20_270_301);
    let mut number = 0;

    for (name, history) in HISTORIES {
        let in_order = story(&practice, number);
        number += 1;
        for told in history(&in_order) {
            practice.hook.tell(&told).await.kept();
        }
        let expected = end(&practice, &in_order).await;
        assert_eq!(expected.appointments, 1, "{name}");

        for _ in 0..12 {
            let shuffled = story(&practice, number);
            number += 1;
            let mut told = history(&shuffled);
            // Some of it arrives twice, from another subscription or from a queue.
            for repeat in told.clone() {
                if rand::Rng::random(&mut random) {
                    told.push(sent_now(repeat));
                }
            }
            told.shuffle(&mut random);
            let order: Vec<_> =
                told.iter().map(|one| format!("{} {}", one["triggerEvent"], one["payload"]["uid"])).collect();
            for one in &told {
                practice.hook.tell(one).await.kept();
            }
            assert_eq!(end(&practice, &shuffled).await, expected, "{name}: {order:#?}");
        }
    }
}

#[tokio::test]
async fn deliveries_that_arrive_at_once_lead_to_the_same_end() {
    let practice = practice().await;
    let in_order = story(&practice, 0);
    for told in moved_and_cancelled(&in_order) {
        practice.hook.tell(&told).await.kept();
    }
    let expected = end(&practice, &in_order).await;
    // Endpoints of their own, so that the deliveries do not wait for each other at the door.
    let mut hooks = Vec::new();
    for _ in 0..4 {
        hooks.push(crate::support::calcom_hook::Hook::of(&practice.app, &practice.rows).await);
    }

    for number in 1..6 {
        let story = story(&practice, number);
        let told = moved_and_cancelled(&story);
        let deliveries = told.iter().zip(hooks.iter().cycle()).map(|(told, hook)| hook.tell(told));
        let answers = futures::future::join_all(deliveries).await;

        for answer in &answers {
            assert_ne!(answer.kept(), "error");
        }
        assert_eq!(end(&practice, &story).await, expected, "{number}");
    }
}

/// P9. A board that watches does not go on showing both.
#[tokio::test]
async fn of_two_appointments_that_turn_out_to_be_one_the_other_leaves_the_watch() {
    let practice = practice().await;
    let story = story(&practice, 0);
    let moves = moved_twice(&story);
    practice.hook.tell(&moves[0]).await.kept();
    practice.hook.tell(&moves[2]).await.kept();
    let both = desk::appointments(&practice.acme.admin).await;
    let request = WatchAppointmentsRequest::default();
    let mut watch =
        practice.acme.admin.appointments().watch_appointments(request).await.unwrap().into_inner();

    practice.hook.tell(&moves[1]).await.kept();
    let leave = async {
        loop {
            if let Some(Event::Leave(left)) = watch.message().await.unwrap().expect("no end").event {
                break left.appointment_id;
            }
        }
    };
    let left = timeout(PATIENCE, leave).await.expect("a leave in time");

    let kept = desk::only_appointment(&practice.acme.admin).await.appointment_id;
    assert_eq!(both.len(), 2);
    assert_ne!(left, kept);
    assert!(both.iter().any(|one| one.appointment_id == left));
}
