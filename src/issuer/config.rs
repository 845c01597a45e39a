//! What may be said about an issuer, and what may not.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::keys::KeyProblem;
use crate::words::Role;

/// Clocks that are further apart than this are wrong, and a larger leeway would only hide it.
const MAX_LEEWAY: Duration = Duration::from_secs(300);

/// Removed keys must stop working within a day, and an issuer is not asked on every request.
const TTL_RANGE: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(86_400);

/// How old a fetched key set may grow before it is fetched again.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(600);

/// One issuer of JWTs: what it signs with, and for whom it may speak.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// Exactly what its tokens carry as `iss`.
    pub issuer: String,
    /// A token must carry at least one of these as `aud`.
    pub audiences: Vec<String>,
    pub algorithms: Vec<Algorithm>,
    pub keys: KeySource,
    pub tenants: TenantRule,
    /// The claim that says who is signed in.
    pub subject_claim: String,
    /// The claim that says in which role: a text, or a list of texts of which one role must come out.
    pub role_claim: String,
    /// From the role claim's values to roles. What it does not list gives no role.
    pub role_map: HashMap<String, JwtRole>,
    /// How far the issuer's clock may be off.
    pub leeway: Duration,
}

/// How a token may be signed: with a key pair only, so that whoever can check a token cannot mint one.
///
/// There is deliberately no HS256 and no `none` here: what cannot be written down cannot be configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

impl Algorithm {
    /// By its name in RFC 7518 §3.1 or RFC 8037 §3.1.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "RS256" => Self::RS256,
            "RS384" => Self::RS384,
            "RS512" => Self::RS512,
            "PS256" => Self::PS256,
            "PS384" => Self::PS384,
            "PS512" => Self::PS512,
            "ES256" => Self::ES256,
            "ES384" => Self::ES384,
            "EdDSA" => Self::EdDSA,
            _ => return None,
        })
    }
}

impl From<Algorithm> for jsonwebtoken::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::RS256 => Self::RS256,
            Algorithm::RS384 => Self::RS384,
            Algorithm::RS512 => Self::RS512,
            Algorithm::PS256 => Self::PS256,
            Algorithm::PS384 => Self::PS384,
            Algorithm::PS512 => Self::PS512,
            Algorithm::ES256 => Self::ES256,
            Algorithm::ES384 => Self::ES384,
            Algorithm::EdDSA => Self::EdDSA,
        }
    }
}

/// A role that an issuer may hand out. Operators and services present API keys and are no part of this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JwtRole {
    Admin,
    Hr,
    Practitioner,
    Patient,
}

impl JwtRole {
    pub fn as_str(self) -> &'static str {
        Role::from(self).as_str()
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Hr, Self::Practitioner, Self::Patient]
            .into_iter()
            .find(|role| role.as_str() == text)
    }
}

impl From<JwtRole> for Role {
    fn from(role: JwtRole) -> Self {
        match role {
            JwtRole::Admin => Self::Admin,
            JwtRole::Hr => Self::Hr,
            JwtRole::Practitioner => Self::Practitioner,
            JwtRole::Patient => Self::Patient,
        }
    }
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A JWK set on disk, read again when the file changes.
    JwksFile(PathBuf),
    /// A JWK set over HTTP, fetched again when it is older than `ttl` or a token names an unknown key.
    JwksUrl { url: Url, ttl: Duration },
    /// Fixed keys.
    Pem(Vec<PemKey>),
}

impl KeySource {
    /// Keys from a URL, fetched again every ten minutes.
    pub fn jwks_url(url: Url) -> Self {
        Self::JwksUrl { url, ttl: DEFAULT_TTL }
    }
}

/// One fixed public key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PemKey {
    /// Tokens must name it, unless it is absent and this is the issuer's only key.
    #[serde(default)]
    pub kid: Option<String>,
    /// The public key as PEM (`BEGIN PUBLIC KEY` or `BEGIN RSA PUBLIC KEY`).
    pub public_key: String,
}

/// For which tenants an issuer may speak.
#[derive(Clone, Debug)]
pub enum TenantRule {
    /// For this one, whatever its tokens say.
    Fixed(Uuid),
    /// For the one that the claim names, if it is on the list.
    Claim { name: String, allowed: Vec<Uuid> },
}

