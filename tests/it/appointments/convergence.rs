//! In whatever order, and however often, the tool tells of an appointment: the end is the same.

mod clocks;
mod stories;

use chrono::{DateTime, Utc};
use futures::{StreamExt, stream};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use stellwerk::proto::{self, AppointmentStatus, SignatureScheme};

use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    database::until_waiting,
    desk,
    said::{NO_LIMIT, limit_new_endpoints, said, written},
};
use stories::{
    Story, appointment, booked_and_moved_twice, booked_moved_cancelled, cancelled_and_booked_again,
    cancelled_booked_again_and_cancelled, moved_and_moved_back, occurred, registered,
};

/// Everything about an appointment that must not depend on the order.
#[derive(Debug, PartialEq, Eq)]
struct End {
    status: AppointmentStatus,
    /// Seconds after the time the story begins with.
    start_s: i64,
    length_s: i64,
    time_zone: String,
    therapist_name: String,
    service_name: String,
    is_assigned: bool,
    cancel_reason: String,
    patient: String,
}

/// The same as tools tell it that give no ids.
fn without_ids(mut story: [Value; 4]) -> [Value; 4] {
    for event in &mut story {
        event.as_object_mut().unwrap().remove("id").unwrap();
    }
    story
}

/// All orders of four events.
fn orders() -> Vec<[usize; 4]> {
    let digits = (0..256).map(|code| [code / 64 % 4, code / 16 % 4, code / 4 % 4, code % 4]);
    let all: Vec<[usize; 4]> = digits.filter(|order| (0..4).all(|event| order.contains(&event))).collect();
    assert_eq!(all.len(), 24);
    all
}

async fn tell_in_order(tool: &TestBookingTool, events: &[Value; 4], order: [usize; 4], number: u64) {
    let mut told: Vec<usize> = order.into();
    // A redelivery comes after its delivery, some time.
    let mut rng = StdRng::seed_from_u64(number);
    let mut again = told.clone();
    again.shuffle(&mut rng);
    told.extend(&again[..2]);
    for event in told {
        tool.tell(&events[event]).await.kept();
    }
}

fn end_of(appointment: &proto::Appointment, story_start: DateTime<Utc>, patients: &[proto::Patient]) -> End {
    let (start, end) = (appointment.start_time.unwrap(), appointment.end_time.unwrap());
    let patient = patients.iter().find(|patient| patient.patient_id == appointment.patient_id);
    let patient = patient.and_then(|patient| patient.links.first()).map(|link| link.external_id.clone());
    End {
        status: appointment.status(),
        start_s: start.seconds - story_start.timestamp(),
        length_s: end.seconds - start.seconds,
        time_zone: appointment.time_zone.clone(),
        therapist_name: appointment.therapist_name.clone(),
        service_name: appointment.service_name.clone(),
        is_assigned: !appointment.practitioner_id.is_empty(),
        cancel_reason: appointment.cancel_reason.clone(),
        patient: patient.unwrap_or_default().replace("p-", "a-").replace(&appointment.external_id, "its own"),
    }
}

/// Told with ids, and without.
async fn every_order_ends(story: Story, expected: End) {
    every_order_of(SignatureScheme::Standard, story, &expected).await;
    every_order_of(SignatureScheme::Legacy, story, &expected).await;
}

async fn every_order_of(scheme: SignatureScheme, story: Story, expected: &End) {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    limit_new_endpoints(&acme.admin, NO_LIMIT).await;
    let tool = acme.booking_tool(scheme).await;
    desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await;
    desk::add_practitioner(&acme.admin, "Jonas Muster", &[]).await;
    // A day for each order, so that they are not in each other's way.
    let start = |number: usize| desk::in_days(10 + number as i64);
    let starts: Vec<_> = (0..24).map(start).collect();

    let stories = orders().into_iter().enumerate().map(|(number, order)| {
        let (tool, told) = (&tool, story(&number.to_string(), starts[number]));
        let told = if scheme == SignatureScheme::Legacy { without_ids(told) } else { told };
        async move { tell_in_order(tool, &told, order, number as u64).await }
    });
    stream::iter(stories).buffer_unordered(4).collect::<()>().await;

    let (appointments, patients) = (desk::appointments(&acme.admin).await, desk::patients(&acme.admin).await);
    assert_eq!((appointments.len(), patients.len()), (24, 24));
    for appointment in &appointments {
        let number: usize = appointment.external_id.trim_start_matches("a-").parse().unwrap();
        let order = orders()[number];
        assert_eq!(&end_of(appointment, starts[number], &patients), expected, "{scheme:?}, {order:?}");
    }
}

