//! The OAuth dance.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::*;
use crate::sandbox::keeper::tests::Folder;

const BACK: &str = "http://127.0.0.1:7211/api/auth/asana/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

impl Stage {
    fn app(&self, scopes: Option<&[&str]>) -> Client {
        let client = Client {
            id: "1204".into(),
            secret: "not so secret".into(),
            redirect_uris: vec![BACK.into()],
            scopes: scopes.map(|scopes| scopes.iter().map(|one| (*one).to_owned()).collect()),
        };
        self.asana.add_client(client.clone());
        client
    }

    fn link(&self, changes: &[(&str, &str)]) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let mut pairs = vec![
            ("client_id", "1204"),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("state", "xyz"),
            ("code_challenge_method", "S256"),
            ("code_challenge", &challenge),
        ];
        pairs.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        pairs.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        Url::parse_with_params(&format!("{}/-/oauth_authorize", self.asana.url()), pairs).unwrap().into()
    }

    /// Where a browser is sent.
    async fn browse(&self, link: &str) -> Result<Url, String> {
        let reply = self.client.get(link).send().await.unwrap();
        match reply.headers().get("location") {
            Some(location) => Ok(location.to_str().unwrap().parse().unwrap()),
            None => Err(reply.text().await.unwrap()),
        }
    }

    async fn form(&self, path: &str, pairs: &[(&str, &str)]) -> (u16, Value) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let request = self.client.post(format!("{}/-/{path}", self.asana.url())).body(body);
        let reply = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap())
    }

    async fn exchange(&self, code: &str, verifier: &str) -> (u16, Value) {
        self.form(
            "oauth_token",
            &[
                ("grant_type", "authorization_code"),
                ("client_id", "1204"),
                ("client_secret", "not so secret"),
                ("redirect_uri", BACK),
                ("code", code),
                ("code_verifier", verifier),
            ],
        )
        .await
    }

    async fn refresh(&self, token: &str) -> (u16, Value) {
        self.form(
            "oauth_token",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", "1204"),
                ("client_secret", "not so secret"),
                ("refresh_token", token),
            ],
        )
        .await
    }

    async fn tokens(&self) -> Value {
        let back = self.asana.decide(&self.link(&[]), self.erika, true).unwrap();
        self.exchange(&query(&back.parse().unwrap(), "code").unwrap(), VERIFIER).await.1
    }

    async fn me(&self, token: &Value) -> u16 {
        self.call_as(token.as_str(), Method::GET, "/users/me", None).await.status
    }
}

fn query(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(one, _)| one == name).map(|(_, value)| value.into_owned())
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap()
}

#[tokio::test]
async fn the_dance_ends_with_tokens_and_the_user_but_no_workspace() {
    let stage = Stage::with(Settings { consent: Consent::Approve, ..Settings::default() }).await;
    stage.app(None);

    let back = stage.browse(&stage.link(&[])).await.unwrap();
    let (status, tokens) = stage.exchange(&query(&back, "code").unwrap(), VERIFIER).await;

    assert_eq!(query(&back, "state").as_deref(), Some("xyz"));
    assert_eq!((status, text(&tokens, "token_type"), &tokens["expires_in"]), (200, "bearer", &json!(3600)));
    assert_eq!(
        tokens["data"],
        json!({ "gid": stage.erika, "name": "Erika Muster", "email": "erika.muster@example.org" })
    );
    assert_eq!(stage.me(&tokens["access_token"]).await, 200);
}

#[tokio::test]
async fn a_code_is_spent_once_and_only_with_its_verifier() {
    let stage = Stage::with(Settings { consent: Consent::Approve, ..Settings::default() }).await;
    stage.app(None);
    let code = async || query(&stage.browse(&stage.link(&[])).await.unwrap(), "code").unwrap();

    let (first, second) = (code().await, code().await);
    let wrong = stage.exchange(&first, "another-verifier-of-forty-three-characters-xyz").await;
    let after_wrong = stage.exchange(&first, VERIFIER).await;
    let right = stage.exchange(&second, VERIFIER).await;
    let twice = stage.exchange(&second, VERIFIER).await;
    let third = code().await;
    stage.asana.advance(TimeDelta::minutes(6)).await;
    let late = stage.exchange(&third, VERIFIER).await;

    assert_eq!([wrong.0, after_wrong.0, right.0, twice.0, late.0], [400, 400, 200, 400, 400]);
    assert_eq!(text(&wrong.1, "error"), "invalid_grant");
}

