//! The places that alerts are sent to.

use chrono::{DateTime, SubsecRound, Utc};
use secrecy::SecretString;

use super::target::Target;
use crate::{
    caller::Caller,
    domain::{
        Domain,
        idempotency::{Claim, Key, claim},
    },
    error::{Error, Noun, Result},
    ids::AlertDestinationId,
    page::{Page, Paged},
    store::{
        self, TenantTx,
        alert_destination::{AlertDestination, place},
    },
    words::AlertDestinationKind,
};

/// Of a tenant, at most.
const MAX_DESTINATIONS: i64 = 20;

/// What an admin asks for.
#[derive(Debug)]
pub struct NewDestination {
    pub kind: AlertDestinationKind,
    pub name: String,
    pub url: SecretString,
    pub headers: Vec<(String, SecretString)>,
    pub disabled: bool,
}

/// Adds a destination, or replaces the one with this id as a whole:
/// a secret header never goes to another URL than it was given for.
///
/// Errors: `Invalid`, `NotFound`, `LimitReached`, `IdempotencyKeyReused`.
pub async fn put(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: Option<AlertDestinationId>,
    new: &NewDestination,
    now: DateTime<Utc>,
) -> Result<AlertDestination> {
    let (target, url_host) = Target::check(new.kind, &new.url, &new.headers, &domain.egress)?;
    let own = id.unwrap_or_else(AlertDestinationId::new);
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let row = AlertDestination {
        id: own,
        kind: new.kind,
        name: new.name.clone(),
        url_host,
        sealed_target: tenant_key.seal(place(own), &target.write()?).map_err(Error::internal)?,
        disabled: new.disabled,
        create_time: now.trunc_subsecs(6),
        last_success_time: None,
        last_failure_time: None,
        last_failure_reason: None,
    };
    let mut tx = domain.store.caller(caller).await?;
    let kept = match claim(&mut tx, caller, key, own).await? {
        Claim::Repeat(first) => store::alert_destination::find(&mut tx, AlertDestinationId(first)).await?,
        Claim::First if id.is_some() => replace(&mut tx, row).await?,
        Claim::First => add(&mut tx, row).await?,
    };
    tx.commit().await?;
    Ok(kept)
}

/// A page, oldest first.
pub async fn list_destinations(
    domain: &Domain,
    caller: &Caller,
    page: &Page<AlertDestinationId>,
) -> Result<Paged<AlertDestination, AlertDestinationId>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::alert_destination::list(&mut tx, page).await?;
    tx.end_reading();
    Ok(found)
}

/// Forgets a destination and its secrets; what was to be sent there is not.
/// Errors: `NotFound`, `IdempotencyKeyReused`.
pub async fn delete(domain: &Domain, caller: &Caller, key: &Key, id: AlertDestinationId) -> Result<()> {
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First
        && !store::alert_destination::remove(&mut tx, id).await?
    {
        return Err(Error::NotFound(Noun::AlertDestination));
    }
    tx.commit().await
}

async fn add(tx: &mut TenantTx, row: AlertDestination) -> Result<AlertDestination> {
    tx.lock("alert_destinations").await?;
    if store::alert_destination::count(tx).await? >= MAX_DESTINATIONS {
        return Err(Error::LimitReached("20 alert destinations"));
    }
    store::alert_destination::insert(tx, &row).await?;
    Ok(row)
}

async fn replace(tx: &mut TenantTx, row: AlertDestination) -> Result<AlertDestination> {
    let create_time = store::alert_destination::find(tx, row.id).await?.create_time;
    let row = AlertDestination { create_time, ..row };
    store::alert_destination::save(tx, &row).await?;
    Ok(row)
}
