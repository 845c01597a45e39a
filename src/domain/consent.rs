//! Leave for data to flow. An integration may be marked as needing it; then nothing is asked of its provider,
//! and nothing that the provider sends is kept, unless the house's consent lives. A patient's own word goes
//! before the house's where that patient's records are concerned.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
    integration,
    patient::check_unmerged,
    sync_log,
};
use crate::{
    caller::{Caller, Person},
    error::{Error, Noun, Result},
    ids::{ConsentId, IntegrationId, PatientId},
    page::{Page, Paged},
    provider::catalog::{self, Adapter},
    store::{
        self, TenantTx,
        consent::{Consent, Filter},
        integration::Integration,
    },
    words::{ConsentScope, Role},
};

/// What runs and the trail say when there is none.
pub const MISSING: &str = "CONSENT_MISSING";

/// Consents of one integration that live, at most.
const LIVING_AT_MOST: i64 = 10_000;
/// Of a browser's name for itself.
const USER_AGENT_CHARACTERS: usize = 500;

/// What somebody agrees to.
#[derive(Debug, Clone)]
pub struct NewConsent {
    pub integration: IntegrationId,
    /// Whose records it is about; the house's when absent, and always the caller's own where a patient calls.
    pub patient: Option<PatientId>,
    pub scopes: Vec<ConsentScope>,
    /// Which text was shown.
    pub text_version: String,
}

/// Where a call came from.
#[derive(Debug, Clone, Default)]
pub struct Whence {
    pub address: Option<IpAddr>,
    pub user_agent: Option<String>,
}

/// Keeps a consent. What waited for it goes on at once.
///
/// Errors: `NotFound` (integration, patient), `Invalid`, `PatientMerged`, `LimitReached`, `IdempotencyKeyReused`.
pub async fn grant(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    new: NewConsent,
    whence: Whence,
    now: DateTime<Utc>,
) -> Result<Consent> {
    let (id, now) = (ConsentId::new(), integration::micros(now));
    let patient = whose(caller, new.patient)?;
    let mut scopes = new.scopes;
    scopes.sort_by_key(|scope| scope.as_str());
    scopes.dedup();
    if scopes.is_empty() {
        return Err(Error::invalid("scopes", "name at least one"));
    }
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(made) = claim(&mut tx, caller, key, id).await? {
        return store::consent::find(&mut tx, ConsentId(made)).await;
    }
    let to = store::integration::find(&mut tx, new.integration).await?;
    if let Some(patient) = patient {
        let patient = store::patient::find(&mut tx, patient).await?;
        // Who calls for themselves may not see whom they were merged into.
        if caller.role != Role::Patient {
            check_unmerged(&mut tx, &patient).await?;
        }
    }
    if store::consent::count_living(&mut tx, to.id).await? >= LIVING_AT_MOST {
        return Err(Error::LimitReached("10000 consents of an integration"));
    }
    let row = Consent {
        id,
        integration_id: to.id,
        patient_id: patient,
        subject: caller.subject.clone(),
        scopes,
        text_version: new.text_version,
        address: whence.address.map(|address| address.to_string()),
        user_agent: whence.user_agent.map(|name| name.chars().take(USER_AGENT_CHARACTERS).collect()),
        grant_time: now,
        revoke_time: None,
        revoker: None,
    };
    store::consent::insert(&mut tx, &row).await?;
    if to.consent_required && patient.is_none() {
        integration::make_up(&mut tx, &to, &caller.subject, now).await?;
        sync_log::begin_refused(&mut tx, &to, &caller.subject, now).await?;
    }
    tx.commit().await?;
    if to.consent_required {
        // In the server's own name: who agrees may have no way to what waits.
        let mut tx = domain.store.tenant(caller.tenant).await?;
        store::outbox::hurry(&mut tx, to.id, now).await?;
        tx.commit().await?;
    }
    Ok(row)
}

/// Ends a consent, and with it the flows that no other one covers; one that is under way stops before its
/// next step. One that was revoked stays as it is.
///
/// Errors: `NotFound`, `IdempotencyKeyReused`.
pub async fn revoke(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: ConsentId,
    now: DateTime<Utc>,
) -> Result<Consent> {
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(_) = claim(&mut tx, caller, key, id).await? {
        return store::consent::find(&mut tx, id).await;
    }
    store::consent::find_for_update(&mut tx, id).await?;
    store::consent::revoke(&mut tx, id, &caller.subject, integration::micros(now)).await?;
    let revoked = store::consent::find(&mut tx, id).await?;
    tx.commit().await?;
    Ok(revoked)
}

/// A page of the consents that the caller may see, newest first.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<ConsentId>,
) -> Result<Paged<Consent, ConsentId>> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::consent::list(&mut tx, filter, page).await?;
    tx.end_reading();
    Ok(found)
}

/// Whether data may flow between here and an integration's provider at all. Asked anew before every step,
/// because a consent may be revoked in the middle of a run.
pub async fn allows(tx: &mut TenantTx, integration: IntegrationId) -> Result<bool> {
    store::consent::allows(tx, integration, None).await
}

/// Whether data of one scope may.
pub async fn covers(tx: &mut TenantTx, integration: IntegrationId, scope: ConsentScope) -> Result<bool> {
    store::consent::allows(tx, integration, Some(scope)).await
}

/// The same for an integration whose row was read in this transaction; costs nothing where none is needed. A
/// provider is asked for nothing without leave for what it is there for; absences and hours, which a planning
/// tool knows besides, take a leave of their own as well.
pub async fn opens(tx: &mut TenantTx, integration: &Integration) -> Result<bool> {
    if !integration.consent_required {
        return Ok(true);
    }
    match catalog::adapter(&integration.provider) {
        Adapter::Calcom | Adapter::Booking => covers(tx, integration.id, ConsentScope::Appointments).await,
        Adapter::Asana => covers(tx, integration.id, ConsentScope::Planning).await,
        Adapter::None => allows(tx, integration.id).await,
    }
}

/// Whether a person's records may be written there: the house agreed, and the person did not take their own
/// word back.
pub async fn opens_for(
    tx: &mut TenantTx,
    integration: &Integration,
    patient: Option<PatientId>,
) -> Result<bool> {
    let is_refused = match patient.filter(|_| integration.consent_required) {
        Some(patient) => store::consent::is_refused_by(tx, integration.id, patient).await?,
        None => false,
    };
    Ok(!is_refused && opens(tx, integration).await?)
}

/// Whose consent it becomes. Errors: `NotFound` where a patient names somebody else.
fn whose(caller: &Caller, named: Option<PatientId>) -> Result<Option<PatientId>> {
    match (caller.role, caller.person) {
        (Role::Patient, Some(Person::Patient(own))) if named.is_none_or(|named| named == own) => {
            Ok(Some(own))
        }
        (Role::Patient, _) => Err(Error::NotFound(Noun::Patient)),
        _ => Ok(named),
    }
}
