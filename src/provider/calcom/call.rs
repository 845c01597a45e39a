//! One request: its address, its version, its credential, and how its loss is understood.

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use http::{HeaderName, HeaderValue, Method};
use prost::bytes::Bytes;
use serde_json::Value;

use super::answer::Answer;
use super::error::{CallError, Refusal};
use super::{Calcom, Exchange, verdict};
use crate::egress::{EgressRequest, Fetched};
use crate::provider::call::{self, Effect};
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
        let url = call::address(self.instance, &call.path, &call.query, Refusal::NotFound)?;
        let mut headers = call::headers(self.credential, call.body.is_some())?;
        if let Some(version) = call.version {
            headers.insert(VERSION, HeaderValue::from_static(version));
        }
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
