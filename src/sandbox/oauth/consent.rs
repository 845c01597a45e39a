//! The consent page. It asks nobody: what people do is set beforehand.

use axum::response::Response;
use http::StatusCode;
use url::Url;

use super::{Asked, Code, Inner, Person, answers};
use crate::provider::catalog::oauth::Pkce;

pub(super) fn page(inner: &Inner, asked: &Asked) -> Response {
    let said = |name: &str| asked.query.get(name).map(String::as_str).unwrap_or_default();
    let mut world = inner.world();
    let registered = world
        .settings
        .clone()
        .filter(|one| one.client_id == said("client_id") && one.redirect_uri == said("redirect_uri"));
    // Nobody is sent anywhere in an unknown client's name.
    let Some((registered, mut back)) =
        registered.and_then(|one| Some((one.clone(), one.redirect_uri.parse::<Url>().ok()?)))
    else {
        return answers::text(StatusCode::BAD_REQUEST, "unknown client or redirect URI");
    };
    if let Err(error) = check(inner, asked) {
        back.query_pairs_mut().append_pair("error", error).append_pair("state", said("state"));
        return answers::redirect(&back);
    }
    let error = match world.person {
        Person::Agrees => None,
        Person::Denies => Some("access_denied"),
        Person::MeetsError(error) => Some(error),
    };
    if let Some(error) = error {
        back.query_pairs_mut().append_pair("error", error).append_pair("state", said("state"));
        return answers::redirect(&back);
    }
    let code = answers::secret("code");
    let wanted = said("scope").split(inner.row.scope_separator).filter(|scope| !scope.is_empty());
    let scopes = world.granted.clone().unwrap_or_else(|| wanted.map(Into::into).collect());
    world.secrets.extend([code.clone(), said("state").to_string()]);
    let challenge = asked.query.get("code_challenge").cloned();
    let redirect_uri = registered.redirect_uri;
    world.codes.insert(code.clone(), Code { redirect_uri, challenge, scopes, is_used: false });
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", said("state"));
    answers::redirect(&back)
}

fn check(inner: &Inner, asked: &Asked) -> Result<(), &'static str> {
    let said = |name: &str| asked.query.get(name).map(String::as_str);
    let has_challenge = said("code_challenge").is_some_and(|challenge| challenge.len() == 43)
        && said("code_challenge_method") == Some("S256");
    let pkce_fits = match inner.row.pkce {
        Pkce::S256 => has_challenge,
        Pkce::Unsupported => said("code_challenge").is_none(),
    };
    let params_fit = inner.row.authorize_params.iter().all(|(name, value)| said(name) == Some(*value));
    let fits = said("response_type") == Some("code")
        && said("state").is_some_and(|state| !state.is_empty())
        && pkce_fits
        && params_fit;
    if fits { Ok(()) } else { Err("invalid_request") }
}
