//! Who may be whom: candidates, merges, and taking people apart again.

use chrono::{DateTime, Utc};
use serde_json::json;
use stellwerk::proto::{
    self, AppointmentChangeKind, LikenessReason, LinkCandidateState, LinkDecision, PatientLinkOrigin,
    SignatureScheme,
};
use tonic::Code;

use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    desk::{self, person},
    metadata, reason,
    said::{said, written},
    tenant::TestTenant,
};

/// Somebody at the desk, and her twin as the tool knows her: the same birth date and phone, but another
/// spelling and address.
pub(super) async fn twins(acme: &TestTenant) -> (TestBookingTool, proto::Patient, proto::LinkCandidate) {
    let known = proto::CreatePatientRequest {
        email: "erika@example.org".into(),
        phone: "030 1234567".into(),
        birth_date: "1980-02-01".into(),
        ..person("Erika", "Müller")
    };
    let known = desk::add_patient(&acme.admin, known).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    tool.tell(&said("patient.created", twin("Mueler"))).await.kept();
    let candidate = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);
    (tool, known, candidate)
}

pub(super) fn twin(last_name: &str) -> serde_json::Value {
    json!({ "id": "p-1", "vorname": "Erika", "nachname": last_name, "email": "privat@example.org",
        "telefon": "+49 30 1234567", "geburtsdatum": "1980-02-01" })
}

pub(super) fn booking(id: &str, at: DateTime<Utc>) -> serde_json::Value {
    json!({ "id": id, "patient_id": "p-1", "scheduled_at": written(at), "duration_minutes": 30 })
}

pub(super) async fn unlink(by: &TestCaller, patient: &str, link: &str) -> proto::UnlinkPatientResponse {
    let request = proto::UnlinkPatientRequest {
        patient_id: patient.into(),
        patient_link_id: link.into(),
        ..Default::default()
    };
    by.patients().unlink_patient(request).await.unwrap().into_inner()
}

/// P12.
#[tokio::test]
async fn a_likely_twin_is_a_person_of_their_own_and_an_admin_is_asked() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let (_tool, known, candidate) = twins(&acme).await;

    let (new, before) = (candidate.patient.clone().unwrap(), candidate.known_patient.clone().unwrap());
    assert_eq!(before.patient_id, known.patient_id);
    assert_ne!(new.patient_id, known.patient_id);
    assert!(new.possible_twin && before.possible_twin);
    assert_eq!(
        candidate.reasons().collect::<Vec<_>>(),
        [LikenessReason::SameBirthDate, LikenessReason::SimilarName, LikenessReason::SamePhone]
    );
    assert!((90..=100).contains(&candidate.score), "{}", candidate.score);
    assert_eq!(new.links[0].origin(), PatientLinkOrigin::Created);
    assert!(before.links.is_empty());
}

/// P12.
#[tokio::test]
async fn people_who_share_only_an_address_but_not_a_birth_date_are_two() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let mother = proto::CreatePatientRequest {
        email: "familie@example.org".into(),
        birth_date: "1980-02-01".into(),
        ..person("Erika", "Muster")
    };
    let mother = desk::add_patient(&acme.admin, mother).await;

    let child = json!({ "id": "p-2", "vorname": "Mia", "nachname": "Muster", "email": "familie@example.org",
        "geburtsdatum": "2015-05-05" });
    tool.tell(&said("patient.created", child)).await.kept();

    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster", "Mia Muster"]);
    let [candidate] = &desk::candidates(&acme.admin, LinkCandidateState::Open).await[..] else {
        panic!("one")
    };
    assert_eq!(candidate.reasons().collect::<Vec<_>>(), [LikenessReason::SameEmail]);
    assert_eq!(candidate.known_patient.as_ref().unwrap().patient_id, mother.patient_id);
}

