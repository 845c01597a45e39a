//! Which practitioner or patient a signed-in subject is: said by an admin, taken back by an admin.

use stellwerk::proto::{link_subject_request::Person, *};
use tonic::{Code, Status};

use crate::support::{app::TestApp, caller::TestCaller, fields, reason, tenant::TestTenant};

const ISSUER: &str = "https://id.example.org/";

fn erika(person: Person) -> LinkSubjectRequest {
    LinkSubjectRequest {
        issuer: ISSUER.into(),
        subject: "erika".into(),
        person: Some(person),
        ..Default::default()
    }
}

async fn link(by: &TestCaller, request: LinkSubjectRequest) -> Result<SubjectLink, Status> {
    Ok(by.access().link_subject(request).await?.into_inner().subject_link.unwrap())
}

async fn unlink(by: &TestCaller, link: &SubjectLink) -> Result<(), Status> {
    let request =
        UnlinkSubjectRequest { subject_link_id: link.subject_link_id.clone(), ..Default::default() };
    by.access().unlink_subject(request).await.map(|_| ())
}

async fn listed(by: &TestCaller) -> Vec<SubjectLink> {
    let request = ListSubjectsRequest::default();
    by.access().list_subjects(request).await.unwrap().into_inner().subject_links
}

async fn two_patients(acme: &TestTenant) -> [Person; 2] {
    [acme.create_patient("Erika", "Muster").await, acme.create_patient("Max", "Beispiel").await]
        .map(Person::PatientId)
}

#[tokio::test]
async fn a_subject_is_one_person_until_that_is_taken_back() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let [first, second] = two_patients(&acme).await;

    let linked = link(&acme.admin, erika(first)).await.unwrap();
    let refused = link(&acme.admin, erika(second.clone())).await.unwrap_err();
    unlink(&acme.admin, &linked).await.unwrap();
    let relinked = link(&acme.admin, erika(second)).await.unwrap();
    let gone = unlink(&acme.admin, &linked).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::AlreadyExists, "SUBJECT_ALREADY_LINKED"));
    assert_eq!(reason(&gone), "SUBJECT_LINK_NOT_FOUND");
    assert_ne!(relinked.patient_id, linked.patient_id);
    assert_eq!(listed(&acme.admin).await, [relinked]);
}

/// P3.
#[tokio::test]
async fn the_same_subject_is_somebody_else_at_another_issuer_and_in_another_tenant() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let ([ours, other], [theirs, _]) = (two_patients(&acme).await, two_patients(&globex).await);
    let elsewhere = LinkSubjectRequest { issuer: "https://else.example.org/".into(), ..erika(other) };

    let first = link(&acme.admin, erika(ours)).await.unwrap();
    let second = link(&acme.admin, elsewhere).await.unwrap();
    let foreign = link(&globex.admin, erika(theirs)).await.unwrap();

    assert_eq!(listed(&acme.admin).await, [second, first]);
    assert_eq!(listed(&globex.admin).await, [foreign]);
}

/// P3.
#[tokio::test]
async fn an_api_key_is_linked_in_its_own_tenant_alone() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let [person, _] = two_patients(&globex).await;
    let key = acme.key(Role::Patient, &[]).await;
    let of_key = |subject: &str| LinkSubjectRequest {
        issuer: "api_key".into(),
        subject: subject.into(),
        ..erika(person.clone())
    };

    let foreign = link(&globex.admin, of_key(&key.id)).await.unwrap_err();
    let no_key = link(&globex.admin, of_key("erika")).await.unwrap_err();

    assert_eq!([fields(&foreign), fields(&no_key)], [["subject"], ["subject"]]);
    assert!(listed(&globex.admin).await.is_empty());
}

#[tokio::test]
async fn a_repeated_link_is_the_first_one_and_a_person_is_required() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let [first, second] = two_patients(&acme).await;
    let keyed = |person| LinkSubjectRequest { idempotency_key: "k-1".into(), ..erika(person) };

    let linked = link(&acme.admin, keyed(first.clone())).await.unwrap();
    let repeated = link(&acme.admin, keyed(first)).await.unwrap();
    let reused = link(&acme.admin, keyed(second.clone())).await.unwrap_err();
    let nobody = link(&acme.admin, LinkSubjectRequest { person: None, ..erika(second) }).await.unwrap_err();

    assert_eq!(linked, repeated);
    assert_eq!(reason(&reused), "IDEMPOTENCY_KEY_REUSED");
    assert_eq!(fields(&nobody), ["person"]);
}
