//! Callers who present a JWT: which issuers are believed, about whom, and for which tenants.
//!
//! A token is data from a stranger until its signature is checked, and even then its issuer can only say what
//! the operator's configuration lets it say.

mod config;
mod file;
mod keys;
mod ring;
#[cfg(test)]
mod tests;
mod token;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use url::Url;
use uuid::Uuid;

use crate::egress::Egress;
pub use config::{Algorithm, IssuerConfig, IssuerConfigError, JwtRole, KeySource, PemKey, TenantRule};
pub use file::load;
pub use keys::KeyProblem;
use ring::Ring;
use token::Token;
pub use token::{Claims, Token as CompactToken};

/// OpenID Connect Core 1.0 §2 gives subjects at most 255 characters.
const MAX_SUBJECT_CHARS: usize = 255;

/// Who a verified token says is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    pub tenant_id: Uuid,
    pub role: JwtRole,
}

/// Why a token is not believed. The caller may read this: it repeats nothing of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefusal {
    #[error("This is not a well-formed token.")]
    Malformed,
    #[error("The token is signed in a way that is not allowed.")]
    AlgorithmNotAllowed,
    #[error("The token's issuer is not known.")]
    UnknownIssuer,
    #[error("The token's key is not known.")]
    UnknownKey,
    #[error("The token's signature is wrong.")]
    BadSignature,
    #[error("The token is meant for somebody else.")]
    WrongAudience,
    #[error("The token has expired.")]
    Expired,
    #[error("The token is not valid yet.")]
    NotYetValid,
    #[error("The token never expires.")]
    NoExpiry,
    #[error("The token's issuer may not speak for this tenant.")]
    TenantNotAllowed,
    #[error("The token does not say who is calling.")]
    NoSubject,
    #[error("The token does not give a role.")]
    NoRole,
    /// The only refusal that may pass by itself.
    #[error("The issuer's keys are not available at the moment.")]
    KeysUnavailable,
}

/// The public keys behind an address, fetched when first needed and kept.
pub struct PublicKeys {
    ring: Arc<Ring>,
}

/// Every issuer that is believed.
pub struct Issuers {
    by_name: HashMap<String, Issuer>,
}

struct Issuer {
    config: IssuerConfig,
    ring: Arc<Ring>,
}

impl PublicKeys {
    /// The JWK set at `url`; nothing is fetched yet.
    pub fn at(url: Url, egress: &Arc<Egress>) -> Result<Self, KeyProblem> {
        let name = url.to_string();
        Ring::new(&name, &KeySource::jwks_url(url), egress).map(|ring| Self { ring: Arc::new(ring) })
    }

    /// What a token in compact form says, if one of the keys has signed it. Its times, audience and issuer
    /// are still nobody's word.
    ///
    /// May wait for the keys, at most as long as one request of the egress takes.
    pub async fn signed(
        &self,
        token: &str,
        algorithm: Algorithm,
        now: DateTime<Utc>,
    ) -> Result<Claims, TokenRefusal> {
        let token = Token::parse(token)?;
        if token.algorithm()? != algorithm {
            return Err(TokenRefusal::AlgorithmNotAllowed);
        }
        self.ring.check(&token, algorithm, now).await?;
        Ok(token.claims)
    }
}

impl Issuers {
    /// Checks the configuration and reads fixed keys and key files; URLs are fetched when first needed.
    pub fn new(configs: Vec<IssuerConfig>, egress: Arc<Egress>) -> Result<Self, IssuerConfigError> {
        config::check(&configs)?;
        let mut by_name = HashMap::new();
        for config in configs {
            let ring = Ring::new(&config.issuer, &config.keys, &egress)
                .map_err(|problem| IssuerConfigError::Keys { issuer: config.issuer.clone(), problem })?;
            by_name.insert(config.issuer.clone(), Issuer { config, ring: Arc::new(ring) });
        }
        Ok(Self { by_name })
    }

    /// Whether no issuer is configured, so that every token is refused.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Checks a token in compact form (`header.payload.signature`, without `Bearer`).
    ///
    /// May wait for the issuer's keys, at most as long as one request of the egress takes.
    pub async fn verify(&self, token: &str, now: DateTime<Utc>) -> Result<Identity, TokenRefusal> {
        let token = Token::parse(token)?;
        let algorithm = token.algorithm()?;
        let issuer = token.claims.issuer().and_then(|name| self.by_name.get(name));
        let issuer = issuer.ok_or(TokenRefusal::UnknownIssuer)?;
        if !issuer.config.algorithms.contains(&algorithm) {
            return Err(TokenRefusal::AlgorithmNotAllowed);
        }

        issuer.ring.check(&token, algorithm, now).await?;
        issuer.identify(&token.claims, now)
    }
}

impl Issuer {
    fn identify(&self, claims: &Claims, now: DateTime<Utc>) -> Result<Identity, TokenRefusal> {
        if !claims
            .texts("aud")
            .iter()
            .any(|audience| self.config.audiences.iter().any(|ours| ours == audience))
        {
            return Err(TokenRefusal::WrongAudience);
        }
        claims.check_times(now, self.config.leeway.as_secs_f64())?;
        Ok(Identity {
            tenant_id: self.tenant(claims)?,
            subject: self.subject(claims)?,
            role: self.role(claims)?,
            issuer: self.config.issuer.clone(),
        })
    }

    fn tenant(&self, claims: &Claims) -> Result<Uuid, TokenRefusal> {
        match &self.config.tenants {
            TenantRule::Fixed(tenant) => Ok(*tenant),
            TenantRule::Claim { name, allowed } => {
                let claimed = claims.text(name).and_then(|text| text.parse().ok());
                claimed.filter(|tenant| allowed.contains(tenant)).ok_or(TokenRefusal::TenantNotAllowed)
            }
        }
    }

    fn subject(&self, claims: &Claims) -> Result<String, TokenRefusal> {
        let subject = claims.text(&self.config.subject_claim).unwrap_or_default();
        // Control characters have no place in a name that is compared, stored and logged.
        if subject.trim().is_empty()
            || subject.chars().count() > MAX_SUBJECT_CHARS
            || subject.chars().any(char::is_control)
        {
            return Err(TokenRefusal::NoSubject);
        }
        Ok(subject.to_owned())
    }

    /// The one role that the claim's values map to. Two different ones are none: taking the mightier would
    /// give rights that nobody meant to give, taking the first would depend on the issuer's order.
    fn role(&self, claims: &Claims) -> Result<JwtRole, TokenRefusal> {
        let values = claims.texts(&self.config.role_claim);
        let mut roles = values.into_iter().filter_map(|value| self.config.role_map.get(value));
        let role = *roles.next().ok_or(TokenRefusal::NoRole)?;
        if roles.all(|other| *other == role) { Ok(role) } else { Err(TokenRefusal::NoRole) }
    }
}
