//! A JWT taken apart, nothing of it believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::TokenRefusal;
use super::config::Algorithm;

/// Callers send their token with every request; one this long is no token, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

pub(super) struct Token<'t> {
    /// What is signed: header and payload as they came.
    pub(super) message: &'t str,
    pub(super) signature: &'t str,
    header: Map<String, Value>,
    pub(super) claims: Claims,
}

impl<'t> Token<'t> {
    pub(super) fn parse(token: &'t str) -> Result<Self, TokenRefusal> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenRefusal::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenRefusal::Malformed)?;
        let (header, claims) = (object(header)?, Claims(object(payload)?));
        // An extension that must be understood (RFC 7515 §4.1.11): we understand none.
        if header.contains_key("crit") {
            return Err(TokenRefusal::Malformed);
        }
        Ok(Self { message, signature, header, claims })
    }

    /// The algorithm it claims, of those that anybody may use here. `none` and HS256 end at this point.
    pub(super) fn algorithm(&self) -> Result<Algorithm, TokenRefusal> {
        let name = self.header.get("alg").and_then(Value::as_str).ok_or(TokenRefusal::Malformed)?;
        Algorithm::parse(name).ok_or(TokenRefusal::AlgorithmNotAllowed)
    }

    pub(super) fn kid(&self) -> Result<Option<&str>, TokenRefusal> {
        match self.header.get("kid") {
            None => Ok(None),
            Some(Value::String(kid)) => Ok(Some(kid)),
            Some(_) => Err(TokenRefusal::Malformed),
        }
    }
}

fn object(part: &str) -> Result<Map<String, Value>, TokenRefusal> {
    let text = URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefusal::Malformed)?;
    serde_json::from_slice(&text).map_err(|_| TokenRefusal::Malformed)
}

/// What a token says; true only once its signature has been checked.
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// A claim that is a text or a list of texts (RFC 7519 §4.1.3 has both for audiences). Anything else in
    /// the list is passed over: it can match nothing.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Value::String(text)) => vec![text],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// A top-level claim by its name, or by a JSON pointer (RFC 6901) a claim further in.
    fn get(&self, name: &str) -> Option<&Value> {
        let Some(pointer) = name.strip_prefix('/') else {
            return self.0.get(name);
        };
        let (first, rest) =
            pointer.split_once('/').map_or((pointer, None), |(first, rest)| (first, Some(rest)));
        let outer = self.0.get(&first.replace("~1", "/").replace("~0", "~"))?;
        rest.map_or(Some(outer), |rest| outer.pointer(&format!("/{rest}")))
    }

    /// Whether the time is right, give or take `leeway_seconds`.
    pub(super) fn check_times(&self, now: DateTime<Utc>, leeway_seconds: f64) -> Result<(), TokenRefusal> {
        // Fractions are allowed (RFC 7519 §2, NumericDate), and this is exact for some 10 000 years to come.
        let now = now.timestamp_millis() as f64 / 1000.0;
        let expires = self.seconds("exp")?.ok_or(TokenRefusal::NoExpiry)?;
        if now >= expires + leeway_seconds {
            return Err(TokenRefusal::Expired);
        }
        match self.seconds("nbf")? {
            Some(begins) if now < begins - leeway_seconds => Err(TokenRefusal::NotYetValid),
            _ => Ok(()),
        }
    }

    fn seconds(&self, name: &str) -> Result<Option<f64>, TokenRefusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        value.as_f64().map(Some).ok_or(TokenRefusal::Malformed)
    }
}
