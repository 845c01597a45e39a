//! Connecting by OAuth 2.0: the way to a provider's consent page and back, and what may go wrong on it.

mod credentials;
mod ends;
mod quiet;
mod rows;

use stellwerk::{
    proto::{self, IntegrationState},
    sandbox::oauth::{Fault, Person},
};
use tonic::Code;

use crate::support::{
    fields,
    oauth::{
        ACCOUNT, CLIENT_ID, DESK, app, come_back, complete, connect, consent, double, obtain_code, param,
        start_request,
    },
    reason,
};

#[tokio::test]
async fn a_person_who_agrees_comes_back_and_the_account_is_connected() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;

    let made = connect(&app, &acme, "asana").await;

    assert_eq!((made.provider.as_str(), made.state()), ("asana", IntegrationState::Connected));
    assert_eq!((made.account_id.as_str(), made.account_name.as_str()), (ACCOUNT, "Erika Muster"));
    assert_eq!(made.name, "Planungsbüro am Wall");
    // Where it is really asked: a double stands in.
    assert_eq!(made.instance_url, format!("{}/api/1.0", asana.url()));
    assert_eq!(asana.requests(), ["authorization_code"]);
    let owner = app.database.owner().await;
    let left = "SELECT count(*) FROM oauth_authorization \
        WHERE sealed_code IS NOT NULL OR sealed_verifier IS NOT NULL";
    assert_eq!(owner.value(left).await, "0");
}

#[tokio::test]
async fn the_consent_page_is_asked_with_state_challenge_and_the_registered_address() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;

    let started =
        acme.admin.integrations().start_authorization(start_request("asana")).await.unwrap().into_inner();

    let url: url::Url = started.authorization_url.parse().unwrap();
    assert_eq!(param(&url, "client_id"), CLIENT_ID);
    assert_eq!(param(&url, "redirect_uri"), "http://hooks.example.org/api/auth/asana/callback");
    assert_eq!(param(&url, "response_type"), "code");
    assert_eq!(param(&url, "code_challenge_method"), "S256");
    assert_eq!((param(&url, "code_challenge").len(), param(&url, "state").len()), (43, 43));
    assert_eq!(param(&url, "scope"), "default");
}

#[tokio::test]
async fn what_went_wrong_at_the_provider_is_told_where_the_person_came_from() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let cases = [
        (Person::Denies, "AUTHORIZATION_DENIED"),
        (Person::MeetsError("server_error"), "PROVIDER_UNAVAILABLE"),
        (Person::MeetsError("forbidden_scopes"), "SCOPES_REFUSED"),
        (Person::MeetsError("something <script>"), "PROVIDER_ERROR"),
    ];

    for (person, expected) in cases {
        asana.person(person);
        let started =
            acme.admin.integrations().start_authorization(start_request("asana")).await.unwrap().into_inner();
        let (status, to, _) = come_back(&app, &consent(&started.authorization_url).await).await;

        let to = to.unwrap();
        assert_eq!((status, param(&to, "reason").as_str()), (303, expected));
        assert!(to.as_str().starts_with(DESK), "{to}");
        assert_eq!(param(&to, "completion_code"), "");
    }
}

/// Asana's trap 32.
#[tokio::test]
async fn a_state_is_used_once() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let started =
        acme.admin.integrations().start_authorization(start_request("asana")).await.unwrap().into_inner();
    let back = consent(&started.authorization_url).await;
    let (_, first, _) = come_back(&app, &back).await;

    let (status, second, _) = come_back(&app, &back).await;

    assert_eq!((status, param(&second.unwrap(), "reason")), (303, "AUTHORIZATION_USED".into()));
    let made = complete(&acme.admin, &param(&first.unwrap(), "completion_code")).await;
    assert_eq!(made.unwrap().state(), IntegrationState::Connected);
}

