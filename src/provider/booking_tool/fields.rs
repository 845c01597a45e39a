//! One JSON object of the booking tool, read field by field; what does not fit is named.

use chrono::{DateTime, Datelike, Days, FixedOffset, NaiveDate, Utc};
use serde_json::{Map, Value};

use super::Problem;

const MAX_ID_CHARS: usize = 200;
const EARLIEST_BIRTH_YEAR: i32 = 1880;
const YEARS: std::ops::RangeInclusive<i32> = 2000..=2100;
const MINUTES: std::ops::RangeInclusive<i64> = 1..=1440;

/// Whether a text can be the id of a patient or an appointment.
pub fn is_id(text: &str) -> bool {
    !text.chars().any(char::is_control) && text.chars().count() <= MAX_ID_CHARS
}

/// A field that does not fit, by its full name.
pub(super) struct Flaw {
    pub(super) field: String,
    pub(super) problem: Problem,
}

pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    path: &'static str,
}

impl<'a> Fields<'a> {
    pub(super) fn of_envelope(root: &'a Map<String, Value>) -> Self {
        Self { object: root, path: "" }
    }

    pub(super) fn of_data(root: &'a Map<String, Value>) -> Result<Self, Flaw> {
        let problem = match root.get("data") {
            Some(Value::Object(object)) => {
                return Ok(Self { object, path: "data." });
            }
            None | Some(Value::Null) => Problem::Missing,
            Some(_) => Problem::Invalid,
        };
        Err(Self::of_envelope(root).flaw("data", problem))
    }

    pub(super) fn flaw(&self, name: &str, problem: Problem) -> Flaw {
        Flaw { field: format!("{}{name}", self.path), problem }
    }

    /// The envelope's own id. An empty one is not taken as absent: who sends ids must send good ones.
    pub(super) fn delivery_id(&self, name: &str) -> Result<Option<String>, Flaw> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(id)) if !id.bytes().all(|b| b.is_ascii_graphic()) || id.is_empty() => {
                Err(self.flaw(name, Problem::Invalid))
            }
            Some(Value::String(id)) if id.len() > 128 => Err(self.flaw(name, Problem::TooLong)),
            Some(Value::String(id)) => Ok(Some(id.clone())),
            Some(_) => Err(self.flaw(name, Problem::Invalid)),
        }
    }

    /// The envelope's time. As with its id, what is given must fit.
    pub(super) fn occurred(&self, name: &str) -> Result<Option<DateTime<Utc>>, Flaw> {
        match self.object.get(name) {
            Some(Value::String(text)) if text.trim().is_empty() => Err(self.flaw(name, Problem::Invalid)),
            _ => Ok(self.time(name)?.map(|time| time.to_utc())),
        }
    }

    /// A required id: a text, or a whole number as its digits. A fraction, or a number beyond 64 bits,
    /// which JSON readers round, could be the id of two different things and is refused.
    pub(super) fn id(&self, name: &str) -> Result<String, Flaw> {
        let id = match self.object.get(name) {
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => Some(number.to_string()),
            _ => self.verbatim(name, MAX_ID_CHARS)?,
        };
        id.ok_or_else(|| self.flaw(name, Problem::Missing))
    }

    /// A text as it was sent, on one line.
    pub(super) fn verbatim(&self, name: &str, max_chars: usize) -> Result<Option<String>, Flaw> {
        Ok(self.text(name, max_chars, char::is_control)?.map(str::to_owned))
    }

    /// A text as it was sent, in which people may have begun new lines.
    pub(super) fn prose(&self, name: &str, max_chars: usize) -> Result<Option<String>, Flaw> {
        let refused = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
        Ok(self.text(name, max_chars, refused)?.map(str::to_owned))
    }

    /// A text without surrounding blanks, under the first of its names that says something.
    pub(super) fn trimmed(&self, names: &[&str], max_chars: usize) -> Result<Option<String>, Flaw> {
        Ok(self.first(names, max_chars)?.map(|(_, text)| text.trim().to_owned()))
    }

    /// An existing day, `YYYY-MM-DD`, from 1880 until tomorrow: the tool's clock may be a zone ahead.
    pub(super) fn birth_date(&self, names: &[&str], now: DateTime<Utc>) -> Result<Option<NaiveDate>, Flaw> {
        let Some((name, text)) = self.first(names, usize::MAX)? else {
            return Ok(None);
        };
        let plain = text.len() == 10
            && text.bytes().enumerate().all(|(place, b)| match place {
                4 | 7 => b == b'-',
                _ => b.is_ascii_digit(),
            });
        let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().filter(|_| plain);
        let date = date.ok_or_else(|| self.flaw(name, Problem::Invalid))?;
        let tomorrow = now.date_naive().checked_add_days(Days::new(1));
        if date.year() < EARLIEST_BIRTH_YEAR || tomorrow.is_some_and(|tomorrow| date > tomorrow) {
            return Err(self.flaw(name, Problem::OutOfRange));
        }
        Ok(Some(date))
    }

    /// RFC 3339 with its offset, in whole microseconds; a leap second is the first of the next minute.
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<FixedOffset>>, Flaw> {
        let Some(text) = self.text(name, usize::MAX, char::is_control)? else {
            return Ok(None);
        };
        let invalid = || self.flaw(name, Problem::Invalid);
        let time = DateTime::parse_from_rfc3339(text).map_err(|_| invalid())?;
        let instant = DateTime::from_timestamp_micros(time.timestamp_micros()).ok_or_else(invalid)?;
        if !YEARS.contains(&instant.year()) {
            return Err(self.flaw(name, Problem::OutOfRange));
        }
        Ok(Some(instant.with_timezone(time.offset())))
    }

    /// A required whole number of minutes, 1 to 1440.
    pub(super) fn minutes(&self, name: &str) -> Result<u32, Flaw> {
        let number = match self.object.get(name) {
            None | Some(Value::Null) => return Err(self.flaw(name, Problem::Missing)),
            Some(Value::String(text)) if text.is_empty() => {
                return Err(self.flaw(name, Problem::Missing));
            }
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number,
            Some(_) => return Err(self.flaw(name, Problem::Invalid)),
        };
        let minutes = number.as_i64().filter(|minutes| MINUTES.contains(minutes));
        minutes
            .and_then(|minutes| u32::try_from(minutes).ok())
            .ok_or_else(|| self.flaw(name, Problem::OutOfRange))
    }

    /// The first of several synonyms that says something, with the name it said it under.
    fn first<'n>(&self, names: &[&'n str], max_chars: usize) -> Result<Option<(&'n str, &'a str)>, Flaw> {
        for name in names {
            if let Some(text) = self.text(name, max_chars, char::is_control)? {
                return Ok(Some((name, text)));
            }
        }
        Ok(None)
    }

    /// Null and blank texts are absent; PostgreSQL could not keep a NUL, and nobody means one.
    fn text(
        &self,
        name: &str,
        max_chars: usize,
        refused: impl Fn(char) -> bool,
    ) -> Result<Option<&'a str>, Flaw> {
        let text = match self.object.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text,
            Some(_) => return Err(self.flaw(name, Problem::Invalid)),
        };
        if text.chars().any(refused) {
            return Err(self.flaw(name, Problem::Invalid));
        }
        if text.trim().is_empty() {
            return Ok(None);
        }
        if text.chars().count() > max_chars {
            return Err(self.flaw(name, Problem::TooLong));
        }
        Ok(Some(text))
    }
}