/// P12. She who was merged said no birth date; of whom she turned out to be one is known.
#[tokio::test]
async fn the_address_of_somebody_who_was_merged_does_not_link_who_was_born_on_another_day() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let erika = |email: &str, birth_date: &str| proto::CreatePatientRequest {
        email: email.into(),
        phone: "030 1234567".into(),
        birth_date: birth_date.into(),
        ..person("Erika", "Muster")
    };
    let known = desk::add_patient(&acme.admin, erika("erika@example.org", "1980-02-01")).await;
    desk::add_patient(&acme.admin, erika("familie@example.org", "")).await;
    let pair = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);
    desk::decide(&acme.admin, &pair.link_candidate_id, LinkDecision::Merge).await;
    let registered = |id: &str, first_name: &str, birth_date: &str| {
        said(
            "patient.created",
            json!({ "id": id, "vorname": first_name, "nachname": "Muster", "email": "familie@example.org",
                "geburtsdatum": birth_date }),
        )
    };

    tool.tell(&registered("p-1", "Mia", "2015-05-05")).await.kept();
    tool.tell(&registered("p-2", "Erika", "1980-02-01")).await.kept();

    assert_eq!(desk::names(&acme.admin).await, ["Erika Muster", "Mia Muster"]);
    let [candidate] = &desk::candidates(&acme.admin, LinkCandidateState::Open).await[..] else {
        panic!("one")
    };
    assert_eq!(candidate.reasons().collect::<Vec<_>>(), [LikenessReason::SameEmail]);
    assert_eq!(candidate.known_patient.as_ref().unwrap().patient_id, known.patient_id);
    let links = desk::patient(&acme.admin, &known.patient_id).await.links;
    assert_eq!(links.iter().map(|link| link.external_id.as_str()).collect::<Vec<_>>(), ["p-2"]);
}

/// P9.
#[tokio::test]
async fn the_news_of_one_record_leave_what_another_said() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let registered = |id: &str, email: Option<&str>, phone: &str| {
        let erika = json!({ "id": id, "vorname": "Erika", "nachname": "Muster", "email": email,
            "telefon": phone, "geburtsdatum": "1980-02-01" });
        said("patient.updated", erika)
    };
    tool.tell(&registered("p-1", Some("erika@example.org"), "030 1")).await.kept();
    let known = desk::only_patient(&acme.admin).await.patient_id;
    tool.tell(&registered("p-2", None, "030 2")).await.kept();
    let pair = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);
    desk::decide(&acme.admin, &pair.link_candidate_id, LinkDecision::Merge).await;

    tool.tell(&registered("p-2", None, "030 3")).await.kept();
    let after_one = desk::patient(&acme.admin, &known).await;
    tool.tell(&registered("p-2", Some("neu@example.org"), "030 3")).await.kept();
    tool.tell(&registered("p-1", Some("erika@example.org"), "030 4")).await.kept();
    let after_both = desk::patient(&acme.admin, &known).await;
    tool.tell(&registered("p-1", None, "030 4")).await.kept();

    assert_eq!((after_one.booking_email.as_str(), after_one.phone.as_str()), ("erika@example.org", "030 3"));
    assert_eq!((after_both.booking_email.as_str(), after_both.phone.as_str()), ("neu@example.org", "030 4"));
    assert_eq!(desk::patient(&acme.admin, &known).await.booking_email, "neu@example.org");
}

#[tokio::test]
async fn a_person_made_at_the_desk_is_compared_too() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let born = |first: &str, last: &str| proto::CreatePatientRequest {
        birth_date: "1980-02-01".into(),
        ..person(first, last)
    };
    desk::add_patient(&acme.admin, born("Erika", "Muster")).await;

    let twin = desk::add_patient(&acme.admin, born("Erica", "Muster")).await;
    let stranger = desk::add_patient(&acme.admin, born("Max", "Beispiel")).await;

    assert_eq!((twin.possible_twin, stranger.possible_twin), (true, false));
}