#[tokio::test]
async fn strangers_are_shown_an_error_and_everybody_else_is_sent_back_with_a_reason() {
    let stage = Stage::with(Settings { consent: Consent::Approve, ..Settings::default() }).await;
    stage.app(None);
    let reason = async |changes: &[(&str, &str)]| {
        let back = stage.browse(&stage.link(changes)).await;
        back.map(|back| query(&back, "error").unwrap_or_default())
    };

    assert!(reason(&[("client_id", "1")]).await.is_err());
    assert!(reason(&[("redirect_uri", "https://evil.example.org/")]).await.is_err());
    assert_eq!(reason(&[("code_challenge", "")]).await.unwrap(), "invalid_request");
    assert_eq!(reason(&[("code_challenge_method", "plain")]).await.unwrap(), "invalid_request");
    assert_eq!(reason(&[("state", "")]).await.unwrap(), "invalid_request");
    assert_eq!(reason(&[("scope", "tasks:read")]).await.unwrap(), "forbidden_scopes");
    assert_eq!(reason(&[("scope", "default")]).await.unwrap(), "");
    stage.asana.set_consent(Consent::Deny);
    assert_eq!(reason(&[]).await.unwrap(), "access_denied");
}

#[tokio::test]
async fn the_consent_page_asks_and_a_button_answers() {
    let stage = Stage::start().await;
    stage.app(None);
    let link = stage.link(&[]);

    let page = stage.browse(&link).await.unwrap_err();
    let pairs: Vec<(String, String)> = Url::parse(&link).unwrap().query_pairs().into_owned().collect();
    let press = async |decision: &str| {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&pairs)
            .append_pair("decision", decision)
            .append_pair("user", &stage.max.to_string())
            .finish();
        let request = stage.client.post(format!("{}/-/oauth_authorize", stage.asana.url())).body(body);
        let reply = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        Url::parse(reply.headers()["location"].to_str().unwrap()).unwrap()
    };
    let (allowed, denied) = (press("allow").await, press("deny").await);
    let (_, tokens) = stage.exchange(&query(&allowed, "code").unwrap(), VERIFIER).await;

    assert!(page.contains("Allow") && page.contains("Max Beispiel"), "{page}");
    assert_eq!(tokens["data"]["name"], "Max Beispiel");
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn access_tokens_end_after_an_hour_and_a_refresh_gives_another() {
    let stage = Stage::start().await;
    stage.app(None);
    let tokens = stage.tokens().await;
    stage.asana.advance(TimeDelta::minutes(61)).await;

    let ended = stage.me(&tokens["access_token"]).await;
    let (status, fresh) = stage.refresh(text(&tokens, "refresh_token")).await;
    let again = stage.refresh(text(&tokens, "refresh_token")).await;

    assert_eq!((ended, status, again.0), (401, 200, 200));
    assert!(fresh.get("refresh_token").is_none(), "the old one stays");
    assert_eq!(stage.me(&fresh["access_token"]).await, 200);
}

#[tokio::test]
async fn refresh_tokens_can_be_made_to_work_once_only() {
    let stage = Stage::with(Settings { rotates_refresh_tokens: true, ..Settings::default() }).await;
    stage.app(None);
    let old = stage.tokens().await;

    let (_, fresh) = stage.refresh(text(&old, "refresh_token")).await;
    let (burnt, why) = stage.refresh(text(&old, "refresh_token")).await;
    let (next, _) = stage.refresh(text(&fresh, "refresh_token")).await;

    assert_eq!((burnt, text(&why, "error"), next), (400, "invalid_grant", 200));
}

