//! People: added here, changed, listed, deleted; and how somebody who arrives finds who they already are.

use chrono::{NaiveDate, Utc};

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    ids::{PatientId, PractitionerId},
    page::{Page, Paged},
    store::{
        self, TenantTx,
        patient::{Cursor, Filter, Patient},
        patient_link::PatientLink,
    },
};

mod arrival;
mod before;
mod booking_link;
mod delete;
mod phones;

pub(super) use arrival::{ARRIVAL_LOCK, arrive, change, compare, new_patient};
pub use arrival::{Newcomer, Record, TakenIn, take_in};
pub(super) use before::Data;
pub use booking_link::booking_link;
pub use delete::delete;
pub(super) use delete::{appointment_tombstone, tombstone};
pub(super) use phones::fold_phones_anew;

/// A person with what screens show beside them.
#[derive(Debug, Clone)]
pub struct Shown {
    pub patient: Patient,
    pub links: Vec<PatientLink>,
    pub possible_twin: bool,
}

/// Which of a person's fields change, and to what. `Some(None)` clears.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub email: Option<Option<String>>,
    pub phone: Option<Option<String>>,
    pub birth_date: Option<Option<NaiveDate>>,
    pub practitioner_id: Option<Option<PractitionerId>>,
}

/// Adds a person. Never refused for a likeness; the answer says `possible_twin`.
pub async fn create(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    newcomer: Newcomer,
    practitioner: Option<PractitionerId>,
) -> Result<Shown> {
    check_birth_date(newcomer.birth_date)?;
    let mut tx = domain.store.caller(caller).await?;
    let id = PatientId::new();
    if let Claim::Repeat(made) = claim(&mut tx, caller, key, id).await? {
        return shown(&mut tx, PatientId(made)).await;
    }
    tx.lock(ARRIVAL_LOCK).await?;
    let tenant = store::tenant::current(&mut tx).await?;
    let mut patient = new_patient(id, &tenant, &newcomer, caller.origin);
    patient.email.clone_from(&newcomer.email);
    patient.practitioner_id = practitioner.or(patient.practitioner_id);
    let twins = arrival::twins_of(&mut tx, &tenant, &newcomer, None).await?;
    store::patient::insert(&mut tx, &patient, &tenant.phone_region).await?;
    arrival::propose(&mut tx, id, twins).await?;
    let shown = shown(&mut tx, id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// One person, under the caller's own rights.
pub async fn get(domain: &Domain, caller: &Caller, id: PatientId) -> Result<Shown> {
    let mut tx = domain.store.caller(caller).await?;
    let shown = shown(&mut tx, id).await?;
    tx.end_reading();
    Ok(shown)
}

/// A page of people by name.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    mut filter: Filter,
    page: &Page<Cursor>,
) -> Result<Paged<Shown, Cursor>> {
    let prefix = filter.last_name_prefix.map(|prefix| store::patient::folded_name(&prefix));
    filter.last_name_prefix = prefix.filter(|prefix| !prefix.is_empty());
    let mut tx = domain.store.caller(caller).await?;
    let paged = store::patient::list(&mut tx, &filter, page).await?;
    let rows = show_all(&mut tx, paged.rows).await?;
    tx.end_reading();
    Ok(Paged { rows, next: paged.next })
}

/// Changes the practice's own data of a person. Like a newcomer's, new data are compared with everybody's.
/// Errors: `Invalid`, `NotFound` (patient, practitioner), `PatientMerged`, `IdempotencyKeyReused`.
pub async fn update(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: PatientId,
    changes: Changes,
) -> Result<Shown> {
    check_birth_date(changes.birth_date.flatten())?;
    if changes.last_name.as_ref().is_some_and(String::is_empty) {
        return Err(Error::invalid("last_name", "must not be empty"));
    }
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        tx.lock(ARRIVAL_LOCK).await?;
        let tenant = store::tenant::current(&mut tx).await?;
        let before = store::patient::find_for_update(&mut tx, id).await?;
        check_unmerged(&mut tx, &before).await?;
        let mut patient = before.clone();
        patient.first_name = changes.first_name.unwrap_or(patient.first_name);
        patient.last_name = changes.last_name.unwrap_or(patient.last_name);
        patient.email = changes.email.unwrap_or(patient.email);
        patient.phone = changes.phone.unwrap_or(patient.phone);
        patient.birth_date = changes.birth_date.unwrap_or(patient.birth_date);
        patient.practitioner_id = changes.practitioner_id.unwrap_or(patient.practitioner_id);
        change(&mut tx, &tenant, &before, &patient).await?;
    }
    let shown = shown(&mut tx, id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// A person with links and likeness.
pub(super) async fn shown(tx: &mut TenantTx, id: PatientId) -> Result<Shown> {
    let patient = store::patient::find(tx, id).await?;
    show_all(tx, vec![patient]).await?.pop().ok_or_else(|| Error::internal("a shown patient vanished"))
}

/// The same for many, in their order.
pub(super) async fn show_all(tx: &mut TenantTx, patients: Vec<Patient>) -> Result<Vec<Shown>> {
    let ids: Vec<PatientId> = patients.iter().map(|patient| patient.id).collect();
    let (links, twins) = store::patient::beside(tx, &ids).await?;
    let show = |patient: Patient| Shown {
        links: links.iter().filter(|link| link.patient_id == Some(patient.id)).cloned().collect(),
        possible_twin: twins.contains(&patient.id),
        patient,
    };
    Ok(patients.into_iter().map(show).collect())
}

/// Refuses what is asked of somebody who was merged: they are hidden behind whom they were merged into, and
/// nobody would see that it came to nothing. Errors: `PatientMerged`.
pub(super) async fn check_unmerged(tx: &mut TenantTx, patient: &Patient) -> Result<()> {
    match patient.merged_into_id {
        Some(into) => Err(Error::PatientMerged(store::patient::survivor(tx, into).await?)),
        None => Ok(()),
    }
}

fn check_birth_date(birth_date: Option<NaiveDate>) -> Result<()> {
    let tomorrow = Utc::now().date_naive() + chrono::Days::new(1);
    let earliest = NaiveDate::from_ymd_opt(1880, 1, 1).unwrap_or(NaiveDate::MIN);
    match birth_date {
        Some(date) if date > tomorrow || date < earliest => {
            Err(Error::invalid("birth_date", "must lie between 1880-01-01 and today"))
        }
        _ => Ok(()),
    }
}
