//! Tenants and their settings.

use secrecy::SecretString;
use url::Url;

use super::{keys, name};
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
        patient,
    },
    error::{Error, Result},
    ids::{ApiKeyId, PractitionerId, TenantId},
    provider::deployment::ReturnUrl,
    store::{
        self,
        api_key::{ApiKey, NewApiKey},
        tenant::Tenant,
    },
    words::{Origin, Role},
};

const DEFAULT_TIME_ZONE: &str = "Europe/Berlin";
const DEFAULT_PHONE_REGION: &str = "DE";
const DEFAULT_WEBHOOK_LIMIT_PER_MINUTE: i32 = 100;
const DEFAULT_HOLD_DURATION_S: i32 = 600;
const DEFAULT_EVENT_RETENTION_MONTHS: i32 = 24;

/// What a booking URL may ask to have filled in.
const PLACEHOLDERS: [&str; 3] = ["{name}", "{first_name}", "{last_name}"];

/// A tenant, and its first admin key.
#[derive(Debug)]
pub struct CreatedTenant {
    pub tenant: Tenant,
    pub admin_key: ApiKey,
    /// Only for the call that made the key.
    pub secret: Option<SecretString>,
}

/// The settings that a caller wants otherwise. A value that is empty or 0 clears the setting or takes its
/// default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettingsChange {
    pub default_practitioner_id: Option<Option<PractitionerId>>,
    pub booking_url: Option<String>,
    pub time_zone: Option<String>,
    pub phone_region: Option<String>,
    pub webhook_limit_per_minute: Option<i32>,
    pub hold_duration_s: Option<Option<i32>>,
    pub event_retention_months: Option<i32>,
    pub return_urls: Option<Vec<String>>,
}

/// Makes a tenant, its data key and its first admin key. Only for callers in the house.
///
/// Errors: `Invalid`, `IdempotencyKeyReused`.
pub async fn create_tenant(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    tenant_name: &str,
    time_zone: &str,
) -> Result<CreatedTenant> {
    let tenant_name = name("name", tenant_name)?;
    let time_zone = known_time_zone(time_zone)?;
    let id = claim_id(domain, caller, key).await?;

    // The house's transaction and the new tenant's cannot be one, so each step adds what is absent: a repeat
    // after a crash goes on where the first call ended. The secret comes last, or a failure would lose it.
    let mut tx = domain.store.tenant(id).await?;
    store::tenant::insert_if_absent(&mut tx, &tenant_name, &time_zone).await?;
    tx.commit().await?;
    domain.tenant_key(id).await?;
    add_admin_key(domain, id).await
}

async fn claim_id(domain: &Domain, caller: &Caller, key: &Key) -> Result<TenantId> {
    let fresh = TenantId::new();
    let mut tx = domain.store.caller(caller).await?;
    let id = match claim(&mut tx, caller, key, fresh).await? {
        Claim::First => fresh,
        Claim::Repeat(id) => TenantId(id),
    };
    tx.commit().await?;
    Ok(id)
}

async fn add_admin_key(domain: &Domain, tenant: TenantId) -> Result<CreatedTenant> {
    // The first key of a tenant has the tenant's own id, which a repeat knows too.
    let id = ApiKeyId(tenant.0);
    let secret = keys::Secret::new()?;
    let key = NewApiKey {
        id,
        name: "first admin",
        prefix: &secret.prefix,
        secret_hash: &secret.hash,
        role: Role::Admin,
        scopes: &[],
        origin: Origin::Admin,
        expire_time: None,
    };
    let mut tx = domain.store.tenant(tenant).await?;
    let added = store::api_key::insert_if_absent(&mut tx, &key).await?;
    let created = CreatedTenant {
        tenant: store::tenant::current(&mut tx).await?,
        admin_key: store::api_key::find(&mut tx, id).await?,
        secret: added.then_some(secret.text),
    };
    tx.commit().await?;
    Ok(created)
}

/// The settings of the caller's tenant.
pub async fn get_settings(domain: &Domain, caller: &Caller) -> Result<Tenant> {
    let mut tx = domain.store.caller(caller).await?;
    let tenant = store::tenant::current(&mut tx).await?;
    tx.end_reading();
    Ok(tenant)
}

