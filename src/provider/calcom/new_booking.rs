//! A booking to be made.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::call::instant;

const MAX_METADATA_KEYS: usize = 50;
const MAX_METADATA_KEY_CHARS: usize = 40;
const MAX_METADATA_VALUE_CHARS: usize = 500;

/// What `attendee.language` may be, from the official API description of 2026-03-11.
pub const LANGUAGES: [&str; 43] = [
    "ar", "ca", "de", "es", "eu", "he", "id", "ja", "lv", "pl", "ro", "sr", "th", "vi", "az", "cs", "el",
    "es-419", "fi", "hr", "it", "km", "nl", "pt", "ru", "sv", "tr", "zh-CN", "bg", "da", "en", "et", "fr",
    "hu", "iw", "ko", "no", "pt-BR", "sk", "ta", "uk", "zh-TW", "bn",
];

/// What to book. The options that switch off Cal.com's own conflict checks are not here and never sent.
#[derive(Clone, PartialEq)]
pub struct NewBooking {
    pub event_type_id: i64,
    pub start: DateTime<Utc>,
    /// Only for event types that offer several lengths: anywhere else it is refused.
    pub length_minutes: Option<u32>,
    pub attendee: NewAttendee,
    /// At most 50 keys of 40 characters, values of 500. Comes back in reads and in most webhooks.
    pub metadata: BTreeMap<String, String>,
    /// Answers to the event type's own questions, by slug.
    pub booking_fields: BTreeMap<String, Value>,
}

/// Who comes. At least one of e-mail and phone.
#[derive(Clone, PartialEq, Eq)]
pub struct NewAttendee {
    pub name: String,
    pub email: Option<String>,
    /// E.164, and a number that exists: Cal.com checks it.
    pub phone: Option<String>,
    /// IANA.
    pub time_zone: String,
    /// One that Cal.com does not know is left out, which means English.
    pub language: Option<String>,
}

impl NewBooking {
    /// What Cal.com would refuse in any case, by field.
    pub(super) fn unfit(&self) -> Vec<String> {
        let attendee = &self.attendee;
        let longer = |text: &str, max: usize| text.chars().count() > max;
        let metadata_fits = self.metadata.len() <= MAX_METADATA_KEYS
            && !self.metadata.iter().any(|(key, value)| {
                longer(key, MAX_METADATA_KEY_CHARS) || longer(value, MAX_METADATA_VALUE_CHARS)
            });
        [
            ("attendee.name", !attendee.name.trim().is_empty()),
            ("attendee.email", attendee.email.is_some() || attendee.phone.is_some()),
            ("attendee.timeZone", !attendee.time_zone.is_empty()),
            ("metadata", metadata_fits),
        ]
        .into_iter()
        .filter(|(_, fits)| !fits)
        .map(|(field, _)| field.to_owned())
        .collect()
    }

    pub(super) fn body(&self) -> Value {
        let mut attendee = Map::new();
        attendee.insert("name".to_owned(), self.attendee.name.clone().into());
        attendee.insert("timeZone".to_owned(), self.attendee.time_zone.clone().into());
        let language = self.attendee.language.as_deref().and_then(known_language);
        for (name, value) in [
            ("email", self.attendee.email.as_deref()),
            ("phoneNumber", self.attendee.phone.as_deref()),
            ("language", language),
        ] {
            if let Some(value) = value {
                attendee.insert(name.to_owned(), value.into());
            }
        }
        let mut body = Map::new();
        body.insert("eventTypeId".to_owned(), self.event_type_id.into());
        body.insert("start".to_owned(), instant(self.start).into());
        body.insert("attendee".to_owned(), attendee.into());
        body.insert("metadata".to_owned(), object(&self.metadata));
        if let Some(minutes) = self.length_minutes {
            body.insert("lengthInMinutes".to_owned(), minutes.into());
        }
        if !self.booking_fields.is_empty() {
            body.insert("bookingFieldsResponses".to_owned(), object(&self.booking_fields));
        }
        body.into()
    }
}

fn object<V: Clone + Into<Value>>(map: &BTreeMap<String, V>) -> Value {
    let entries = map.iter().map(|(key, value)| (key.clone(), value.clone().into()));
    Value::Object(entries.collect())
}

/// `de` for `de`, `DE` and `de-AT`; `pt-BR` for itself.
fn known_language(language: &str) -> Option<&'static str> {
    let known = |tag: &str| LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(tag));
    let tag = language.trim().replace('_', "-");
    known(&tag).or_else(|| known(tag.split('-').next()?))
}

impl fmt::Debug for NewBooking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event_type_id, start, .. } = self;
        f.debug_struct("NewBooking")
            .field("event_type_id", event_type_id)
            .field("start", start)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewAttendee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewAttendee").finish_non_exhaustive()
    }
}
