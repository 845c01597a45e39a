//! After an undo each person has exactly what is theirs.

use serde_json::{Value, json};
use stellwerk::proto::{self, LinkCandidateState, LinkDecision, SignatureScheme};

use super::imports;
use crate::support::{
    app::TestApp,
    booking_tool::TestBookingTool,
    caller::TestCaller,
    desk::{self, person},
    said::{said, written},
    tenant::TestTenant,
};

const BORN: &str = "1980-02-01";

/// Somebody of the tool's who looks like everybody else here.
fn twin(id: &str, last_name: &str) -> Value {
    json!({ "id": id, "vorname": "Erika", "nachname": last_name, "email": format!("{id}@example.org"),
        "telefon": format!("030 {}", 5550 + id.len() as u32), "geburtsdatum": BORN })
}

async fn at_the_desk(acme: &TestTenant) -> proto::Patient {
    let known = proto::CreatePatientRequest { birth_date: BORN.into(), ..person("Erika", "Müller") };
    desk::add_patient(&acme.admin, known).await
}

/// Merges the pair of these two, as they were when they were found alike.
async fn merge(by: &TestCaller, one: &str, other: &str) {
    let open = desk::candidates(by, LinkCandidateState::Open).await;
    let is_pair = |pair: &&proto::LinkCandidate| {
        let ids = [&pair.patient, &pair.known_patient].map(|who| who.as_ref().unwrap().patient_id.as_str());
        ids == [one, other] || ids == [other, one]
    };
    let pair = open.iter().find(is_pair).expect("an open pair");
    desk::decide(by, &pair.link_candidate_id, LinkDecision::Merge).await;
}

/// Takes the tool's record off; returns both people.
async fn unlink(by: &TestCaller, from: &str, record: &str) -> [proto::Patient; 2] {
    let links = desk::patient(by, from).await.links;
    let link = links.into_iter().find(|link| link.external_id == record).expect("the record");
    let request = proto::UnlinkPatientRequest {
        patient_id: from.into(),
        patient_link_id: link.patient_link_id,
        ..Default::default()
    };
    let apart = by.patients().unlink_patient(request).await.unwrap().into_inner();
    [apart.patient.unwrap(), apart.unlinked_patient.unwrap()]
}

/// Name, both addresses, phone and birth date.
fn data(of: &proto::Patient) -> [&str; 6] {
    [&of.first_name, &of.last_name, &of.email, &of.booking_email, &of.phone, &of.birth_date]
        .map(|text| text.as_str())
}

async fn records(by: &TestCaller, of: &str) -> Vec<String> {
    desk::patient(by, of).await.links.into_iter().map(|link| link.external_id).collect()
}

#[tokio::test]
async fn what_a_merge_and_the_tool_gave_the_known_person_goes_with_the_merged_one() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known = at_the_desk(&acme).await.patient_id;
    tool.tell(&said("patient.created", twin("p-1", "Mueler"))).await.kept();
    let pair = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);
    merge(&acme.admin, &pair.patient.unwrap().patient_id, &known).await;
    let merged = desk::patient(&acme.admin, &known).await;

    tool.tell(&said("patient.updated", twin("p-1", "Mueller-Neu"))).await.kept();
    let corrected = proto::UpdatePatientRequest {
        patient_id: known.clone(),
        first_name: "Erika Maria".into(),
        ..Default::default()
    };
    acme.admin.patients().update_patient(corrected).await.unwrap();
    let [kept, unlinked] = unlink(&acme.admin, &known, "p-1").await;

    assert_eq!(data(&merged), ["Erika", "Müller", "", "p-1@example.org", "030 5553", BORN]);
    assert_eq!(data(&kept), ["Erika Maria", "Müller", "", "", "", BORN]);
    assert_eq!(data(&unlinked), ["Erika", "Mueller-Neu", "", "p-1@example.org", "030 5553", BORN]);
}

#[tokio::test]
async fn what_a_match_by_address_and_the_tool_gave_the_known_person_goes_with_the_new_one() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known = proto::CreatePatientRequest { email: "p-1@example.org".into(), ..person("Erik", "Müller") };
    let known = desk::add_patient(&acme.admin, known).await.patient_id;
    tool.tell(&said("patient.created", twin("p-1", "Müller"))).await.kept();
    let matched = desk::only_patient(&acme.admin).await;

    tool.tell(&said("patient.updated", twin("p-1", "Mueller-Neu"))).await.kept();
    let [kept, unlinked] = unlink(&acme.admin, &known, "p-1").await;

    assert_eq!(data(&matched), ["Erik", "Müller", "p-1@example.org", "p-1@example.org", "030 5553", BORN]);
    assert_eq!(data(&kept), ["Erik", "Müller", "p-1@example.org", "", "", ""]);
    assert_eq!(data(&unlinked), ["Erika", "Mueller-Neu", "", "p-1@example.org", "030 5553", BORN]);
}

