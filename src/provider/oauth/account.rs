//! Whose account a grant is of. It comes from the provider over our own connection, never through a browser.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{
    HeaderMap, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION},
};
use prost::bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::{Door, Placeholders, TokenError, Tokens, wire::Trouble};
use crate::{
    egress::EgressRequest,
    provider::catalog::{
        Pointer,
        oauth::{self as row, AccountCall},
    },
};

/// An account at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub id: String,
    /// For people.
    pub name: Option<String>,
}

/// Why it is not known whose account it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    #[error("the provider does not say whose account it is")]
    Unsaid,
    /// Nobody said which one is meant.
    #[error("the grant covers several accounts")]
    Several,
    #[error("{0}")]
    Call(TokenError),
}

/// The longest id or name that is taken.
const LONGEST: usize = 500;

impl Door<'_> {
    /// Whose account the tokens are of.
    pub async fn account(
        &self,
        tokens: &Tokens,
        placeholders: &Placeholders,
    ) -> Result<Account, AccountError> {
        let (id, name) = match &self.row.account {
            row::Account::Token { id, name, otherwise } => {
                let answer = Value::Object(tokens.rest.clone());
                match (first(&answer, id), otherwise) {
                    (None, Some(call)) => self.ask(call, tokens).await?,
                    (id, _) => (id, first(&answer, name)),
                }
            }
            row::Account::IdToken { id, name } => {
                let claims = self.claims(tokens).ok_or(AccountError::Unsaid)?;
                let texts = |names: &[&str]| -> Option<Vec<String>> {
                    names.iter().map(|name| text(claims.get(*name)?)).collect()
                };
                (texts(id).map(|parts| parts.join(".")), texts(name).map(|parts| parts.join(" ")))
            }
            row::Account::Call(call) => self.ask(call, tokens).await?,
            row::Account::Placeholder(name) => (placeholders.get(name).map(Into::into), None),
        };
        let fits = |text: &String| !text.is_empty() && text.len() <= LONGEST;
        let id = id.filter(fits).ok_or(AccountError::Unsaid)?;
        Ok(Account { id, name: name.filter(fits) })
    }

    /// The claims of the `id_token`. Its signature is not looked at: it came from the token endpoint itself
    /// (OpenID Connect Core §3.1.3.7), but it must be for this client.
    fn claims(&self, tokens: &Tokens) -> Option<Value> {
        let payload = tokens.rest.get("id_token")?.as_str()?.split('.').nth(1)?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        let is_ours = match claims.get("aud")? {
            Value::String(audience) => *audience == self.client.id,
            Value::Array(audiences) => audiences.iter().any(|one| *one == self.client.id),
            _ => false,
        };
        is_ours.then_some(claims)
    }

    async fn ask(
        &self,
        call: &AccountCall,
        tokens: &Tokens,
    ) -> Result<(Option<String>, Option<String>), AccountError> {
        let url = self.endpoints.account.clone().ok_or(AccountError::Unsaid)?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", tokens.access.expose_secret()))
            .map_err(|_| AccountError::Unsaid)?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (AUTHORIZATION, bearer),
            (ACCEPT, HeaderValue::from_static("application/json")),
        ]);
        let request = EgressRequest { method: Method::GET, url, headers, body: Bytes::new() };
        let failed = |trouble: Trouble| AccountError::Call(trouble.into());
        let fetched = self.egress.send(request).await.map_err(|error| failed(error.into()))?;
        if fetched.status.is_server_error() || fetched.status.as_u16() == 429 {
            return Err(failed(Trouble::Unavailable(None)));
        }
        let answer: Value = serde_json::from_slice(&fetched.body)
            .ok()
            .filter(|_| fetched.status.is_success())
            .ok_or(AccountError::Unsaid)?;
        let one = match (call.is_list, &answer) {
            (true, Value::Array(list)) => single(list, call.id)?,
            (true, _) => return Err(AccountError::Unsaid),
            (false, one) => one,
        };
        Ok((one.pointer(call.id).and_then(text), one.pointer(call.name).and_then(text)))
    }
}

/// The one account of a list, which may stand there more than once.
fn single(list: &[Value], id: Pointer) -> Result<&Value, AccountError> {
    let first = list.first().ok_or(AccountError::Unsaid)?;
    if list.iter().any(|other| other.pointer(id) != first.pointer(id)) {
        return Err(AccountError::Several);
    }
    Ok(first)
}

fn first(answer: &Value, places: &[Pointer]) -> Option<String> {
    places.iter().find_map(|place| answer.pointer(place).and_then(text))
}

/// Ids are texts at some providers and numbers at others.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
