//! A tenant whose provider is a double: a person goes to its consent page and comes back as a browser does.

use std::{net::SocketAddr, time::Duration};

use stellwerk::{
    proto::{self, Integration},
    provider::catalog,
    sandbox::oauth::{OAuth, Settings},
};
use tonic::Status;
use url::Url;

use super::{
    app::{TestApp, TestAppBuilder},
    caller::TestCaller,
    log_book,
    tenant::TestTenant,
};

/// Where people come from.
pub(crate) const DESK: &str = "https://desk.example.org/settings";
pub(crate) const CLIENT_ID: &str = "client-4711";
pub(crate) const CLIENT_SECRET: &str = "the-clients-own-secret-0815";
pub(crate) const ACCOUNT: &str = "1201";

/// A provider's double whose one client is ours.
pub(crate) async fn double(provider: &str) -> OAuth {
    log_book::secret(CLIENT_SECRET);
    let double = OAuth::start(provider).await.expect("a free port").expect("a provider with OAuth");
    double.register(Settings {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.into(),
        redirect_uri: format!("http://hooks.example.org/api/auth/{provider}/callback"),
        // As many parts as any row joins.
        account: (
            if provider == "microsoft365" { "t1.o1".into() } else { ACCOUNT.into() },
            "Erika Muster".into(),
        ),
    });
    double
}

/// The settings that lead a server to a double.
pub(crate) fn settings(provider: &str, double: &OAuth) -> Vec<String> {
    let name = provider.to_uppercase();
    vec![
        "--egress-allow=127.0.0.1".into(),
        format!("--return-urls={DESK}"),
        format!("--provider-setting=STELLWERK_{name}_URL={}", double.url()),
        format!("--provider-setting={name}_CLIENT_ID={CLIENT_ID}"),
        format!("--provider-setting={name}_CLIENT_SECRET={CLIENT_SECRET}"),
    ]
}

/// A server that knows the double as its provider.
pub(crate) fn app(provider: &str, double: &OAuth) -> TestAppBuilder {
    settings(provider, double).iter().fold(TestApp::builder(), |app, setting| app.setting(setting))
}

pub(crate) fn start_request(provider: &str) -> proto::StartAuthorizationRequest {
    let row = catalog::find(provider).and_then(|one| one.oauth()).expect("a provider with OAuth");
    let value = |name: &str| match name {
        "subdomain" | "tenant" => "planungsbuero",
        _ => "idp.example.org",
    };
    let missing = row.placeholders.iter().filter(|one| one.default.is_none());
    proto::StartAuthorizationRequest {
        provider: provider.into(),
        name: "Planungsbüro am Wall".into(),
        return_url: DESK.into(),
        placeholders: missing.map(|one| (one.name.into(), value(one.name).into())).collect(),
        ..Default::default()
    }
}

/// Where the provider's page sends a browser that was sent there.
pub(crate) async fn consent(authorization_url: &str) -> Url {
    let answer = browser().get(authorization_url).send().await.expect("a page");
    let status = answer.status();
    let location = answer.headers().get("location").unwrap_or_else(|| panic!("no way back: {status}"));
    location.to_str().expect("text").parse().expect("a URL")
}

/// What our callback answers to that browser: the status, where it is sent, and the page.
pub(crate) async fn come_back(app: &TestApp, back: &Url) -> (u16, Option<Url>, String) {
    come_back_to(app.http(), back).await
}

/// The same at another server.
pub(crate) async fn come_back_to(http: SocketAddr, back: &Url) -> (u16, Option<Url>, String) {
    let here = format!("http://{http}{}?{}", back.path(), back.query().unwrap_or_default());
    let answer = browser().get(here).send().await.expect("an answer");
    let location =
        answer.headers().get("location").map(|to| to.to_str().expect("text").parse().expect("a URL"));
    (answer.status().as_u16(), location, answer.text().await.expect("a body"))
}

/// A parameter of the URL that somebody was sent to.
pub(crate) fn param(url: &Url, name: &str) -> String {
    let value = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let value = value.unwrap_or_default();
    if ["state", "code", "completion_code"].contains(&name) {
        log_book::secret(&value);
    }
    value
}

/// From the start to the return with a completion code.
pub(crate) async fn obtain_code(
    app: &TestApp,
    caller: &TestCaller,
    request: proto::StartAuthorizationRequest,
) -> String {
    let started = caller.integrations().start_authorization(request).await.expect("a start").into_inner();
    let (_, to, _) = come_back(app, &consent(&started.authorization_url).await).await;
    let to = to.expect("a way back");
    let code = param(&to, "completion_code");
    assert!(!code.is_empty(), "{:?}", param(&to, "reason"));
    code
}

pub(crate) async fn complete(caller: &TestCaller, code: &str) -> Result<Integration, Status> {
    let request = proto::CompleteAuthorizationRequest { completion_code: code.into(), ..Default::default() };
    let done = caller.integrations().complete_authorization(request).await?;
    Ok(done.into_inner().integration.expect("an integration"))
}

/// The whole way.
pub(crate) async fn connect(app: &TestApp, tenant: &TestTenant, provider: &str) -> Integration {
    let code = obtain_code(app, &tenant.admin, start_request(provider)).await;
    complete(&tenant.admin, &code).await.expect("connected")
}

#[expect(clippy::disallowed_methods, reason = "a browser outside the program, not its way out")]
fn browser() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stays = reqwest::redirect::Policy::none();
    let built =
        reqwest::Client::builder().timeout(Duration::from_secs(30)).redirect(stays).no_proxy().build();
    built.expect("a client")
}
