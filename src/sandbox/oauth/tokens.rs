//! The token endpoint and the end of grants.

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{Asked, Fault, Grant, Inner, World, answers};
use crate::provider::catalog::oauth::{
    BodyFormat, Failure, Pkce, RevokeAuth, RevokeMethod, Rotation, TokenAuth,
};

type Fields = BTreeMap<String, String>;

pub(super) fn token(inner: &Inner, asked: &Asked) -> Response {
    let mut world = inner.world();
    let fault = world.faults.pop_front();
    match fault {
        Some(Fault::Page(status)) => return answers::page(status),
        Some(Fault::Refusal(code)) => return answers::refusal(inner, code),
        Some(Fault::LostAnswer) | None => {}
    }
    let answered = match give(inner, &mut world, asked) {
        Ok(response) => response,
        Err(code) => answers::refusal(inner, code),
    };
    if fault == Some(Fault::LostAnswer) { answers::page(504) } else { answered }
}

fn give(inner: &Inner, world: &mut World, asked: &Asked) -> Result<Response, &'static str> {
    let row = inner.row;
    let fields =
        fields(asked, row.token_format).filter(|_| asked.method == Method::POST).ok_or("invalid_request")?;
    let has_headers = row
        .token_headers
        .iter()
        .all(|(name, value)| asked.headers.get(*name).is_some_and(|one| one == value));
    let has_params =
        row.token_params.iter().all(|(name, value)| fields.get(*name).is_some_and(|one| one == value));
    if !has_headers || !has_params {
        return Err("invalid_request");
    }
    let shown = match row.token_auth {
        TokenAuth::Basic => basic(asked).filter(|_| !fields.contains_key("client_secret")),
        TokenAuth::Body => pair(&fields).filter(|_| !asked.headers.contains_key(AUTHORIZATION)),
    };
    let ours = world.settings.as_ref().map(|one| (one.client_id.clone(), one.client_secret.clone()));
    if shown.is_none() || shown != ours {
        return Err(match row.failure {
            Failure::Status => "invalid_client",
            Failure::ErrorField => "incorrect_client_credentials",
            Failure::OkFlag => "bad_client_secret",
        });
    }
    let said = |name: &str| fields.get(name).map(String::as_str).unwrap_or_default();
    world.requests.push(said("grant_type").into());
    match said("grant_type") {
        "authorization_code" => by_code(inner, world, &fields),
        "refresh_token" => by_refresh(inner, world, &fields),
        _ => Err("unsupported_grant_type"),
    }
}

fn by_code(inner: &Inner, world: &mut World, fields: &Fields) -> Result<Response, &'static str> {
    let over = match inner.row.failure {
        Failure::Status => "invalid_grant",
        Failure::ErrorField => "bad_verification_code",
        Failure::OkFlag => "invalid_code",
    };
    let code = fields.get("code").and_then(|code| world.codes.get_mut(code)).ok_or(over)?;
    let verified = match (&code.challenge, fields.get("code_verifier")) {
        (Some(challenge), Some(verifier)) => {
            (43..=128).contains(&verifier.len())
                && URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) == *challenge
        }
        (None, None) => inner.row.pkce == Pkce::Unsupported,
        _ => false,
    };
    if code.is_used || !verified || fields.get("redirect_uri") != Some(&code.redirect_uri) {
        return Err(over);
    }
    code.is_used = true;
    let code = code.clone();
    world.secrets.extend(fields.get("code_verifier").cloned());
    let access = answers::secret("access");
    let is_refreshable =
        inner.row.refresh.needs_scope.is_none_or(|scope| code.scopes.iter().any(|one| one == scope))
            && inner.row.refresh.access_lifetime_s.is_some();
    let refresh = is_refreshable.then(|| answers::secret("refresh"));
    world.secrets.push(access.clone());
    world.secrets.extend(refresh.clone());
    let answer = answers::tokens(inner, world, &access, refresh.as_deref(), &code.scopes);
    world.grants.push(Grant {
        access: vec![access],
        refresh: refresh.into_iter().collect(),
        scopes: code.scopes,
        redirect_uri: code.redirect_uri,
    });
    Ok(answer)
}

