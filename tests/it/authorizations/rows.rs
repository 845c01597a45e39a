//! Every provider of the catalog, from its row alone.

use stellwerk::{
    proto::{self, IntegrationState},
    provider::catalog::{self, oauth as row},
};

use crate::support::{
    app::TestApp,
    oauth::{CLIENT_ID, CLIENT_SECRET, connect, double, settings, start_request},
};

/// The double refuses what is not exactly as the row says: challenge, parameters, format, headers, how the client shows itself.
#[tokio::test]
async fn every_provider_connects_refreshes_and_ends_by_what_its_row_says() {
    let mut doubles = Vec::new();
    let mut all = TestApp::builder();
    for provider in catalog::all().iter().filter(|one| one.oauth().is_some()) {
        let double = double(provider.id).await;
        all = settings(provider.id, &double).iter().fold(all, |app, setting| app.setting(setting));
        doubles.push((*provider, double));
    }
    let app = all.start().await;
    let acme = app.tenant("acme").await;

    assert!(doubles.len() >= 13, "{}", doubles.len());
    for (provider, double) in &doubles {
        let oauth = provider.oauth().unwrap();
        if oauth.client == row::Client::Tenants {
            let own = proto::PutOAuthClientRequest {
                provider: provider.id.into(),
                client_identifier: CLIENT_ID.into(),
                client_secret: CLIENT_SECRET.into(),
                ..Default::default()
            };
            acme.admin.integrations().put_o_auth_client(own).await.unwrap();
        }
        let made = connect(&app, &acme, provider.id).await;
        assert_eq!(made.state(), IntegrationState::Connected, "{}", provider.id);
        let placeholder = start_request(provider.id).placeholders;
        let expected = match oauth.account {
            row::Account::Placeholder(name) => placeholder[name].clone(),
            row::Account::IdToken { id, .. } if id.len() > 1 => "t1.o1".into(),
            _ => crate::support::oauth::ACCOUNT.into(),
        };
        assert_eq!(made.account_id, expected, "{}", provider.id);

        if oauth.refresh.access_lifetime_s.is_some() {
            let request = proto::RefreshCredentialRequest { integration_id: made.integration_id.clone() };
            for _ in 0..2 {
                let refreshed = acme.admin.integrations().refresh_credential(request.clone()).await;
                refreshed.unwrap_or_else(|error| panic!("{}: {error:?}", provider.id));
            }
            assert_eq!(double.requests(), ["authorization_code", "refresh_token", "refresh_token"]);
        }

        let request = proto::DisconnectIntegrationRequest {
            integration_id: made.integration_id.clone(),
            ..Default::default()
        };
        acme.admin.integrations().disconnect_integration(request).await.unwrap();
        app.work_until_idle().await;
        let get = proto::GetIntegrationRequest { integration_id: made.integration_id };
        let ended = acme.admin.integrations().get_integration(get).await.unwrap().into_inner();
        let ended = ended.integration.unwrap();
        assert_eq!(ended.state(), IntegrationState::Disconnected, "{}", provider.id);
        let (left, revocations) = if oauth.revoke.is_some() { ("", 1) } else { ("GRANT_LEFT", 0) };
        assert_eq!(
            (ended.state_reason.as_str(), double.revocations()),
            (left, revocations),
            "{}",
            provider.id
        );
    }
    assert_eq!(app.database.owner().await.value("SELECT count(*) FROM credential").await, "0");
}
