//! Somebody who looks like another only by what is said later never passes silently.

use serde_json::{Value, json};
use stellwerk::proto::{self, LikenessReason, LinkCandidateState, LinkDecision, SignatureScheme};

use super::imports;
use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, person},
    said::said_at,
    tenant::TestTenant,
};

async fn erika_at_the_desk(acme: &TestTenant) -> proto::Patient {
    let erika = proto::CreatePatientRequest {
        email: "erika@example.org".into(),
        birth_date: "1980-02-01".into(),
        ..person("Erika", "Muster")
    };
    desk::add_patient(&acme.admin, erika).await
}

/// First the name alone, then the whole person.
fn registration() -> [Value; 2] {
    let at = |time: &str| time.parse().unwrap();
    let name = json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster" });
    let whole = json!({ "id": "p-1", "vorname": "Erika", "nachname": "Muster", "email": "erika@example.org",
        "geburtsdatum": "1980-02-01" });
    [
        said_at("e-1", "patient.created", at("2026-02-17T10:00:00Z"), name),
        said_at("e-2", "patient.updated", at("2026-02-17T10:05:00Z"), whole),
    ]
}

async fn open_pairs(by: &TestCaller) -> Vec<proto::LinkCandidate> {
    desk::candidates(by, LinkCandidateState::Open).await
}

/// P12.
#[tokio::test]
async fn a_person_who_turns_out_to_be_known_by_an_update_is_put_before_an_admin() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let known = erika_at_the_desk(&acme).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let [created, updated] = registration();

    tool.tell(&created).await.kept();
    let before = open_pairs(&acme.admin).await.len();
    tool.tell(&updated).await.kept();

    assert_eq!(before, 0);
    let pairs = open_pairs(&acme.admin).await;
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    assert_eq!(pairs[0].known_patient.as_ref().unwrap().patient_id, known.patient_id);
    assert_eq!(pairs[0].patient.as_ref().unwrap().links.len(), 1);
    assert_eq!(
        pairs[0].reasons().collect::<Vec<_>>(),
        [LikenessReason::SameBirthDate, LikenessReason::SimilarName, LikenessReason::SameEmail]
    );
}

/// P9, P12.
#[tokio::test]
async fn the_same_update_before_the_creation_links_and_asks_nobody() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let known = erika_at_the_desk(&acme).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let [created, updated] = registration();

    tool.tell(&updated).await.kept();
    tool.tell(&created).await.kept();

    assert_eq!(desk::only_patient(&acme.admin).await.patient_id, known.patient_id);
    assert_eq!(open_pairs(&acme.admin).await, []);
}

/// P12. Whoever was here first is the known one, whichever of the two changed.
#[tokio::test]
async fn a_change_at_the_desk_that_makes_two_people_alike_is_put_before_an_admin_once() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let first = desk::add_patient(&acme.admin, person("Erika", "Muster")).await;
    let born = proto::CreatePatientRequest { birth_date: "1980-02-01".into(), ..person("Erica", "Muster") };
    let second = desk::add_patient(&acme.admin, born).await;
    let change = async |birth_date: &str, phone: &str| {
        let request = proto::UpdatePatientRequest {
            patient_id: first.patient_id.clone(),
            birth_date: birth_date.into(),
            phone: phone.into(),
            ..Default::default()
        };
        acme.admin.patients().update_patient(request).await.unwrap().into_inner().patient.unwrap()
    };
    assert!(!second.possible_twin);

    let changed = change("1980-02-01", "").await;

    assert!(changed.possible_twin);
    let pairs = open_pairs(&acme.admin).await;
    assert_eq!(pairs.len(), 1, "{pairs:?}");
    let ids = [&pairs[0].known_patient, &pairs[0].patient].map(|one| &one.as_ref().unwrap().patient_id);
    assert_eq!(ids, [&first.patient_id, &second.patient_id]);
    desk::decide(&acme.admin, &pairs[0].link_candidate_id, LinkDecision::KeepApart).await;
    assert!(!change("1980-02-01", "030 1234567").await.possible_twin);
    assert_eq!(open_pairs(&acme.admin).await, []);
}

