//! A person is forgotten here, and not brought back by what comes late.

use chrono::Utc;

use super::{ARRIVAL_LOCK, check_unmerged};
use crate::{
    caller::Caller,
    domain::{
        Domain, appointment,
        engine::push,
        idempotency::{Claim, Key, claim},
    },
    error::Result,
    ids::{IntegrationId, PatientId},
    store::{self, retry_deadlocks},
    vault::TenantKey,
};

/// Forgets a person here: links, cached appointments, keys of kept bodies; a keyed tombstone stays, so that
/// late events of the tool do not bring the person back. Those who were merged into the person are the
/// person, and go too. Errors: `NotFound`, `PatientMerged`, `IdempotencyKeyReused`.
pub async fn delete(domain: &Domain, caller: &Caller, key: &Key, id: PatientId) -> Result<()> {
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    retry_deadlocks(|| delete_once(domain, caller, &tenant_key, key, id)).await
}

async fn delete_once(
    domain: &Domain,
    caller: &Caller,
    tenant_key: &TenantKey,
    key: &Key,
    id: PatientId,
) -> Result<()> {
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(_) = claim(&mut tx, caller, key, id).await? {
        return Ok(());
    }
    tx.lock(ARRIVAL_LOCK).await?;
    let patient = store::patient::find(&mut tx, id).await?;
    check_unmerged(&mut tx, &patient).await?;
    let mut bodies = vec![id];
    let mut seen = 0;
    while let Some(next) = bodies.get(seen).copied() {
        bodies.extend(store::patient::merged_into(&mut tx, next).await?);
        seen += 1;
    }
    // Those who point at others first.
    bodies.reverse();
    let mut links = store::patient_link::lock_of_patients(&mut tx, &bodies).await?;
    // What somebody else has by now stays theirs.
    store::patient_link::let_go(&mut tx, &bodies).await?;
    links.extend(store::patient_link::formerly_of(&mut tx, &bodies).await?);
    // What the tool gave to them when it told of them no more goes with them.
    for link in &links {
        let given =
            store::appointment_link::given_to(&mut tx, link.integration_id, &link.external_id).await?;
        store::appointment::move_to_patient(&mut tx, &given, id, caller.origin, &caller.subject).await?;
    }
    let mut visits = store::appointment_link::external_ids_of(&mut tx, &bodies).await?;
    for link in &links {
        let tombstone = tombstone(tenant_key, link.integration_id, &link.external_id);
        store::patient::insert_tombstone(&mut tx, &tombstone).await?;
        let waiting =
            store::appointment_link::remove_waiting(&mut tx, link.integration_id, &link.external_id).await?;
        visits.extend(waiting.into_iter().map(|external_id| (link.integration_id, external_id)));
        store::webhook_event::destroy_body_keys_of_external(&mut tx, link.integration_id, &link.external_id)
            .await?;
    }
    // A cancellation names its appointment alone.
    for (integration, external_id) in visits {
        let tombstone = appointment_tombstone(tenant_key, integration, &external_id);
        store::patient::insert_tombstone(&mut tx, &tombstone).await?;
        store::webhook_event::destroy_body_keys_of_external_appointment(&mut tx, integration, &external_id)
            .await?;
    }
    appointment::lock_people_out(&mut tx, &bodies).await?;
    for one in bodies {
        let appointments = store::appointment::of_patient(&mut tx, one).await?;
        push::forget(&mut tx, tenant_key, &appointments, &links, &caller.subject, Utc::now()).await?;
        appointment::remove_of_patient(&mut tx, one, Utc::now()).await?;
        store::webhook_event::destroy_body_keys_of(&mut tx, one).await?;
        store::patient_link::remove_of(&mut tx, one).await?;
        store::patient::remove(&mut tx, one).await?;
    }
    tx.commit().await
}

/// The keyed hash that remembers a deleted person's record.
pub(in crate::domain) fn tombstone(
    key: &TenantKey,
    integration: IntegrationId,
    external_id: &str,
) -> Vec<u8> {
    key.fingerprint("patient_tombstone", &[integration.0.as_bytes(), external_id.as_bytes()])
}

/// The same for a record of an appointment of theirs.
pub(in crate::domain) fn appointment_tombstone(
    key: &TenantKey,
    integration: IntegrationId,
    external_id: &str,
) -> Vec<u8> {
    key.fingerprint("appointment_tombstone", &[integration.0.as_bytes(), external_id.as_bytes()])
}
