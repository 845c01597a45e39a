//! People: made by the tool or at the desk, found again, changed, forgotten.

mod convergence;
mod forgotten;
mod imports;
mod links;
mod lists;
mod meanwhile;
mod twins;
mod undo;

use chrono::{TimeDelta, Utc};
use prost_types::FieldMask;
use serde_json::{Value, json};
use stellwerk::proto::{self, PatientLinkOrigin, SignatureScheme, SyncOrigin};
use tonic::Code;

use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, person},
    fields, reason,
    said::{said, said_at},
};

fn erika() -> Value {
    json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster", "email": "erika@example.org" })
}

async fn update(by: &TestCaller, request: proto::UpdatePatientRequest) -> proto::Patient {
    by.patients().update_patient(request).await.unwrap().into_inner().patient.unwrap()
}

#[tokio::test]
async fn a_registration_makes_a_patient_of_the_default_practitioner() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let settings = proto::UpdateTenantSettingsRequest {
        default_practitioner_id: practitioner.clone(),
        ..Default::default()
    };
    acme.admin.access().update_tenant_settings(settings).await.unwrap();
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    tool.tell(&said("patient.created", erika())).await.kept();

    let patient = desk::only_patient(&acme.admin).await;
    assert_eq!((patient.first_name.as_str(), patient.last_name.as_str()), ("Erika", "Muster"));
    assert_eq!((patient.email.as_str(), patient.booking_email.as_str()), ("", "erika@example.org"));
    assert_eq!((patient.practitioner_id, patient.possible_twin), (practitioner, false));
    assert_eq!(SyncOrigin::try_from(patient.origin), Ok(SyncOrigin::BookingTool));
    let [link] = &patient.links[..] else { panic!("{:?}", patient.links) };
    assert_eq!((link.external_id.as_str(), link.origin()), ("p-1", PatientLinkOrigin::Created));
    assert_eq!(link.integration_id, tool.endpoint.integration_id);
}

#[tokio::test]
async fn an_equal_address_links_whichever_column_holds_it_and_however_it_is_written() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known = proto::CreatePatientRequest {
        email: "Erika.Müster@Example.org".into(),
        ..person("Erika", "Muster")
    };
    let known = desk::add_patient(&acme.admin, known).await;
    let registered = |id: &str, email: &str| {
        said("patient.created", json!({ "id": id, "vorname": "Erika", "nachname": "Muster", "email": email }))
    };

    tool.tell(&registered("p-1", "ERIKA.MU\u{308}STER@example.ORG")).await.kept();
    let by_own = desk::only_patient(&acme.admin).await;
    tool.tell(&said("patient.updated", registered("p-1", "neu@example.org")["data"].clone())).await.kept();
    tool.tell(&registered("p-2", " NEU@example.org ")).await.kept();
    let by_booking = desk::only_patient(&acme.admin).await;

    assert_eq!((&by_own.patient_id, &by_booking.patient_id), (&known.patient_id, &known.patient_id));
    assert_eq!(by_own.links[0].origin(), PatientLinkOrigin::Email);
    assert_eq!((by_booking.email, by_booking.booking_email), (known.email, "NEU@example.org".into()));
    let linked: Vec<_> = by_booking.links.iter().map(|link| link.external_id.as_str()).collect();
    assert_eq!(linked, ["p-1", "p-2"]);
}

#[tokio::test]
async fn an_address_that_looks_like_a_query_is_just_an_address() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let with = |email: &str, last_name: &str| proto::CreatePatientRequest {
        email: email.into(),
        ..person("Erika", last_name)
    };
    desk::add_patient(&acme.admin, with("a@b.com", "Anders")).await;
    tool.tell(&said("patient.created", json!({ "id": 1, "nachname": "Beispiel", "email": "x@y.de" })))
        .await
        .kept();
    let odd = ["a@b.com,booking_email.eq.x@y.de", "a@b.com' OR 'x'='x", "%@%", "a@b.com\\", "*@*"];

    for (number, address) in odd.iter().enumerate() {
        let data = json!({ "id": 10 + number, "vorname": "Max", "nachname": "Neuling", "email": address });
        tool.tell(&said("patient.created", data)).await.kept();
    }

    let everybody = desk::patients(&acme.admin).await;
    let linked: Vec<_> = everybody
        .iter()
        .map(|patient| (patient.last_name.as_str(), patient.booking_email.as_str(), patient.links.len()))
        .collect();
    assert_eq!(linked[..2], [("Anders", "", 0), ("Beispiel", "x@y.de", 1)]);
    assert_eq!(linked.len(), 2 + odd.len());
    for (known, address) in linked[2..].iter().zip(odd) {
        assert_eq!(*known, ("Neuling", address, 1));
    }
}

