//! Handshakes that change nothing here: the provider asks whether the address is meant for it, and gets back
//! what it said. They say no more than the 404 that they are not, so they may be repeated.

use http::Method;
use serde_json::Value;

use super::Answer;
use crate::provider::catalog::{
    Webhook,
    webhook::{EchoMethod, Handshake},
};

/// Longer than any challenge that was seen, in bytes.
const MAX_ECHO_BYTES: usize = 4096;

/// For requests that no provider signs. `None`: it is none of those.
pub(super) fn unsigned(webhook: &Webhook, method: &Method, query: &str) -> Option<Answer> {
    match webhook.handshake {
        Handshake::Head if *method == Method::HEAD => {
            Some(Answer::Greeted { text: String::new(), headers: &[] })
        }
        Handshake::EchoQuery { method: wanted, param, headers } => {
            let wanted = match wanted {
                EchoMethod::Get => Method::GET,
                EchoMethod::Post => Method::POST,
            };
            let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == param);
            let (Some((_, text)), None) = (values.next(), values.next()) else { return None };
            let is_challenge = *method == wanted && (1..=MAX_ECHO_BYTES).contains(&text.len());
            is_challenge.then(|| Answer::Greeted { text: text.into_owned(), headers })
        }
        _ => None,
    }
}

/// For a delivery that was verified. `None`: it is none.
pub(super) fn signed(webhook: &Webhook, body: &[u8]) -> Option<Answer> {
    let Handshake::SignedChallenge { kind, word, challenge } = webhook.handshake else { return None };
    let said: Value = serde_json::from_slice(body).ok()?;
    if said.pointer(kind)?.as_str()? != word {
        return None;
    }
    let text = said.pointer(challenge)?.as_str().filter(|text| text.len() <= MAX_ECHO_BYTES)?;
    Some(Answer::Greeted { text: text.to_owned(), headers: &[] })
}