/// Why the list of issuers was refused; the service does not start with a part of it.
#[derive(Debug, thiserror::Error)]
pub enum IssuerConfigError {
    #[error("the issuers file cannot be read")]
    Unreadable(#[source] io::Error),
    #[error("the issuers file does not have the expected form")]
    Malformed(#[source] serde_json::Error),
    #[error("an issuer has no name")]
    NoIssuer,
    #[error("issuer {0} is listed twice")]
    DuplicateIssuer(String),
    #[error("the issuer name {0} is reserved: it must not be `api_key` nor contain `|`")]
    ReservedIssuer(String),
    #[error("issuer {0} has no audience")]
    NoAudience(String),
    #[error("issuer {0} has no algorithm")]
    NoAlgorithm(String),
    #[error("issuer {issuer} lists {algorithm}; only RS*, PS*, ES256, ES384 and EdDSA are allowed")]
    AlgorithmRefused { issuer: String, algorithm: String },
    #[error("issuer {0} may speak for no tenant")]
    NoTenant(String),
    #[error("issuer {0} maps nothing to a role")]
    NoRole(String),
    #[error("issuer {issuer} maps to {role}; only admin, hr, practitioner and patient can be minted")]
    RoleRefused { issuer: String, role: String },
    #[error("issuer {0} has a claim without a name")]
    NoClaim(String),
    #[error("issuer {0} has a leeway of more than five minutes")]
    LeewayTooLong(String),
    #[error("issuer {0} needs a ttl between 30 seconds and a day")]
    TtlOutOfRange(String),
    #[error("issuer {0} has a JWKS URL that is not http or https, or that carries a user name")]
    UrlRefused(String),
    #[error("the keys of issuer {issuer} cannot be used")]
    Keys {
        issuer: String,
        #[source]
        problem: KeyProblem,
    },
}

/// What types cannot say; also run over lists that come from no file.
pub(super) fn check(configs: &[IssuerConfig]) -> Result<(), IssuerConfigError> {
    let mut seen = HashSet::new();
    for config in configs {
        if config.issuer.is_empty() {
            return Err(IssuerConfigError::NoIssuer);
        }
        let issuer = || config.issuer.clone();
        // `api_key|…` and `{issuer}|…` are how subjects are told apart.
        if config.issuer == "api_key" || config.issuer.contains('|') {
            return Err(IssuerConfigError::ReservedIssuer(issuer()));
        }
        if !seen.insert(&config.issuer) {
            return Err(IssuerConfigError::DuplicateIssuer(issuer()));
        }
        if config.audiences.is_empty() || config.audiences.iter().any(String::is_empty) {
            return Err(IssuerConfigError::NoAudience(issuer()));
        }
        if config.algorithms.is_empty() {
            return Err(IssuerConfigError::NoAlgorithm(issuer()));
        }
        let (tenants, tenant_claim) = match &config.tenants {
            TenantRule::Fixed(tenant) => (std::slice::from_ref(tenant), "fixed"),
            TenantRule::Claim { name, allowed } => (allowed.as_slice(), name.as_str()),
        };
        if tenants.is_empty() || tenants.iter().any(Uuid::is_nil) {
            return Err(IssuerConfigError::NoTenant(issuer()));
        }
        if [tenant_claim, &config.subject_claim, &config.role_claim].iter().any(|name| name.is_empty()) {
            return Err(IssuerConfigError::NoClaim(issuer()));
        }
        if config.role_map.is_empty() {
            return Err(IssuerConfigError::NoRole(issuer()));
        }
        if config.leeway > MAX_LEEWAY {
            return Err(IssuerConfigError::LeewayTooLong(issuer()));
        }
        if let KeySource::JwksUrl { url, ttl } = &config.keys {
            if !matches!(url.scheme(), "http" | "https")
                || !url.username().is_empty()
                || url.password().is_some()
            {
                return Err(IssuerConfigError::UrlRefused(issuer()));
            }
            if !TTL_RANGE.contains(ttl) {
                return Err(IssuerConfigError::TtlOutOfRange(issuer()));
            }
        }
    }
    Ok(())
}
