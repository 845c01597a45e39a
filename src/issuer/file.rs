//! The operator's list of issuers, read once at start from the JSON file that `STELLWERK_ISSUERS_FILE` names.
//!
//! The file is an array with one object per issuer; a field it does not know is an error:
//!
//! ```json
//! [{
//!   "issuer": "https://id.example.com/",
//!   "audiences": ["stellwerk"],
//!   "algorithms": ["ES256"],
//!   "keys": { "jwks_url": "https://id.example.com/jwks.json", "ttl_seconds": 600 },
//!   "tenants": { "claim": "stellwerk_tenant", "allowed": ["0190c0de-0000-7000-8000-000000000001"] },
//!   "subject_claim": "sub",
//!   "role_claim": "stellwerk_role",
//!   "role_map": { "desk": "admin", "doctor": "practitioner" },
//!   "leeway_seconds": 30
//! }]
//! ```
//!
//! `keys` may also be `{ "jwks_file": "jwks.json" }` or
//! `{ "pem": [{ "kid": "2026-11", "public_key": "-----BEGIN PUBLIC KEY-----…" }] }`; `tenants` may also be
//! `{ "fixed": "<tenant id>" }`. `ttl_seconds`, `subject_claim`, `role_claim` and `leeway_seconds` may be
//! left out; the values above are their defaults. Claim names that begin with `/` are JSON pointers into
//! nested claims, as in `/realm_access/roles`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use uuid::Uuid;

use super::config::{
    Algorithm, DEFAULT_TTL, IssuerConfig, IssuerConfigError, JwtRole, KeySource, PemKey, TenantRule, check,
};

/// Reads and checks the issuers file.
pub fn load(path: &Path) -> Result<Vec<IssuerConfig>, IssuerConfigError> {
    let text = std::fs::read(path).map_err(IssuerConfigError::Unreadable)?;
    let files: Vec<IssuerFile> = serde_json::from_slice(&text).map_err(IssuerConfigError::Malformed)?;
    let configs = files.into_iter().map(IssuerConfig::try_from).collect::<Result<Vec<_>, _>>()?;
    check(&configs)?;
    Ok(configs)
}

/// An issuer as the file spells it: algorithms and roles are still texts, so that a refusal can name them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerFile {
    issuer: String,
    audiences: Vec<String>,
    algorithms: Vec<String>,
    keys: KeysFile,
    tenants: TenantsFile,
    #[serde(default = "default_subject_claim")]
    subject_claim: String,
    #[serde(default = "default_role_claim")]
    role_claim: String,
    role_map: HashMap<String, String>,
    #[serde(default = "default_leeway_seconds")]
    leeway_seconds: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KeysFile {
    File(JwksFile),
    Url(JwksUrl),
    Pem(PemKeys),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JwksFile {
    jwks_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JwksUrl {
    jwks_url: String,
    #[serde(default = "default_ttl_seconds")]
    ttl_seconds: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PemKeys {
    pem: Vec<PemKey>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TenantsFile {
    Fixed(FixedTenant),
    Claim(TenantClaim),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FixedTenant {
    fixed: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TenantClaim {
    claim: String,
    allowed: Vec<Uuid>,
}

fn default_subject_claim() -> String {
    "sub".to_owned()
}

fn default_role_claim() -> String {
    "stellwerk_role".to_owned()
}

fn default_leeway_seconds() -> u64 {
    30
}

fn default_ttl_seconds() -> u64 {
    DEFAULT_TTL.as_secs()
}

impl TryFrom<IssuerFile> for IssuerConfig {
    type Error = IssuerConfigError;

    fn try_from(file: IssuerFile) -> Result<Self, Self::Error> {
        let issuer = file.issuer;
        let algorithms = file.algorithms.into_iter().map(|text| {
            Algorithm::parse(&text).ok_or_else(|| IssuerConfigError::AlgorithmRefused {
                issuer: issuer.clone(),
                algorithm: text,
            })
        });
        let roles = file.role_map.into_iter().map(|(value, text)| match JwtRole::parse(&text) {
            Some(role) => Ok((value, role)),
            None => Err(IssuerConfigError::RoleRefused { issuer: issuer.clone(), role: text }),
        });
        Ok(Self {
            audiences: file.audiences,
            algorithms: algorithms.collect::<Result<_, _>>()?,
            keys: match file.keys {
                KeysFile::File(file) => KeySource::JwksFile(file.jwks_file),
                KeysFile::Url(JwksUrl { jwks_url, ttl_seconds }) => KeySource::JwksUrl {
                    url: jwks_url.parse().map_err(|_| IssuerConfigError::UrlRefused(issuer.clone()))?,
                    ttl: Duration::from_secs(ttl_seconds),
                },
                KeysFile::Pem(keys) => KeySource::Pem(keys.pem),
            },
            tenants: match file.tenants {
                TenantsFile::Fixed(tenant) => TenantRule::Fixed(tenant.fixed),
                TenantsFile::Claim(TenantClaim { claim, allowed }) => {
                    TenantRule::Claim { name: claim, allowed }
                }
            },
            subject_claim: file.subject_claim,
            role_claim: file.role_claim,
            role_map: roles.collect::<Result<_, _>>()?,
            leeway: Duration::from_secs(file.leeway_seconds),
            issuer,
        })
    }
}
