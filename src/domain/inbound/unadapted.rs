//! Deliveries of a provider that nobody here reads: what they are called and which are repeats,
//! as the row says.

use http::{HeaderMap, header::CONTENT_TYPE};
use serde_json::{Map, Value};

use super::reading::{Reading, Said};
use crate::{
    provider::catalog::{
        Pointer, Webhook,
        webhook::{Dedupe, EventType, Handshake},
    },
    vault,
};

/// What an event is called that does not say it.
const UNKNOWN: &str = "unknown";
/// Longer texts are no names and no ids.
const MAX_CHARS: usize = 200;

/// Reads an authentic delivery. It may be anything: JSON, a form, nothing at all.
pub(super) fn read(webhook: &Webhook, headers: &HeaderMap, body: &[u8]) -> Option<Reading> {
    let said = document(headers, body);
    let event_type = match webhook.event_type {
        EventType::Header(name) => header(headers, name),
        EventType::Json(places) => first(&said, places),
        EventType::Always(name) => Some(name.to_owned()),
    };
    let delivery_id = match webhook.dedupe {
        Dedupe::Json(places) => first(&said, places),
        Dedupe::HeadersOrJson(names, places) => {
            let parts: Option<Vec<String>> = names.iter().map(|name| header(headers, name)).collect();
            parts.map(|parts| parts.join("/")).or_else(|| first(&said, places))
        }
        Dedupe::EachOf { list, field } => each(&said, list, field),
        Dedupe::SignedId | Dedupe::BodyAt(_) | Dedupe::Never | Dedupe::Adapter => None,
    };
    let told_at = match webhook.dedupe {
        Dedupe::BodyAt(name) => Some(header(headers, name).unwrap_or_default()),
        _ => None,
    };
    let is_greeting = match webhook.handshake {
        Handshake::FirstDelivery { header: name, value } => header(headers, name).as_deref() == Some(value),
        _ => false,
    };
    Some(Reading {
        event_type: event_type.unwrap_or_else(|| UNKNOWN.to_owned()),
        delivery_id,
        occurred_time: None,
        said: Ok(Said::Unadapted { is_greeting, told_at }),
    })
}

/// The body as a document: JSON, or a form as an object. A form's `payload` may hold the JSON.
pub(super) fn document(headers: &HeaderMap, body: &[u8]) -> Value {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return serde_json::from_slice(body).unwrap_or_default();
    }
    let fields: Map<String, Value> = url::form_urlencoded::parse(body)
        .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
        .collect();
    match fields.get("payload").and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok()) {
        Some(payload) => payload,
        None => Value::Object(fields),
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    plain(headers.get(name)?.to_str().ok()?)
}

/// The first of these places that holds a text or a number.
fn first(said: &Value, places: &[Pointer]) -> Option<String> {
    places.iter().find_map(|place| match said.pointer(place)? {
        Value::String(text) => plain(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// One id for all the elements of a list. `None`: one of them has none.
fn each(said: &Value, list: Pointer, field: &str) -> Option<String> {
    let elements = said.pointer(list)?.as_array()?;
    let ids: Option<Vec<&str>> = elements.iter().map(|element| element.get(field)?.as_str()).collect();
    match ids?.as_slice() {
        [] => None,
        [only] => plain(only),
        several => Some(hex::encode(vault::hash(several.join("\n").as_bytes()))),
    }
}

/// PostgreSQL text takes no NUL, people read no control characters.
fn plain(text: &str) -> Option<String> {
    let is_plain =
        !text.is_empty() && text.chars().count() <= MAX_CHARS && !text.chars().any(char::is_control);
    is_plain.then(|| text.to_owned())
}
