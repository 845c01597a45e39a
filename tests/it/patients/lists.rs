//! Lists of people: by page and filter.

use stellwerk::proto;
use tonic::{Code, Status};

use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, person},
    reason,
};

async fn page(
    by: &TestCaller,
    request: proto::ListPatientsRequest,
) -> Result<proto::ListPatientsResponse, Status> {
    Ok(by.patients().list_patients(request).await?.into_inner())
}

/// P13.
#[tokio::test]
async fn pages_stay_right_while_people_arrive() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let name = |number: usize| format!("M{number:02}");
    for number in (0..25).rev() {
        desk::add_patient(&acme.admin, person("Erika", &name(number * 2))).await;
    }

    let (mut seen, mut token) = (Vec::new(), String::new());
    let mut arrivals = [[1, 45], [3, 47], [5, 49]].into_iter();
    loop {
        let request = proto::ListPatientsRequest { page_size: 6, page_token: token, ..Default::default() };
        let listed = page(&acme.admin, request).await.unwrap();
        seen.extend(listed.patients.into_iter().map(|patient| patient.last_name));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
        for number in arrivals.next().into_iter().flatten() {
            desk::add_patient(&acme.admin, person("Erika", &name(number))).await;
        }
    }

    // Everybody who was there all along, in order and once; of those who came, whoever came behind the page.
    let mut expected: Vec<_> = (0..25).map(|number| number * 2).chain([45, 47, 49]).map(name).collect();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_list_goes_on_behind_the_longest_names() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let names = ["ж", "\u{fdfa}", "\u{20000}"].map(|letter| letter.repeat(200));
    for name in &names {
        desk::add_patient(&acme.admin, person(name, name)).await;
    }

    let (mut seen, mut token) = (Vec::new(), String::new());
    for _ in &names {
        let request = proto::ListPatientsRequest { page_size: 1, page_token: token, ..Default::default() };
        let listed = page(&acme.admin, request).await.unwrap();
        seen.extend(listed.patients.into_iter().map(|patient| patient.last_name));
        token = listed.next_page_token;
    }

    seen.sort();
    assert_eq!((seen.as_slice(), token.as_str()), (&names[..], ""));
    let named = proto::ListPatientsRequest { last_name_prefix: names[1].clone(), ..Default::default() };
    assert_eq!(page(&acme.admin, named).await.unwrap().patients.len(), 1);
}

/// P3.
#[tokio::test]
async fn a_page_token_is_good_for_its_own_list_and_caller_alone() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let globex = app.tenant("globex").await;
    let colleague = acme.caller(proto::Role::Admin, &[]).await;
    for number in 0..3 {
        desk::add_patient(&acme.admin, person("Erika", &format!("Muster {number}"))).await;
    }
    let first = proto::ListPatientsRequest { page_size: 1, ..Default::default() };
    let token = page(&acme.admin, first).await.unwrap().next_page_token;
    let next = proto::ListPatientsRequest { page_size: 1, page_token: token.clone(), ..Default::default() };

    let filtered = proto::ListPatientsRequest { last_name_prefix: "Mu".into(), ..next.clone() };
    let cut = proto::ListPatientsRequest { page_token: token[1..].into(), ..next.clone() };
    let refused = [
        page(&acme.admin, filtered).await.unwrap_err(),
        page(&acme.admin, cut).await.unwrap_err(),
        page(&colleague, next.clone()).await.unwrap_err(),
        page(&globex.admin, next.clone()).await.unwrap_err(),
        acme.admin
            .access()
            .list_practitioners(proto::ListPractitionersRequest { page_token: token, ..Default::default() })
            .await
            .unwrap_err(),
    ];

    for status in refused {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    }
    let larger = proto::ListPatientsRequest { page_size: 200, ..next };
    assert_eq!(page(&acme.admin, larger).await.unwrap().patients.len(), 2);
}

#[tokio::test]
async fn people_are_found_by_the_beginning_of_a_name_by_address_and_by_practitioner() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    desk::add_patient(&acme.admin, person("Erika", "Müller")).await;
    let with_address =
        proto::CreatePatientRequest { email: "Max@example.org".into(), ..person("Max", "Muellner") };
    desk::add_patient(&acme.admin, with_address).await;
    let in_care =
        proto::CreatePatientRequest { practitioner_id: practitioner.clone(), ..person("Ida", "Ähnlich") };
    desk::add_patient(&acme.admin, in_care).await;
    let found = async |request: proto::ListPatientsRequest| {
        let found = page(&acme.admin, request).await.unwrap().patients;
        found.into_iter().map(|patient| patient.first_name).collect::<Vec<_>>()
    };

    let by_name =
        |prefix: &str| proto::ListPatientsRequest { last_name_prefix: prefix.into(), ..Default::default() };
    assert_eq!(found(by_name("mül")).await, ["Erika", "Max"]);
    assert_eq!(found(by_name("MUELLE")).await, ["Erika"]);
    assert_eq!(found(by_name("%")).await, [""; 0]);
    let by_address = proto::ListPatientsRequest { email: "mAX@EXAMPLE.org".into(), ..Default::default() };
    assert_eq!(found(by_address).await, ["Max"]);
    let by_practitioner = proto::ListPatientsRequest { practitioner_id: practitioner, ..Default::default() };
    assert_eq!(found(by_practitioner).await, ["Ida"]);
}
