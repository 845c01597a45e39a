//! A JWT taken apart, nothing of it believed yet.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::TokenRefusal;
use super::config::Algorithm;

/// Callers send their token with every request; one this long is no token, in bytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

pub struct Token<'t> {
    /// What is signed: header and payload as they came.
    pub message: &'t str,
    /// In base64url.
    pub signature: &'t str,
    header: Map<String, Value>,
    pub claims: Claims,
}

impl<'t> Token<'t> {
    pub fn parse(token: &'t str) -> Result<Self, TokenRefusal> {
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

    /// The algorithm it claims, whatever it is.
    pub fn algorithm_name(&self) -> Option<&str> {
        self.header.get("alg")?.as_str()
    }

    /// The algorithm it claims, of those that anybody may use here. `none` and HS256 end at this point.
    pub(super) fn algorithm(&self) -> Result<Algorithm, TokenRefusal> {
        let name = self.algorithm_name().ok_or(TokenRefusal::Malformed)?;
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
pub struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// Whether a claim is true; some write it as a text.
    pub fn is_true(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(true))) || self.text(name) == Some("true")
    }

    /// A claim that is a text or a list of texts (RFC 7519 §4.1.3 has both for audiences). Anything else in
    /// the list is passed over: it can match nothing.
    pub fn texts(&self, name: &str) -> Vec<&str> {
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
    pub fn check_times(&self, now: DateTime<Utc>, leeway_seconds: f64) -> Result<(), TokenRefusal> {
        self.seconds("exp")?.ok_or(TokenRefusal::NoExpiry)?;
        self.check_given_times(now, leeway_seconds)
    }

    /// The same for tokens that need not say when they end.
    pub fn check_given_times(&self, now: DateTime<Utc>, leeway_seconds: f64) -> Result<(), TokenRefusal> {
        // Fractions are allowed (RFC 7519 §2, NumericDate), and this is exact for some 10 000 years to come.
        let now = now.timestamp_millis() as f64 / 1000.0;
        if self.seconds("exp")?.is_some_and(|expires| now >= expires + leeway_seconds) {
            return Err(TokenRefusal::Expired);
        }
        match self.seconds("nbf")? {
            Some(begins) if now < begins - leeway_seconds => Err(TokenRefusal::NotYetValid),
            _ => Ok(()),
        }
    }

    /// A claim that is an instant, in seconds since 1970.
    pub fn seconds(&self, name: &str) -> Result<Option<f64>, TokenRefusal> {
        let Some(value) = self.0.get(name) else {
            return Ok(None);
        };
        value.as_f64().map(Some).ok_or(TokenRefusal::Malformed)
    }
}
