//! Custom fields: what they are, and what a task has in them.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

use super::Asana;
use super::error::CallError;
use super::page::{Offset, Page};
use super::request::Request;
use crate::provider::fields::Fields;
use crate::provider::names::names;

/// A custom field. Known by gid: names may be changed, and are unique among a workspace's shared fields only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomField {
    pub gid: String,
    pub name: Option<String>,
    pub subtype: FieldSubtype,
    pub description: Option<String>,
    pub format: Option<NumberFormat>,
    /// Digits after the point to which a number is rounded, 0 to 6.
    pub precision: Option<u32>,
    /// ISO 4217, where the format is a currency.
    pub currency_code: Option<String>,
    /// What stands beside the number, where the format is custom.
    pub custom_label: Option<String>,
    pub options: Vec<EnumOption>,
    /// Shared across the workspace; a project's own fields are listed with that project only.
    pub is_global: bool,
    /// A formula, an id, or a value that only Asana sets.
    pub is_read_only: bool,
}

/// A custom field of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomFieldSetting {
    /// The setting's own, not the field's.
    pub gid: String,
    pub field: CustomField,
}

/// What a custom field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldSubtype {
    Text,
    Number,
    Enum,
    MultiEnum,
    Date,
    People,
    Reference,
    Other(String),
}

/// What a number stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberFormat {
    Plain,
    Currency,
    Identifier,
    /// The precision counts differently here.
    Percentage,
    Custom,
    /// The unit is not documented.
    Duration,
    Other(String),
}

/// One choice of an enum. Never deleted, only disabled; then it stays on tasks but cannot be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumOption {
    pub gid: String,
    pub name: Option<String>,
    pub color: Option<String>,
    pub enabled: bool,
}

/// What a task has in a custom field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldValue {
    /// The field's.
    pub gid: String,
    pub name: Option<String>,
    /// Without it the value can be read and cleared, not set.
    pub enabled: bool,
    pub format: Option<NumberFormat>,
    pub precision: Option<u32>,
    pub content: FieldContent,
}

/// What a custom field holds on one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldContent {
    /// As it was told, not rounded.
    Number(Option<Decimal>),
    /// The chosen option.
    Enum(Option<EnumOption>),
    /// A number or an option that is there but cannot be read: neither set nor cleared.
    Unreadable,
    /// Of a type that is not used here.
    Other(FieldSubtype),
}

const FIELD: &[&str] = &[
    "name",
    "resource_subtype",
    "representation_type",
    "description",
    "format",
    "precision",
    "currency_code",
    "custom_label",
    "enum_options",
    "enum_options.name",
    "enum_options.color",
    "enum_options.enabled",
    "is_global_to_workspace",
    "is_formula_field",
    "is_value_read_only",
];
/// Digits after the point that a number can have in Asana.
const MAX_PRECISION: i64 = 6;

impl Asana<'_> {
    /// Those that the project's tasks have, its own ones included.
    pub async fn custom_field_settings(
        &self,
        project: &str,
        offset: Option<&Offset>,
    ) -> Result<Page<CustomFieldSetting>, CallError> {
        let fields: Vec<String> = FIELD.iter().map(|field| format!("custom_field.{field}")).collect();
        let request = Request::get(&["projects", project, "custom_field_settings"])
            .query("opt_fields", fields.join(","))
            .page(offset);
        self.send(request).await?.page(offset, CustomFieldSetting::of)
    }

    /// Those shared across the workspace; what only one project has is missing.
    pub async fn workspace_custom_fields(
        &self,
        workspace: &str,
        offset: Option<&Offset>,
    ) -> Result<Page<CustomField>, CallError> {
        let request = Request::get(&["workspaces", workspace, "custom_fields"]).fields(FIELD).page(offset);
        self.send(request).await?.page(offset, CustomField::of)
    }
}

/// As Asana rounds to a field's precision, so that both sides of a comparison read alike. How it rounds a
/// half is not documented; away from zero is what its screens show.
pub fn rounded(number: Decimal, precision: Option<u32>) -> Decimal {
    let places = precision.unwrap_or(MAX_PRECISION as u32);
    number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero).normalize()
}

