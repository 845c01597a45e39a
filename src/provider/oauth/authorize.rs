//! Where a person is sent.

use std::fmt;

use oauth2::{
    AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, basic::BasicClient,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Door;
use crate::provider::catalog::oauth::Pkce;

/// What a code is exchanged with; only its hash goes through the browser (RFC 7636).
#[derive(Clone)]
pub struct Verifier(SecretString);

impl Verifier {
    /// 32 random bytes as text.
    pub fn random() -> Self {
        let (_, verifier) = PkceCodeChallenge::new_random_sha256();
        Self(verifier.into_secret().into())
    }

    pub fn from_text(text: String) -> Self {
        Self(text.into())
    }

    /// For the vault alone.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn spell(&self) -> PkceCodeVerifier {
        PkceCodeVerifier::new(self.0.expose_secret().into())
    }

    pub(super) fn challenge(&self) -> PkceCodeChallenge {
        PkceCodeChallenge::from_code_verifier_sha256(&self.spell())
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier")
    }
}

impl Door<'_> {
    /// The provider's consent page. `verifier` is left out where the provider does not take a challenge.
    pub fn authorization_url(
        &self,
        state: &SecretString,
        verifier: &Verifier,
        scopes: &[String],
    ) -> Result<Url, url::ParseError> {
        let client = BasicClient::new(ClientId::new(self.client.id.clone()))
            .set_auth_uri(AuthUrl::from_url(self.endpoints.authorize.clone()))
            .set_redirect_uri(RedirectUrl::new(self.redirect_uri.into())?);
        let mut request = client.authorize_url(|| CsrfToken::new(state.expose_secret().into()));
        if self.row.pkce == Pkce::S256 {
            request = request.set_pkce_challenge(verifier.challenge());
        }
        for (name, value) in self.row.authorize_params {
            request = request.add_extra_param(*name, *value);
        }
        if !scopes.is_empty() {
            // Not the crate's own list: it knows no separator but the blank.
            let joined = scopes.join(&self.row.scope_separator.to_string());
            request = request.add_extra_param("scope", joined);
        }
        Ok(request.url().0)
    }
}
