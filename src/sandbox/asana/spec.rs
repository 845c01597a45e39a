//! Holds what was asked and answered against Asana's own description of its API, so that neither the double
//! nor what talks to it drifts into wishful thinking. For tests: the description is no part of this project,
//! and where it is not at hand everything passes; see `sandbox::published`.

use std::sync::OnceLock;

use serde_json::{Value, json};

use super::record::Recorded;
use crate::sandbox::{
    published,
    schema::{Difference, Instead, Reading, Schemas},
};

const FILE: &str = "providers/specs/asana.openapi.json";

/// Where the description and the service differ.
const DIFFERENCES: [Difference; 5] = [
    // Null for what the system did itself, and for what is neither added nor removed.
    ("EventResponse", "user", Instead::Null),
    ("EventResponse", "parent", Instead::Null),
    // What an app has not written.
    ("TaskBase", "external", Instead::Null),
    // Without a field of it named, a nested record is told by its id alone; a project without a team has
    // none.
    ("ProjectResponse", "team", Instead::Null),
    ("CustomFieldResponse", "people_value", Instead::Null),
];

/// Asana's description, or a part of it.
pub struct Spec {
    document: Value,
}

/// Whether a request that came in was one the description allows: route, parameters with every field asked
/// for, and a body without a key too many. `Ok` where the description is not at hand.
pub fn check_request(request: &Recorded) -> Result<(), String> {
    Spec::at_hand().map_or(Ok(()), |spec| spec.check_request(request))
}

/// Whether an answer has the shape the description promises; `path` is below `/api/1.0`, without its query.
pub fn check_answer(method: &str, path: &str, status: u16, body: &Value) -> Result<(), String> {
    Spec::at_hand().map_or(Ok(()), |spec| spec.check_answer(method, path, status, body))
}

impl Spec {
    pub fn of(document: Value) -> Self {
        Self { document }
    }

