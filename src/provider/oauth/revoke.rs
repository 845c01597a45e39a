//! The end of a grant, told to the provider.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, header::AUTHORIZATION};
use prost::bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::{
    Door, TokenError,
    wire::{self, Trouble},
};
use crate::{
    egress::EgressRequest,
    provider::catalog::oauth::{Failure, RevokeAuth, RevokeMethod, RevokedToken},
};

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The provider says that the grant is over.
    Done,
    /// The provider knows no way, or refused: the person ends it there.
    Left,
}

impl Door<'_> {
    /// Tells the provider that a grant is over. Errors: what is worth another attempt.
    pub async fn revoke(
        &self,
        access: &SecretString,
        refresh: Option<&SecretString>,
    ) -> Result<Revocation, TokenError> {
        let (Some(row), Some(url)) = (&self.row.revoke, &self.endpoints.revoke) else {
            return Ok(Revocation::Left);
        };
        let token = match row.token {
            RevokedToken::Access => access,
            // An access token is all there is where nothing can be refreshed.
            RevokedToken::Refresh => refresh.unwrap_or(access),
        };
        let mut headers = HeaderMap::new();
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        if let Some(param) = row.param {
            pairs.push((param, token.expose_secret()));
        }
        match row.auth {
            RevokeAuth::Bearer => set_secret(&mut headers, &format!("Bearer {}", access.expose_secret()))?,
            RevokeAuth::Basic => set_secret(&mut headers, &self.basic())?,
            RevokeAuth::Body => {
                pairs.push(("client_id", &self.client.id));
                pairs.push(("client_secret", self.client.secret.expose_secret()));
            }
            RevokeAuth::Nothing => {}
        }
        let body = match pairs.is_empty() {
            true => Bytes::new(),
            false => wire::body_as(row.format, pairs.into_iter(), &mut headers),
        };
        let method = match row.method {
            RevokeMethod::Post => Method::POST,
            RevokeMethod::Delete => Method::DELETE,
        };
        let request = EgressRequest { method, url: url.clone(), headers, body };
        let fetched =
            self.egress.send(request).await.map_err(|error| TokenError::from(Trouble::from(error)))?;
        if fetched.status.is_server_error() || fetched.status.as_u16() == 429 {
            return Err(Trouble::Unavailable(None).into());
        }
        let says_no = self.row.failure == Failure::OkFlag
            && serde_json::from_slice::<Value>(&fetched.body).is_ok_and(|answer| answer["ok"] == false);
        let is_done = fetched.status.is_success() && !says_no;
        Ok(if is_done { Revocation::Done } else { Revocation::Left })
    }

    /// As of RFC 6749 §2.3.1: both parts are form-encoded first.
    fn basic(&self) -> String {
        let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", part(&self.client.id), part(self.client.secret.expose_secret()));
        format!("Basic {}", STANDARD.encode(pair))
    }
}

fn set_secret(headers: &mut HeaderMap, text: &str) -> Result<(), TokenError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| TokenError::UnexpectedAnswer)?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}