/// P9.
#[tokio::test]
async fn booked_moved_and_cancelled_ends_cancelled_in_every_order() {
    every_order_ends(
        booked_moved_cancelled,
        End {
            status: AppointmentStatus::Cancelled,
            start_s: 3600,
            length_s: 2700,
            time_zone: "+02:00".into(),
            therapist_name: "Jonas Muster".into(),
            service_name: "Massage 45".into(),
            is_assigned: true,
            cancel_reason: "ill".into(),
            patient: "its own".into(),
        },
    )
    .await;
}

/// P9.
#[tokio::test]
async fn booked_and_moved_twice_ends_where_it_was_moved_last_in_every_order() {
    every_order_ends(
        booked_and_moved_twice,
        End {
            status: AppointmentStatus::Booked,
            start_s: 7200,
            length_s: 3600,
            time_zone: "+02:00".into(),
            therapist_name: "Dr. Anna Beispiel".into(),
            service_name: "Massage 60".into(),
            is_assigned: true,
            cancel_reason: String::new(),
            patient: "its own".into(),
        },
    )
    .await;
}

/// P9.
#[tokio::test]
async fn cancelled_and_booked_again_ends_booked_in_every_order() {
    every_order_ends(
        cancelled_and_booked_again,
        End {
            status: AppointmentStatus::Booked,
            start_s: 10_800,
            length_s: 1800,
            time_zone: "+02:00".into(),
            therapist_name: "Dr. Anna Beispiel".into(),
            service_name: "Massage 30".into(),
            is_assigned: true,
            cancel_reason: String::new(),
            patient: "its own".into(),
        },
    )
    .await;
}

/// P9.
#[tokio::test]
async fn moved_and_moved_back_ends_where_it_was_in_every_order() {
    every_order_ends(
        moved_and_moved_back,
        End {
            status: AppointmentStatus::Booked,
            start_s: 0,
            length_s: 1800,
            time_zone: "+00:00".into(),
            therapist_name: "Dr. Anna Beispiel".into(),
            service_name: "Massage 30".into(),
            is_assigned: true,
            cancel_reason: String::new(),
            patient: "its own".into(),
        },
    )
    .await;
}

/// P9.
#[tokio::test]
async fn cancelled_twice_ends_cancelled_in_every_order_though_it_was_booked_in_between() {
    every_order_ends(
        cancelled_booked_again_and_cancelled,
        End {
            status: AppointmentStatus::Cancelled,
            start_s: 0,
            length_s: 1800,
            time_zone: "+00:00".into(),
            therapist_name: "Dr. Anna Beispiel".into(),
            service_name: "Massage 30".into(),
            is_assigned: true,
            cancel_reason: "ill".into(),
            patient: "its own".into(),
        },
    )
    .await;
}

/// P9.
#[tokio::test]
async fn a_cancellation_that_comes_first_is_kept_for_its_appointment() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Muster" }))).await.kept();

    let cancelled = tool.tell(&said("appointment.cancelled", json!({ "id": "a-1", "reason": "ill" }))).await;
    let nothing = desk::appointments(&acme.admin).await;
    let created = appointment("1", written(desk::in_days(7)), 30, "Jonas Muster", "scheduled");
    tool.tell(&said("appointment.created", created)).await.kept();

    assert_eq!((cancelled.kept(), cancelled.reason()), ("success", "APPOINTMENT_UNKNOWN"));
    assert!(nothing.is_empty(), "{nothing:?}");
    let appointment = desk::only_appointment(&acme.admin).await;
    assert_eq!(
        (appointment.status(), appointment.cancel_reason.as_str()),
        (AppointmentStatus::Cancelled, "ill")
    );
}

