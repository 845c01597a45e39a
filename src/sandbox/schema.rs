//! As much of JSON Schema as the providers' descriptions use.

use serde_json::{Map, Value};

/// What is held against a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Unknown keys are wrong: providers drop them without a word.
    Request,
    /// Unknown keys are new; and the description is known to be wrong in places.
    Answer,
}

pub(crate) struct Schemas<'a> {
    document: &'a Value,
    reading: Reading,
    differences: &'a [Difference],
}

/// Where a description and the service differ, by schema (or the end of its name) and property: seen in the
/// source of the service or in published answers. Everything else must be as described.
pub(crate) type Difference = (&'static str, &'static str, Instead);

/// What may be there although the description says otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instead {
    Null,
    Text,
    Zero,
    Anything,
}

impl<'a> Schemas<'a> {
    pub(crate) fn of(document: &'a Value, reading: Reading, differences: &'a [Difference]) -> Self {
        Self { document, reading, differences }
    }

    /// What is wrong, with the place of it.
    pub(crate) fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        self.look(schema, value, "", "")
    }

    fn look(&self, schema: &Value, value: &Value, name: &str, place: &str) -> Result<(), String> {
        let Some(schema) = schema.as_object() else { return Ok(()) };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = self.document.pointer(reference.trim_start_matches('#'));
            let target = target.ok_or(format!("{place}: {reference} is not described"))?;
            let name = reference.rsplit('/').next().unwrap_or_default();
            return self.look(target, value, name, place);
        }
        let parts = list(schema, "allOf");
        let allows_null = |part: &Value| part["nullable"] == true;
        if value.is_null()
            && (schema.get("nullable") == Some(&Value::Bool(true)) || parts.iter().any(allows_null))
        {
            return Ok(());
        }
        for part in parts {
            self.look(part, value, name, place)?;
        }
        // The generated unions overlap, so one fitting member is enough for `oneOf`, too.
        for union in ["oneOf", "anyOf"] {
            let members = list(schema, union);
            let tried: Vec<_> =
                members.iter().filter_map(|one| self.look(one, value, name, place).err()).collect();
            if !members.is_empty() && tried.len() == members.len() {
                return Err(tried.join("; or "));
            }
        }
        let words = list(schema, "enum");
        if !words.is_empty() && !words.contains(value) {
            return Err(format!("{place}: {value} is none of the words described"));
        }
        check_type(schema, value, place)?;
        if let Value::Array(items) = value
            && let Some(described) = schema.get("items")
        {
            for (nth, item) in items.iter().enumerate() {
                self.look(described, item, "", &format!("{place}/{nth}"))?;
            }
        }
        match value {
            Value::Object(object) => self.look_inside(schema, object, name, place),
            _ => Ok(()),
        }
    }

    fn look_inside(
        &self,
        schema: &Map<String, Value>,
        object: &Map<String, Value>,
        name: &str,
        place: &str,
    ) -> Result<(), String> {
        for key in list(schema, "required").iter().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                return Err(format!("{place}: {key} is missing"));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, value) in object {
            let place = format!("{place}/{key}");
            let described = properties.and_then(|properties| properties.get(key));
            let other = schema.get("additionalProperties").filter(|other| other.is_object());
            match (described, other) {
                (Some(_), _)
                    if self.reading == Reading::Answer && self.is_known_to_differ(name, key, value) => {}
                (Some(described), _) | (None, Some(described)) => self.look(described, value, "", &place)?,
                (None, None) if properties.is_some() && self.reading == Reading::Request => {
                    return Err(format!("{place}: there is no such key"));
                }
                (None, None) => {}
            }
        }
        Ok(())
    }
    fn is_known_to_differ(&self, name: &str, key: &str, value: &Value) -> bool {
        self.differences.iter().any(|(schema, property, instead)| {
            let is_so = match instead {
                Instead::Null => value.is_null(),
                Instead::Text => value.is_string(),
                Instead::Zero => value == 0,
                Instead::Anything => true,
            };
            name.ends_with(schema) && key == *property && is_so
        })
    }
}

fn check_type(schema: &Map<String, Value>, value: &Value, place: &str) -> Result<(), String> {
    let wanted = schema.get("type").and_then(Value::as_str);
    let fits = match wanted {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        _ => true,
    };
    if !fits {
        return Err(format!("{place}: {value} is no {}", wanted.unwrap_or_default()));
    }
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let is_within = value.as_f64().is_none_or(|number| {
        bound("minimum").is_none_or(|least| number >= least)
            && bound("maximum").is_none_or(|most| number <= most)
    });
    if is_within { Ok(()) } else { Err(format!("{place}: {value} is out of bounds")) }
}

fn list<'s>(schema: &'s Map<String, Value>, key: &str) -> &'s [Value] {
    schema.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
