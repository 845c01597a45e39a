//! Whose account a planning tool's user is.

use stellwerk::{
    proto::{
        self, ListUserMappingsRequest, PutPractitionerRequest, SetUserMappingRequest, UserMapping,
        UserMappingLikeness,
    },
    store::planning::user::ExternalUser,
};
use tonic::{Code, Status};
use uuid::Uuid;

use super::planning;
use crate::support::{caller::TestCaller, reason};

async fn put(by: &TestCaller, name: &str, email: &str, archived: bool) -> proto::Practitioner {
    let request =
        PutPractitionerRequest { name: name.into(), email: email.into(), archived, ..Default::default() };
    by.access().put_practitioner(request).await.unwrap().into_inner().practitioner.unwrap()
}

async fn mappings(by: &TestCaller, request: ListUserMappingsRequest) -> Vec<UserMapping> {
    by.planning().list_user_mappings(request).await.unwrap().into_inner().user_mappings
}

async fn set(by: &TestCaller, user: &ExternalUser, practitioner: &str) -> Result<UserMapping, Status> {
    let request = SetUserMappingRequest {
        external_user_id: user.id.to_string(),
        practitioner_id: practitioner.into(),
        ..Default::default()
    };
    Ok(by.planning().set_user_mapping(request).await?.into_inner().user_mapping.unwrap())
}

#[tokio::test]
async fn a_user_is_suggested_to_be_who_has_its_address_or_else_its_name() {
    let (_app, acme, board) = planning().await;
    let erika = put(&acme.admin, "Erika Muster", "Erika@Example.org", false).await;
    let max = put(&acme.admin, "Max Beispiel", "", false).await;
    board.user("E. M.", "erika@example.ORG").await;
    board.user("max  BEISPIEL", "max@example.org").await;
    board.user("Nobody Known", "nobody@example.org").await;
    // The address counts more than a name.
    board.user("Max Beispiel", "erika@example.org").await;

    let suggested = mappings(&acme.hr().await, ListUserMappingsRequest::default()).await;

    let told: Vec<_> = suggested
        .iter()
        .map(|user| user.suggestion.as_ref().map(|found| (found.practitioner_id.clone(), found.likeness())))
        .collect();
    let by_email = Some((erika.practitioner_id, UserMappingLikeness::Email));
    let by_name = Some((max.practitioner_id, UserMappingLikeness::Name));
    assert_eq!(told, [by_email.clone(), by_name, None, by_email]);
    assert!(suggested.iter().all(|user| user.practitioner_id.is_empty()), "{suggested:?}");
}

#[tokio::test]
async fn an_address_of_two_people_or_of_one_who_left_suggests_nobody() {
    let (_app, acme, board) = planning().await;
    put(&acme.admin, "Erika Muster", "office@example.org", false).await;
    put(&acme.admin, "Max Beispiel", "office@example.org", false).await;
    put(&acme.admin, "Eva Ehemals", "eva@example.org", true).await;
    board.user("Büro", "office@example.org").await;
    board.user("Eva Ehemals", "eva@example.org").await;

    let listed = mappings(&acme.admin, ListUserMappingsRequest::default()).await;

    assert_eq!(listed.iter().filter(|user| user.suggestion.is_some()).count(), 0, "{listed:?}");
}

#[tokio::test]
async fn a_mapping_says_who_made_it_and_can_be_undone() {
    let (_app, acme, board) = planning().await;
    let erika = put(&acme.admin, "Erika Muster", "erika@example.org", false).await;
    let user = board.user("Erika Muster", "erika@example.org").await;
    let hr = acme.hr().await;

    let mapped = set(&hr, &user, &erika.practitioner_id).await.unwrap();
    let unmapped_only = ListUserMappingsRequest { unmapped_only: true, ..Default::default() };
    let still_open = mappings(&hr, unmapped_only).await;
    let undone = set(&hr, &user, "").await.unwrap();

    assert_eq!((mapped.practitioner_id, mapped.suggestion), (erika.practitioner_id, None));
    assert!(mapped.mapped_by.starts_with("api_key|") && mapped.map_time.is_some());
    assert_eq!(still_open, []);
    assert_eq!((undone.practitioner_id.as_str(), undone.mapped_by.as_str()), ("", ""));
    assert!(undone.suggestion.is_some() && undone.map_time.is_none());
}

#[tokio::test]
async fn a_repeated_mapping_does_not_undo_a_later_one() {
    let (_app, acme, board) = planning().await;
    let erika = put(&acme.admin, "Erika Muster", "", false).await;
    let max = put(&acme.admin, "Max Beispiel", "", false).await;
    let user = board.user("Büro", "").await;
    let keyed = SetUserMappingRequest {
        idempotency_key: "k1".into(),
        external_user_id: user.id.to_string(),
        practitioner_id: erika.practitioner_id,
    };
    acme.admin.planning().set_user_mapping(keyed.clone()).await.unwrap();
    set(&acme.admin, &user, &max.practitioner_id).await.unwrap();

    let repeated = acme.admin.planning().set_user_mapping(keyed).await.unwrap().into_inner();

    assert_eq!(repeated.user_mapping.unwrap().practitioner_id, max.practitioner_id);
}

/// P3.
#[tokio::test]
async fn nobody_is_mapped_to_who_is_not_there() {
    let (_app, acme, board) = planning().await;
    let user = board.user("Erika Muster", "").await;

    let refused = set(&acme.admin, &user, &Uuid::now_v7().to_string()).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "PRACTITIONER_NOT_FOUND"));
}

/// P13.
#[tokio::test]
async fn users_are_paged_in_the_order_they_came_in() {
    let (_app, acme, board) = planning().await;
    for name in ["c", "a", "b"] {
        board.user(name, "").await;
    }
    let page = |page_token| ListUserMappingsRequest { page_size: 2, page_token, ..Default::default() };

    let first = acme.admin.planning().list_user_mappings(page(String::new())).await.unwrap().into_inner();
    let next = page(first.next_page_token.clone());
    let last = acme.admin.planning().list_user_mappings(next).await.unwrap().into_inner();

    let listed = first.user_mappings.iter().chain(&last.user_mappings).map(|user| user.name.as_str());
    assert_eq!(listed.collect::<String>(), "cab");
    assert_eq!(last.next_page_token, "");
}
