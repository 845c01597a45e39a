//! Custom fields, alone and with a task's value.

use serde_json::{Value, json};

use crate::sandbox::asana::event::Noun;
use crate::sandbox::asana::field::{CustomField, EnumOption, Format, Held, Kind};
use crate::sandbox::asana::gid::Gid;
use crate::sandbox::asana::shape::{Shape, Shown};
use crate::sandbox::asana::world::World;

impl World {
    pub(crate) fn show_field_gid(&self, gid: Gid, shape: &Shape) -> Value {
        match self.fields.get(&gid) {
            Some(field) => self.show_field(field, shape),
            None => self.show_ref(gid, Noun::CustomField, shape),
        }
    }

    /// As discovery tells it.
    pub(crate) fn show_field(&self, field: &CustomField, shape: &Shape) -> Value {
        self.described(field, shape).done()
    }

    /// As a task tells it. Not enabled: it was kept from a project the task has left.
    pub(crate) fn show_value(
        &self,
        field: &CustomField,
        held: Option<&Held>,
        is_enabled: bool,
        shape: &Shape,
    ) -> Value {
        let shown = self
            .described(field, shape)
            .compact("enabled", || is_enabled)
            .compact("display_value", || self.displayed(field, held));
        let option = |shape: &Shape| match held {
            Some(Held::Option(gid)) => field.option(*gid).map_or(Value::Null, |one| show_option(one, shape)),
            _ => Value::Null,
        };
        let shown = match (&field.kind, held) {
            (Kind::Number { .. }, held) => shown.compact("number_value", || match held {
                Some(Held::Number(number)) => number.json(),
                _ => Value::Null,
            }),
            (Kind::Text, held) => shown.compact("text_value", || match held {
                Some(Held::Text(text)) => json!(text),
                _ => Value::Null,
            }),
            (Kind::Enum(_), _) => shown.compact_record("enum_value", option),
            (Kind::MultiEnum(_), held) => shown.compact_record("multi_enum_values", |shape| match held {
                Some(Held::Options(gids)) => gids
                    .iter()
                    .filter_map(|gid| field.option(*gid))
                    .map(|one| show_option(one, shape))
                    .collect(),
                _ => json!([]),
            }),
            (Kind::Date, held) => shown.compact_record("date_value", |_| match held {
                Some(Held::Date(day)) => json!({ "date": day }),
                _ => Value::Null,
            }),
            (Kind::People, held) => shown.compact_record("people_value", |shape| match held {
                Some(Held::People(people)) => self.show_refs(people.clone(), Noun::User, shape),
                _ => json!([]),
            }),
        };
        shown.done()
    }

    fn described<'s>(&self, field: &CustomField, shape: &'s Shape) -> Shown<'s> {
        let options = |shape: &Shape| field.options().iter().map(|one| show_option(one, shape)).collect();
        let representation = || if field.is_formula { "formula" } else { field.subtype() };
        let shown = Shown::of(shape, field.gid, "custom_field")
            .compact("name", || field.name.clone())
            .compact("type", || field.subtype())
            .compact("resource_subtype", || field.subtype())
            .compact("representation_type", representation)
            .compact("is_formula_field", || field.is_formula)
            .full("description", || field.description.clone())
            .full("is_global_to_workspace", || field.is_global)
            .full("has_notifications_enabled", || false)
            .full("is_value_read_only", || field.is_formula)
            .full_record("created_by", |shape| self.show_user_or_null(field.created_by, shape));
        match &field.kind {
            Kind::Enum(_) | Kind::MultiEnum(_) => shown.compact_record("enum_options", options),
            Kind::Number { precision, format } => {
                let currency = (*format == Format::Currency).then_some("EUR");
                shown
                    .compact("precision", || *precision)
                    .compact("format", || json!(format))
                    .full("currency_code", || currency)
            }
            _ => shown,
        }
    }

    /// For people; in the language of whoever asks.
    fn displayed(&self, field: &CustomField, held: Option<&Held>) -> Value {
        let option = |gid: &Gid| field.option(*gid).map(|one| one.name.clone()).unwrap_or_default();
        match held {
            None => Value::Null,
            Some(Held::Text(text)) => json!(text),
            Some(Held::Number(number)) => json!(number.json().to_string()),
            Some(Held::Option(gid)) => json!(option(gid)),
            Some(Held::Options(gids)) => json!(gids.iter().map(option).collect::<Vec<_>>().join(", ")),
            Some(Held::Date(day)) => json!(day.to_string()),
            Some(Held::People(people)) => {
                let name = |gid: &Gid| self.users.get(gid).map(|user| user.name.clone());
                json!(people.iter().filter_map(name).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

pub(crate) fn show_option(option: &EnumOption, shape: &Shape) -> Value {
    Shown::of(shape, option.gid, "enum_option")
        .compact("name", || option.name.clone())
        .compact("enabled", || option.is_enabled)
        .compact("color", || option.color.clone())
        .done()
}
