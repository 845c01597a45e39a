//! Holds what was asked and answered against Cal.com's own description of API v2, so that neither the double
//! nor what talks to it drifts into wishful thinking. For tests: the description is no part of this project,
//! and where it is not at hand everything passes; see `sandbox::published`.

use std::sync::OnceLock;

use serde_json::Value;

use super::record::Recorded;
use crate::sandbox::{
    published,
    schema::{Difference, Instead, Reading, Schemas},
};

/// Where the description and the service differ, by schema (or the end of its name) and property: seen in the
/// source of the service or in published answers. Everything else must be as described.
const DIFFERENCES: [Difference; 17] = [
    // Subscriptions have UUIDs; what was not given is null.
    ("WebhookOutputDto", "id", Instead::Text),
    ("WebhookOutputDto", "payloadTemplate", Instead::Null),
    ("WebhookOutputDto", "secret", Instead::Null),
    ("BookingOutput_2024_08_13", "description", Instead::Null),
    ("BookingOutput_2024_08_13", "location", Instead::Null),
    ("BookingOutput_2024_08_13", "updatedAt", Instead::Null),
    ("BookingOutput_2024_08_13", "rating", Instead::Null),
    // Of an empty list.
    ("PaginationMetaDto", "currentPage", Instead::Zero),
    // Policies that are not set are `{"disabled": true}`, and the window is no array.
    ("EventTypeOutput_2024_06_14", "bookingWindow", Instead::Anything),
    ("EventTypeOutput_2024_06_14", "seats", Instead::Anything),
    // Objects, not texts.
    ("EventTypeOutput_2024_06_14", "users", Instead::Anything),
    // Typed as objects by the generator.
    ("EventTypeOutput_2024_06_14", "slotInterval", Instead::Anything),
    ("EventTypeOutput_2024_06_14", "successRedirectUrl", Instead::Anything),
    ("EventTypeOutput_2024_06_14", "forwardParamsSuccessRedirect", Instead::Anything),
    ("EmailDefaultFieldOutput_2024_06_14", "required", Instead::Anything),
    ("BookingAttendee", "language", Instead::Null),
    // Described as containing itself.
    ("GetReservedSlotOutput_2024_09_04", "data", Instead::Anything),
];

const FILE: &str = "providers/specs/calcom.openapi.json";

/// Cal.com's description, or a part of it.
pub struct Spec {
    document: Value,
}

/// Whether a request that came in was one the description allows: route, version, parameters, and a body
/// without a key too many. `Ok` where the description is not at hand.
pub fn check_request(request: &Recorded) -> Result<(), String> {
    Spec::at_hand().map_or(Ok(()), |spec| spec.check_request(request))
}

/// Whether an answer has the shape the description promises. Only success is described.
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
        let spec = SPEC.get_or_init(|| published::json(FILE).map(Self::of));
        spec.as_ref()
    }

    pub fn check_request(&self, request: &Recorded) -> Result<(), String> {
        let route = format!("{} {}", request.method, request.path);
        let operation =
            self.operation(&request.method, &request.path).ok_or(format!("{route}: no such route"))?;
        let wrong = |what: String| Err(format!("{route}: {what}"));
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "header") {
            let name = parameter["name"].as_str().unwrap_or_default();
            let wanted = parameter["schema"]["default"].as_str();
            if name == "cal-api-version" && request.version.as_deref() != wanted {
                return wrong(format!("{name} is {:?}, not {wanted:?}", request.version));
            }
            if name == "Authorization" && parameter["required"] == true && request.key_id.is_none() {
                return wrong("needs a key".to_owned());
            }
        }
        if let Err(why) = check_query(parameters, &request.query) {
            return wrong(why);
        }
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        match (&request.body, schema) {
            (Value::Null, _) if operation["requestBody"]["required"] != true => Ok(()),
            (Value::Object(body), Value::Null) if body.is_empty() => Ok(()),
            (_, Value::Null) => wrong("takes no body".to_owned()),
            (body, schema) => {
                let checked = Schemas::of(&self.document, Reading::Request, &DIFFERENCES).check(schema, body);
                checked.map_err(|why| format!("{route}: {why}"))
            }
        }
    }

    pub fn check_answer(&self, method: &str, path: &str, status: u16, body: &Value) -> Result<(), String> {
        if !(200..300).contains(&status) {
            return Ok(());
        }
        let route = format!("{method} {path}");
        let operation = self.operation(method, path).ok_or(format!("{route}: no such route"))?;
        let described = &operation["responses"][status.to_string()];
        if described.is_null() {
            return Err(format!("{route}: {status} is not described"));
        }
        let schema = &described["content"]["application/json"]["schema"];
        // The list of slots is described without the envelope it comes in.
        let body = if path == "/v2/slots" { &body["data"] } else { body };
        let checked = Schemas::of(&self.document, Reading::Answer, &DIFFERENCES).check(schema, body);
        checked.map_err(|why| format!("{route}: {why}"))
    }

    /// The description of a route; names in its path go before variables.
    fn operation(&self, method: &str, path: &str) -> Option<&Value> {
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
        verbs.get(&method)
    }
}

fn check_query(parameters: &[Value], query: &[(String, String)]) -> Result<(), String> {
    let in_query = || parameters.iter().filter(|parameter| parameter["in"] == "query");
    for (name, value) in query {
        let Some(parameter) = in_query().find(|parameter| parameter["name"] == name.as_str()) else {
            return Err(format!("there is no parameter {name}"));
        };
        let schema = &parameter["schema"];
        let words = schema["enum"].as_array().or_else(|| schema["items"]["enum"].as_array());
        let is_known = |word: &str| words.is_none_or(|words| words.iter().any(|known| known == word));
        if !value.split(',').all(is_known) {
            return Err(format!("{name}={value} is none of {words:?}"));
        }
        if schema["type"] == "number" && value.parse::<f64>().is_err() {
            return Err(format!("{name}={value} is no number"));
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
