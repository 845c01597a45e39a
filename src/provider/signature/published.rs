//! Tokens that a provider signs with a key pair: the public keys are at a documented address.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretSlice};
use serde_json::Value;

use super::{Refusal, Request, Scheme, Verified, jwt::bearer, refuse_others, the_only, verify};
use crate::issuer::{Algorithm, Claims, PublicKeys, TokenRefusal};

/// How far the signer's clock may be off, in seconds.
const LEEWAY_S: f64 = 60.0;
/// The most tokens of one delivery that are checked.
const MAX_TOKENS: usize = 100;

/// JWTs that are checked against keys which the provider publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The JWK set.
    pub keys_url: &'static str,
    pub at: TokenPlace,
    pub issuer: Issuer,
    pub audience: Audience,
    pub claims: &'static [Claim],
    /// What must hold as well.
    pub beside: Option<Scheme>,
}

/// Where the tokens are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenPlace {
    /// `authorization: Bearer <token>`.
    Bearer,
    /// Each element of the list at this place of the JSON body, at least one.
    EachOf(&'static str),
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    Exactly(&'static str),
    /// One issuer per customer, all of them beginning like one of these.
    BeginsWith(&'static [&'static str]),
}

/// For whom the token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The endpoint's own address.
    Address,
    /// Our OAuth client's id.
    ClientId,
}

/// A claim that has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The first of these that is there.
    pub names: &'static [&'static str],
    pub is: Expected,
}

/// What a claim has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    Text(&'static str),
    True,
    /// One of the endpoint's secrets, which is no secret then, but a name.
    Stored,
}

/// What only the receiver knows.
#[derive(Clone, Copy)]
pub struct Receiver<'a> {
    pub keys: &'a PublicKeys,
    /// Our OAuth client's id; absent where none is configured, and then no such token is ours.
    pub client_id: Option<&'a str>,
    pub secrets: &'a [SecretSlice<u8>],
    pub now: DateTime<Utc>,
}

/// Why nobody can say yet whether it is authentic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the provider's public keys are not available")]
pub struct KeysUnavailable;

impl Published {
    /// May wait for the provider's keys, as long as one request of the egress takes. Outer error: try again.
    pub async fn verify(
        &self,
        request: &Request<'_>,
        receiver: &Receiver<'_>,
    ) -> Result<Result<Verified, Refusal>, KeysUnavailable> {
        let beside = match self.beside {
            Some(scheme) => verify(&scheme, request, receiver.secrets, receiver.now.timestamp()),
            None => refuse_others(request.headers, |_| false).map(|()| Verified {
                delivery_id: None,
                timestamp: None,
                secret_index: 0,
                elements: None,
            }),
        };
        let tokens = match beside.as_ref().map_err(|refusal| *refusal).and_then(|_| self.tokens(request)) {
            Ok(tokens) => tokens,
            Err(refusal) => return Ok(Err(refusal)),
        };
        for token in tokens {
            match receiver.keys.signed(&token, Algorithm::RS256, receiver.now).await {
                Ok(claims) if self.holds(&claims, request, receiver) => {}
                Ok(_) => return Ok(Err(Refusal::BadToken)),
                Err(TokenRefusal::KeysUnavailable) => return Err(KeysUnavailable),
                Err(TokenRefusal::Malformed) => return Ok(Err(Refusal::MalformedHeader)),
                Err(_) => return Ok(Err(Refusal::BadToken)),
            }
        }
        Ok(beside)
    }

    fn tokens(&self, request: &Request<'_>) -> Result<Vec<String>, Refusal> {
        match self.at {
            TokenPlace::Bearer => {
                let token = bearer(the_only(request.headers, "authorization")?);
                Ok(vec![token.ok_or(Refusal::MalformedHeader)?.to_owned()])
            }
            TokenPlace::EachOf(place) => {
                let body: Value = serde_json::from_slice(request.body).map_err(|_| Refusal::MalformedBody)?;
                let list = body.pointer(place).and_then(Value::as_array).ok_or(Refusal::MalformedBody)?;
                let tokens: Option<Vec<String>> =
                    list.iter().map(|token| token.as_str().map(str::to_owned)).collect();
                tokens.filter(|tokens| (1..=MAX_TOKENS).contains(&tokens.len())).ok_or(Refusal::MalformedBody)
            }
        }
    }

    fn holds(&self, claims: &Claims, request: &Request<'_>, receiver: &Receiver<'_>) -> bool {
        let issuer = claims.text("iss").unwrap_or_default();
        let is_issuer = match self.issuer {
            Issuer::Exactly(exact) => issuer == exact,
            Issuer::BeginsWith(beginnings) => beginnings.iter().any(|begin| issuer.starts_with(begin)),
        };
        let audience = match self.audience {
            Audience::Address => Some(request.address),
            Audience::ClientId => receiver.client_id,
        };
        let is_for_us = audience.is_some_and(|ours| claims.texts("aud").contains(&ours));
        let in_time = claims.check_times(receiver.now, LEEWAY_S).is_ok();
        is_issuer && is_for_us && in_time && self.claims.iter().all(|claim| claim.holds(claims, receiver))
    }
}

impl Claim {
    fn holds(&self, claims: &Claims, receiver: &Receiver<'_>) -> bool {
        match self.is {
            Expected::True => self.names.iter().any(|name| claims.is_true(name)),
            Expected::Text(text) => self.text(claims) == Some(text),
            Expected::Stored => self.text(claims).is_some_and(|text| {
                let is_this = |one: &SecretSlice<u8>| one.expose_secret() == text.as_bytes();
                !text.is_empty() && receiver.secrets.iter().any(is_this)
            }),
        }
    }

    fn text<'c>(&self, claims: &'c Claims) -> Option<&'c str> {
        self.names.iter().find_map(|name| claims.text(name))
    }
}
