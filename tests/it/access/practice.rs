//! Whom and what a practice can book, and the names that sources know them by.

use futures::future::join_all;
use stellwerk::proto::*;
use tonic::{Code, Status};

use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{add_practitioner, minutes},
    reason,
};

fn massage(name: &str, aliases: &[&str]) -> PutServiceRequest {
    PutServiceRequest {
        name: name.into(),
        aliases: aliases.iter().map(|alias| alias.to_string()).collect(),
        duration: Some(minutes(30)),
        ..Default::default()
    }
}

async fn put(by: &TestCaller, request: PutServiceRequest) -> Result<Service, Status> {
    Ok(by.access().put_service(request).await?.into_inner().service.unwrap())
}

async fn services(by: &TestCaller, page_size: i32, page_token: &str) -> ListServicesResponse {
    let request = ListServicesRequest { page_size, page_token: page_token.into() };
    by.access().list_services(request).await.unwrap().into_inner()
}

#[tokio::test]
async fn a_service_is_replaced_as_a_whole_and_its_old_names_are_free_again() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let service = put(&acme.admin, massage("Massage", &["Rücken"])).await.unwrap();
    let replacement = PutServiceRequest {
        service_id: service.service_id.clone(),
        buffer_after: Some(minutes(10)),
        archived: true,
        ..massage("Massage 30", &[])
    };

    let replaced = put(&acme.admin, replacement).await.unwrap();
    let next = put(&acme.admin, massage("ruecken", &[])).await.unwrap();

    assert_eq!((&replaced.service_id, replaced.archived), (&service.service_id, true));
    assert_eq!((replaced.aliases.len(), replaced.buffer_after), (0, Some(minutes(10))));
    assert_eq!(services(&acme.admin, 0, "").await.services, [replaced, next]);
}

/// P3.
#[tokio::test]
async fn a_name_or_alias_means_one_record_of_a_tenant_however_it_is_written() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    put(&acme.admin, massage("Massage", &["Rücken"])).await.unwrap();
    add_practitioner(&acme.admin, "Dr. Müller", &["A. Müller"]).await;
    let twin = PutPractitionerRequest { name: "a.  MUELLER".into(), ..Default::default() };

    let refused = [
        put(&acme.admin, massage("MASSAGE", &[])).await.unwrap_err(),
        put(&acme.admin, massage("Neu", &["ruecken"])).await.unwrap_err(),
        acme.admin.access().put_practitioner(twin.clone()).await.unwrap_err(),
    ];

    for status in refused {
        assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "NAME_TAKEN"));
    }
    put(&globex.admin, massage("Massage", &["Rücken"])).await.unwrap();
    globex.admin.access().put_practitioner(twin).await.unwrap();
    assert_eq!(services(&acme.admin, 0, "").await.services.len(), 1);
}

#[tokio::test]
async fn of_racing_records_of_one_name_one_is_made() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let made = join_all((0..10).map(|_| put(&acme.admin, massage("Massage", &[])))).await;

    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1, "{made:?}");
    let refused = made.iter().filter_map(|one| one.as_ref().err()).map(reason);
    assert!(refused.clone().all(|reason| reason == "NAME_TAKEN"), "{:?}", refused.collect::<Vec<_>>());
}

/// P13.
#[tokio::test]
async fn lists_are_paged_oldest_first() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let names = ["Dehnen", "Massage", "Atmen"];
    for name in names {
        put(&acme.admin, massage(name, &[])).await.unwrap();
    }

    let first = services(&acme.admin, 2, "").await;
    let last = services(&acme.admin, 2, &first.next_page_token).await;
    let negative = ListServicesRequest { page_size: -1, ..Default::default() };
    let refused = acme.admin.access().list_services(negative).await.unwrap_err();

    let listed: Vec<_> = first.services.iter().chain(&last.services).map(|row| row.name.as_str()).collect();
    assert_eq!((listed, last.next_page_token.as_str()), (names.into(), ""));
    assert_eq!(refused.code(), Code::InvalidArgument);
}
