//! Custom fields and their values.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use chrono::NaiveDate;

use super::gid::Gid;
use super::refusal::Refusal;
use super::world::World;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CustomField {
    pub gid: Gid,
    pub workspace: Gid,
    pub name: String,
    pub description: String,
    pub kind: Kind,
    /// Listed by the workspace; others are known to their projects only.
    pub is_global: bool,
    /// 403 for who writes it.
    pub is_locked: bool,
    /// A formula: 400 for who writes it.
    pub is_formula: bool,
    pub created_by: Option<Gid>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Text,
    /// `precision`: digits after the point, 0 to 6.
    Number {
        precision: u32,
        format: Format,
    },
    Enum(Vec<EnumOption>),
    MultiEnum(Vec<EnumOption>),
    Date,
    People,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    #[default]
    None,
    Currency,
    Percentage,
    Duration,
    Custom,
    Identifier,
}

/// Never deleted, only disabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnumOption {
    pub gid: Gid,
    pub name: String,
    pub is_enabled: bool,
    pub color: String,
}

const COLORS: [&str; 8] = ["green", "blue", "orange", "purple", "yellow-green", "aqua", "pink", "cool-gray"];

/// What a task has in a field; a task without one has null there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    Text(String),
    Number(Decimal),
    Option(Gid),
    Options(Vec<Gid>),
    Date(NaiveDate),
    People(Vec<Gid>),
}

/// A number to six places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i64);

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::rounded(f64::deserialize(deserializer)?, PLACES))
    }
}

const PLACES: u32 = 6;
const MILLION: i64 = 10_i64.pow(PLACES);

impl Decimal {
    /// Rounded to so many places, half away from zero.
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "as a double rounds")]
    pub(crate) fn rounded(number: f64, places: u32) -> Self {
        let step = 10_i64.pow(PLACES - places.min(PLACES));
        let steps = (number * MILLION as f64 / step as f64).round();
        Self((steps as i64).saturating_mul(step))
    }

    #[expect(clippy::cast_precision_loss, reason = "JSON knows no other numbers")]
    pub(crate) fn json(self) -> Value {
        if self.0 % MILLION == 0 {
            Value::from(self.0 / MILLION)
        } else {
            Value::from(self.0 as f64 / MILLION as f64)
        }
    }
}

impl CustomField {
    pub(crate) fn subtype(&self) -> &'static str {
        match self.kind {
            Kind::Text => "text",
            Kind::Number { .. } => "number",
            Kind::Enum(_) => "enum",
            Kind::MultiEnum(_) => "multi_enum",
            Kind::Date => "date",
            Kind::People => "people",
        }
    }

    pub(crate) fn options(&self) -> &[EnumOption] {
        match &self.kind {
            Kind::Enum(options) | Kind::MultiEnum(options) => options,
            _ => &[],
        }
    }

    pub(crate) fn option(&self, gid: Gid) -> Option<&EnumOption> {
        self.options().iter().find(|option| option.gid == gid)
    }

    /// Of what was written; `None` clears.
    pub(crate) fn read(&self, value: &Value) -> Result<Option<Held>, Refusal> {
        if self.is_locked {
            return Err(Refusal::forbidden());
        }
        if self.is_formula {
            return Err(Refusal::bad(format!("custom_field: Cannot write this property: {}", self.gid)));
        }
        let wrong = |what: &str| Refusal::bad(format!("{}: Not {what}: {value}", self.gid));
        Ok(match (&self.kind, value) {
            (_, Value::Null) => None,
            (Kind::Text, Value::String(text)) if text.is_empty() => None,
            (Kind::Text, Value::String(text)) if text.chars().count() <= 1024 => {
                Some(Held::Text(text.clone()))
            }
            (Kind::Text, _) => return Err(wrong("a string of up to 1024 characters")),
            (Kind::Number { precision, format }, Value::Number(number)) => {
                let places = if *format == Format::Percentage { precision + 2 } else { *precision };
                let number = number.as_f64().ok_or_else(|| wrong("a number"))?;
                Some(Held::Number(Decimal::rounded(number, places)))
            }
            (Kind::Number { .. }, _) => return Err(wrong("a number")),
            (Kind::Enum(_), Value::String(text)) => Some(Held::Option(self.pickable(text)?)),
            (Kind::MultiEnum(_), Value::Array(texts)) => {
                let pick = |text: &Value| self.pickable(text.as_str().unwrap_or_default());
                let picked = texts.iter().map(pick).collect::<Result<Vec<_>, _>>()?;
                if picked.is_empty() { None } else { Some(Held::Options(picked)) }
            }
            (Kind::Enum(_) | Kind::MultiEnum(_), _) => return Err(wrong("a recognized ID")),
            (Kind::Date, Value::String(text)) => Some(Held::Date(text.parse().map_err(|_| wrong("a date"))?)),
            (Kind::Date, Value::Object(date)) => {
                let text = date.get("date").and_then(Value::as_str).unwrap_or_default();
                Some(Held::Date(text.parse().map_err(|_| wrong("a date"))?))
            }
            (Kind::Date, _) => return Err(wrong("a date")),
            (Kind::People, Value::Array(people)) => {
                let read = |one: &Value| {
                    one.as_str().unwrap_or_default().parse().map_err(|_| wrong("a recognized ID"))
                };
                Some(Held::People(people.iter().map(read).collect::<Result<_, _>>()?))
            }
            (Kind::People, _) => return Err(wrong("an array")),
        })
    }

    /// By gid: a name is not accepted, nor is a disabled option.
    fn pickable(&self, text: &str) -> Result<Gid, Refusal> {
        let unknown = || Refusal::bad(format!("enum_value: Not a recognized ID: {text}"));
        let gid: Gid = text.parse().map_err(|_| unknown())?;
        let option = self.option(gid).ok_or_else(unknown)?;
        if option.is_enabled {
            Ok(gid)
        } else {
            Err(Refusal::bad(format!("enum_value: Option is disabled: {gid}")))
        }
    }
}

impl World {
    pub(crate) fn add_field(&mut self, workspace: Gid, name: &str, kind: Kind, is_global: bool) -> Gid {
        let gid = self.next();
        let field = CustomField {
            gid,
            workspace,
            name: name.to_owned(),
            description: String::new(),
            kind,
            is_global,
            is_locked: false,
            is_formula: false,
            created_by: None,
        };
        self.fields.insert(gid, field);
        gid
    }

    pub(crate) fn options_of(&mut self, names: &[&str]) -> Vec<EnumOption> {
        let make = |(nth, name): (usize, &&str)| EnumOption {
            gid: self.next(),
            name: (*name).to_owned(),
            is_enabled: true,
            color: COLORS[nth % COLORS.len()].to_owned(),
        };
        names.iter().enumerate().map(make).collect()
    }
}
