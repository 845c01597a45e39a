//! Many who want the same time at the same moment.

use chrono::TimeDelta;
use futures::future::join_all;
use stellwerk::proto::{self, AppointmentStatus, Role};
use tonic::{Code, Status};

use super::two_people;
use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, book, slot},
    reason,
};

/// A busy machine may answer UNAVAILABLE when no connection to the database is free in time: callers repeat,
/// some times.
async fn race(by: &TestCaller, request: proto::BookAppointmentRequest) -> Result<proto::Appointment, Status> {
    for _ in 0..5 {
        match book(by, request.clone()).await {
            Err(status) if status.code() == Code::Unavailable => {}
            answer => return answer,
        }
    }
    book(by, request).await
}

/// P4.
#[tokio::test]
async fn of_200_racing_bookings_of_one_slot_exactly_one_wins() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);

    // Not all want the very same time: every one overlaps every other.
    let racers = (0..200).map(|number| {
        let start = start + TimeDelta::minutes(number % 15);
        race(&acme.admin, slot(&patient, &practitioner, start))
    });
    let answers = join_all(racers).await;

    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let lost: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!((won, lost.len()), (1, 199));
    for status in lost {
        assert_eq!(
            (status.code(), reason(status).as_str()),
            (Code::FailedPrecondition, "SLOT_TAKEN"),
            "{status:?}"
        );
    }
    assert_eq!(desk::only_appointment(&acme.admin).await.status(), AppointmentStatus::Booked);
    assert_eq!(app.database.deadlocks().await, 0);
}

/// P4, P14.
#[tokio::test]
async fn racing_bookings_over_two_instances_and_many_slots_fill_each_slot_once() {
    let app = TestApp::start().await;
    let twin = app.second_instance(&[]).await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let key = acme.key(Role::Admin, &[]).await;
    let endpoint = tonic::transport::Endpoint::try_from(format!("http://{}", twin.grpc)).unwrap();
    let elsewhere = TestCaller::new(endpoint.connect_lazy(), Some(&key.secret));
    let start = desk::in_days(7);

    let racers = (0..100).map(|number| {
        let by = if number % 2 == 0 { &acme.admin } else { &elsewhere };
        race(by, slot(&patient, &practitioner, start + TimeDelta::minutes(30 * (number % 5))))
    });
    let answers = join_all(racers).await;

    let won = answers.iter().filter(|answer| answer.is_ok()).count();
    let taken = answers
        .iter()
        .filter_map(|answer| answer.as_ref().err())
        .filter(|error| reason(error) == "SLOT_TAKEN");
    assert_eq!((won, taken.count()), (5, 95));
    assert_eq!(desk::appointments(&acme.admin).await.len(), 5);
    assert_eq!(app.database.deadlocks().await, 0);
}
