//! The official API description, where a copy of it is at hand: checks requests against it, and makes answers
//! from it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::*;
use crate::sandbox::published;

const FILE: &str = "providers/specs/asana.openapi.json";

pub(super) struct Spec(Value);

impl Spec {
    /// Read once per process.
    pub(super) fn at_hand() -> Option<&'static Self> {
        static SPEC: OnceLock<Option<Spec>> = OnceLock::new();
        SPEC.get_or_init(|| published::json(FILE).map(Spec)).as_ref()
    }

    /// Path, parameters, named fields and body, each as described.
    pub(super) fn check(&self, asked: &Asked) {
        let method = asked.method.as_str().to_lowercase();
        let path = asked.uri.path().strip_prefix("/api/1.0").unwrap();
        let known = self.operation(path, &method);
        let (above, operation) = known.unwrap_or_else(|| panic!("{method} {path} is unknown"));
        let named = [&above["parameters"], &operation["parameters"]].into_iter().filter_map(Value::as_array);
        let parameters: Vec<&Value> = named.flatten().map(|named| self.seen(named)).collect();

        let query = asked.uri.query().unwrap_or_default();
        let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        for (name, value) in &query {
            let parameter = parameters.iter().find(|p| p["in"] == "query" && p["name"] == name.as_str());
            let parameter = parameter.unwrap_or_else(|| panic!("{method} {path} knows no {name}"));
            check_text(&parameter["schema"], value, name);
        }
        for parameter in parameters.iter().filter(|p| p["in"] == "query" && p["required"] == true) {
            let name = parameter["name"].as_str().unwrap();
            assert!(query.iter().any(|(given, _)| given == name), "{method} {path} needs {name}");
        }
        let paged = parameters.iter().any(|p| p["name"] == "limit");
        assert_eq!(paged, query.iter().any(|(name, _)| name == "limit"), "{method} {path}");
        match &operation["requestBody"]["content"]["application/json"]["schema"] {
            Value::Null => assert!(asked.body.is_empty(), "{method} {path} takes no body"),
            schema => {
                let body = serde_json::from_slice(&asked.body).unwrap();
                assert_eq!(self.flaw(schema, &body, "body"), None, "{method} {path}");
            }
        }
    }

    /// A record with every property that the description knows, each with its example.
    pub(super) fn example(&self, schema: &str) -> Value {
        self.made(&json!({ "$ref": format!("#/components/schemas/{schema}") }), 0)
    }

    /// What its path says, and what it says itself.
    fn operation(&self, path: &str, method: &str) -> Option<(&Value, &Value)> {
        let fits = |template: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            wanted.len() == given.len()
                && wanted.iter().zip(given).all(|(wanted, given)| wanted.starts_with('{') || *wanted == given)
        };
        let paths = self.0["paths"].as_object().unwrap();
        let fitting = paths.iter().filter(|(template, _)| fits(template));
        // A literal path goes before a template that also fits.
        let (_, above) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((above, above.get(method)?))
    }

    fn seen<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.seen(self.0.pointer(reference.strip_prefix('#').unwrap()).unwrap()),
            None => value,
        }
    }

    /// All properties of a schema, those of its parts included.
    fn properties<'a>(&'a self, schema: &'a Value) -> BTreeMap<&'a str, &'a Value> {
        let schema = self.seen(schema);
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let mut all: BTreeMap<_, _> = parts.flat_map(|part| self.properties(part)).collect();
        let own = schema["properties"].as_object().into_iter().flatten();
        all.extend(own.map(|(name, schema)| (name.as_str(), schema)));
        all
    }

    /// The first thing that does not fit; keys that the schema does not name, or only answers,
    /// do not fit either.
    fn flaw(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        let properties = self.properties(schema);
        let schema = self.seen(schema);
        let fits = match schema["type"].as_str() {
            _ if value.is_null() => schema["nullable"] == true,
            Some("string") => value.is_string(),
            Some("array") => value.is_array(),
            Some("object") => value.is_object(),
            _ => true,
        };
        let known = schema["enum"].as_array();
        if !fits || known.is_some_and(|known| !known.contains(value)) {
            return Some(format!("{at} is {value}"));
        }
        for item in value.as_array().into_iter().flatten() {
            if let Some(flaw) = self.flaw(&schema["items"], item, at) {
                return Some(flaw);
            }
        }
        if schema["additionalProperties"].is_object() {
            return None;
        }
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        if let Some(name) = required.into_iter().find(|name| value.get(name).is_none()) {
            return Some(format!("{at}.{name} is missing"));
        }
        value.as_object()?.iter().find_map(|(name, value)| match properties.get(name.as_str()) {
            Some(schema) if schema["readOnly"] == true => Some(format!("{at}.{name} cannot be written")),
            Some(schema) => self.flaw(schema, value, &format!("{at}.{name}")),
            None => Some(format!("{at}.{name} is unknown")),
        })
    }

    fn made(&self, schema: &Value, depth: usize) -> Value {
        let properties = self.properties(schema);
        let seen = self.seen(schema);
        let example = &seen["example"];
        if !properties.is_empty() && depth < 5 {
            let made =
                properties.into_iter().map(|(name, schema)| (name.to_owned(), self.made(schema, depth + 1)));
            return Value::Object(made.collect());
        }
        match seen["type"].as_str() {
            _ if !example.is_null() => example.clone(),
            Some("array") if depth < 5 => json!([self.made(&seen["items"], depth + 1)]),
            Some("string") if seen["enum"].is_array() => seen["enum"][0].clone(),
            Some("boolean") => json!(true),
            Some("integer" | "number") => json!(3),
            Some("string") => json!("text"),
            _ => Value::Null,
        }
    }
}

fn check_text(schema: &Value, text: &str, name: &str) {
    match schema["type"].as_str() {
        Some("integer") => {
            let number: i64 = text.parse().unwrap();
            let within = schema["minimum"].as_i64().unwrap()..=schema["maximum"].as_i64().unwrap();
            assert!(within.contains(&number), "{name}={text}");
        }
        Some("array") => text.split(',').for_each(|item| check_text(&schema["items"], item, name)),
        _ => {}
    }
    match schema["format"].as_str() {
        Some("date") => assert!(text.parse::<NaiveDate>().is_ok(), "{name}={text}"),
        Some("date-time") => assert!(DateTime::parse_from_rfc3339(text).is_ok(), "{name}={text}"),
        _ => {}
    }
    let known = schema["enum"].as_array();
    assert!(known.is_none_or(|known| known.contains(&text.into())), "{name}={text}");
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let schema = json!({
        "allOf": [
            { "type": "object", "properties": { "gid": { "type": "string", "readOnly": true } } },
            {
                "type": "object", "required": ["name"],
                "properties": {
                    "name": { "type": "string" },
                    "due_on": { "type": "string", "nullable": true },
                    "kinds": { "type": "array", "items": { "enum": ["a"] } },
                },
            },
        ],
    });
    let spec = Spec(Value::Null);
    let flaw = |value: Value| spec.flaw(&schema, &value, "body");

    assert_eq!(flaw(json!({ "name": "x", "due_on": null, "kinds": ["a"] })), None);
    assert_eq!(flaw(json!({ "name": null })).as_deref(), Some("body.name is null"));
    assert_eq!(flaw(json!({ "name": "x", "kinds": ["b"] })).as_deref(), Some("body.kinds is \"b\""));
    assert_eq!(flaw(json!({ "name": "x", "more": 1 })).as_deref(), Some("body.more is unknown"));
    assert_eq!(flaw(json!({ "gid": "1" })).as_deref(), Some("body.gid cannot be written"));
}
