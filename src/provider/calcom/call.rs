//! One request: its address, its version, its credential, and how its loss is understood.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Method};
use prost::bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;

use super::answer::Answer;
use super::error::{CallError, Refusal};
use super::{Calcom, Exchange, verdict};
use crate::egress::{EgressError, EgressRequest, Fetched};
use crate::provider::call::Effect;
use crate::provider::fields::is_key;

/// Selects the contract. A missing or unknown value silently means one of 2024-04-15, other in every shape.
pub(super) const VERSION: HeaderName = HeaderName::from_static("cal-api-version");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_CHARS: usize = 128;

pub(super) struct Call {
    method: Method,
    path: Vec<String>,
    version: Option<&'static str>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Call {
    fn new(method: Method, path: &[impl AsRef<str>], body: Option<Value>) -> Self {
        let path = path.iter().map(|segment| segment.as_ref().to_owned()).collect();
        Self { method, path, version: None, query: Vec::new(), body }
    }

    pub(super) fn get(path: &[impl AsRef<str>]) -> Self {
        Self::new(Method::GET, path, None)
    }

    pub(super) fn post(path: &[impl AsRef<str>], body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    pub(super) fn patch(path: &[impl AsRef<str>], body: Value) -> Self {
        Self::new(Method::PATCH, path, Some(body))
    }

    pub(super) fn delete(path: &[impl AsRef<str>]) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    pub(super) fn version(self, version: &'static str) -> Self {
        Self { version: Some(version), ..self }
    }

    pub(super) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(super) fn query_if(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    fn effect(&self) -> Effect {
        if self.method == Method::GET { Effect::Read } else { Effect::Write }
    }
}

impl Calcom<'_> {
    /// Sends once. An answer comes back only with a 2xx status and the success envelope.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, CallError> {
        self.remember(None);
        let effect = call.effect();
        let url = self.address(&call)?;
        let headers = self.headers(&call)?;
        let body = call.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = EgressRequest { method: call.method, url, headers, body };

        let outcome = match effect {
            Effect::Read => self.egress.send(request).await,
            Effect::Write => self.egress.send_within(request, self.write_timeout).await,
        };
        let fetched = outcome.map_err(|error| CallError::lost(effect, error))?;
        self.remember(Some(exchange(&fetched)));
        if fetched.status.is_success() {
            Answer::read(effect, &fetched)
        } else {
            Err(verdict::of(effect, &fetched))
        }
    }

    fn address(&self, call: &Call) -> Result<Url, CallError> {
        // An empty or dotted segment would address something else; no id of Cal.com's looks like that.
        if call.path.iter().any(|segment| !is_key(segment) || segment == "." || segment == "..") {
            return Err(CallError::Refused(Refusal::NotFound));
        }
        let mut url = self.instance.clone();
        url.path_segments_mut()
            .map_err(|()| CallError::AddressRefused(EgressError::UrlRefused))?
            .pop_if_empty()
            .extend(call.path.iter());
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query.iter());
        }
        Ok(url)
    }

    fn headers(&self, call: &Call) -> Result<HeaderMap, CallError> {
        let bearer = format!("Bearer {}", self.credential.expose_secret());
        // What no header can carry was never a key.
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| CallError::Credential)?;
        bearer.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(version) = call.version {
            headers.insert(VERSION, HeaderValue::from_static(version));
        }
        Ok(headers)
    }
}

/// UTC with `Z`, never a local time: an offset-less text would be read as UTC, whatever was meant.
pub(super) fn instant(time: DateTime<Utc>) -> String {
    time.trunc_subsecs(3).to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn exchange(fetched: &Fetched) -> Exchange {
    let id = fetched.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let request_id = id.filter(|id| is_key(id)).map(|id| id.chars().take(MAX_REQUEST_ID_CHARS).collect());
    Exchange { status: fetched.status.as_u16(), request_id }
}
