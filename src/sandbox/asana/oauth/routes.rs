//! `/-/oauth_authorize`, `/-/oauth_token`, `/-/oauth_revoke`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{StatusCode, Uri};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::consent::{Refused, Request};
use super::refused::TokenRefused;
use super::{Client, Consent};
use crate::sandbox::asana::Error;
use crate::sandbox::asana::api::Operation;
use crate::sandbox::asana::faults::Fault;
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::inner::Inner;
use crate::sandbox::asana::record::Recorded;
use crate::sandbox::asana::refusal::Refusal;

type Fields = HashMap<String, String>;

pub(crate) fn routes(inner: Arc<Inner>) -> Router {
    Router::new()
        .route("/-/oauth_authorize", get(ask).post(decided))
        .route("/-/oauth_token", post(token))
        .route("/-/oauth_revoke", post(revoke))
        .with_state(inner)
}

fn fields(text: &[u8]) -> Fields {
    form_urlencoded::parse(text).into_owned().collect()
}

async fn ask(State(inner): State<Arc<Inner>>, uri: Uri) -> Response {
    let query = fields(uri.query().unwrap_or_default().as_bytes());
    note(&inner, Operation::Authorize, &query);
    match inner.consent() {
        Consent::Ask => match Request::of(&inner.world(), &query) {
            Ok(request) => Html(page(&inner, &request.client, &query)).into_response(),
            Err(refused) => refused.into_response(),
        },
        consent => answer(&inner, &query, consent == Consent::Approve, None),
    }
}

/// A button was pressed.
async fn decided(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let form = fields(&body);
    let is_allowed = form.get("decision").is_some_and(|decision| decision == "allow");
    let user = form.get("user").and_then(|user| user.parse().ok());
    answer(&inner, &form, is_allowed, user)
}