/// P9.
#[tokio::test]
async fn an_update_of_the_tool_changes_what_changed_there_and_nothing_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let told = |last_name: &str, email: &str| {
        said(
            "patient.updated",
            json!({ "id": "p-1", "vorname": "Erika", "nachname": last_name, "email": email,
            "telefon": "030 1234567", "geburtsdatum": "1980-02-01" }),
        )
    };
    tool.tell(&told("Muster", "erika@example.org")).await.kept();
    let id = desk::only_patient(&acme.admin).await.patient_id;
    update(
        &acme.admin,
        proto::UpdatePatientRequest {
            patient_id: id.clone(),
            first_name: "Erika Maria".into(),
            email: "praxis@example.org".into(),
            phone: "+49 89 7654321".into(),
            ..Default::default()
        },
    )
    .await;

    tool.tell(&told("Muster-Beispiel", "neu@example.org")).await.kept();

    let patient = desk::patient(&acme.admin, &id).await;
    assert_eq!(patient.last_name, "Muster-Beispiel");
    assert_eq!(
        (patient.email.as_str(), patient.booking_email.as_str()),
        ("praxis@example.org", "neu@example.org")
    );
    assert_eq!((patient.first_name.as_str(), patient.phone.as_str()), ("Erika Maria", "+49 89 7654321"));
    assert_eq!(patient.birth_date, "1980-02-01");
}

/// P9.
#[tokio::test]
async fn what_the_tool_takes_back_goes_only_where_it_is_the_tools() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let known = proto::CreatePatientRequest {
        email: "erika@example.org".into(),
        phone: "030 1".into(),
        ..person("Erika", "Muster")
    };
    let id = desk::add_patient(&acme.admin, known).await.patient_id;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let told = async |phone: Option<&str>, birth_date: Option<&str>| {
        let mut data = erika();
        data["telefon"] = phone.into();
        data["geburtsdatum"] = birth_date.into();
        tool.tell(&said("patient.updated", data)).await.kept();
        let patient = desk::patient(&acme.admin, &id).await;
        (patient.phone, patient.birth_date)
    };
    told(Some("0171 2"), Some("1980-02-01")).await;
    let corrected = proto::UpdatePatientRequest {
        patient_id: id.clone(),
        birth_date: "1980-02-10".into(),
        ..Default::default()
    };
    update(&acme.admin, corrected).await;

    let gone = told(None, None).await;
    let given = told(Some("0171 3"), None).await;
    let gone_again = told(None, None).await;

    assert_eq!(gone, ("030 1".into(), "1980-02-10".into()));
    assert_eq!(given, ("0171 3".into(), "1980-02-10".into()));
    assert_eq!(gone_again, ("".into(), "1980-02-10".into()));
}

/// P9.
#[tokio::test]
async fn when_the_tool_deletes_a_person_the_link_goes_and_the_patient_stays() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let now = Utc::now();
    tool.tell(&said_at("e-1", "patient.created", now, erika())).await.kept();
    let before = desk::only_patient(&acme.admin).await;

    let deleted = said_at("e-2", "patient.deleted", now + TimeDelta::seconds(2), json!({ "id": "p-1" }));
    let answer = tool.tell(&deleted).await;
    let late = tool.tell(&said_at("e-3", "patient.updated", now + TimeDelta::seconds(1), erika())).await;

    assert_eq!((answer.kept(), late.kept(), late.reason()), ("success", "ignored", "OLDER_STATE"));
    let after = desk::only_patient(&acme.admin).await;
    assert_eq!((after.patient_id, after.links.len()), (before.patient_id, 0));
    assert_eq!(after.booking_email, "erika@example.org");
}

#[tokio::test]
async fn the_booking_link_carries_the_name_encoded() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let patient = desk::add_patient(&acme.admin, person("Zoë & Max", "Müller/100%")).await;
    let ask = async || {
        let request = proto::GetBookingLinkRequest { patient_id: patient.patient_id.clone() };
        acme.admin.patients().get_booking_link(request).await
    };
    let configure = async |url: &str| {
        let settings = proto::UpdateTenantSettingsRequest { booking_url: url.into(), ..Default::default() };
        acme.admin.access().update_tenant_settings(settings).await.unwrap();
    };

    let unset = ask().await.unwrap_err();
    configure("https://termine.example.org/?name={name}&lang=de").await;
    let filled_in = ask().await.unwrap().into_inner().url;
    configure("https://termine.example.org/{last_name}/{first_name}").await;
    let in_path = ask().await.unwrap().into_inner().url;

    assert_eq!(
        (unset.code(), reason(&unset).as_str()),
        (Code::FailedPrecondition, "BOOKING_URL_NOT_CONFIGURED")
    );
    assert_eq!(
        filled_in,
        "https://termine.example.org/?name=Zo%C3%AB%20%26%20Max%20M%C3%BCller%2F100%25&lang=de"
    );
    assert_eq!(in_path, "https://termine.example.org/M%C3%BCller%2F100%25/Zo%C3%AB%20%26%20Max");
}

