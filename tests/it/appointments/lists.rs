//! Lists: by page and filter, and honest about how old their sources are.

use chrono::TimeDelta;
use serde_json::json;
use stellwerk::proto::{self, AppointmentStatus, SignatureScheme, SyncOrigin};
use tonic::Code;

use super::two_people;
use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, book, person, slot, timestamp},
    reason,
    said::{said, written},
};

async fn ids(by: &TestCaller, request: proto::ListAppointmentsRequest) -> Vec<String> {
    let listed = by.appointments().list_appointments(request).await.unwrap().into_inner();
    listed.appointments.into_iter().map(|row| row.appointment_id).collect()
}

/// P15.
#[tokio::test]
async fn lists_say_how_old_their_source_is_and_whether_that_is_too_old() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let local = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap();
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", json!({ "id": "p-1", "nachname": "Muster" }))).await.kept();
    let data =
        json!({ "id": "a-1", "patient_id": "p-1", "scheduled_at": written(start), "duration_minutes": 30 });
    tool.tell(&said("appointment.created", data)).await.kept();

    let fresh = desk::listed(&acme.admin).await;
    let owner = app.database.owner().await;
    owner.run("UPDATE webhook_activity SET last_delivery_time = now() - interval '25 hours'").await;
    let old = desk::listed(&acme.admin).await;

    let [source] = &fresh.sources[..] else { panic!("{:?}", fresh.sources) };
    assert_eq!((&source.integration_id, source.is_stale), (&tool.endpoint.integration_id, false));
    let age_s =
        old.sources[0].last_delivery_time.unwrap().seconds - source.last_delivery_time.unwrap().seconds;
    assert!((-90_010..=-89_990).contains(&age_s), "{age_s}");
    assert!(old.sources[0].is_stale);
    let stale = |listed: &proto::ListAppointmentsResponse| {
        let stale = listed.appointments.iter().filter(|row| row.is_stale);
        stale.map(|row| row.external_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!((stale(&fresh), stale(&old)), (vec![], vec!["a-1".to_string()]));
    assert!(!desk::appointment(&acme.admin, &local.appointment_id).await.is_stale);
}

/// P15.
#[tokio::test]
async fn a_patients_own_list_says_it_too() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let own = acme.patient().await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let sources = async || {
        let request = proto::ListMyAppointmentsRequest::default();
        own.appointments().list_my_appointments(request).await.unwrap().into_inner().sources
    };

    let never = sources().await;
    tool.tell(&said("ping", json!({}))).await.kept();
    let now = sources().await;

    assert_eq!((never[0].last_delivery_time, never[0].is_stale), (None, true));
    assert_eq!((now[0].last_delivery_time.is_some(), now[0].is_stale), (true, false));
}

#[tokio::test]
async fn lists_are_filtered_by_person_time_origin_and_status() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (erika, anna) = two_people(&acme).await;
    let max = desk::add_patient(&acme.admin, person("Max", "Beispiel")).await.patient_id;
    let jonas = desk::add_practitioner(&acme.admin, "Jonas Muster", &[]).await.practitioner_id;
    let backend = acme.service(&["appointments:write"]).await;
    let start = desk::in_days(7);
    let mut booked = Vec::new();
    for (by, patient, practitioner, hours) in
        [(&acme.admin, &erika, &anna, 0), (&acme.admin, &max, &anna, 1), (&backend, &erika, &jonas, 2)]
    {
        let at = start + TimeDelta::hours(hours);
        booked.push(book(by, slot(patient, practitioner, at)).await.unwrap().appointment_id);
    }
    desk::cancel(&acme.admin, &booked[1]).await;
    let all = proto::ListAppointmentsRequest::default();
    let list = async |request: proto::ListAppointmentsRequest| ids(&acme.admin, request).await;

    assert_eq!(list(all.clone()).await, booked);
    assert_eq!(list(proto::ListAppointmentsRequest { patient_id: max, ..all.clone() }).await, booked[1..2]);
    assert_eq!(
        list(proto::ListAppointmentsRequest { practitioner_id: anna, ..all.clone() }).await,
        booked[..2]
    );
    let api = SyncOrigin::Api.into();
    assert_eq!(list(proto::ListAppointmentsRequest { origin: api, ..all.clone() }).await, booked[2..]);
    let cancelled = AppointmentStatus::Cancelled.into();
    assert_eq!(list(proto::ListAppointmentsRequest { status: cancelled, ..all.clone() }).await, booked[1..2]);
    let between = proto::ListAppointmentsRequest {
        start_time_from: Some(timestamp(start + TimeDelta::hours(1))),
        start_time_until: Some(timestamp(start + TimeDelta::hours(2))),
        ..all.clone()
    };
    assert_eq!(list(between).await, booked[1..2]);
    assert_eq!(list(proto::ListAppointmentsRequest { unassigned: true, ..all }).await, [""; 0]);
}

