//! What must not be read on the way.

use stellwerk::{
    proto::{self, IntegrationState},
    sandbox::oauth::Fault,
};

use crate::support::{
    PATIENCE,
    oauth::{come_back_to, complete, consent, double, param, settings, start_request},
    server::Installation,
    wait_until,
};

/// Asana's trap 35. P10. At every level and in both shapes of the log.
#[tokio::test]
async fn no_state_code_verifier_token_or_secret_is_ever_logged() {
    let installation = Installation::new().await;

    for level in [["--log=trace", "--log-format=text"], ["--log=debug", "--log-format=json"]] {
        let asana = double("asana").await;
        let mut lines = settings("asana", &asana);
        lines.push("--public-url=http://hooks.example.org".into());
        lines.extend(level.map(String::from));
        let server = installation.serve(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let acme = installation.tenant(&server, "acme").await;
        let mut integrations = acme.admin.integrations();
        let mut secrets = Vec::new();

        let started = integrations.start_authorization(start_request("asana")).await.unwrap().into_inner();
        let url: url::Url = started.authorization_url.parse().unwrap();
        let back = consent(&started.authorization_url).await;
        let (_, to, _) = come_back_to(server.http, &back).await;
        let code = param(&to.unwrap(), "completion_code");
        come_back_to(server.http, &back).await;
        secrets.extend([param(&url, "state"), param(&back, "code"), code.clone()]);
        asana.faults(&[Fault::Page(502)]);
        complete(&acme.admin, &code).await.unwrap_err();
        let made = complete(&acme.admin, &code).await.unwrap();
        let refresh = proto::RefreshCredentialRequest { integration_id: made.integration_id.clone() };
        integrations.refresh_credential(refresh.clone()).await.unwrap();
        asana.faults(&[Fault::Refusal("invalid_client")]);
        integrations.refresh_credential(refresh).await.unwrap_err();
        let end = proto::DisconnectIntegrationRequest {
            integration_id: made.integration_id.clone(),
            ..Default::default()
        };
        integrations.disconnect_integration(end).await.unwrap();
        wait_until("it is disconnected", PATIENCE, async || {
            let get = proto::GetIntegrationRequest { integration_id: made.integration_id.clone() };
            let found = acme.admin.integrations().get_integration(get).await.unwrap().into_inner();
            found.integration.unwrap().state() == IntegrationState::Disconnected
        })
        .await;
        secrets.extend(asana.secrets());
        let log = server.stop().await;

        assert!(log.contains("an account was connected") && log.contains("could not be refreshed"), "{log}");
        // State, provider's code, completion code, verifier, two pairs of tokens, the client's secret, and
        // state and code again.
        assert!(secrets.len() >= 10, "{}", secrets.len());
        let found: Vec<_> =
            secrets.iter().filter(|secret| secret.is_empty() || log.contains(secret.as_str())).collect();
        assert!(found.is_empty(), "{level:?}");
    }
}
