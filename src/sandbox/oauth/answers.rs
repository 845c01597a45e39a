//! What is answered, in the row's own form.

use axum::{
    Json,
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, LOCATION},
};
use serde_json::{Map, Value, json};
use url::Url;

use super::{Asked, Inner, World};
use crate::provider::catalog::{
    Pointer,
    oauth::{Account, Failure},
};

pub(super) fn text(status: StatusCode, text: &'static str) -> Response {
    (status, text).into_response()
}

pub(super) fn page(status: u16) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    (status, Html("<!doctype html><title>Something went wrong</title>")).into_response()
}

pub(super) fn redirect(to: &Url) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(location) = HeaderValue::from_str(to.as_str()) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Unguessable, and told apart from everything else in a log.
pub(super) fn secret(kind: &str) -> String {
    format!("double-{kind}-{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

pub(super) fn refusal(inner: &Inner, code: &str) -> Response {
    match inner.row.failure {
        Failure::Status if code == "invalid_client" => {
            (StatusCode::UNAUTHORIZED, Json(json!({ "error": code }))).into_response()
        }
        Failure::Status => {
            let said = json!({ "error": code, "error_description": "not this one" });
            (StatusCode::BAD_REQUEST, Json(said)).into_response()
        }
        Failure::ErrorField => Json(json!({ "error": code })).into_response(),
        Failure::OkFlag => Json(json!({ "ok": false, "error": code })).into_response(),
    }
}

/// A token answer.
pub(super) fn tokens(
    inner: &Inner,
    world: &World,
    access: &str,
    refresh: Option<&str>,
    scopes: &[String],
) -> Response {
    let (id, name) = world.settings.as_ref().map(|one| one.account.clone()).unwrap_or_default();
    let client = world.settings.as_ref().map(|one| one.client_id.clone()).unwrap_or_default();
    let mut answer = Value::Object(Map::new());
    answer["access_token"] = access.into();
    answer["token_type"] = "bearer".into();
    // A provider without scopes says nothing of them.
    if !scopes.is_empty() {
        answer["scope"] = scopes.join(&inner.row.granted_separator.to_string()).into();
    }
    if let Some(life) = inner.row.refresh.access_lifetime_s {
        answer["expires_in"] = life.into();
    }
    answer["refresh_token"] = refresh.map_or(Value::Null, Into::into);
    if inner.row.failure == Failure::OkFlag {
        answer["ok"] = true.into();
    }
    match &inner.row.account {
        Account::Token { .. } if world.is_secretive => {}
        Account::Token { id: places, name: names, .. } => {
            // The id last: at some providers it is all the name there is.
            for (places, text) in [(names, &name), (places, &id)] {
                if let Some(place) = places.first() {
                    put(&mut answer, place, text);
                }
            }
        }
        Account::IdToken { id: claims, name: names } => {
            let mut said = json!({ "aud": client });
            // As many parts as the row joins.
            for (part, claim) in id.split('.').zip(claims.iter()) {
                said[*claim] = part.into();
            }
            for claim in names.iter() {
                said[*claim] = name.clone().into();
            }
            let payload = URL_SAFE_NO_PAD.encode(said.to_string());
            answer["id_token"] = format!("e30.{payload}.").into();
        }
        Account::Call(_) | Account::Placeholder(_) => {}
    }
    Json(answer).into_response()
}

/// Whose account a bearer's is.
pub(super) fn account(inner: &Inner, asked: &Asked) -> Response {
    let bearer = asked.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| text.strip_prefix("Bearer ")).unwrap_or_default();
    let world = inner.world();
    if !world.grants.iter().any(|grant| grant.access.iter().any(|one| one == bearer)) {
        return text(StatusCode::UNAUTHORIZED, "unknown token");
    }
    let (Some(call), Some(settings)) = (inner.row.account.call(), &world.settings) else {
        return text(StatusCode::NOT_FOUND, "no such route");
    };
    let mut one = Value::Object(Map::new());
    put(&mut one, call.id, &settings.account.0);
    put(&mut one, call.name, &settings.account.1);
    // One site is listed once per product.
    let answer = if call.is_list { json!([one, one]) } else { one };
    Json(answer).into_response()
}

/// Sets the text at a place, making what is on the way.
fn put(answer: &mut Value, place: Pointer, text: &str) {
    let mut here = answer;
    for step in place.split('/').skip(1) {
        if !here.is_object() {
            *here = Value::Object(Map::new());
        }
        here = &mut here[step];
    }
    *here = text.into();
}
