//! Codes and refresh tokens become access tokens.

use std::{fmt, time::Duration};

use futures::future::BoxFuture;
use oauth2::{
    AccessToken, AuthType, AuthorizationCode, ClientId, ClientSecret, EmptyExtraTokenFields, EndpointNotSet,
    EndpointSet, ExtraTokenFields, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardRevocableToken, StandardTokenIntrospectionResponse, StandardTokenResponse, TokenResponse,
    TokenUrl,
    basic::{BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse, BasicTokenType},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Door, TokenError, Tokens, Verifier,
    wire::{Trouble, Wire},
};
use crate::provider::catalog::oauth::{Pkce, TokenAuth};

/// Longer lives are taken for this long; what a provider invents must not overflow a date.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Until a provider that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// What a token answer holds beside the standard's fields.
#[derive(Serialize, Deserialize)]
struct Rest {
    #[serde(flatten)]
    fields: Map<String, Value>,
}

impl ExtraTokenFields for Rest {}

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rest")
    }
}

type Answer = StandardTokenResponse<Rest, BasicTokenType>;
/// Owns all that it needs, as `Wire` does.
type Asking = BoxFuture<'static, Result<Answer, TokenError>>;
type TokenClient = oauth2::Client<
    BasicErrorResponse,
    Answer,
    StandardTokenIntrospectionResponse<EmptyExtraTokenFields, BasicTokenType>,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Door<'_> {
    /// Exchanges a code, once: most providers take it no second time.
    pub async fn exchange(&self, code: &SecretString, verifier: &Verifier) -> Result<Tokens, TokenError> {
        let (client, wire, row) = (self.client()?, self.wire(), self.row);
        let code = AuthorizationCode::new(code.expose_secret().into());
        let verifier = (row.pkce == Pkce::S256).then(|| verifier.spell());
        let asking: Asking = Box::pin(async move {
            let mut request = client.exchange_code(code);
            if let Some(verifier) = verifier {
                request = request.set_pkce_verifier(verifier);
            }
            for (name, value) in row.token_params {
                request = request.add_extra_param(*name, *value);
            }
            request.request_async(&wire).await.map_err(failure)
        });
        asking.await.map(|answer| self.tokens(&answer))
    }

    /// Asks for another access token. Whatever comes back must be written down before it is used: the
    /// refresh token may be dead by now.
    pub async fn refresh(&self, refresh: &SecretString) -> Result<Tokens, TokenError> {
        let (client, wire, row) = (self.client()?, self.wire(), self.row);
        let refresh = RefreshToken::new(refresh.expose_secret().into());
        let redirect_uri = row.refresh.sends_redirect_uri.then(|| self.redirect_uri.to_string());
        let asking: Asking = Box::pin(async move {
            let mut request = client.exchange_refresh_token(&refresh);
            if let Some(redirect_uri) = redirect_uri {
                request = request.add_extra_param("redirect_uri", redirect_uri);
            }
            for (name, value) in row.token_params {
                request = request.add_extra_param(*name, *value);
            }
            request.request_async(&wire).await.map_err(failure)
        });
        asking.await.map(|answer| self.tokens(&answer))
    }

    fn wire(&self) -> Wire {
        Wire { egress: self.egress.clone(), row: self.row }
    }

    fn client(&self) -> Result<TokenClient, TokenError> {
        let redirect_uri =
            RedirectUrl::new(self.redirect_uri.into()).map_err(|_| TokenError::AddressRefused)?;
        let auth = match self.row.token_auth {
            TokenAuth::Basic => AuthType::BasicAuth,
            TokenAuth::Body => AuthType::RequestBody,
        };
        Ok(oauth2::Client::new(ClientId::new(self.client.id.clone()))
            .set_client_secret(ClientSecret::new(self.client.secret.expose_secret().into()))
            .set_auth_type(auth)
            .set_token_uri(TokenUrl::from_url(self.endpoints.token.clone()))
            .set_redirect_uri(redirect_uri))
    }

    fn tokens(&self, answer: &Answer) -> Tokens {
        let secret = |token: &AccessToken| SecretString::from(token.secret().as_str());
        let split = |scope: &Scope| -> Vec<String> {
            let words = scope.split([self.row.granted_separator, ' ']).filter(|word| !word.is_empty());
            words.map(Into::into).collect()
        };
        Tokens {
            access: secret(answer.access_token()),
            refresh: answer.refresh_token().map(|token| token.secret().as_str().into()),
            lifetime: answer.expires_in().map(|life| life.min(LONGEST_LIFE)),
            scopes: answer.scopes().map(|scopes| scopes.iter().flat_map(split).collect()),
            rest: answer.extra_fields().fields.clone(),
        }
    }
}

/// The codes that mean `invalid_grant` at providers that have a name of their own for it.
const GRANT_REFUSED: [&str; 6] = [
    // GitHub.
    "bad_verification_code",
    "bad_refresh_token",
    // Slack.
    "invalid_code",
    "code_already_used",
    "code_expired",
    "invalid_refresh_token",
];
/// Those that mean `invalid_client`.
const CLIENT_REFUSED: [&str; 3] = [
    // GitHub.
    "incorrect_client_credentials",
    // Slack.
    "invalid_client_id",
    "bad_client_secret",
];

fn failure(error: RequestTokenError<Trouble, BasicErrorResponse>) -> TokenError {
    match error {
        RequestTokenError::Request(trouble) => trouble.into(),
        RequestTokenError::ServerResponse(response) => match response.error() {
            BasicErrorResponseType::InvalidGrant => TokenError::GrantRefused,
            BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => {
                TokenError::ClientRefused
            }
            BasicErrorResponseType::Extension(code) => match code.as_str() {
                code if GRANT_REFUSED.contains(&code) => TokenError::GrantRefused,
                code if CLIENT_REFUSED.contains(&code) => TokenError::ClientRefused,
                "temporarily_unavailable" | "server_error" => TokenError::Unavailable(AGAIN),
                _ => TokenError::Refused,
            },
            BasicErrorResponseType::InvalidRequest
            | BasicErrorResponseType::InvalidScope
            | BasicErrorResponseType::UnsupportedGrantType => TokenError::Refused,
        },
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => TokenError::UnexpectedAnswer,
    }
}

impl From<Trouble> for TokenError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::AddressRefused => Self::AddressRefused,
            Trouble::Unavailable(after) => Self::Unavailable(after.unwrap_or(AGAIN)),
            Trouble::Unexpected => Self::UnexpectedAnswer,
        }
    }
}