#[tokio::test]
async fn a_merge_gives_records_and_appointments_to_the_known_person() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, known, candidate) = twins(&acme).await;
    let next_week = desk::in_days(7);
    tool.tell(&said("appointment.created", booking("a-1", next_week))).await.kept();
    let merged_id = candidate.patient.as_ref().unwrap().patient_id.clone();

    let decided = desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::Merge).await;
    tool.tell(&said("appointment.created", booking("a-2", next_week + chrono::TimeDelta::hours(1))))
        .await
        .kept();
    tool.tell(&said("patient.updated", twin("Mueller-Neu"))).await.kept();

    assert_eq!((decided.state(), decided.decide_time.is_some()), (LinkCandidateState::Merged, true));
    let survivor = desk::only_patient(&acme.admin).await;
    assert_eq!((&survivor.patient_id, survivor.possible_twin), (&known.patient_id, false));
    assert_eq!(survivor.links[0].origin(), PatientLinkOrigin::Merge);
    assert_eq!(
        (survivor.email.as_str(), survivor.booking_email.as_str()),
        ("erika@example.org", "privat@example.org")
    );
    assert_eq!(survivor.last_name, "Mueller-Neu");
    let merged = desk::patient(&acme.admin, &merged_id).await;
    assert_eq!((&merged.merged_into_patient_id, merged.links.len()), (&known.patient_id, 0));
    let appointments = desk::appointments(&acme.admin).await;
    assert_eq!(appointments.len(), 2);
    assert!(appointments.iter().all(|appointment| appointment.patient_id == known.patient_id));
    let changes = desk::history(&acme.admin, &appointments[0].appointment_id).await;
    assert_eq!(changes[1].kind(), AppointmentChangeKind::Patient);
    assert!(changes[1].cause.starts_with("api_key|"), "{}", changes[1].cause);
}

/// P9.
#[tokio::test]
async fn an_unlink_undoes_a_merge_and_later_events_do_not_join_the_two_again() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, known, candidate) = twins(&acme).await;
    let next_week = desk::in_days(7);
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    desk::book(&acme.admin, desk::slot(&known.patient_id, &practitioner, next_week)).await.unwrap();
    tool.tell(&said("appointment.created", booking("a-1", next_week))).await.kept();
    let merged_id = candidate.patient.as_ref().unwrap().patient_id.clone();
    desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::Merge).await;
    let link = desk::patient(&acme.admin, &known.patient_id).await.links.remove(0);

    let apart = unlink(&acme.admin, &known.patient_id, &link.patient_link_id).await;
    tool.tell(&said("patient.updated", twin("Mueller"))).await.kept();
    tool.tell(&said("appointment.created", booking("a-2", next_week + chrono::TimeDelta::hours(1))))
        .await
        .kept();

    assert_eq!(apart.patient.unwrap().patient_id, known.patient_id);
    assert_eq!(apart.unlinked_patient.unwrap().patient_id, merged_id);
    let restored = desk::patient(&acme.admin, &merged_id).await;
    assert_eq!((restored.merged_into_patient_id.as_str(), restored.last_name.as_str()), ("", "Mueller"));
    assert_eq!(restored.links[0].origin(), PatientLinkOrigin::Unlink);
    assert!(!restored.possible_twin);
    assert_eq!(desk::patient(&acme.admin, &known.patient_id).await.last_name, "Müller");
    let owners: Vec<_> = desk::appointments(&acme.admin).await;
    let owners: Vec<_> =
        owners.iter().map(|row| (row.external_id.as_str(), row.patient_id.as_str())).collect();
    for expected in [("", &known.patient_id), ("a-1", &merged_id), ("a-2", &merged_id)] {
        assert!(owners.contains(&(expected.0, expected.1.as_str())), "{expected:?}: {owners:?}");
    }
    assert!(desk::candidates(&acme.admin, LinkCandidateState::Open).await.is_empty());
    assert_eq!(desk::candidates(&acme.admin, LinkCandidateState::Undone).await.len(), 1);
}