fn by_refresh(inner: &Inner, world: &mut World, fields: &Fields) -> Result<Response, &'static str> {
    let over = match inner.row.failure {
        Failure::Status => "invalid_grant",
        Failure::ErrorField => "bad_refresh_token",
        Failure::OkFlag => "invalid_refresh_token",
    };
    let shown = fields.get("refresh_token").ok_or("invalid_request")?;
    let grant = world.grants.iter_mut().find(|grant| grant.refresh.contains(shown)).ok_or(over)?;
    if inner.row.refresh.sends_redirect_uri && fields.get("redirect_uri") != Some(&grant.redirect_uri) {
        return Err("invalid_request");
    }
    let access = answers::secret("access");
    let fresh = match inner.row.refresh.rotation {
        Rotation::Never => None,
        Rotation::Replaced => Some(answers::secret("refresh")),
        Rotation::SingleUse | Rotation::Unsettled => {
            (grant.refresh, grant.access) = (Vec::new(), Vec::new());
            Some(answers::secret("refresh"))
        }
    };
    grant.access.push(access.clone());
    grant.refresh.extend(fresh.clone());
    let scopes = grant.scopes.clone();
    world.secrets.push(access.clone());
    world.secrets.extend(fresh.clone());
    Ok(answers::tokens(inner, world, &access, fresh.as_deref(), &scopes))
}

pub(super) fn revoke(inner: &Inner, asked: &Asked) -> Response {
    let Some(row) = &inner.row.revoke else { return answers::text(StatusCode::NOT_FOUND, "no such route") };
    let mut world = inner.world();
    let method = match row.method {
        RevokeMethod::Post => Method::POST,
        RevokeMethod::Delete => Method::DELETE,
    };
    let fields = fields(asked, row.format).unwrap_or_default();
    let bearer = asked.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|text| text.strip_prefix("Bearer ")).map(Into::into);
    let ours = world.settings.as_ref().map(|one| (one.client_id.clone(), one.client_secret.clone()));
    let may = match row.auth {
        RevokeAuth::Bearer | RevokeAuth::Nothing => true,
        RevokeAuth::Basic => basic(asked) == ours,
        RevokeAuth::Body => pair(&fields) == ours,
    };
    if asked.method != method || !may {
        return answers::text(StatusCode::BAD_REQUEST, "not like this");
    }
    let token: Option<String> = match row.param {
        Some(param) => fields.get(param).cloned(),
        None => bearer,
    };
    use crate::provider::catalog::oauth::RevokedToken;
    let is_it = |grant: &Grant| {
        let of_kind = match row.token {
            RevokedToken::Access => &grant.access,
            RevokedToken::Refresh => &grant.refresh,
        };
        token.as_ref().is_some_and(|token| of_kind.contains(token))
    };
    let before = world.grants.len();
    world.grants.retain(|grant| !is_it(grant));
    if world.grants.len() == before {
        // The other kind of token, as Asana refuses it.
        return answers::text(StatusCode::BAD_REQUEST, "not this token");
    }
    world.revocations += 1;
    match inner.row.failure {
        Failure::OkFlag => axum::Json(serde_json::json!({ "ok": true, "revoked": true })).into_response(),
        Failure::Status | Failure::ErrorField => StatusCode::OK.into_response(),
    }
}

/// The body's fields, if it is of the format that the row wants.
fn fields(asked: &Asked, format: BodyFormat) -> Option<Fields> {
    let kind = asked.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match format {
        BodyFormat::Form if kind.starts_with("application/x-www-form-urlencoded") => {
            Some(form_urlencoded::parse(&asked.body).into_owned().collect())
        }
        BodyFormat::Json if kind.starts_with("application/json") => serde_json::from_slice(&asked.body).ok(),
        BodyFormat::Form | BodyFormat::Json => None,
    }
}

fn pair(fields: &Fields) -> Option<(String, String)> {
    Some((fields.get("client_id")?.clone(), fields.get("client_secret")?.clone()))
}

fn basic(asked: &Asked) -> Option<(String, String)> {
    let text = asked.headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let plain = |text: &str| {
        form_urlencoded::parse(format!("x={text}").as_bytes()).next().map(|(_, one)| one.into_owned())
    };
    Some((plain(id)?, plain(secret)?))
}