#[tokio::test]
async fn revocation_takes_refresh_tokens_only_and_ends_everything_made_from_them() {
    let stage = Stage::start().await;
    stage.app(None);
    let tokens = stage.tokens().await;
    let revoke = async |token: &str| {
        let who = [("client_id", "1204"), ("client_secret", "not so secret"), ("token", token)];
        stage.form("oauth_revoke", &who).await.0
    };

    let by_access = revoke(text(&tokens, "access_token")).await;
    let still = stage.me(&tokens["access_token"]).await;
    let by_refresh = revoke(text(&tokens, "refresh_token")).await;
    let ended = stage.me(&tokens["access_token"]).await;
    let unknown = revoke(text(&tokens, "refresh_token")).await;
    let (refreshed, _) = stage.refresh(text(&tokens, "refresh_token")).await;

    assert_eq!([by_access, still, by_refresh, ended, unknown, refreshed], [400, 200, 200, 401, 200, 400]);
}

#[tokio::test]
async fn a_wrong_secret_is_our_configuration_and_a_withdrawn_authorisation_the_grant() {
    let stage = Stage::start().await;
    stage.app(None);
    let tokens = stage.tokens().await;
    let wrong = [
        ("grant_type", "refresh_token"),
        ("client_id", "1204"),
        ("client_secret", "wrong"),
        ("refresh_token", text(&tokens, "refresh_token")),
    ];

    let (status, body) = stage.form("oauth_token", &wrong).await;
    let taken = stage.asana.take_back(stage.erika, "1204");
    let (gone, why) = stage.refresh(text(&tokens, "refresh_token")).await;

    assert_eq!((status, text(&body, "error")), (401, "invalid_client"));
    assert_eq!((taken, gone, text(&why, "error")), (1, 400, "invalid_grant"));
}

#[tokio::test]
async fn granular_scopes_reach_what_they_name_and_never_the_event_streams() {
    let stage = Stage::start().await;
    stage.app(Some(&["tasks:read", "users:read"]));
    let with_default = stage.asana.decide(&stage.link(&[]), stage.erika, true).unwrap();
    let unknown = stage.asana.decide(&stage.link(&[("scope", "tribes:read")]), stage.erika, true).unwrap();
    let link = stage.link(&[("scope", "tasks:read users:read")]);
    let back: Url = stage.asana.decide(&link, stage.erika, true).unwrap().parse().unwrap();
    let (_, tokens) = stage.exchange(&query(&back, "code").unwrap(), VERIFIER).await;
    let ask = async |method: Method, path: &str| {
        stage.call_as(tokens["access_token"].as_str(), method, path, None).await.status
    };
    let task = stage.task("Fundament");

    assert_eq!(query(&with_default.parse().unwrap(), "error").as_deref(), Some("forbidden_scopes"));
    assert_eq!(query(&unknown.parse().unwrap(), "error").as_deref(), Some("invalid_scope"));
    assert_eq!(ask(Method::GET, "/users/me").await, 200);
    assert_eq!(ask(Method::GET, &format!("/tasks/{task}")).await, 200);
    assert_eq!(ask(Method::DELETE, &format!("/tasks/{task}")).await, 403);
    assert_eq!(ask(Method::GET, &format!("/events?resource={}", stage.project)).await, 403);
}

#[tokio::test]
async fn a_person_with_a_browser_presses_a_button_and_follows_the_app() {
    let stage = Stage::start().await;
    let app = axum::Router::new().fallback(async |uri: http::Uri| {
        let home = format!("http://desk.example.org/?{}", uri.query().unwrap_or_default());
        axum::response::Redirect::to(&home)
    });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let back = format!("http://{}/callback", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    stage.asana.add_client(Client { redirect_uris: vec![back.clone()], ..stage.app(None) });
    let link = stage.link(&[("redirect_uri", &back)]);

    let allowed = stage.erika().allow(&link).await.unwrap();
    let denied = stage.erika().deny(&link).await.unwrap();

    assert_eq!(allowed.host_str(), Some("desk.example.org"));
    assert!(query(&allowed, "code").is_some());
    assert_eq!(query(&denied, "error").as_deref(), Some("access_denied"));
}

#[tokio::test]
async fn an_app_and_its_authorisation_outlive_the_double() {
    let folder = Folder::new("asana-oauth");
    let first = Stage::kept(&folder).await;
    let app = first.app(None);
    let tokens = first.tokens().await;

    let second = first.next_life(&folder).await;

    assert_eq!(second.asana.client(&app.id), Some(app));
    assert_eq!(second.me(&tokens["access_token"]).await, 200);
    assert_eq!(second.refresh(text(&tokens, "refresh_token")).await.0, 200);
}
