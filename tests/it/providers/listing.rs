//! What is said about providers, and that it is so.

use stellwerk::proto::{
    CreateWebhookEndpointRequest, CredentialKind, ListProvidersRequest, Provider, RecordKind,
    RotateWebhookSecretRequest, SignatureScheme, WebhookSecretSource,
};
use tonic::Code;

use super::Hook;
use crate::support::{app::TestApp, caller::TestCaller, reason};

async fn listed(by: &TestCaller) -> Vec<Provider> {
    let request = ListProvidersRequest { page_size: 200, ..Default::default() };
    by.integrations().list_providers(request).await.unwrap().into_inner().providers
}

#[tokio::test]
async fn all_fifteen_are_listed_and_only_three_move_records() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let providers = listed(&acme.admin).await;

    let moving: Vec<_> = providers
        .iter()
        .filter(|one| !one.inbound.is_empty() || !one.outbound.is_empty())
        .map(|one| one.provider.as_str())
        .collect();
    assert_eq!((providers.len(), moving), (15, vec!["asana", "booking", "calcom"]));
    assert!(providers.iter().map(|one| &one.provider).is_sorted());
    let find = |key: &str| providers.iter().find(|one| one.provider == key).unwrap();
    let kinds = |key: &str| find(key).credential_kinds().collect::<Vec<_>>();
    assert_eq!(kinds("asana"), [CredentialKind::Oauth2]);
    assert_eq!(kinds("calcom"), [CredentialKind::Oauth2, CredentialKind::ApiKey]);
    assert_eq!(kinds("booking"), []);
    assert_eq!(find("asana").outbound().collect::<Vec<_>>(), [RecordKind::Phases]);
    let makes: Vec<_> = providers.iter().filter(|one| one.makes_webhooks).map(|one| &*one.provider).collect();
    assert_eq!(makes, ["asana", "calcom"]);
    let slack = &find("slack").webhooks[0];
    assert_eq!(
        (slack.scheme(), slack.secret_source()),
        (SignatureScheme::Slack, WebhookSecretSource::Provider)
    );
    // Nothing is configured here.
    assert!(providers.iter().all(|one| !one.has_client && one.client_webhook_url.is_empty()));
    assert_eq!(find("bamboohr").placeholders[0].name, "subdomain");
    assert_eq!(find("gitlab").placeholders[0].default_value, "gitlab.com");
}

#[tokio::test]
async fn an_address_can_be_made_for_every_way_to_sign_that_is_listed_and_for_no_other() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;

    let mut made = 0;
    for provider in listed(&acme.admin).await {
        for scheme in SignatureScheme::Legacy as i32..=SignatureScheme::Zendesk as i32 {
            let request = CreateWebhookEndpointRequest {
                provider: provider.provider.clone(),
                scheme,
                ..Default::default()
            };
            let answer = acme.admin.webhooks().create_webhook_endpoint(request).await;

            let entry = provider.webhooks.iter().find(|one| one.scheme == scheme);
            match entry.filter(|_| !provider.makes_webhooks) {
                Some(entry) => {
                    let answer = answer.unwrap().into_inner();
                    let is_made_here = entry.secret_source() == WebhookSecretSource::Here;
                    assert_eq!(answer.secret.is_empty(), !is_made_here, "{provider:?}");
                    assert_eq!(answer.webhook_endpoint.unwrap().scheme, scheme);
                    made += 1;
                }
                None => assert_eq!(answer.unwrap_err().code(), Code::InvalidArgument, "{provider:?}"),
            }
        }
    }
    assert_eq!(made, 18);
    let unknown = CreateWebhookEndpointRequest { provider: "timetac".into(), ..Default::default() };
    let refused = acme.admin.webhooks().create_webhook_endpoint(unknown).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::NotFound, "PROVIDER_NOT_FOUND"));
}

/// P2.
#[tokio::test]
async fn a_secret_is_taken_where_the_provider_makes_it_and_nowhere_else() {
    let app = TestApp::start().await;
    let acme = app.tenant("acme").await;
    let github = Hook::of(&app, &acme, "github", SignatureScheme::Github, "").await;
    let zendesk = Hook::of(&app, &acme, "zendesk", SignatureScheme::Zendesk, "").await;
    let rotate = async |hook: &Hook, secret: &str| {
        let request = RotateWebhookSecretRequest {
            webhook_endpoint_id: hook.endpoint.webhook_endpoint_id.clone(),
            secret: secret.into(),
            ..Default::default()
        };
        let rotated = acme.admin.webhooks().rotate_webhook_secret(request).await;
        rotated.map(|rotated| rotated.into_inner().secret).map_err(|status| status.code())
    };

    assert_eq!(rotate(&github, "a-secret-of-my-own").await, Err(Code::InvalidArgument));
    assert_eq!(rotate(&github, "").await.unwrap().len(), 64);
    assert_eq!(rotate(&zendesk, "").await, Err(Code::InvalidArgument));
    assert_eq!(rotate(&zendesk, "short").await, Err(Code::InvalidArgument));
    assert_eq!(rotate(&zendesk, "with a blank inside").await, Err(Code::InvalidArgument));
    assert_eq!(rotate(&zendesk, "as-zendesk-shows-it").await, Ok(String::new()));
}