/// Else the merged one's practitioner would lose sight of them.
#[tokio::test]
async fn a_merge_gives_a_first_name_and_a_practitioner_and_its_undo_takes_them_back() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let known = proto::CreatePatientRequest { birth_date: BORN.into(), ..person("", "Muster") };
    let known = desk::add_patient(&acme.admin, known).await.patient_id;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let settings = proto::UpdateTenantSettingsRequest {
        default_practitioner_id: practitioner.clone(),
        ..Default::default()
    };
    acme.admin.access().update_tenant_settings(settings).await.unwrap();
    tool.tell(&said("patient.created", twin("p-1", "Muster"))).await.kept();
    let pair = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);

    merge(&acme.admin, &pair.patient.unwrap().patient_id, &known).await;
    let merged = desk::patient(&acme.admin, &known).await;
    let [kept, unlinked] = unlink(&acme.admin, &known, "p-1").await;

    assert_eq!((merged.first_name.as_str(), &merged.practitioner_id), ("Erika", &practitioner));
    assert_eq!((kept.first_name.as_str(), kept.practitioner_id.as_str()), ("", ""));
    assert_eq!((unlinked.first_name.as_str(), &unlinked.practitioner_id), ("Erika", &practitioner));
}

/// One at the desk, two of the tool's with an appointment each, the third of whom was merged into the second
/// and then, as their pair says, into the first. The second has an appointment of the desk's, too.
async fn three_in_one(acme: &TestTenant) -> (TestBookingTool, [String; 3]) {
    let tool = acme.booking_tool(SignatureScheme::Standard).await;
    let first = at_the_desk(acme).await.patient_id;
    for (number, last_name) in [(2, "Mueler"), (33, "Mueller")] {
        tool.tell(&said("patient.created", twin(&format!("p-{number}"), last_name))).await.kept();
        let visit = json!({ "id": format!("a-{number}"), "patient_id": format!("p-{number}"),
            "scheduled_at": written(desk::in_days(number)), "duration_minutes": 30 });
        tool.tell(&said("appointment.created", visit)).await.kept();
    }
    let everybody = desk::patients(&acme.admin).await;
    let of = |record: &str| {
        let found = everybody.iter().find(|one| one.links.iter().any(|link| link.external_id == record));
        found.unwrap().patient_id.clone()
    };
    let (second, third) = (of("p-2"), of("p-33"));
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    desk::book(&acme.admin, desk::slot(&second, &practitioner, desk::in_days(7))).await.unwrap();
    merge(&acme.admin, &third, &second).await;
    merge(&acme.admin, &third, &first).await;
    // They are one already; it moves nothing.
    merge(&acme.admin, &second, &first).await;
    (tool, [first, second, third])
}

async fn owners(by: &TestCaller) -> [String; 3] {
    let all = desk::appointments(by).await;
    ["", "a-2", "a-33"].map(|id| all.iter().find(|one| one.external_id == id).unwrap().patient_id.clone())
}

#[tokio::test]
async fn the_last_merge_is_undone_with_whom_it_merged_and_the_one_below_it_after_that() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, [first, second, third]) = three_in_one(&acme).await;

    let [_, unlinked] = unlink(&acme.admin, &first, "p-2").await;
    let two = owners(&acme.admin).await;
    tool.tell(&said("patient.updated", twin("p-33", "Muhler"))).await.kept();
    let [kept, last] = unlink(&acme.admin, &second, "p-33").await;

    assert_eq!(unlinked.patient_id, second);
    assert_eq!(two, [&second, &second, &second].map(Clone::clone));
    assert_eq!((last.patient_id.as_str(), last.last_name.as_str()), (third.as_str(), "Muhler"));
    assert_eq!(kept.last_name, "Mueler");
    assert_eq!(owners(&acme.admin).await, [&second, &second, &third].map(Clone::clone));
    assert_eq!(data(&desk::patient(&acme.admin, &first).await), ["Erika", "Müller", "", "", "", BORN]);
}

#[tokio::test]
async fn who_was_merged_first_is_taken_out_alone() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let (tool, [first, second, third]) = three_in_one(&acme).await;
    tool.tell(&said("patient.updated", twin("p-33", "Muhler"))).await.kept();

    let [kept, unlinked] = unlink(&acme.admin, &first, "p-33").await;

    assert_eq!((unlinked.patient_id.as_str(), unlinked.last_name.as_str()), (third.as_str(), "Muhler"));
    assert_eq!(data(&kept), ["Erika", "Müller", "", "p-2@example.org", "030 5553", BORN]);
    assert_eq!(records(&acme.admin, &first).await, ["p-2"]);
    assert_eq!(owners(&acme.admin).await, [&first, &first, &third].map(Clone::clone));
    // Whom the third is taken out of hear no more of them.
    tool.tell(&said("patient.updated", twin("p-33", "Mühler"))).await.kept();
    let [alone, restored] = unlink(&acme.admin, &first, "p-2").await;
    assert_eq!(data(&alone), ["Erika", "Müller", "", "", "", BORN]);
    assert_eq!(restored.patient_id, second);
    assert_eq!(data(&restored), ["Erika", "Mueler", "", "p-2@example.org", "030 5553", BORN]);
}

#[tokio::test]
async fn somebody_who_was_merged_is_found_again_by_their_own_address() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let file = "vorname;nachname;email;geburtsdatum\n\
        Erika;Müller;one@example.org;1980-02-01\nErika;Mueler;two@example.org;1980-02-01\n";
    imports::import(&acme.admin, file, false).await;
    let pair = desk::candidates(&acme.admin, LinkCandidateState::Open).await.remove(0);
    desk::decide(&acme.admin, &pair.link_candidate_id, LinkDecision::Merge).await;

    let again = imports::import(&acme.admin, file, false).await;

    let survivor = desk::only_patient(&acme.admin).await;
    let found: Vec<_> = again.rows.iter().map(|row| row.patient_id.as_str()).collect();
    assert_eq!(found, [survivor.patient_id.as_str(); 2]);
    assert_eq!(desk::candidates(&acme.admin, LinkCandidateState::Open).await, []);
}
