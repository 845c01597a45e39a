//! What a row says about OAuth 2.0: the authorization-code grant (RFC 6749 §4.1), as each provider bends it.

use super::{Pair, Pointer, UrlTemplate};

/// How a grant is asked for, renewed and ended.
#[derive(Debug, PartialEq, Eq)]
pub struct OAuth {
    pub authorize_url: UrlTemplate,
    pub token_url: UrlTemplate,
    /// Absent where a grant can be ended by the person only, at the provider.
    pub revoke: Option<Revoke>,
    pub pkce: Pkce,
    pub token_auth: TokenAuth,
    pub token_format: BodyFormat,
    /// Sent with every token request.
    pub token_headers: &'static [Pair],
    /// Added to every token request.
    pub token_params: &'static [Pair],
    pub failure: Failure,
    /// Between the scopes that are asked for.
    pub scope_separator: char,
    /// Between the scopes that the token answer says were granted.
    pub granted_separator: char,
    pub default_scopes: &'static [&'static str],
    /// Added to the authorization request, beside `client_id`, `redirect_uri`, `response_type`, `state`,
    /// `scope` and the challenge.
    pub authorize_params: &'static [Pair],
    /// Whose values a tenant gives before the dance begins.
    pub placeholders: &'static [Placeholder],
    pub refresh: Refresh,
    pub account: Account,
    pub client: Client,
}

/// Whether the exchange is bound to a verifier (RFC 7636).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pkce {
    S256,
    /// The provider does not take it.
    Unsupported,
}

/// How we say who we are at the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenAuth {
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
}

/// How a request's body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFormat {
    Form,
    Json,
}

/// How the token endpoint says that it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// By a status of 400 and above.
    Status,
    /// By a status, or by 200 with an `error` in the body.
    ErrorField,
    /// By a status, or by 200 with `ok: false` and an `error` in the body.
    OkFlag,
}

/// A part of the URLs that differs between tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placeholder {
    pub name: &'static str,
    pub shape: Shape,
    /// Absent where the tenant has to say.
    pub default: Option<&'static str>,
}

/// What may stand in a placeholder's place. Everything else is refused, because the client secret goes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One label of a host name: letters, digits and inner hyphens, at most 63.
    Label,
    /// A whole host name, checked against private addresses like every other.
    Host,
    /// One segment of a path: letters, digits, `.`, `_` and `-`, at most 100.
    Segment,
}

/// How a token is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    pub rotation: Rotation,
    /// In seconds, as documented; what the answer says counts. Absent for tokens that live until they are
    /// revoked.
    pub access_lifetime_s: Option<u32>,
    /// In seconds without use, as documented; absent where nothing is said.
    pub idle_lifetime_s: Option<u32>,
    /// The redirect URI of the authorization request is part of the refresh request.
    pub sends_redirect_uri: bool,
    /// Without this scope there is no refresh token.
    pub needs_scope: Option<&'static str>,
}

/// What becomes of a refresh token that was used. Whatever a row says, one that comes back replaces the old
/// one, and an absent one keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// The old one stays the only one.
    Never,
    /// A new one comes with each answer; the old one works on for a while.
    Replaced,
    /// A new one comes with each answer; the old one is dead at once.
    SingleUse,
    /// Sources disagree.
    Unsettled,
}

/// Where the id of the account behind a grant is found. It never comes from a person's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// In the token answer: the first place that holds a text or a number. Where none does, in the answer to
    /// `otherwise`.
    Token { id: &'static [Pointer], name: &'static [Pointer], otherwise: Option<AccountCall> },
    /// In the claims of the token answer's `id_token`, which came over TLS from the token endpoint itself
    /// (OpenID Connect Core §3.1.3.7); several are joined with a dot.
    IdToken { id: &'static [&'static str], name: &'static [&'static str] },
    /// In the answer to a call with the new token.
    Call(AccountCall),
    /// The host or path that gave the token is the account's own: this placeholder.
    Placeholder(&'static str),
}

impl Account {
    /// The call that says whose account it is, if it comes to one.
    pub fn call(&self) -> Option<&AccountCall> {
        match self {
            Self::Call(call) => Some(call),
            Self::Token { otherwise, .. } => otherwise.as_ref(),
            Self::IdToken { .. } | Self::Placeholder(_) => None,
        }
    }
}

/// A `GET` with the new access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountCall {
    pub url: UrlTemplate,
    /// The answer is a list. A grant that covers more than one is refused: nobody said which.
    pub is_list: bool,
    pub id: Pointer,
    pub name: Pointer,
}

/// Whose client id and secret they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// One registration serves all tenants; a tenant may bring its own.
    Ours,
    /// Each tenant registers one at its own instance.
    Tenants,
}

/// How a grant is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revoke {
    /// `{client_id}` may stand in it, too.
    pub url: UrlTemplate,
    pub method: RevokeMethod,
    pub auth: RevokeAuth,
    pub token: RevokedToken,
    /// The name under which the token is sent; absent where the bearer token itself is meant.
    pub param: Option<&'static str>,
    pub format: BodyFormat,
}

/// How a grant is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeMethod {
    Post,
    Delete,
}

/// What shows that a grant is ours to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokeAuth {
    /// The access token.
    Bearer,
    /// The client's id and secret in the header.
    Basic,
    /// The client's id and secret in the body.
    Body,
    /// Whoever holds the token may.
    Nothing,
}

/// Which token is named; both end where nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevokedToken {
    Access,
    Refresh,
}
