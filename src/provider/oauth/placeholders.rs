//! The parts of a row's URLs that differ between tenants, and the URLs they make.

use std::collections::BTreeMap;

use serde_json::Value;
use url::{Host, Url};

use super::OAuth;
use crate::provider::catalog::{
    UrlTemplate,
    oauth::{Placeholder, Shape},
};

/// What stands in the places of a row's placeholders; each was checked for its shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placeholders(BTreeMap<String, String>);

/// A placeholder that cannot be filled. Repeats no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct PlaceholderError {
    pub name: String,
    pub problem: &'static str,
}

/// A row's URLs for one tenant and one client.
#[derive(Debug, Clone)]
pub struct Endpoints {
    pub authorize: Url,
    pub token: Url,
    pub revoke: Option<Url>,
    /// Where the account is asked for, if that takes a call.
    pub account: Option<Url>,
}

impl Placeholders {
    /// Takes what a tenant gave for a row's placeholders, and defaults for the rest.
    pub fn check(row: &OAuth, given: &BTreeMap<String, String>) -> Result<Self, PlaceholderError> {
        let unknown = |name: &&String| row.placeholders.iter().all(|one| one.name != name.as_str());
        if let Some(name) = given.keys().find(unknown) {
            return Err(PlaceholderError {
                name: name.clone(),
                problem: "is no placeholder of this provider",
            });
        }
        let filled = row.placeholders.iter().map(|one| {
            let text =
                given.get(one.name).map(String::as_str).filter(|text| !text.is_empty()).or(one.default);
            let fail = |problem| PlaceholderError { name: one.name.into(), problem };
            let text = text.ok_or_else(|| fail("must be given"))?;
            let text = shaped(one.shape, text).map_err(fail)?;
            Ok((one.name.to_string(), text))
        });
        Ok(Self(filled.collect::<Result<_, _>>()?))
    }

    /// From a row's column; checked again, because URLs are made of it.
    pub fn from_json(row: &OAuth, json: &Value) -> Result<Self, PlaceholderError> {
        let given: BTreeMap<String, String> = serde_json::from_value(json.clone()).map_err(|_| {
            PlaceholderError { name: "placeholders".into(), problem: "must be texts by name" }
        })?;
        Self::check(row, &given)
    }

    pub fn to_json(&self) -> Value {
        serde_json::json!(self.0)
    }

    /// What stands in one placeholder's place.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether a tenant chose the very host: only its own registration may be shown there, because the
    /// secret goes with it.
    pub fn lead_elsewhere(&self, row: &OAuth) -> bool {
        let is_chosen = |one: &Placeholder| one.shape == Shape::Host && self.get(one.name) != one.default;
        row.placeholders.iter().any(is_chosen)
    }

    /// The URL of a template.
    pub fn url(&self, template: UrlTemplate) -> Option<Url> {
        let filled = self.0.iter().fold(template.to_string(), |url, (name, value)| fill(&url, name, value));
        if filled.contains(['{', '}']) { None } else { filled.parse().ok() }
    }
}

impl Endpoints {
    /// The URLs of a row. With `base`, all of them are there instead of at the provider. `None`: the row
    /// has a placeholder that nobody filled.
    pub fn of(row: &OAuth, placeholders: &Placeholders, client_id: &str, base: Option<&Url>) -> Option<Self> {
        let url = |template: UrlTemplate| {
            let url = placeholders.url(template)?;
            Some(base.map_or(url.clone(), |base| rebase(&url, base)))
        };
        let revoke = match &row.revoke {
            Some(revoke) => {
                let escaped: String = url::form_urlencoded::byte_serialize(client_id.as_bytes()).collect();
                let filled = fill(revoke.url, "client_id", &escaped);
                let filled = placeholders.0.iter().fold(filled, |url, (name, value)| fill(&url, name, value));
                let parsed: Url = filled.parse().ok()?;
                Some(base.map_or(parsed.clone(), |base| rebase(&parsed, base)))
            }
            None => None,
        };
        let account = match row.account.call() {
            Some(call) => Some(url(call.url)?),
            None => None,
        };
        Some(Self { authorize: url(row.authorize_url)?, token: url(row.token_url)?, revoke, account })
    }
}

/// A template with one placeholder filled.
pub fn fill(template: &str, name: &str, value: &str) -> String {
    template.replace(&format!("{{{name}}}"), value)
}

/// The same path and query below another base.
pub fn rebase(url: &Url, base: &Url) -> Url {
    let mut moved = base.clone();
    moved.set_path(&format!("{}{}", base.path().trim_end_matches('/'), url.path()));
    moved.set_query(url.query());
    moved
}

fn shaped(shape: Shape, text: &str) -> Result<String, &'static str> {
    let is_label = |text: &str| {
        (1..=63).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-')
    };
    match shape {
        Shape::Label if is_label(text) => Ok(text.to_ascii_lowercase()),
        Shape::Label => Err("must be one label of a host name, as in example"),
        Shape::Host => {
            let plain = text.contains('.') && text.split('.').all(is_label);
            // A parser's view, too: 127.1 is an address to it.
            let host = Url::parse(&format!("https://{text}/")).ok();
            let is_name = host.as_ref().is_some_and(|url| matches!(url.host(), Some(Host::Domain(_))));
            if plain && is_name && text.len() <= 253 {
                Ok(text.to_ascii_lowercase())
            } else {
                Err("must be a host name, as in git.example.org")
            }
        }
        Shape::Segment => {
            let plain = (1..=100).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
            // These two climb.
            let climbs = matches!(text, "." | "..");
            if plain && !climbs {
                Ok(text.into())
            } else {
                Err("must be 1 to 100 letters, digits, dots, _ or -")
            }
        }
    }
}
