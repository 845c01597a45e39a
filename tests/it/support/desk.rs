//! What tests ask and do as some caller, in a word each. All of it must succeed; tests of refusals call the
//! rpc themselves.

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use prost_types::{Duration, Timestamp};
use stellwerk::proto;
use tonic::Status;

use super::caller::TestCaller;

/// A person with name alone; fill in the rest.
pub(crate) fn person(first_name: &str, last_name: &str) -> proto::CreatePatientRequest {
    proto::CreatePatientRequest {
        first_name: first_name.into(),
        last_name: last_name.into(),
        ..Default::default()
    }
}

pub(crate) async fn add_patient(by: &TestCaller, request: proto::CreatePatientRequest) -> proto::Patient {
    let made = by.patients().create_patient(request).await.expect("a patient");
    made.into_inner().patient.expect("shown")
}

pub(crate) async fn patient(by: &TestCaller, id: &str) -> proto::Patient {
    try_patient(by, id).await.expect("a patient")
}

pub(crate) async fn try_patient(by: &TestCaller, id: &str) -> Result<proto::Patient, Status> {
    let request = proto::GetPatientRequest { patient_id: id.into() };
    Ok(by.patients().get_patient(request).await?.into_inner().patient.expect("shown"))
}

/// The first 200, by name.
pub(crate) async fn patients(by: &TestCaller) -> Vec<proto::Patient> {
    let request = proto::ListPatientsRequest { page_size: 200, ..Default::default() };
    by.patients().list_patients(request).await.expect("patients").into_inner().patients
}

/// The only one there is.
pub(crate) async fn only_patient(by: &TestCaller) -> proto::Patient {
    let mut all = patients(by).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Everybody as `first last`, by name.
pub(crate) async fn names(by: &TestCaller) -> Vec<String> {
    let all = patients(by).await;
    all.iter().map(|patient| format!("{} {}", patient.first_name, patient.last_name)).collect()
}

pub(crate) async fn candidates(
    by: &TestCaller,
    state: proto::LinkCandidateState,
) -> Vec<proto::LinkCandidate> {
    let request = proto::ListLinkCandidatesRequest { state: state.into(), ..Default::default() };
    by.patients().list_link_candidates(request).await.expect("candidates").into_inner().link_candidates
}

pub(crate) async fn decide(by: &TestCaller, id: &str, decision: proto::LinkDecision) -> proto::LinkCandidate {
    let request = proto::ResolveLinkCandidateRequest {
        link_candidate_id: id.into(),
        decision: decision.into(),
        ..Default::default()
    };
    let decided = by.patients().resolve_link_candidate(request).await.expect("a decision");
    decided.into_inner().link_candidate.expect("shown")
}

pub(crate) async fn add_practitioner(by: &TestCaller, name: &str, aliases: &[&str]) -> proto::Practitioner {
    let request = proto::PutPractitionerRequest {
        name: name.into(),
        aliases: aliases.iter().map(|alias| alias.to_string()).collect(),
        ..Default::default()
    };
    let put = by.access().put_practitioner(request).await.expect("a practitioner");
    put.into_inner().practitioner.expect("shown")
}

pub(crate) async fn appointment(by: &TestCaller, id: &str) -> proto::Appointment {
    let request = proto::GetAppointmentRequest { appointment_id: id.into() };
    let got = by.appointments().get_appointment(request).await.expect("an appointment");
    got.into_inner().appointment.expect("shown")
}

/// The first 200, by begin.
pub(crate) async fn appointments(by: &TestCaller) -> Vec<proto::Appointment> {
    listed(by).await.appointments
}

/// The only one there is.
pub(crate) async fn only_appointment(by: &TestCaller) -> proto::Appointment {
    let mut all = appointments(by).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

pub(crate) async fn listed(by: &TestCaller) -> proto::ListAppointmentsResponse {
    let request = proto::ListAppointmentsRequest { page_size: 200, ..Default::default() };
    by.appointments().list_appointments(request).await.expect("appointments").into_inner()
}

pub(crate) async fn history(by: &TestCaller, id: &str) -> Vec<proto::AppointmentChange> {
    let request = proto::GetAppointmentHistoryRequest { appointment_id: id.into(), ..Default::default() };
    by.appointments().get_appointment_history(request).await.expect("a history").into_inner().changes
}

/// Half an hour of somebody's time.
pub(crate) fn slot(patient: &str, practitioner: &str, start: DateTime<Utc>) -> proto::BookAppointmentRequest {
    proto::BookAppointmentRequest {
        patient_id: patient.into(),
        practitioner_id: practitioner.into(),
        start_time: Some(timestamp(start)),
        duration: Some(minutes(30)),
        ..Default::default()
    }
}

pub(crate) async fn book(
    by: &TestCaller,
    request: proto::BookAppointmentRequest,
) -> Result<proto::Appointment, Status> {
    let booked = by.appointments().book_appointment(request).await?;
    Ok(booked.into_inner().appointment.expect("shown"))
}

pub(crate) async fn cancel(by: &TestCaller, id: &str) -> proto::Appointment {
    let request = proto::CancelAppointmentRequest { appointment_id: id.into(), ..Default::default() };
    let cancelled = by.appointments().cancel_appointment(request).await.expect("cancelled");
    cancelled.into_inner().appointment.expect("shown")
}

/// The newest 200, newest first.
pub(crate) async fn events(by: &TestCaller) -> Vec<proto::WebhookEvent> {
    let request = proto::ListWebhookEventsRequest { page_size: 200, ..Default::default() };
    by.webhooks().list_webhook_events(request).await.expect("events").into_inner().webhook_events
}

/// One of the newest 200.
pub(crate) async fn event(by: &TestCaller, id: &str) -> proto::WebhookEvent {
    let all = events(by).await;
    all.into_iter().find(|event| event.webhook_event_id == id).expect("a listed event")
}

/// A full hour, some days from now. Ask once: the hour may end in between.
pub(crate) fn in_days(days: i64) -> DateTime<Utc> {
    let at = Utc::now() + TimeDelta::days(days);
    at.with_minute(0)
        .and_then(|at| at.with_second(0))
        .and_then(|at| at.with_nanosecond(0))
        .expect("a full hour")
}

pub(crate) fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos() as i32 }
}

pub(crate) fn minutes(minutes: i64) -> Duration {
    Duration { seconds: minutes * 60, nanos: 0 }
}
