//! Tenants and their settings.

use prost_types::FieldMask;
use stellwerk::proto::*;
use tonic::Status;

use crate::support::{
    app::TestApp,
    caller::TestCaller,
    desk::{self, minutes},
    fields, reason,
};

async fn create(by: &TestCaller, name: &str, key: &str) -> Result<CreateTenantResponse, Status> {
    let request =
        CreateTenantRequest { idempotency_key: key.into(), name: name.into(), ..Default::default() };
    Ok(by.access().create_tenant(request).await?.into_inner())
}

async fn settings(by: &TestCaller) -> TenantSettings {
    let request = GetTenantSettingsRequest {};
    by.access().get_tenant_settings(request).await.unwrap().into_inner().settings.unwrap()
}

async fn update(by: &TestCaller, request: UpdateTenantSettingsRequest) -> Result<TenantSettings, Status> {
    Ok(by.access().update_tenant_settings(request).await?.into_inner().settings.unwrap())
}

/// P10.
#[tokio::test]
async fn a_repeated_creation_is_the_same_tenant_and_shows_no_secret() {
    let app = TestApp::start().await;
    let operator = app.operator();

    let first = create(&operator, "acme", "k-1").await.unwrap();
    let repeat = create(&operator, "acme", "k-1").await.unwrap();
    let reused = create(&operator, "globex", "k-1").await.unwrap_err();
    let another = create(&operator, "acme", "").await.unwrap();

    assert_eq!((&repeat.tenant, repeat.admin_api_key_secret.as_str()), (&first.tenant, ""));
    assert_eq!(repeat.admin_api_key.unwrap().prefix, first.admin_api_key.unwrap().prefix);
    assert_eq!(reason(&reused), "IDEMPOTENCY_KEY_REUSED");
    assert_ne!(another.tenant.unwrap().tenant_id, first.tenant.as_ref().unwrap().tenant_id);
    let admin = app.bearer(&first.admin_api_key_secret);
    assert_eq!(settings(&admin).await.tenant, first.tenant);
}

#[tokio::test]
async fn a_new_tenant_has_the_documented_settings() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let settings = settings(&acme.admin).await;

    let expected = TenantSettings {
        tenant: settings.tenant.clone(),
        default_practitioner_id: String::new(),
        booking_url: String::new(),
        time_zone: "Europe/Berlin".into(),
        phone_region: "DE".into(),
        webhook_limit_per_minute: 100,
        hold_duration: Some(minutes(10)),
        event_retention_months: 24,
        return_urls: vec![],
    };
    assert_eq!(settings, expected);
    assert_eq!(settings.tenant.unwrap().name, "acme");
}

/// P3.
#[tokio::test]
async fn settings_change_as_the_mask_says_and_in_one_tenant_alone() {
    let app = TestApp::start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let untouched = settings(&globex.admin).await;
    let practitioner = desk::add_practitioner(&acme.admin, "Dr. Anna Beispiel", &[]).await.practitioner_id;
    let set = UpdateTenantSettingsRequest {
        default_practitioner_id: practitioner.clone(),
        time_zone: "Europe/Vienna".into(),
        hold_duration: Some(minutes(5)),
        ..Default::default()
    };
    let cleared = UpdateTenantSettingsRequest {
        update_mask: Some(FieldMask { paths: vec!["default_practitioner_id".into()] }),
        time_zone: "Europe/Zurich".into(),
        ..Default::default()
    };

    let changed = update(&acme.admin, set).await.unwrap();
    let masked = update(&acme.admin, cleared).await.unwrap();

    assert_eq!((&changed.default_practitioner_id, changed.hold_duration), (&practitioner, Some(minutes(5))));
    assert_eq!(masked, TenantSettings { default_practitioner_id: String::new(), ..changed });
    assert_eq!(settings(&acme.admin).await, masked);
    assert_eq!(settings(&globex.admin).await, untouched);
}

/// A caller who builds its mask field by field may come to none.
#[tokio::test]
async fn a_mask_that_names_nothing_changes_nothing() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let before = settings(&acme.admin).await;
    let nothing = UpdateTenantSettingsRequest {
        update_mask: Some(FieldMask::default()),
        time_zone: "Europe/Zurich".into(),
        ..Default::default()
    };

    let after = update(&acme.admin, nothing).await.unwrap();

    assert_eq!(after, before);
}

#[tokio::test]
async fn a_setting_that_does_not_fit_is_refused_by_its_field_and_nothing_changes() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let before = settings(&acme.admin).await;
    let other = UpdateTenantSettingsRequest { phone_region: "AT".into(), ..Default::default() };
    let unfit = [
        (UpdateTenantSettingsRequest { time_zone: "Mars/Olympus".into(), ..other.clone() }, "time_zone"),
        (
            UpdateTenantSettingsRequest { booking_url: "http://example.org".into(), ..other.clone() },
            "booking_url",
        ),
        (UpdateTenantSettingsRequest { hold_duration: Some(minutes(61)), ..other.clone() }, "hold_duration"),
        (
            UpdateTenantSettingsRequest { event_retention_months: 121, ..other.clone() },
            "event_retention_months",
        ),
        (
            UpdateTenantSettingsRequest { webhook_limit_per_minute: -1, ..other.clone() },
            "webhook_limit_per_minute",
        ),
        (
            UpdateTenantSettingsRequest {
                update_mask: Some(FieldMask { paths: vec!["tenant".into()] }),
                ..other
            },
            "update_mask",
        ),
    ];

    for (request, field) in unfit {
        assert_eq!(fields(&update(&acme.admin, request).await.unwrap_err()), [field]);
    }
    assert_eq!(settings(&acme.admin).await, before);
}
