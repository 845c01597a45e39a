//! The way back from a provider's consent page. It is a person's browser that comes here, so what is said
//! is a redirect or a page.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    response::{Html, IntoResponse, Response},
};
use chrono::Utc;
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
};
use url::form_urlencoded;

use super::{Web, refused, with_retry_after};
use crate::{
    domain::authorization::{self, Return},
    peer::{Peer, sender},
};

/// The longest query that is read, in bytes.
const LONGEST_QUERY: usize = 16 * 1024;

/// Nothing of the request is repeated in it.
const UNKNOWN: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
    <title>Not found</title>\n\
    <h1>This link leads nowhere</h1>\n<p>It was used before, or is too old. Go back to where you came from \
    and connect the account again.</p>\n</html>\n";
const LATER: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Not now</title>\n\
    <h1>Not now</h1>\n<p>Reload this page in a moment.</p>\n</html>\n";

/// One return. What it brings is a secret, so it is told to nobody: no log, no cache, no referrer.
pub(super) async fn callback(
    State(web): State<Arc<Web>>,
    path: Result<Path<String>, PathRejection>,
    Extension(Peer(connected)): Extension<Peer>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Ok(Path(provider)) = path else { return page(StatusCode::NOT_FOUND, UNKNOWN) };
    let from = sender(connected.ip(), &headers, &web.trusted_proxies);
    if let Err(wait) = web.flood.admit(from, Instant::now()) {
        return with_retry_after(refused(StatusCode::TOO_MANY_REQUESTS, "FLOODED"), Some(wait));
    }
    let query = query.unwrap_or_default();
    if query.len() > LONGEST_QUERY {
        return page(StatusCode::URI_TOO_LONG, UNKNOWN);
    }
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let work = authorization::callback(&web.domain, &provider, &pairs, Utc::now());
    match web.gate.pass(None, work).await {
        Ok(Ok(Return::To(url))) => match HeaderValue::from_str(url.as_str()) {
            Ok(location) => {
                let mut response = StatusCode::SEE_OTHER.into_response();
                response.headers_mut().insert(LOCATION, location);
                quiet(response)
            }
            Err(_) => page(StatusCode::NOT_FOUND, UNKNOWN),
        },
        Ok(Ok(Return::Unknown)) => page(StatusCode::NOT_FOUND, UNKNOWN),
        Ok(Err(error)) | Err(error) => {
            error.log();
            with_retry_after(page(error.told().http, LATER), error.retry_after())
        }
    }
}

fn page(status: StatusCode, text: &'static str) -> Response {
    quiet((status, Html(text)).into_response())
}

fn quiet(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    );
    response
}
