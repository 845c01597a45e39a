//! One JSON object of a provider, read without insisting: types change, nulls and new fields are normal, so
//! what does not fit reads as absent. Whoever needs a field says so.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, SubsecRound as _, Utc};
use serde_json::{Map, Value};

const MAX_KEY_CHARS: usize = 200;
const MAX_TEXT_CHARS: usize = 2000;
const MAX_ENTRIES: usize = 100;
/// Up to here a float stands for exactly one whole number (2^53).
const EXACT: f64 = 9_007_199_254_740_992.0;

#[derive(Clone, Copy)]
pub(in crate::provider) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub(in crate::provider) fn of(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// The raw value; null is absent.
    pub(in crate::provider) fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(in crate::provider) fn object(&self, name: &str) -> Option<Self> {
        self.get(name).and_then(Self::of)
    }

    /// The items of a list, none when it is no list.
    pub(in crate::provider) fn list(&self, name: &str) -> &'a [Value] {
        self.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// An identifier: a text without blanks and control characters, or a whole number as its digits.
    pub(in crate::provider) fn key(&self, name: &str) -> Option<String> {
        match self.get(name)? {
            Value::String(text) if is_key(text) => Some(text.clone()),
            Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
            _ => None,
        }
    }

    /// A text without surrounding blanks and control characters (new lines stay), cut at 2000 characters; a
    /// blank one is absent.
    pub(in crate::provider) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(Value::as_str).and_then(text)
    }

    /// A whole number, also when it is written as a float or a text.
    pub(in crate::provider) fn int(&self, name: &str) -> Option<i64> {
        whole(self.get(name)?)
    }

    pub(in crate::provider) fn count(&self, name: &str) -> Option<u32> {
        self.int(name).and_then(|number| number.try_into().ok())
    }

    pub(in crate::provider) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Value::as_bool)
    }

    /// An instant, in any of the three forms in use (`Z`, `.000Z`, an offset); microseconds, as PostgreSQL
    /// keeps them.
    pub(in crate::provider) fn time(&self, name: &str) -> Option<DateTime<Utc>> {
        self.get(name).and_then(Value::as_str).and_then(time)
    }

    /// A day as `YYYY-MM-DD`. What is there but is none is an error, by the field's name: read as absent it
    /// would clear what is kept.
    pub(in crate::provider) fn date(&self, name: &'static str) -> Result<Option<NaiveDate>, &'static str> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_str().filter(|text| text.len() == 10).ok_or(name)?;
        NaiveDate::parse_from_str(text, "%Y-%m-%d").map(Some).map_err(|_| name)
    }

    /// An instant as [`Fields::time`] reads it; what is there but is none is an error, as with a day.
    pub(in crate::provider) fn instant(
        &self,
        name: &'static str,
    ) -> Result<Option<DateTime<Utc>>, &'static str> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_str().and_then(time).map(Some).ok_or(name)
    }

    /// A flat object with texts, numbers or booleans, all as texts.
    pub(in crate::provider) fn texts(&self, name: &str) -> BTreeMap<String, String> {
        let Some(object) = self.object(name) else { return BTreeMap::new() };
        let entries = object.0.iter().filter_map(|(key, value)| {
            let value = match value {
                Value::String(value) => text(value)?,
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((text(key)?, value))
        });
        entries.take(MAX_ENTRIES).collect()
    }
}

pub(in crate::provider) fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text.trim()).ok().map(|time| time.to_utc().trunc_subsecs(6))
}

pub(in crate::provider) fn text(raw: &str) -> Option<String> {
    let visible = |c: &char| !c.is_control() || *c == '\n';
    let cut: String = raw.trim().chars().filter(visible).take(MAX_TEXT_CHARS).collect();
    let trimmed = cut.trim();
    if trimmed.is_empty() { None } else { Some(trimmed.to_owned()) }
}

pub(in crate::provider) fn is_key(text: &str) -> bool {
    !text.is_empty()
        && text.chars().count() <= MAX_KEY_CHARS
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < EXACT)?;
            Some(float as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}
