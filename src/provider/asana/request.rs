//! One request: its address, its credential, its envelope, and how its loss is understood.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, SubsecRound as _, Utc};
use http::Method;
use http::header::{DATE, HeaderMap, HeaderValue};
use prost::bytes::Bytes;
use serde_json::{Value, json};

use super::answer::Answer;
use super::error::{CallError, Refusal};
use super::page::Offset;
use super::{Asana, Exchange, PAGE_SIZE, verdict};
use crate::egress::{EgressRequest, Fetched};
use crate::provider::call::{self, Effect};

pub(super) struct Request {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Request {
    fn new(method: Method, path: &[impl AsRef<str>], data: Option<Value>) -> Self {
        let path = path.iter().map(|segment| segment.as_ref().to_owned()).collect();
        // A key beside `data` and `options` is refused.
        Self { method, path, query: Vec::new(), body: data.map(|data| json!({ "data": data })) }
    }

    pub(super) fn get(path: &[impl AsRef<str>]) -> Self {
        Self::new(Method::GET, path, None)
    }

    pub(super) fn post(path: &[impl AsRef<str>], data: Value) -> Self {
        Self::new(Method::POST, path, Some(data))
    }

    pub(super) fn put(path: &[impl AsRef<str>], data: Value) -> Self {
        Self::new(Method::PUT, path, Some(data))
    }

    pub(super) fn delete(path: &[impl AsRef<str>]) -> Self {
        Self::new(Method::DELETE, path, None)
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

    /// Only the named fields are answered, besides `gid`.
    pub(super) fn fields(self, fields: &[&str]) -> Self {
        self.query("opt_fields", fields.join(","))
    }

    /// A page's address is built anew from its offset:
    /// an address out of an answer could lead the token elsewhere.
    pub(super) fn page(self, offset: Option<&Offset>) -> Self {
        self.query("limit", PAGE_SIZE).query_if("offset", offset.map(Offset::as_str))
    }

    pub(super) fn effect(&self) -> Effect {
        if self.method == Method::GET { Effect::Read } else { Effect::Write }
    }
}

impl Asana<'_> {
    /// Sends once. An answer comes back only with a 2xx status and the success envelope.
    pub(super) async fn send(&self, request: Request) -> Result<Answer, CallError> {
        let effect = request.effect();
        let fetched = self.fetch(request).await?;
        if fetched.status.is_success() {
            Answer::read(effect, &fetched)
        } else {
            Err(verdict::of(effect, &fetched))
        }
    }

    /// Sends once and gives back any answer.
    pub(super) async fn fetch(&self, request: Request) -> Result<Fetched, CallError> {
        self.remember(None);
        let effect = request.effect();
        let url = call::address(self.base, &request.path, &request.query, Refusal::NotFound)?;
        let headers = call::headers(self.token, request.body.is_some())?;
        let body = request.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = EgressRequest { method: request.method, url, headers, body };

        let outcome = match effect {
            Effect::Read => self.egress.send(request).await,
            Effect::Write => self.egress.send_within(request, self.write_timeout).await,
        };
        let fetched = outcome.map_err(|error| CallError::lost(effect, error))?;
        self.remember(Some(Exchange { status: fetched.status.as_u16(), date: date(&fetched.headers) }));
        tell_of_changes(&fetched.headers);
        Ok(fetched)
    }
}

/// UTC with milliseconds and `Z`, as Asana writes times itself.
pub(super) fn instant(time: DateTime<Utc>) -> String {
    time.trunc_subsecs(3).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn date(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    let text = headers.get(DATE)?.to_str().ok()?;
    DateTime::parse_from_rfc2822(text.trim()).ok().map(|date| date.to_utc())
}

const MAX_CHANGES: usize = 100;
const MAX_CHANGE_CHARS: usize = 80;

/// Asana announces what it is about to change in `Asana-Change: name=…;info=…;affected=true`. Each that
/// affects us is logged once per process.
fn tell_of_changes(headers: &HeaderMap) {
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    for name in headers.get_all("asana-change").iter().filter_map(affecting) {
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_CHANGES && told.insert(name.clone()) {
            tracing::warn!(change.name = name, "Asana is about to change something that is used here");
        }
    }
}

/// The name of an announced change, letters, digits, dashes and underscores only.
pub(super) fn affecting(header: &HeaderValue) -> Option<String> {
    let parts = || header.to_str().ok().into_iter().flat_map(|text| text.split([';', ',']));
    let named = |wanted: &str| {
        parts().filter_map(|part| part.split_once('=')).find(|(name, _)| name.trim() == wanted)
    };
    let (_, affected) = named("affected")?;
    let (_, name) = named("name")?;
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name: String = name.trim().chars().take_while(is_part).take(MAX_CHANGE_CHARS).collect();
    (affected.trim() == "true" && !name.is_empty()).then_some(name)
}