/// P13.
#[tokio::test]
async fn pages_stay_right_while_appointments_arrive_and_many_begin_at_once() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let mut expected = Vec::new();
    // Five practitioners work in parallel, so that pages end among equal begins.
    for number in 0..4 {
        let other =
            desk::add_practitioner(&acme.admin, &format!("Dr. Beispiel {number}"), &[]).await.practitioner_id;
        for practitioner in [&other, &practitioner] {
            for hours in [number, number + 4] {
                let at = start + TimeDelta::hours(hours);
                expected.push((
                    at,
                    book(&acme.admin, slot(&patient, practitioner, at)).await.unwrap().appointment_id,
                ));
            }
        }
    }
    expected.sort();

    let (mut seen, mut token, mut arrivals) = (Vec::new(), String::new(), 0);
    loop {
        let request =
            proto::ListAppointmentsRequest { page_size: 3, page_token: token, ..Default::default() };
        let page = acme.admin.appointments().list_appointments(request).await.unwrap().into_inner();
        seen.extend(page.appointments.into_iter().map(|row| row.appointment_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        // Before everything that was listed: it must not push the rest along.
        arrivals += 1;
        let before = start - TimeDelta::hours(arrivals);
        book(&acme.admin, slot(&patient, &practitioner, before)).await.unwrap();
    }

    let expected: Vec<String> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!((seen, arrivals), (expected, 5));
}

/// P3.
#[tokio::test]
async fn a_page_token_of_another_filter_or_of_the_other_list_is_refused() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let own = acme.patient().await;
    for hours in 0..2 {
        let at = desk::in_days(7) + TimeDelta::hours(hours);
        book(&acme.admin, slot(&own.id, &practitioner, at)).await.unwrap();
    }
    let request = proto::ListAppointmentsRequest { page_size: 1, ..Default::default() };
    let page = acme.admin.appointments().list_appointments(request.clone()).await.unwrap().into_inner();
    let page_token = page.next_page_token;

    let filtered =
        proto::ListAppointmentsRequest { patient_id: patient, page_token: page_token.clone(), ..request };
    let of_filter = acme.admin.appointments().list_appointments(filtered).await.unwrap_err();
    let mine = proto::ListMyAppointmentsRequest { page_token, ..Default::default() };
    let of_list = own.appointments().list_my_appointments(mine).await.unwrap_err();

    for status in [of_filter, of_list] {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    }
}

/// P13.
#[tokio::test]
async fn a_history_is_paged_oldest_first() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (patient, practitioner) = two_people(&acme).await;
    let start = desk::in_days(7);
    let id = book(&acme.admin, slot(&patient, &practitioner, start)).await.unwrap().appointment_id;
    for hours in 1..5 {
        super::reschedule(&acme.admin, &id, start + TimeDelta::hours(hours)).await.unwrap();
    }

    let (mut begins, mut token) = (Vec::new(), String::new());
    loop {
        let request = proto::GetAppointmentHistoryRequest {
            appointment_id: id.clone(),
            page_size: 2,
            page_token: token,
        };
        let page = acme.admin.appointments().get_appointment_history(request).await.unwrap().into_inner();
        begins.extend(page.changes.into_iter().map(|change| change.start_time.unwrap().seconds));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }

    let expected: Vec<i64> = (0..5).map(|hours| (start + TimeDelta::hours(hours)).timestamp()).collect();
    assert_eq!(begins, expected);
}