/// P9.
#[tokio::test]
async fn without_times_an_update_that_overtook_its_creation_stays() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Legacy).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Muster" }))).await.kept();
    let lasting = |minutes| appointment("1", written(desk::in_days(7)), minutes, "Jonas Muster", "scheduled");

    tool.tell(&said("appointment.updated", lasting(45))).await.kept();
    let created = tool.tell(&said("appointment.created", lasting(30))).await;

    assert_eq!((created.kept(), created.reason()), ("ignored", "OLDER_STATE"));
    assert_eq!(desk::only_appointment(&acme.admin).await.service_name, "Massage 45");
}

/// P9.
#[tokio::test]
async fn an_appointment_whose_patient_is_unknown_takes_effect_when_the_patient_arrives() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let early = tool
        .tell(&said(
            "appointment.created",
            appointment("1", written(desk::in_days(7)), 30, "Jonas Muster", "scheduled"),
        ))
        .await;
    let before = desk::appointments(&acme.admin).await;

    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Muster" }))).await.kept();

    assert_eq!((early.kept(), early.reason()), ("success", "PATIENT_UNKNOWN"));
    assert!(before.is_empty(), "{before:?}");
    let appointment = desk::only_appointment(&acme.admin).await;
    assert_eq!(appointment.patient_id, desk::only_patient(&acme.admin).await.patient_id);
    assert!(appointment.sync_time.is_some());
}

/// P9.
#[tokio::test]
async fn an_appointment_that_the_tool_gives_to_another_patient_follows_in_either_order() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    for number in ["1", "2"] {
        tool.tell(&registered(number, 0)).await.kept();
    }
    let of = |id: &str, patient: &str, at_s| {
        let data = json!({ "id": id, "patient_id": patient, "scheduled_at": written(desk::in_days(7)),
            "duration_minutes": 30 });
        occurred("appointment.updated", id, at_s, data)
    };

    for event in [of("a-1", "p-1", 1), of("a-1", "p-2", 2), of("a-2", "p-2", 2), of("a-2", "p-1", 1)] {
        tool.tell(&event).await.kept();
    }

    let patients = desk::patients(&acme.admin).await;
    let second = &patients.iter().find(|patient| patient.last_name == "2").unwrap().patient_id;
    for appointment in desk::appointments(&acme.admin).await {
        assert_eq!(&appointment.patient_id, second, "{}", appointment.external_id);
    }
}

/// P9. Neither of the two may look for the other before the other can be seen.
#[tokio::test]
async fn an_appointment_that_comes_beside_its_patient_does_not_wait_for_them_for_ever() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    // What one endpoint is told is taken in one after the other.
    let (first, second) =
        (acme.booking_tool(SignatureScheme::Legacy).await, acme.booking_tool(SignatureScheme::Legacy).await);
    let (owner, blocker) = (app.database.owner().await, app.database.owner().await);
    blocker.run("BEGIN; LOCK TABLE webhook_event IN SHARE MODE").await;
    let booked = appointment("1", written(desk::in_days(7)), 30, "Jonas Muster", "scheduled");
    let (patient, booked) = (
        said("patient.created", json!({ "id": "p-1", "nachname": "Muster" })),
        said("appointment.created", booked),
    );

    let (patient, booked, ()) = tokio::join!(
        first.tell(&patient),
        async {
            until_waiting(&owner, 1).await;
            second.tell(&booked).await
        },
        async {
            until_waiting(&owner, 2).await;
            blocker.run("ROLLBACK").await;
        },
    );

    assert_eq!((patient.kept(), booked.kept(), booked.reason()), ("success", "success", "OK"));
    let appointment = desk::only_appointment(&acme.admin).await;
    assert_eq!(appointment.patient_id, desk::only_patient(&acme.admin).await.patient_id);
}
