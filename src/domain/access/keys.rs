//! API keys: made, listed, revoked.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::name;
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Result},
    ids::{ApiKeyId, TenantId},
    page::{Page, Paged},
    store::{
        self,
        api_key::{ApiKey, NewApiKey},
    },
    vault,
    words::{Origin, Role},
};

/// How every API key's secret begins; no JWT does.
pub const SECRET_PREFIX: &str = "swk_";

/// The API key that a caller wants.
#[derive(Debug, Clone)]
pub struct ApiKeySpec {
    pub name: String,
    pub role: Role,
    pub scopes: Vec<String>,
    /// `None`: api for a service, admin for a person's role.
    pub origin: Option<Origin>,
    pub expire_time: Option<DateTime<Utc>>,
}

/// A key, and its secret for the call that made it.
#[derive(Debug)]
pub struct CreatedApiKey {
    pub key: ApiKey,
    pub secret: Option<SecretString>,
}

/// A fresh secret: `swk_`, 8 hex digits, `_`, 43 characters that stand for 256 random bits.
pub(super) struct Secret {
    pub(super) text: SecretString,
    /// Up to the second underscore.
    pub(super) prefix: String,
    pub(super) hash: Vec<u8>,
}

impl Secret {
    pub(super) fn new() -> Result<Self> {
        let tag = vault::random::<4>().map_err(Error::internal)?;
        let random = vault::random::<32>().map_err(Error::internal)?;
        let prefix = format!("{SECRET_PREFIX}{}", hex::encode(tag));
        let text = format!("{prefix}_{}", URL_SAFE_NO_PAD.encode(random));
        Ok(Self { hash: vault::hash(text.as_bytes()), text: text.into(), prefix })
    }
}

impl ApiKeySpec {
    fn check(&self, known_scopes: &[String], now: DateTime<Utc>) -> Result<()> {
        if (self.role == Role::Service) == self.scopes.is_empty() {
            return Err(Error::invalid("scopes", "are required for a service key and refused for others"));
        }
        if let Some(i) = self.scopes.iter().position(|scope| !known_scopes.contains(scope)) {
            return Err(Error::invalid(format!("scopes[{i}]"), "must be a scope that an rpc asks for"));
        }
        if self.expire_time.is_some_and(|time| time <= now) {
            return Err(Error::invalid("expire_time", "must lie in the future"));
        }
        Ok(())
    }

    fn origin(&self) -> Origin {
        let usual = if self.role == Role::Service { Origin::Api } else { Origin::Admin };
        self.origin.unwrap_or(usual)
    }
}

/// Makes a key. The house has operator keys and no others, a tenant every other kind; `known_scopes` are
/// those that rpcs ask for.
///
/// Errors: `Invalid`, `RoleNotAllowed`, `IdempotencyKeyReused`.
pub async fn create_api_key(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    spec: &ApiKeySpec,
    known_scopes: &[String],
    now: DateTime<Utc>,
) -> Result<CreatedApiKey> {
    if (spec.role == Role::Operator) != (caller.tenant == TenantId::HOUSE) || spec.role == Role::System {
        return Err(Error::RoleNotAllowed(caller.role));
    }
    let name = name("name", &spec.name)?;
    let mut tx = domain.store.caller(caller).await?;
    let fresh = ApiKeyId::new();
    let (id, secret) = match claim(&mut tx, caller, key, fresh).await? {
        Claim::Repeat(id) => (ApiKeyId(id), None),
        Claim::First => {
            // Not before the claim: a repeat may come when the expiry has passed.
            spec.check(known_scopes, now)?;
            let secret = Secret::new()?;
            let row = NewApiKey {
                id: fresh,
                name: &name,
                prefix: &secret.prefix,
                secret_hash: &secret.hash,
                role: spec.role,
                scopes: &spec.scopes,
                origin: spec.origin(),
                expire_time: spec.expire_time,
            };
            store::api_key::insert_if_absent(&mut tx, &row).await?;
            (fresh, Some(secret.text))
        }
    };
    let key = store::api_key::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(CreatedApiKey { key, secret })
}

/// The keys of the caller's tenant, newest first.
pub async fn list_api_keys(
    domain: &Domain,
    caller: &Caller,
    page: &Page<ApiKeyId>,
) -> Result<Paged<ApiKey, ApiKeyId>> {
    let mut tx = domain.store.caller(caller).await?;
    let keys = store::api_key::list(&mut tx, page).await?;
    tx.end_reading();
    Ok(keys)
}

/// Ends a key at once; one that was revoked before stays as it is.
/// Errors: `NotFound`, `IdempotencyKeyReused`.
pub async fn revoke_api_key(domain: &Domain, caller: &Caller, key: &Key, id: ApiKeyId) -> Result<ApiKey> {
    let mut tx = domain.store.caller(caller).await?;
    let revoked = match claim(&mut tx, caller, key, id).await? {
        Claim::Repeat(_) => store::api_key::find(&mut tx, id).await?,
        Claim::First => store::api_key::revoke(&mut tx, id).await?,
    };
    tx.commit().await?;
    Ok(revoked)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn spec(role: Role, scopes: &[&str]) -> ApiKeySpec {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        ApiKeySpec { name: "desk".into(), role, scopes, origin: None, expire_time: None }
    }

    fn refused_field(spec: &ApiKeySpec, now: DateTime<Utc>) -> String {
        match spec.check(&["patients:read".to_string()], now) {
            Err(Error::Invalid(violations)) => violations[0].field.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_secret_says_its_prefix_and_nothing_else_twice() {
        let (one, two) = (Secret::new().unwrap(), Secret::new().unwrap());

        let text = one.text.expose_secret();
        let form = regex::Regex::new("^swk_[0-9a-f]{8}_[A-Za-z0-9_-]{43}$").unwrap();
        assert!(form.is_match(text), "{text}");
        assert_eq!((&text[..12], vault::hash(text.as_bytes())), (one.prefix.as_str(), one.hash.clone()));
        assert_ne!((one.prefix, one.hash), (two.prefix, two.hash));
    }

    #[test]
    fn scopes_are_for_services_and_known() {
        let now = Utc::now();

        assert!(spec(Role::Service, &["patients:read"]).check(&["patients:read".to_string()], now).is_ok());
        assert_eq!(refused_field(&spec(Role::Service, &[]), now), "scopes");
        assert_eq!(refused_field(&spec(Role::Admin, &["patients:read"]), now), "scopes");
        assert_eq!(refused_field(&spec(Role::Service, &["patients:read", "moon:write"]), now), "scopes[1]");
    }

    #[test]
    fn an_expiry_lies_in_the_future() {
        let now = Utc::now();

        assert_eq!(
            refused_field(&ApiKeySpec { expire_time: Some(now), ..spec(Role::Hr, &[]) }, now),
            "expire_time"
        );
    }

    #[test]
    fn the_origin_follows_from_the_role_unless_it_is_said() {
        let said = ApiKeySpec { origin: Some(Origin::Retell), ..spec(Role::Service, &["patients:read"]) };

        assert_eq!(said.origin(), Origin::Retell);
        assert_eq!(spec(Role::Service, &["patients:read"]).origin(), Origin::Api);
        assert_eq!(spec(Role::Patient, &[]).origin(), Origin::Admin);
    }
}
