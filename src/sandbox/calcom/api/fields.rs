//! Reads bodies as the framework validates them: every field that is wrong is named, what is unknown is
//! dropped.

use std::str::FromStr as _;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::sandbox::calcom::refusal::Refusal;

/// The languages of `attendee.language`.
const LANGUAGES: [&str; 43] = [
    "ar", "ca", "de", "es", "eu", "he", "id", "ja", "lv", "pl", "ro", "sr", "th", "vi", "az", "cs", "el",
    "es-419", "fi", "hr", "it", "km", "nl", "pt", "ru", "sv", "tr", "zh-CN", "bg", "da", "en", "et", "fr",
    "hu", "iw", "ko", "no", "pt-BR", "sk", "ta", "uk", "zh-TW", "bn",
];
const MAX_METADATA_KEYS: usize = 50;
const MAX_METADATA_KEY_CHARS: usize = 40;
const MAX_METADATA_VALUE_CHARS: usize = 500;

/// A body being read. What is wrong is collected.
pub(super) struct Fields<'a> {
    body: &'a Value,
    wrong: Vec<(String, String, String)>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(body: &'a Value) -> Self {
        Self { body, wrong: Vec::new() }
    }

    /// The result, or every field that was wrong.
    pub(super) fn done<T>(self, read: T) -> Result<T, Refusal> {
        if self.wrong.is_empty() { Ok(read) } else { Err(Refusal::invalid(self.wrong)) }
    }

    pub(super) fn wrong(&mut self, field: &str, rule: &str, says: &str) {
        let last = field.rsplit('.').next().unwrap_or(field);
        self.wrong.push((field.to_owned(), rule.to_owned(), format!("{last} {says}")));
    }

    /// A field that is there and not null.
    pub(super) fn value(&self, pointer: &str) -> Option<&'a Value> {
        self.body.pointer(pointer).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, pointer: &str) -> Option<String> {
        let value = self.value(pointer)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(&dotted(pointer), "isString", "must be a string");
        }
        text
    }

    pub(super) fn required_text(&mut self, pointer: &str) -> String {
        let text = self.text(pointer);
        if self.value(pointer).is_none() {
            self.wrong(&dotted(pointer), "isString", "must be a string");
        }
        text.unwrap_or_default()
    }

    pub(super) fn flag(&mut self, pointer: &str) -> Option<bool> {
        let flag = self.value(pointer)?.as_bool();
        if flag.is_none() {
            self.wrong(&dotted(pointer), "isBoolean", "must be a boolean value");
        }
        flag
    }

    pub(super) fn number(&mut self, pointer: &str) -> Option<i64> {
        let number = self.value(pointer)?.as_i64();
        if number.is_none() {
            self.wrong(&dotted(pointer), "isInt", "must be an integer number");
        }
        number
    }

    pub(super) fn count(&mut self, pointer: &str) -> Option<u32> {
        let number = self.number(pointer)?;
        let count = u32::try_from(number).ok().filter(|count| *count > 0);
        if count.is_none() {
            self.wrong(&dotted(pointer), "min", "must not be less than 1");
        }
        count
    }

    pub(super) fn moment(&mut self, pointer: &str) -> DateTime<Utc> {
        let moment = self.value(pointer).and_then(Value::as_str).and_then(moment);
        if moment.is_none() {
            self.wrong(&dotted(pointer), "isDateString", "must be a valid ISO 8601 date string");
        }
        moment.unwrap_or_default()
    }

    pub(super) fn time_zone(&mut self, pointer: &str) -> String {
        let zone = self.required_text(pointer);
        if !zone.is_empty() && Tz::from_str(&zone).is_err() {
            self.wrong(&dotted(pointer), "isTimeZone", "must be a valid IANA time-zone");
        }
        zone
    }

    pub(super) fn language(&mut self, pointer: &str) -> String {
        let language = self.text(pointer).unwrap_or_else(|| "en".to_owned());
        if !LANGUAGES.contains(&language.as_str()) {
            self.wrong(&dotted(pointer), "isEnum", "must be one of the supported languages");
        }
        language
    }

    pub(super) fn email(&mut self, pointer: &str) -> Option<String> {
        let email = self.text(pointer)?;
        let is_address = email.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !email.chars().any(char::is_whitespace)
        });
        if !is_address {
            self.wrong(&dotted(pointer), "isEmail", "must be an email");
        }
        Some(email)
    }

    /// E.164, and a number that exists in the plan of its country.
    pub(super) fn phone(&mut self, pointer: &str) -> Option<String> {
        let phone = self.text(pointer)?;
        let is_number = phone.starts_with('+')
            && phonenumber::parse(None, &phone).is_ok_and(|number| phonenumber::is_valid(&number));
        if !is_number {
            self.wrong(
                &dotted(pointer),
                "isPhoneNumber",
                "must match the E.164 format, with the country code and a valid number for it",
            );
        }
        Some(phone)
    }

    pub(super) fn texts(&mut self, pointer: &str) -> Vec<String> {
        let Some(value) = self.value(pointer) else { return Vec::new() };
        let texts: Option<Vec<String>> = value
            .as_array()
            .and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            self.wrong(&dotted(pointer), "isArray", "must be an array of strings");
        }
        texts.unwrap_or_default()
    }

    pub(super) fn object(&mut self, pointer: &str) -> Map<String, Value> {
        let Some(value) = self.value(pointer) else { return Map::new() };
        if !value.is_object() {
            self.wrong(&dotted(pointer), "isObject", "must be an object");
        }
        value.as_object().cloned().unwrap_or_default()
    }

    pub(super) fn metadata(&mut self, pointer: &str) -> Map<String, Value> {
        let metadata = self.object(pointer);
        let fits = |(key, value): (&String, &Value)| {
            let value_fits = match value {
                Value::String(text) => text.chars().count() <= MAX_METADATA_VALUE_CHARS,
                Value::Number(_) | Value::Bool(_) => true,
                Value::Null | Value::Array(_) | Value::Object(_) => false,
            };
            key.chars().count() <= MAX_METADATA_KEY_CHARS && value_fits
        };
        if metadata.len() > MAX_METADATA_KEYS || !metadata.iter().all(fits) {
            self.wrong(
                &dotted(pointer),
                "validateMetadata",
                "must have at most 50 keys of up to 40 characters, and texts of up to 500 characters",
            );
        }
        metadata
    }
}

/// ISO 8601; UTC where no offset is given, midnight where no time is.
pub(super) fn moment(text: &str) -> Option<DateTime<Utc>> {
    let with_offset = DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc());
    with_offset
        .or_else(|| NaiveDateTime::from_str(text).ok().map(|moment| moment.and_utc()))
        .or_else(|| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M").ok().map(|moment| moment.and_utc()))
        .or_else(|| NaiveDate::from_str(text).ok()?.and_hms_opt(0, 0, 0).map(|moment| moment.and_utc()))
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".")
}