/// Changes settings of the caller's tenant.
///
/// Errors: `Invalid`, `NotFound` for the practitioner, `IdempotencyKeyReused`.
pub async fn update_settings(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    change: &SettingsChange,
) -> Result<Tenant> {
    let mut tx = domain.store.caller(caller).await?;
    let first = claim(&mut tx, caller, key, caller.tenant).await? == Claim::First;
    // All settings are written together: two callers who change different ones take turns.
    tx.lock("settings").await?;
    let mut tenant = store::tenant::current(&mut tx).await?;
    if first {
        let region = tenant.phone_region.clone();
        change.apply(&mut tenant)?;
        store::tenant::update_settings(&mut tx, &tenant).await?;
        if tenant.phone_region != region {
            patient::fold_phones_anew(&mut tx, &tenant.phone_region).await?;
        }
    }
    tx.commit().await?;
    Ok(tenant)
}

impl SettingsChange {
    fn apply(&self, tenant: &mut Tenant) -> Result<()> {
        if let Some(practitioner) = self.default_practitioner_id {
            tenant.default_practitioner_id = practitioner;
        }
        if let Some(url) = &self.booking_url {
            tenant.booking_url = checked_booking_url(url)?;
        }
        if let Some(zone) = &self.time_zone {
            tenant.time_zone = known_time_zone(zone)?;
        }
        if let Some(region) = &self.phone_region {
            tenant.phone_region = known_phone_region(region)?;
        }
        if let Some(limit) = self.webhook_limit_per_minute {
            tenant.webhook_limit_per_minute = given(limit).unwrap_or(DEFAULT_WEBHOOK_LIMIT_PER_MINUTE);
        }
        if let Some(seconds) = self.hold_duration_s {
            tenant.hold_duration_s = seconds.unwrap_or(DEFAULT_HOLD_DURATION_S);
        }
        if let Some(months) = self.event_retention_months {
            tenant.event_retention_months = given(months).unwrap_or(DEFAULT_EVENT_RETENTION_MONTHS);
        }
        if let Some(urls) = &self.return_urls {
            tenant.return_urls = checked_return_urls(urls)?;
        }
        Ok(())
    }
}

fn given(number: i32) -> Option<i32> {
    Some(number).filter(|number| *number != 0)
}

/// As they are kept: what was checked.
fn checked_return_urls(urls: &[String]) -> Result<Vec<String>> {
    let checked = |text: &String| match text.parse::<ReturnUrl>() {
        Ok(url) => Ok(url.to_string()),
        Err(problem) => Err(Error::invalid("return_urls", problem)),
    };
    urls.iter().map(checked).collect()
}

/// An IANA name, the default when empty.
fn known_time_zone(text: &str) -> Result<String> {
    if text.is_empty() {
        return Ok(DEFAULT_TIME_ZONE.into());
    }
    match text.parse::<chrono_tz::Tz>() {
        Ok(zone) => Ok(zone.name().into()),
        Err(_) => Err(Error::invalid("time_zone", "must be an IANA time zone, as in Europe/Berlin")),
    }
}

/// A region whose numbers can be read, the default when empty.
fn known_phone_region(text: &str) -> Result<String> {
    if text.is_empty() {
        return Ok(DEFAULT_PHONE_REGION.into());
    }
    // The plans also have regions that are no countries, as 001 for numbers of the whole world.
    let is_country = text.parse::<phonenumber::country::Id>().is_ok();
    match phonenumber::metadata::DATABASE.by_id(text) {
        Some(_) if is_country => Ok(text.into()),
        _ => Err(Error::invalid("phone_region", "must be a region with telephone numbers, as in DE")),
    }
}

/// A URL that patients can be sent to, none when empty. Its host is fixed: only path, query and fragment may
/// have placeholders.
fn checked_booking_url(text: &str) -> Result<Option<String>> {
    if text.is_empty() {
        return Ok(None);
    }
    // The parser drops white space and control characters; what is kept must be what was checked.
    let exact = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    let fits = Url::parse(text).is_ok_and(|url| {
        let fixed_host = url.host_str().is_some_and(|host| !host.contains(['{', '}']));
        url.scheme() == "https" && fixed_host && url.username().is_empty() && url.password().is_none()
    });
    if !exact || !fits {
        return Err(Error::invalid(
            "booking_url",
            "must be an https URL with a host and without a user name",
        ));
    }
    let rest = PLACEHOLDERS.iter().fold(text.to_string(), |rest, placeholder| rest.replace(placeholder, " "));
    if rest.contains(['{', '}']) {
        return Err(Error::invalid(
            "booking_url",
            format!("may have {} to fill in", PLACEHOLDERS.join(", ")),
        ));
    }
    Ok(Some(text.into()))
}

#[cfg(test)]
mod tests;