fn answer(inner: &Inner, query: &Fields, is_allowed: bool, user: Option<Gid>) -> Response {
    match decide(inner, query, is_allowed, user) {
        Ok(url) => Redirect::to(url.as_str()).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn decide(inner: &Inner, query: &Fields, is_allowed: bool, user: Option<Gid>) -> Result<url::Url, Refused> {
    let mut world = inner.world_mut();
    let request = Request::of(&world, query)?;
    let user = user.filter(|user| world.users.contains_key(user)).or(world.users.keys().next().copied());
    Ok(match user.filter(|_| is_allowed) {
        Some(user) => request.allowed(&mut world, user, inner.clock.now()),
        None => request.denied(),
    })
}

impl Inner {
    /// As a person with a browser: where the consent page sends them. `None`: shown an error instead.
    pub(crate) fn decide(&self, authorize_url: &str, user: Gid, is_allowed: bool) -> Result<String, Error> {
        let url = url::Url::parse(authorize_url).map_err(|_| Error::Unknown { noun: "URL" })?;
        let query = url.query_pairs().into_owned().collect();
        match decide(self, &query, is_allowed, Some(user)) {
            Ok(url) => Ok(url.into()),
            Err(Refused::SentBack(sent)) => Ok(sent.url().into()),
            Err(Refused::Shown(shown)) => Err(Refusal::bad(shown.0).into()),
        }
    }
}

fn page(inner: &Inner, client: &Client, query: &Fields) -> String {
    let (mut hidden, mut users) = (String::new(), String::new());
    for (name, value) in query {
        let (name, value) = (escaped(name), escaped(value));
        let _ = write!(hidden, r#"<input type="hidden" name="{name}" value="{value}">"#);
    }
    for user in inner.world().users.values() {
        let _ = write!(users, r#"<option value="{}">{}</option>"#, user.gid, escaped(&user.name));
    }
    format!(
        r#"<!doctype html><meta charset="utf-8"><title>Asana (sandbox)</title>
<h1>Grant permission to {}?</h1>
<form method="post">{hidden}
<p><label>as <select name="user">{users}</select></label></p>
<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button>
</form>
"#,
        escaped(&client.id)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

async fn token(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let form = fields(&body);
    note(&inner, Operation::Token, &form);
    let faults = inner.script.of_request(Operation::Token);
    if let Some(refusal) = before(&faults) {
        return refused(&inner, &refusal);
    }
    let answered = exchanged(&inner, &form);
    for fault in &faults {
        match fault {
            Fault::ErrorAfter { status } => return refused(&inner, &Refusal::new(*status, "Server Error")),
            Fault::AnswerDelayed { millis } => {
                tokio::time::sleep(std::time::Duration::from_millis(*millis)).await;
            }
            _ => {}
        }
    }
    match answered {
        Ok(body) => Json(body).into_response(),
        Err(refused) => refused.into_response(),
    }
}

fn exchanged(inner: &Inner, form: &Fields) -> Result<Value, TokenRefused> {
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let mut world = inner.world_mut();
    let now = inner.clock.now();
    let is_known =
        |client: &Client| client.id == given("client_id") && client.secret == given("client_secret");
    if !world.grants.clients.iter().any(is_known) {
        return Err(TokenRefused { error: "invalid_client", description: "The client is not known" });
    }
    let invalid = |description| TokenRefused { error: "invalid_grant", description };
    let (grant, refresh_token) = match given("grant_type") {
        "authorization_code" => {
            // Spent by being looked at: the first to come has it, or nobody.
            let code = world.grants.codes.remove(given("code")).ok_or(invalid("The code is not valid"))?;
            let is_ours = code.client == given("client_id") && code.redirect_uri == given("redirect_uri");
            if !is_ours || now >= code.until {
                return Err(invalid("The code is not valid"));
            }
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(given("code_verifier").as_bytes()));
            if challenge != code.challenge {
                return Err(invalid("The code_verifier does not fit the code_challenge"));
            }
            let grant = world.grants.add(&code.client, code.user, code.scopes);
            (grant, Some(world.grants.refresh(grant)))
        }
        "refresh_token" => {
            let old = given("refresh_token");
            let grant = world.grants.refresh.get(old).copied();
            let is_ours = |grant: &u64| {
                world.grants.grants.get(grant).is_some_and(|grant| grant.app == given("client_id"))
            };
            let grant = grant.filter(is_ours).ok_or(invalid("The refresh token is not valid"))?;
            if inner.rotates_refresh_tokens() {
                world.grants.refresh.remove(old);
                (grant, Some(world.grants.refresh(grant)))
            } else {
                (grant, None)
            }
        }
        _ => return Err(TokenRefused { error: "unsupported_grant_type", description: "No such grant type" }),
    };
    let lifetime = inner.settings.access_token_lifetime;
    let access_token = world.grants.access(grant, Some(now + lifetime));
    let user = world.grants.grants.get(&grant).and_then(|grant| world.users.get(&grant.user));
    let mut body = json!({
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": lifetime.num_seconds(),
        "data": user.map(|user| json!({ "gid": user.gid, "name": user.name, "email": user.email })),
    });
    if let Some(token) = refresh_token {
        body["refresh_token"] = json!(token);
    }
    Ok(body)
}

/// Takes a refresh token; access tokens are malformed here. 200 too where there is nothing to revoke.
async fn revoke(State(inner): State<Arc<Inner>>, body: Bytes) -> Response {
    let form = fields(&body);
    note(&inner, Operation::Revoke, &form);
    if let Some(refusal) = before(&inner.script.of_request(Operation::Revoke)) {
        return refused(&inner, &refusal);
    }
    let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let mut world = inner.world_mut();
    let is_known =
        |client: &Client| client.id == given("client_id") && client.secret == given("client_secret");
    if !world.grants.clients.iter().any(is_known) {
        return TokenRefused { error: "invalid_client", description: "The client is not known" }
            .into_response();
    }
    if given("token").is_empty() || world.grants.access.contains_key(given("token")) {
        return TokenRefused { error: "invalid_request", description: "A refresh token is needed" }
            .into_response();
    }
    if let Some(grant) = world.grants.refresh.remove(given("token")) {
        world.grants.grants.remove(&grant);
        world.grants.drop_orphans();
    }
    (StatusCode::OK, Json(json!({}))).into_response()
}

fn before(faults: &[Fault]) -> Option<Refusal> {
    faults.iter().find_map(|fault| match fault {
        Fault::ErrorBefore { status } => Some(Refusal::new(*status, "Server Error")),
        Fault::Refused { refusal } => Some(refusal.clone()),
        Fault::Throttled { retry_after_seconds } => Some(Refusal::throttled(*retry_after_seconds)),
        _ => None,
    })
}

fn refused(inner: &Inner, refusal: &Refusal) -> Response {
    if refusal.is_the_balancers() {
        return (refusal.http_status(), Html(refusal.page())).into_response();
    }
    (refusal.http_status(), Json(refusal.body(inner.clock.now()))).into_response()
}

/// Never a secret: of what was sent only what is none.
fn note(inner: &Inner, operation: Operation, fields: &Fields) {
    inner.count(operation);
    let (method, path) = operation.route();
    let told = ["grant_type", "client_id", "redirect_uri", "response_type", "scope", "code_challenge_method"];
    let told = told.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())));
    inner.requests.push(|id| Recorded {
        id,
        time: inner.clock.now(),
        operation: Some(operation),
        method: method.to_owned(),
        path: path.to_owned(),
        query: told.collect(),
        user: None,
        grant: None,
        body: Value::Null,
        status: None,
    });
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Shown(shown) => shown.into_response(),
            Self::SentBack(sent) => sent.into_response(),
        }
    }
}