/// Asana's trap 32.
#[tokio::test]
async fn a_way_is_open_for_ten_minutes() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let owner = app.database.owner().await;
    let age = "UPDATE oauth_authorization SET expire_time = now() - interval '1 s'";
    let started =
        acme.admin.integrations().start_authorization(start_request("asana")).await.unwrap().into_inner();
    let spans = "SELECT extract(epoch FROM expire_time - create_time)::int FROM oauth_authorization";
    assert_eq!(owner.value(spans).await, "600");
    let back = consent(&started.authorization_url).await;

    owner.run(age).await;
    let (_, late, _) = come_back(&app, &back).await;
    let code = obtain_code(&app, &acme.admin, start_request("asana")).await;
    owner.run(age).await;
    let refused = complete(&acme.admin, &code).await.unwrap_err();

    assert_eq!(param(&late.unwrap(), "reason"), "AUTHORIZATION_EXPIRED");
    assert_eq!(reason(&refused), "AUTHORIZATION_EXPIRED");
    assert_eq!(asana.requests(), [""; 0]);
}

/// P2.
#[tokio::test]
async fn a_state_that_nobody_knows_leads_to_a_page_and_nowhere_else() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;

    for query in [
        "",
        "state=nobodys&code=x",
        "code=x&return_url=https://evil.example/",
        "state=a&state=b&code=x",
        "state=&code=x&redirect_uri=https://evil.example/",
        "error=access_denied&error_description=%3Cscript%3E",
    ] {
        let back = format!("http://hooks.example.org/api/auth/asana/callback?{query}").parse().unwrap();
        let (status, to, page) = come_back(&app, &back).await;

        assert_eq!((status, to), (404, None), "{query}");
        assert!(
            page.contains("leads nowhere") && !page.contains("evil") && !page.contains("script"),
            "{page}"
        );
    }
}

/// P2.
#[tokio::test]
async fn people_are_sent_only_where_the_installation_or_the_tenant_allows() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let to = |return_url: &str| proto::StartAuthorizationRequest {
        return_url: return_url.into(),
        ..start_request("asana")
    };

    for foreign in
        ["https://evil.example/", "https://desk.example.org.evil.example/settings", "javascript:alert(1)"]
    {
        let refused = acme.admin.integrations().start_authorization(to(foreign)).await.unwrap_err();
        assert_eq!((refused.code(), fields(&refused)), (Code::InvalidArgument, vec!["return_url".into()]));
    }
    let own = proto::UpdateTenantSettingsRequest {
        return_urls: vec!["https://board.example.com/app/".into()],
        ..Default::default()
    };
    acme.admin.access().update_tenant_settings(own).await.unwrap();
    let started =
        acme.admin.integrations().start_authorization(to("https://board.example.com/app/x?tab=2")).await;
    let started = started.unwrap().into_inner();
    let back = consent(&started.authorization_url).await;
    // Taken back in the meantime.
    app.database.owner().await.run("UPDATE tenant SET return_urls = '{}'").await;
    let (status, to, _) = come_back(&app, &back).await;

    assert_eq!((status, to), (404, None));
}

#[tokio::test]
async fn one_providers_page_cannot_speak_for_another() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let started =
        acme.admin.integrations().start_authorization(start_request("asana")).await.unwrap().into_inner();
    let mut back = consent(&started.authorization_url).await;

    back.set_path("/api/auth/slack/callback");
    let (_, to, _) = come_back(&app, &back).await;

    assert_eq!(param(&to.unwrap(), "reason"), "WRONG_PROVIDER");
}

/// Asana's trap 32. P3.
#[tokio::test]
async fn only_who_began_it_completes_it() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let (acme, globex) = (app.tenant("acme").await, app.tenant("globex").await);
    let code = obtain_code(&app, &acme.admin, start_request("asana")).await;

    let stranger = complete(&globex.admin, &code).await.unwrap_err();
    let colleague = complete(&acme.hr().await, &code).await.unwrap_err();
    let unknown = complete(&acme.admin, "nobodys").await.unwrap_err();

    for refused in [&stranger, &colleague, &unknown] {
        assert_eq!((refused.code(), reason(refused)), (Code::NotFound, "AUTHORIZATION_NOT_FOUND".into()));
    }
    assert_eq!(complete(&acme.admin, &code).await.unwrap().state(), IntegrationState::Connected);
}

#[tokio::test]
async fn a_completion_code_works_once_and_its_repetition_finds_what_it_made() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let code = obtain_code(&app, &acme.admin, start_request("asana")).await;
    let request =
        proto::CompleteAuthorizationRequest { idempotency_key: "once".into(), completion_code: code.clone() };

    let mut integrations = acme.admin.integrations();
    let first = integrations.complete_authorization(request.clone()).await.unwrap().into_inner();
    let again = integrations.complete_authorization(request).await.unwrap().into_inner();
    let other = complete(&acme.admin, &code).await.unwrap_err();

    assert_eq!(first, again);
    assert_eq!(reason(&other), "AUTHORIZATION_USED");
    assert_eq!(asana.requests(), ["authorization_code"]);
}