    /// Read once per process.
    pub fn at_hand() -> Option<&'static Self> {
        static SPEC: OnceLock<Option<Spec>> = OnceLock::new();
        SPEC.get_or_init(|| published::json(FILE).map(Self::of)).as_ref()
    }

    pub fn check_request(&self, request: &Recorded) -> Result<(), String> {
        // The OAuth routes are not described.
        if request.path.starts_with("/-/") {
            return Ok(());
        }
        let route = format!("{} {}", request.method, request.path);
        let (item, operation) =
            self.operation(&request.method, &request.path).ok_or(format!("{route}: no such route"))?;
        let listed =
            |value: &'static str| move |whole: &Value| whole[value].as_array().cloned().unwrap_or_default();
        let parameters: Vec<Value> = [item, operation].into_iter().flat_map(listed("parameters")).collect();
        let parameters: Vec<&Value> = parameters.iter().map(|one| self.resolved(one)).collect();
        check_query(&parameters, &request.query).map_err(|why| format!("{route}: {why}"))?;
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match (&request.body, schema) {
            (Value::Null, _) if operation["requestBody"]["required"] != true => Ok(()),
            (_, Value::Null) => Err(format!("{route}: takes no body")),
            (body, schema) => {
                // `options` is of every body, and of no schema.
                let mut body = body.clone();
                if let Some(body) = body.as_object_mut() {
                    body.remove("options");
                }
                let schema = self.whole(schema);
                let checked = Schemas::of(&self.document, Reading::Request, &[]).check(&schema, &body);
                checked.map_err(|why| format!("{route}: {why}"))
            }
        }
    }

    pub fn check_answer(&self, method: &str, path: &str, status: u16, body: &Value) -> Result<(), String> {
        let route = format!("{method} {path}");
        let (_, operation) = self.operation(method, path).ok_or(format!("{route}: no such route"))?;
        // Told by the balancer, the limiter and the plan whatever was asked; described apart, where at all.
        let everywhere = matches!(status, 402 | 413 | 429 | 502..=504);
        let named = &operation["responses"][status.to_string()];
        let described = match named {
            Value::Null if everywhere => return Ok(()),
            Value::Null => return Err(format!("{route}: {status} is not described")),
            named => self.resolved(named),
        };
        let schema = &described["content"]["application/json"]["schema"];
        let checked = Schemas::of(&self.document, Reading::Answer, &DIFFERENCES).check(schema, body);
        checked.map_err(|why| format!("{route}: {why}"))
    }

    fn resolved<'v>(&'v self, value: &'v Value) -> &'v Value {
        let target =
            value["$ref"].as_str().and_then(|path| self.document.pointer(path.trim_start_matches('#')));
        target.unwrap_or(value)
    }

    /// A request's schema with every `allOf` made one: a key is known if any part knows it. The last part to
    /// name a key has the say, as `TaskRequestBase` over `TaskBase`.
    fn whole(&self, schema: &Value) -> Value {
        let schema = self.resolved(schema);
        let mut whole = schema.clone();
        let Some(object) = whole.as_object_mut() else { return whole };
        if let Some(Value::Array(parts)) = object.remove("allOf") {
            for part in parts {
                let Value::Object(part) = self.whole(&part) else { continue };
                for (key, value) in part {
                    match (key.as_str(), object.get_mut("properties")) {
                        ("properties", Some(Value::Object(properties))) => {
                            properties.extend(value.as_object().cloned().unwrap_or_default());
                        }
                        _ => {
                            object.insert(key, value);
                        }
                    }
                }
            }
        }
        if let Some(Value::Object(properties)) = object.get_mut("properties") {
            for (key, value) in properties {
                // Described as texts only, which numbers and lists are not.
                *value = if key == "custom_fields" { json!({ "type": "object" }) } else { self.whole(value) };
            }
        }
        whole
    }

    /// The description of a route and of its path; names in a path go before variables.
    fn operation(&self, method: &str, path: &str) -> Option<(&Value, &Value)> {
        let method = method.to_lowercase();
        let fits = |template: &str| {
            let (wanted, found): (Vec<_>, Vec<_>) =
                (template.split('/').collect(), path.split('/').collect());
            let matches = |(wanted, found): (&&str, &&str)| wanted == found || wanted.starts_with('{');
            wanted.len() == found.len() && wanted.iter().zip(&found).all(matches)
        };
        let paths = self.document["paths"].as_object()?;
        let fitting = paths.iter().filter(|(template, verbs)| fits(template) && verbs.get(&method).is_some());
        let (_, verbs) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((verbs, verbs.get(&method)?))
    }
}

fn check_query(parameters: &[&Value], query: &[(String, String)]) -> Result<(), String> {
    let in_query = || parameters.iter().filter(|parameter| parameter["in"] == "query");
    for (name, value) in query {
        let Some(parameter) = in_query().find(|parameter| parameter["name"] == name.as_str()) else {
            return Err(format!("there is no parameter {name}"));
        };
        let schema = &parameter["schema"];
        let words = schema["enum"].as_array().or_else(|| schema["items"]["enum"].as_array());
        for word in value.split(',') {
            if words.is_some_and(|words| !words.iter().any(|known| known == word || goes_on(known, word))) {
                return Err(format!("{name}: {word} is not described"));
            }
        }
        if schema["type"] == "integer" && value.parse::<i64>().is_err() {
            return Err(format!("{name}={value} is no whole number"));
        }
    }
    for parameter in in_query().filter(|parameter| parameter["required"] == true) {
        let name = parameter["name"].as_str().unwrap_or_default();
        if !query.iter().any(|(one, _)| one == name) {
            return Err(format!("{name} is missing"));
        }
    }
    Ok(())
}

/// The list names the fields of nested records, but never their ids and types, which every record has.
fn goes_on(known: &Value, word: &str) -> bool {
    let known = known.as_str().unwrap_or_default();
    ["gid", "resource_type"].iter().any(|always| {
        word == *always
            || word.strip_suffix(always).and_then(|above| above.strip_suffix('.')).is_some_and(|above| {
                known == above || known.strip_prefix(above).is_some_and(|rest| rest.starts_with('.'))
            })
    })
}