/// P9.
#[tokio::test]
async fn a_match_by_address_is_taken_apart_for_good() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known =
        proto::CreatePatientRequest { email: "privat@example.org".into(), ..person("Erik", "Müller") };
    let known = desk::add_patient(&acme.admin, known).await;
    tool.tell(&said("patient.created", twin("Müller"))).await.kept();
    tool.tell(&said("appointment.created", booking("a-1", desk::in_days(7)))).await.kept();
    let link = desk::only_patient(&acme.admin).await.links.remove(0);

    let unlinked =
        unlink(&acme.admin, &known.patient_id, &link.patient_link_id).await.unlinked_patient.unwrap();
    tool.tell(&said("patient.updated", twin("Müller-Neu"))).await.kept();

    assert_ne!(unlinked.patient_id, known.patient_id);
    assert_eq!((unlinked.first_name.as_str(), unlinked.birth_date.as_str()), ("Erika", "1980-02-01"));
    assert_eq!(desk::only_appointment(&acme.admin).await.patient_id, unlinked.patient_id);
    assert_eq!(desk::names(&acme.admin).await, ["Erik Müller", "Erika Müller-Neu"]);
    let again = unlink_refused(&acme.admin, &known.patient_id, &link.patient_link_id).await;
    assert_eq!(again, "PATIENT_LINK_NOT_FOUND");
}

async fn unlink_refused(by: &TestCaller, patient: &str, link: &str) -> String {
    let request = proto::UnlinkPatientRequest {
        patient_id: patient.into(),
        patient_link_id: link.into(),
        ..Default::default()
    };
    reason(&by.patients().unlink_patient(request).await.unwrap_err())
}

#[tokio::test]
async fn people_who_are_kept_apart_stay_apart() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, _known, candidate) = twins(&acme).await;

    let decided = desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::KeepApart).await;
    tool.tell(&said("patient.updated", twin("Mueller"))).await.kept();
    tool.tell(&said("patient.deleted", json!({ "id": "p-1" }))).await.kept();
    let again = tool.tell(&said("patient.created", twin("Müller"))).await;
    let second = proto::ResolveLinkCandidateRequest {
        link_candidate_id: candidate.link_candidate_id.clone(),
        decision: LinkDecision::Merge.into(),
        ..Default::default()
    };
    let refused = acme.admin.patients().resolve_link_candidate(second).await.unwrap_err();

    assert_eq!(again.kept(), "success");
    let apart = decided.patient.clone().unwrap().patient_id;
    let links = desk::patient(&acme.admin, &apart).await.links;
    assert_eq!(links.iter().map(|link| link.external_id.as_str()).collect::<Vec<_>>(), ["p-1"]);
    assert_eq!(decided.state(), LinkCandidateState::KeptApart);
    assert!(desk::candidates(&acme.admin, LinkCandidateState::Open).await.is_empty());
    assert_eq!(desk::patients(&acme.admin).await.len(), 2);
    assert!(desk::patients(&acme.admin).await.iter().all(|patient| !patient.possible_twin));
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "LINK_CANDIDATE_DECIDED")
    );
}

/// P14.
#[tokio::test]
async fn racing_decisions_about_one_pair_are_one_decision() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (_tool, _known, candidate) = twins(&acme).await;
    let decide = async |decision: LinkDecision| {
        let request = proto::ResolveLinkCandidateRequest {
            link_candidate_id: candidate.link_candidate_id.clone(),
            decision: decision.into(),
            ..Default::default()
        };
        acme.admin.patients().resolve_link_candidate(request).await
    };

    let answers = futures::join!(
        decide(LinkDecision::Merge),
        decide(LinkDecision::KeepApart),
        decide(LinkDecision::Merge),
        decide(LinkDecision::KeepApart),
    );

    let answers = [answers.0, answers.1, answers.2, answers.3];
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(reason(refused), "LINK_CANDIDATE_DECIDED");
    }
}

