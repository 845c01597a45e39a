//! What providers bend, straightened: requests on their way out, answers on their way in.

use std::time::Duration;

use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use oauth2::{AsyncHttpClient, HttpRequest, HttpResponse};
use prost::bytes::Bytes;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::{
    egress::{Egress, EgressError, EgressRequest, Fetched, retry_after},
    provider::catalog::{
        OAuth,
        oauth::{BodyFormat, Failure},
    },
};

/// Why there is no answer that the crate could read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    #[error("the address may not be reached")]
    AddressRefused,
    /// How long to wait, if the provider says.
    #[error("no answer")]
    Unavailable(Option<Duration>),
    #[error("an answer that is no token answer")]
    Unexpected,
}

/// The longest wait that a provider can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(3_600);

/// The way of the crate's requests to the outside. Owns what it needs: borrowed, its futures would be of
/// two lifetimes, and the compiler would not believe that they are `Send`.
pub(super) struct Wire {
    pub egress: Egress,
    pub row: &'static OAuth,
}

impl<'c> AsyncHttpClient<'c> for Wire {
    type Error = Trouble;
    type Future = BoxFuture<'static, Result<HttpResponse, Trouble>>;

    /// Sends what the crate wrote, as the row wants it, and straightens the answer.
    fn call(&'c self, request: HttpRequest) -> Self::Future {
        let (egress, row) = (self.egress.clone(), self.row);
        Box::pin(async move {
            let request = bent(row, request).ok_or(Trouble::Unexpected)?;
            straightened(row, &egress.send(request).await?)
        })
    }
}

/// The request in the row's own format and with its headers.
pub(super) fn bent(row: &OAuth, request: HttpRequest) -> Option<EgressRequest> {
    let (parts, form) = request.into_parts();
    let mut headers: HeaderMap = parts.headers;
    let body = body_as(row.token_format, form_urlencoded::parse(&form), &mut headers);
    for (name, value) in row.token_headers {
        headers.insert(HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_static(value));
    }
    Some(EgressRequest { method: parts.method, url: parts.uri.to_string().parse().ok()?, headers, body })
}

/// Pairs as a body, with its content type.
pub(super) fn body_as<K: AsRef<str>, V: AsRef<str>>(
    format: BodyFormat,
    pairs: impl Iterator<Item = (K, V)>,
    headers: &mut HeaderMap,
) -> Bytes {
    match format {
        BodyFormat::Form => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(pairs);
            form.finish().into()
        }
        BodyFormat::Json => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            let text = |(key, value): (K, V)| (key.as_ref().to_string(), Value::from(value.as_ref()));
            Value::Object(pairs.map(text).collect()).to_string().into()
        }
    }
}

/// The answer as RFC 6749 §5 has it: 200 and a token, or 400 and an `error`. What a provider says in words
/// is left behind.
pub(super) fn straightened(row: &OAuth, fetched: &Fetched) -> Result<HttpResponse, Trouble> {
    if fetched.status.is_server_error() || fetched.status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Trouble::Unavailable(wait(&fetched.headers)));
    }
    // An error page, a redirect to one, or nothing at all.
    let Ok(Value::Object(answer)) = serde_json::from_slice(&fetched.body) else {
        return Err(Trouble::Unexpected);
    };
    let (status, body) = match refusal(row, fetched.status, &answer) {
        Some(code) => (StatusCode::BAD_REQUEST, json!({ "error": code })),
        None if fetched.status.is_success() => (StatusCode::OK, Value::Object(standard(answer))),
        None => return Err(Trouble::Unexpected),
    };
    let response = http::Response::builder().status(status).body(body.to_string().into_bytes());
    response.map_err(|_| Trouble::Unexpected)
}

/// The code of a refusal, if it is one.
fn refusal(row: &OAuth, status: StatusCode, answer: &Map<String, Value>) -> Option<String> {
    let says_error = answer.get("error").is_some_and(|error| !error.is_null() && error != "");
    let is_refusal = status.is_client_error()
        || match row.failure {
            Failure::Status => false,
            Failure::ErrorField => says_error,
            Failure::OkFlag => answer.get("ok") != Some(&Value::Bool(true)),
        };
    if !is_refusal {
        return None;
    }
    // RFC 6749; Asana's own envelope; and a word that is none of the standard's when there is none.
    let whole = Value::Object(answer.clone());
    let places = ["/error", "/errors/0/error", "/errors/0/message"];
    let code = places.iter().find_map(|place| whole.pointer(place)?.as_str()).unwrap_or_default();
    let is_code = !code.is_empty() && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    Some(if is_code { code.into() } else { "refused".into() })
}

/// A token answer with the standard's types in the standard's fields.
fn standard(mut answer: Map<String, Value>) -> Map<String, Value> {
    if !answer.get("token_type").is_some_and(Value::is_string) {
        answer.insert("token_type".into(), "bearer".into());
    }
    let life = answer.remove("expires_in").and_then(|life| match life {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().map(|number| number as u64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    });
    if let Some(life @ 1..) = life {
        answer.insert("expires_in".into(), life.into());
    }
    let refresh = answer.get("refresh_token").and_then(|token| token.as_str()).unwrap_or_default();
    if refresh.is_empty() {
        answer.remove("refresh_token");
    }
    match answer.remove("scope").or_else(|| answer.remove("scopes")) {
        Some(Value::String(text)) => {
            answer.insert("scope".into(), text.into());
        }
        Some(Value::Array(list)) => {
            let words: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            answer.insert("scope".into(), words.join(" ").into());
        }
        _ => {}
    }
    answer
}

fn wait(headers: &HeaderMap) -> Option<Duration> {
    retry_after(headers).map(|told| told.clamp(Duration::from_secs(1), LONGEST_WAIT))
}

impl From<EgressError> for Trouble {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::UrlRefused | EgressError::NotHttps | EgressError::AddressRefused => {
                Self::AddressRefused
            }
            EgressError::BodyTooLarge { .. } => Self::Unexpected,
            EgressError::NameUnresolved
            | EgressError::Unreachable(_)
            | EgressError::Tls
            | EgressError::Timeout
            | EgressError::Broken
            | EgressError::Setup => Self::Unavailable(None),
        }
    }
}