impl CustomFieldSetting {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        let field = fields.object("custom_field").ok_or("custom_field")?;
        Ok(Self { gid: fields.key("gid").ok_or("gid")?, field: CustomField::of(field)? })
    }
}

impl CustomField {
    fn of(fields: Fields<'_>) -> Result<Self, &'static str> {
        let representation = fields.text("representation_type");
        let is_made_by_asana = matches!(representation.as_deref(), Some("formula" | "custom_id"));
        let is_set = |name| fields.flag(name).unwrap_or_default();
        Ok(Self {
            gid: fields.key("gid").ok_or("gid")?,
            name: fields.text("name"),
            subtype: FieldSubtype::of(fields).ok_or("resource_subtype")?,
            description: fields.text("description"),
            format: fields.text("format").map(NumberFormat::of),
            precision: precision(fields),
            currency_code: fields.text("currency_code"),
            custom_label: fields.text("custom_label"),
            options: fields.list("enum_options").iter().filter_map(EnumOption::of).collect(),
            is_global: is_set("is_global_to_workspace"),
            is_read_only: is_made_by_asana || is_set("is_formula_field") || is_set("is_value_read_only"),
        })
    }
}

impl FieldSubtype {
    /// `type` is the older name of the same.
    fn of(fields: Fields<'_>) -> Option<Self> {
        let word = fields.text("resource_subtype").or_else(|| fields.text("type"))?;
        Some(match word.as_str() {
            "text" => Self::Text,
            "number" => Self::Number,
            "enum" => Self::Enum,
            "multi_enum" => Self::MultiEnum,
            "date" => Self::Date,
            "people" => Self::People,
            "reference" => Self::Reference,
            _ => Self::Other(word),
        })
    }
}

names! {
    NumberFormat {
        Plain = "none",
        Currency = "currency",
        Identifier = "identifier",
        Percentage = "percentage",
        Custom = "custom",
        Duration = "duration",
    } else Other(String::from)
}

impl EnumOption {
    fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        Some(Self {
            gid: fields.key("gid")?,
            name: fields.text("name"),
            color: fields.text("color"),
            enabled: fields.flag("enabled").unwrap_or(true),
        })
    }
}

impl FieldValue {
    /// None without a gid: then nobody can say whose value it is.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let fields = Fields::of(value)?;
        Some(Self {
            gid: fields.key("gid")?,
            name: fields.text("name"),
            enabled: fields.flag("enabled").unwrap_or(true),
            format: fields.text("format").map(NumberFormat::of),
            precision: precision(fields),
            content: FieldContent::of(fields),
        })
    }
}

impl FieldContent {
    fn of(fields: Fields<'_>) -> Self {
        match FieldSubtype::of(fields) {
            Some(FieldSubtype::Number) => match fields.get("number_value") {
                None => Self::Number(None),
                Some(value) => decimal(value).map_or(Self::Unreadable, |number| Self::Number(Some(number))),
            },
            Some(FieldSubtype::Enum) => match fields.get("enum_value") {
                None => Self::Enum(None),
                Some(value) => {
                    EnumOption::of(value).map_or(Self::Unreadable, |option| Self::Enum(Some(option)))
                }
            },
            Some(other) => Self::Other(other),
            None => Self::Unreadable,
        }
    }
}

fn precision(fields: Fields<'_>) -> Option<u32> {
    fields.int("precision").filter(|digits| (0..=MAX_PRECISION).contains(digits)).map(|digits| digits as u32)
}

/// A JSON number without a detour by way of binary fractions: read as the shortest decimal that stands for
/// it, which up to 15 digits is the one that was sent. None beyond 28 digits.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    let text = value.as_number()?.to_string();
    let number = match text.contains(['e', 'E']) {
        true => Decimal::from_scientific(&text),
        false => Decimal::from_str_exact(&text),
    };
    number.ok().map(|number| number.normalize())
}

/// The other way; whole numbers without a point.
pub(super) fn json_number(number: Decimal) -> Option<Value> {
    let text = number.normalize().to_string();
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => serde_json::Number::from_f64(text.parse().ok()?).map(Value::Number),
    }
}