/// P12. Only the new person looks like the third one; of whom the record was taken off that was said before.
#[tokio::test]
async fn who_is_taken_off_somebody_is_compared_with_everybody_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known =
        proto::CreatePatientRequest { email: "privat@example.org".into(), ..person("Erik", "Müller") };
    let known = desk::add_patient(&acme.admin, known).await.patient_id;
    let third = proto::CreatePatientRequest { birth_date: "1980-02-01".into(), ..person("Erika", "Mueler") };
    let third = desk::add_patient(&acme.admin, third).await.patient_id;
    tool.tell(&said("patient.created", twin("Müller"))).await.kept();
    for pair in desk::candidates(&acme.admin, LinkCandidateState::Open).await {
        desk::decide(&acme.admin, &pair.link_candidate_id, LinkDecision::KeepApart).await;
    }
    let link = desk::patient(&acme.admin, &known).await.links.remove(0);

    let unlinked = unlink(&acme.admin, &known, &link.patient_link_id).await.unlinked_patient.unwrap();

    assert!(unlinked.possible_twin);
    let pairs = desk::candidates(&acme.admin, LinkCandidateState::Open).await;
    let ids = |pair: &proto::LinkCandidate| {
        [&pair.known_patient, &pair.patient].map(|one| one.clone().unwrap().patient_id)
    };
    assert_eq!(pairs.iter().map(ids).collect::<Vec<_>>(), [[third, unlinked.patient_id]]);
}

/// P11, P12. Else a caller would take somebody for changed or forgotten who is as they were, and no admin could
/// take the two apart any more.
#[tokio::test]
async fn what_is_asked_of_somebody_who_was_merged_is_refused_and_says_who_they_are() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, known, candidate) = twins(&acme).await;
    let patient_id = candidate.patient.as_ref().unwrap().patient_id.clone();
    desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::Merge).await;
    let before = desk::patient(&acme.admin, &patient_id).await;
    let changed = proto::UpdatePatientRequest {
        patient_id: patient_id.clone(),
        phone: "030 7654321".into(),
        ..Default::default()
    };
    let forgotten = proto::DeletePatientRequest { patient_id: patient_id.clone(), ..Default::default() };
    let subject = proto::LinkSubjectRequest {
        issuer: "https://id.example.org".into(),
        subject: "erika".into(),
        person: Some(proto::link_subject_request::Person::PatientId(patient_id.clone())),
        ..Default::default()
    };
    let consent = proto::GrantConsentRequest {
        integration_id: tool.endpoint.integration_id.clone(),
        patient_id: patient_id.clone(),
        scopes: vec![proto::ConsentScope::Appointments.into()],
        text_version: "2026-11".into(),
        ..Default::default()
    };

    let refused = [
        acme.admin.patients().update_patient(changed).await.unwrap_err(),
        acme.admin.patients().delete_patient(forgotten).await.unwrap_err(),
        acme.admin.access().link_subject(subject).await.unwrap_err(),
        acme.admin.privacy().grant_consent(consent).await.unwrap_err(),
    ];

    for status in &refused {
        assert_eq!(
            (status.code(), reason(status).as_str()),
            (Code::FailedPrecondition, "PATIENT_MERGED"),
            "{status:?}"
        );
        assert_eq!(metadata(status, "merged_into_patient_id"), known.patient_id);
    }
    assert_eq!(desk::patient(&acme.admin, &patient_id).await, before);
    let link = desk::patient(&acme.admin, &known.patient_id).await.links.remove(0);
    let apart = unlink(&acme.admin, &known.patient_id, &link.patient_link_id).await;
    assert_eq!(apart.unlinked_patient.unwrap().patient_id, patient_id);
}

/// P11.
#[tokio::test]
async fn deleting_the_survivor_forgets_the_merged_person_too() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, known, candidate) = twins(&acme).await;
    desk::decide(&acme.admin, &candidate.link_candidate_id, LinkDecision::Merge).await;

    let request = proto::DeletePatientRequest { patient_id: known.patient_id, ..Default::default() };
    acme.admin.patients().delete_patient(request).await.unwrap();
    let late = tool.tell(&said("patient.updated", twin("Mueller"))).await;

    assert_eq!((late.kept(), late.reason()), ("ignored", "PATIENT_DELETED"));
    let owner = app.database.owner().await;
    let left = "SELECT 'patient' FROM patient UNION ALL SELECT 'pair' FROM link_candidate";
    assert_eq!(owner.lines(left).await, [""; 0]);
}