#[tokio::test]
async fn an_idempotency_key_stands_for_one_request_of_one_subject() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let colleague = acme.caller(proto::Role::Admin, &[]).await;
    let keyed = |last_name: &str| proto::CreatePatientRequest {
        idempotency_key: "k-1".into(),
        ..person("Erika", last_name)
    };

    let first = desk::add_patient(&acme.admin, keyed("Muster")).await;
    let repeat = desk::add_patient(&acme.admin, keyed("Muster")).await;
    let reused = acme.admin.patients().create_patient(keyed("Beispiel")).await.unwrap_err();
    let colleagues = desk::add_patient(&colleague, keyed("Muster")).await;

    assert_eq!(first, repeat);
    assert_eq!((reused.code(), reason(&reused).as_str()), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"));
    assert_ne!(colleagues.patient_id, first.patient_id);
    assert_eq!(desk::patients(&acme.admin).await.len(), 2);
}

/// P14.
#[tokio::test]
async fn racing_calls_with_one_idempotency_key_make_one_patient() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let request = proto::CreatePatientRequest { idempotency_key: "k-1".into(), ..person("Erika", "Muster") };

    let made =
        futures::future::join_all((0..20).map(|_| desk::add_patient(&acme.admin, request.clone()))).await;

    assert!(made.iter().all(|patient| patient.patient_id == made[0].patient_id), "{made:?}");
    assert_eq!(desk::patients(&acme.admin).await.len(), 1);
}

#[tokio::test]
async fn a_refused_call_does_not_use_its_idempotency_key_up() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let keyed = |practitioner_id: &str| proto::CreatePatientRequest {
        idempotency_key: "k-1".into(),
        practitioner_id: practitioner_id.into(),
        ..person("Erika", "Muster")
    };

    let refused = acme.admin.patients().create_patient(keyed(&uuid::Uuid::now_v7().to_string())).await;
    let made = acme.admin.patients().create_patient(keyed("")).await;

    assert_eq!(reason(&refused.unwrap_err()), "PRACTITIONER_NOT_FOUND");
    assert!(made.is_ok(), "{made:?}");
}

#[tokio::test]
async fn every_field_that_does_not_fit_is_named() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let create = async |request| fields(&acme.admin.patients().create_patient(request).await.unwrap_err());
    let id = desk::add_patient(&acme.admin, person("Erika", "Muster")).await.patient_id;
    let update = async |request| fields(&acme.admin.patients().update_patient(request).await.unwrap_err());

    let several = create(proto::CreatePatientRequest {
        email: "no address".into(),
        practitioner_id: "nobody".into(),
        birth_date: "1.2.1980".into(),
        first_name: "n".repeat(201),
        ..Default::default()
    })
    .await;
    let no_day =
        create(proto::CreatePatientRequest { birth_date: "1980-02-30".into(), ..person("Erika", "Muster") });
    let unborn =
        create(proto::CreatePatientRequest { birth_date: "2980-02-01".into(), ..person("Erika", "Muster") });
    let blank = create(person("Erika", " \u{200b}"));
    let not_kept = create(person("Eri\0ka", "Muster"));
    let masked = |path: &str| proto::UpdatePatientRequest {
        patient_id: id.clone(),
        update_mask: Some(FieldMask { paths: vec![path.into()] }),
        ..Default::default()
    };

    assert_eq!(several, ["first_name", "last_name", "email", "birth_date", "practitioner_id"]);
    assert_eq!(no_day.await, ["birth_date"]);
    assert_eq!(unborn.await, ["birth_date"]);
    assert_eq!(blank.await, ["last_name"]);
    assert_eq!(not_kept.await, ["first_name"]);
    assert_eq!(update(masked("booking_email")).await, ["update_mask"]);
    assert_eq!(update(masked("last_name")).await, ["last_name"]);
}

#[tokio::test]
async fn a_mask_clears_what_it_names_and_leaves_the_rest() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let known = proto::CreatePatientRequest {
        email: "erika@example.org".into(),
        phone: "030 1234567".into(),
        birth_date: "1980-02-01".into(),
        ..person("Erika", "Muster")
    };
    let id = desk::add_patient(&acme.admin, known).await.patient_id;

    let cleared = update(
        &acme.admin,
        proto::UpdatePatientRequest {
            patient_id: id,
            update_mask: Some(FieldMask { paths: vec!["email".into(), "birth_date".into()] }),
            phone: "not named".into(),
            ..Default::default()
        },
    )
    .await;

    assert_eq!((cleared.email.as_str(), cleared.birth_date.as_str()), ("", ""));
    assert_eq!((cleared.phone.as_str(), cleared.first_name.as_str()), ("030 1234567", "Erika"));
}