/// P12. What a file adds to a known person is compared, too.
#[tokio::test]
async fn what_a_registration_adds_to_a_known_person_is_compared_too() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let born = proto::CreatePatientRequest { birth_date: "1980-02-01".into(), ..person("Erica", "Muster") };
    desk::add_patient(&acme.admin, born).await;
    let by_mail =
        proto::CreatePatientRequest { email: "erika@example.org".into(), ..person("Erika", "Muster") };
    let known = desk::add_patient(&acme.admin, by_mail).await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;

    tool.tell(&registration()[1]).await.kept();

    assert!(desk::patient(&acme.admin, &known.patient_id).await.possible_twin);
    assert_eq!(open_pairs(&acme.admin).await.len(), 1);
}

/// P12.
#[tokio::test]
async fn a_twin_by_phone_is_found_though_the_region_of_numbers_was_set_late() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let called = |first_name: &str, phone: &str| proto::CreatePatientRequest {
        phone: phone.into(),
        ..person(first_name, "Muster")
    };
    let first = desk::add_patient(&acme.admin, called("Erika", "0664 1234567")).await;
    let settings = proto::UpdateTenantSettingsRequest { phone_region: "AT".into(), ..Default::default() };
    acme.admin.access().update_tenant_settings(settings).await.unwrap();

    let twin = desk::add_patient(&acme.admin, called("Erica", "+43 664 1234567")).await;

    let pairs = open_pairs(&acme.admin).await;
    let ids = pairs.iter().map(|pair| [&pair.known_patient, &pair.patient]);
    let ids: Vec<_> = ids.map(|pair| pair.map(|one| &one.as_ref().unwrap().patient_id)).collect();
    assert_eq!(ids, [[&first.patient_id, &twin.patient_id]]);
    assert_eq!(desk::patient(&acme.admin, &first.patient_id).await.update_time, first.update_time);
}

/// P12. Sixty are as old as she is, as in a list that writes one date for everybody whose date it does not know;
/// she comes last, by name as by arrival.
#[tokio::test]
async fn a_twin_is_found_among_many_of_one_birth_date() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let letter = |number: u8| char::from(b'a' + number % 26);
    let others = (0..60u8).map(|number| {
        let name: String =
            [number, number / 26 + 3, number.wrapping_mul(7), number + 11].map(letter).iter().collect();
        format!("{name}{name};{name}el;;01.01.1970\n")
    });
    let zita = "Zwingli;Zita;030 1234567;01.01.1970\n".to_owned();
    let rows: String = others.chain([zita]).collect();
    imports::import(&acme.admin, &format!("nachname;vorname;telefon;geburtsdatum\n{rows}"), false).await;
    let known = desk::patients(&acme.admin).await;
    assert_eq!(known.len(), 61, "{known:?}");
    let zita = known.iter().find(|one| one.last_name == "Zwingli").unwrap().patient_id.clone();
    let born = |first_name: &str, last_name: &str, phone: &str| proto::CreatePatientRequest {
        birth_date: "1970-01-01".into(),
        phone: phone.into(),
        ..person(first_name, last_name)
    };

    let by_name = desk::add_patient(&acme.admin, born("Zitta", "Zwingly", "")).await.patient_id;
    let by_phone = desk::add_patient(&acme.admin, born("Xaver", "Anders", "+49 30 1234567")).await.patient_id;

    let pairs = open_pairs(&acme.admin).await;
    for twin in [by_name, by_phone] {
        let is_pair = |pair: &&proto::LinkCandidate| {
            [&pair.known_patient, &pair.patient].map(|one| &one.as_ref().unwrap().patient_id)
                == [&zita, &twin]
        };
        assert!(pairs.iter().any(|pair| is_pair(&pair)), "{pairs:?}");
    }
}