#[tokio::test]
async fn a_start_that_is_repeated_leaves_one_way_open() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;
    let request =
        proto::StartAuthorizationRequest { idempotency_key: "once".into(), ..start_request("asana") };

    let mut integrations = acme.admin.integrations();
    let first = integrations.start_authorization(request.clone()).await.unwrap().into_inner();
    let again = integrations.start_authorization(request).await.unwrap().into_inner();

    let (status, to, _) = come_back(&app, &consent(&first.authorization_url).await).await;
    assert_eq!((status, to), (404, None));
    let (_, to, _) = come_back(&app, &consent(&again.authorization_url).await).await;
    assert_ne!(param(&to.unwrap(), "completion_code"), "");
}

#[tokio::test]
async fn a_scope_that_was_not_granted_connects_nothing() {
    let github = double("github").await;
    let app = app("github", &github).start().await;
    let acme = app.tenant("acme").await;
    github.grant_only(&["read:user", "user:email"]);
    let code = obtain_code(&app, &acme.admin, start_request("github")).await;

    let refused = complete(&acme.admin, &code).await.unwrap_err();

    assert_eq!((refused.code(), reason(&refused)), (Code::FailedPrecondition, "SCOPES_NOT_GRANTED".into()));
    assert!(refused.message().contains("repo write:repo_hook"), "{}", refused.message());
    assert_eq!(app.database.owner().await.value("SELECT count(*) FROM integration").await, "0");
}

#[tokio::test]
async fn a_token_endpoint_that_fails_says_how_and_a_moments_failure_costs_nothing() {
    let asana = double("asana").await;
    let app = app("asana", &asana).start().await;
    let acme = app.tenant("acme").await;

    for (fault, expected) in [
        (Fault::Page(200), "UNEXPECTED_ANSWER"),
        (Fault::Page(403), "UNEXPECTED_ANSWER"),
        (Fault::Refusal("invalid_grant"), "GRANT_REFUSED"),
        (Fault::Refusal("invalid_client"), "CLIENT_REFUSED"),
        (Fault::Refusal("forbidden"), "REFUSED"),
    ] {
        asana.faults(&[fault]);
        let code = obtain_code(&app, &acme.admin, start_request("asana")).await;
        let refused = complete(&acme.admin, &code).await.unwrap_err();
        assert_eq!(reason(&refused), "AUTHORIZATION_REFUSED");
        assert!(refused.message().ends_with(expected), "{}", refused.message());
    }
    let code = obtain_code(&app, &acme.admin, start_request("asana")).await;
    asana.faults(&[Fault::Page(502)]);
    let later = complete(&acme.admin, &code).await.unwrap_err();

    assert_eq!((later.code(), reason(&later)), (Code::Unavailable, "PROVIDER_UNAVAILABLE".into()));
    assert_eq!(complete(&acme.admin, &code).await.unwrap().state(), IntegrationState::Connected);
}

#[tokio::test]
async fn without_a_registration_nothing_begins_and_a_tenant_may_bring_its_own() {
    let asana = double("asana").await;
    let app = app("asana", &asana).setting("--provider-setting=ASANA_CLIENT_ID=somebody-else").start().await;
    let acme = app.tenant("acme").await;
    let unknown = acme.admin.integrations().start_authorization(start_request("jira")).await.unwrap_err();
    assert_eq!(reason(&unknown), "OAUTH_NOT_CONFIGURED");

    let own = proto::PutOAuthClientRequest {
        provider: "asana".into(),
        client_identifier: CLIENT_ID.into(),
        client_secret: crate::support::oauth::CLIENT_SECRET.into(),
        ..Default::default()
    };
    let put = acme.admin.integrations().put_o_auth_client(own).await.unwrap().into_inner().client.unwrap();
    let made = connect(&app, &acme, "asana").await;

    assert_eq!(put.redirect_uri, "http://hooks.example.org/api/auth/asana/callback");
    assert_eq!(made.state(), IntegrationState::Connected);
}
