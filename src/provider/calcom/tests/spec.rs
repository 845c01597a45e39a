//! Checks a request against the official API description, where a copy of it is at hand.

use std::sync::OnceLock;

use super::*;
use crate::sandbox::published;

const FILE: &str = "providers/specs/calcom.openapi.json";

pub(super) struct Spec(Value);

impl Spec {
    /// Read once per process.
    pub(super) fn at_hand() -> Option<&'static Self> {
        static SPEC: OnceLock<Option<Spec>> = OnceLock::new();
        SPEC.get_or_init(|| published::json(FILE).map(Spec)).as_ref()
    }

    pub(super) fn check(&self, asked: &Asked) {
        let method = asked.method.as_str().to_lowercase();
        let path = asked.uri.path();
        let operation = self.operation(path, &method).unwrap_or_else(|| panic!("{method} {path} is unknown"));
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let named = |place: &str, name: &str| {
            parameters.iter().find(|parameter| {
                parameter["in"] == place && parameter["name"].as_str().unwrap().eq_ignore_ascii_case(name)
            })
        };

        let query = asked.uri.query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let parameter =
                named("query", &name).unwrap_or_else(|| panic!("{method} {path} knows no {name}"));
            self.check_text(&parameter["schema"], &value, &name);
        }
        for parameter in parameters.iter().filter(|parameter| parameter["required"] == true) {
            let name = parameter["name"].as_str().unwrap();
            let is_there = match parameter["in"].as_str().unwrap() {
                "header" => asked.headers.contains_key(name),
                "query" => url::form_urlencoded::parse(query.as_bytes()).any(|(given, _)| given == name),
                _ => true,
            };
            assert!(is_there, "{method} {path} needs {name}");
        }
        match named("header", "cal-api-version") {
            Some(version) => {
                assert_eq!(version["schema"]["default"], asked.headers["cal-api-version"].to_str().unwrap())
            }
            None => {
                assert!(!asked.headers.contains_key("cal-api-version"), "{method} {path} has no versions")
            }
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match schema {
            Value::Null => assert!(asked.body.is_empty(), "{method} {path} takes no body"),
            schema => {
                let body = serde_json::from_slice(&asked.body).unwrap();
                assert_eq!(self.flaw(schema, &body, "body"), None, "{method} {path}");
            }
        }
    }

    fn operation(&self, path: &str, method: &str) -> Option<&Value> {
        let fits = |template: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            wanted.len() == given.len()
                && wanted.iter().zip(given).all(|(wanted, given)| wanted.starts_with('{') || *wanted == given)
        };
        let paths = self.0["paths"].as_object().unwrap();
        let mut fitting: Vec<_> = paths.iter().filter(|(template, _)| fits(template)).collect();
        // A literal path goes before a template that also fits.
        fitting.sort_by_key(|(template, _)| template.matches('{').count());
        fitting.iter().find_map(|(_, operations)| operations.get(method))
    }

    fn check_text(&self, schema: &Value, text: &str, name: &str) {
        match schema["type"].as_str() {
            Some("number") => assert!(text.parse::<f64>().is_ok(), "{name}={text}"),
            Some("array") => text.split(',').for_each(|item| self.check_text(&schema["items"], item, name)),
            _ => {}
        }
        let known = schema["enum"].as_array();
        assert!(known.is_none_or(|known| known.contains(&text.into())), "{name}={text}");
    }

    /// The first thing that does not fit; keys that the schema does not name do not fit either.
    fn flaw(&self, schema: &Value, value: &Value, at: &str) -> Option<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').unwrap();
            return self.flaw(self.0.pointer(pointer).unwrap(), value, at);
        }
        for all in schema["allOf"].as_array().into_iter().flatten() {
            if let Some(flaw) = self.flaw(all, value, at) {
                return Some(flaw);
            }
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let flaws: Vec<_> = choices.iter().filter_map(|choice| self.flaw(choice, value, at)).collect();
            return (flaws.len() == choices.len()).then(|| flaws.join("; "));
        }
        let fits = match schema["type"].as_str() {
            Some("string") => value.is_string(),
            Some("number" | "integer") => value.is_number(),
            Some("boolean") => value.is_boolean(),
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
        let properties = schema["properties"].as_object()?;
        let object = value.as_object()?;
        let missing = schema["required"].as_array().into_iter().flatten();
        if let Some(name) = missing.filter_map(Value::as_str).find(|name| !object.contains_key(*name)) {
            return Some(format!("{at}.{name} is missing"));
        }
        object.iter().find_map(|(name, value)| match properties.get(name) {
            Some(schema) => self.flaw(schema, value, &format!("{at}.{name}")),
            None => Some(format!("{at}.{name} is unknown")),
        })
    }
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let schema = json!({
        "type": "object", "required": ["start"],
        "properties": {
            "start": { "type": "string" },
            "kinds": { "type": "array", "items": { "enum": ["a"] } },
        },
    });
    let spec = Spec(Value::Null);
    let flaw = |value: Value| spec.flaw(&schema, &value, "body");

    assert_eq!(flaw(json!({ "start": "x", "kinds": ["a"] })), None);
    assert_eq!(flaw(json!({})).as_deref(), Some("body.start is missing"));
    assert_eq!(flaw(json!({ "start": 1 })).as_deref(), Some("body.start is 1"));
    assert_eq!(flaw(json!({ "start": "x", "kinds": ["b"] })).as_deref(), Some("body.kinds is \"b\""));
    assert_eq!(flaw(json!({ "start": "x", "more": 1 })).as_deref(), Some("body.more is unknown"));
}
