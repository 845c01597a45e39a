//! API keys: shown once, listed without their secret, ended at once.

use chrono::{TimeDelta, Utc};
use stellwerk::proto::*;
use tonic::{Code, Status};

use crate::support::{app::TestApp, caller::TestCaller, desk::timestamp, fields, reason};

fn named(name: &str, role: Role) -> CreateApiKeyRequest {
    CreateApiKeyRequest { name: name.into(), role: role.into(), ..Default::default() }
}

async fn create(by: &TestCaller, request: CreateApiKeyRequest) -> Result<CreateApiKeyResponse, Status> {
    Ok(by.access().create_api_key(request).await?.into_inner())
}

async fn page(by: &TestCaller, page_size: i32, page_token: String) -> ListApiKeysResponse {
    by.access().list_api_keys(ListApiKeysRequest { page_size, page_token }).await.unwrap().into_inner()
}

async fn listed(by: &TestCaller, id: &str) -> ApiKey {
    let all = page(by, 0, String::new()).await.api_keys;
    all.into_iter().find(|key| key.api_key_id == id).expect("a listed key")
}

async fn revoke(by: &TestCaller, id: &str) -> ApiKey {
    let request = RevokeApiKeyRequest { api_key_id: id.into(), ..Default::default() };
    by.access().revoke_api_key(request).await.unwrap().into_inner().api_key.unwrap()
}

async fn settings(by: &TestCaller) -> Result<(), Status> {
    by.access().get_tenant_settings(GetTenantSettingsRequest {}).await.map(|_| ())
}

/// P10.
#[tokio::test]
async fn a_secret_is_shown_once_and_not_when_the_call_is_repeated() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let request = CreateApiKeyRequest { idempotency_key: "k-1".into(), ..named("desk", Role::Hr) };

    let first = create(&acme.admin, request.clone()).await.unwrap();
    let repeat = create(&acme.admin, request).await.unwrap();

    let key = first.api_key.unwrap();
    assert_eq!((repeat.api_key.as_ref(), repeat.secret.as_str()), (Some(&key), ""));
    assert!(first.secret.starts_with(&key.prefix) && key.prefix.len() == 12, "{}", key.prefix);
    assert_eq!(listed(&acme.admin, &key.api_key_id).await, key);
    settings(&acme.bearer(&first.secret)).await.unwrap();
}

#[tokio::test]
async fn keys_are_listed_newest_first_by_page_with_what_they_may_do() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let scopes = vec!["patients:read".to_string(), "services:read".to_string()];
    let phone = CreateApiKeyRequest {
        scopes: scopes.clone(),
        origin: SyncOrigin::Retell.into(),
        expire_time: Some(timestamp(Utc::now() + TimeDelta::days(90))),
        ..named("phone", Role::Service)
    };
    create(&acme.admin, phone).await.unwrap();
    create(&acme.admin, named("desk", Role::Hr)).await.unwrap();

    let first = page(&acme.admin, 2, String::new()).await;
    let last = page(&acme.admin, 2, first.next_page_token.clone()).await;

    let told = |key: &ApiKey| (key.name.clone(), key.role(), key.origin());
    assert_eq!(
        first.api_keys.iter().chain(&last.api_keys).map(told).collect::<Vec<_>>(),
        [
            ("desk".into(), Role::Hr, SyncOrigin::Admin),
            ("phone".into(), Role::Service, SyncOrigin::Retell),
            ("first admin".into(), Role::Admin, SyncOrigin::Admin),
        ]
    );
    assert_eq!((&first.api_keys[1].scopes, last.next_page_token.as_str()), (&scopes, ""));
    assert!(first.api_keys[1].expire_time.is_some() && first.api_keys[0].expire_time.is_none());
}

/// P2.
#[tokio::test]
async fn a_key_says_when_it_was_used_and_ends_at_once_when_it_is_revoked() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let key = acme.key(Role::Hr, &[]).await;
    let holder = acme.bearer(&key.secret);
    let unused = listed(&acme.admin, &key.id).await;

    settings(&holder).await.unwrap();
    let used = listed(&acme.admin, &key.id).await;
    let revoked = revoke(&acme.admin, &key.id).await;
    let refused = settings(&holder).await.unwrap_err();
    let again = revoke(&acme.admin, &key.id).await;

    assert_eq!((unused.last_use_time, unused.revoke_time), (None, None));
    assert!(used.last_use_time.is_some(), "{used:?}");
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::Unauthenticated, "API_KEY_REVOKED"));
    assert!(revoked.revoke_time.is_some(), "{revoked:?}");
    assert_eq!(again, revoked);
}

/// P2.
#[tokio::test]
async fn operators_make_operators_and_admins_make_everybody_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let by_admin = create(&acme.admin, named("operator", Role::Operator)).await.unwrap_err();
    let by_operator = create(&app.operator(), named("admin", Role::Admin)).await.unwrap_err();
    let operator = create(&app.operator(), named("operator", Role::Operator)).await.unwrap();

    for refused in [by_admin, by_operator] {
        assert_eq!((refused.code(), reason(&refused).as_str()), (Code::PermissionDenied, "ROLE_NOT_ALLOWED"));
    }
    let request = CreateTenantRequest { name: "globex".into(), ..Default::default() };
    app.bearer(&operator.secret).access().create_tenant(request).await.unwrap();
    assert_eq!(page(&acme.admin, 0, String::new()).await.api_keys.len(), 1);
}

#[tokio::test]
async fn a_key_that_could_do_nothing_or_too_much_is_refused_by_its_field() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let scoped =
        |role: Role, scope: &str| CreateApiKeyRequest { scopes: vec![scope.into()], ..named("desk", role) };
    let expired = CreateApiKeyRequest {
        expire_time: Some(timestamp(Utc::now() - TimeDelta::seconds(1))),
        ..named("desk", Role::Hr)
    };
    let unfit = [
        (named("", Role::Hr), "name"),
        (named("desk", Role::Unspecified), "role"),
        (named("desk", Role::Service), "scopes"),
        (scoped(Role::Hr, "patients:read"), "scopes"),
        (scoped(Role::Service, "moon:write"), "scopes[0]"),
        (expired, "expire_time"),
    ];

    for (request, field) in unfit {
        let refused = create(&acme.admin, request).await.unwrap_err();
        assert_eq!(fields(&refused), [field]);
    }
    assert_eq!(page(&acme.admin, 0, String::new()).await.api_keys.len(), 1);
}
