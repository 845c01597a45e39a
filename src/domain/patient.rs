//! People: added here, changed, listed, deleted; and how somebody who arrives finds who they already are.

use chrono::{NaiveDate, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    Domain, appointment,
    engine::push,
    idempotency::{Claim, Key, claim},
    matching::{self, Person, Reason},
};
use crate::{
    caller::Caller,
    error::{Error, Result},
    fold,
    ids::{IntegrationId, LinkCandidateId, PatientId, PractitionerId},
    page::{Page, Paged},
    store::{
        self, TenantTx,
        link_candidate::LinkCandidate,
        patient::{Cursor, Filter, Patient},
        patient_link::PatientLink,
        tenant::Tenant,
    },
    words::{CandidateState, LinkOrigin, Origin},
};

/// The lock that makes people arrive one by one in a tenant: two deliveries of one newcomer must not both find nobody.
pub(super) const ARRIVAL_LOCK: &str = "patients";
/// Twins that a newcomer is shown with, at most.
const MAX_CANDIDATES: usize = 5;
/// The likeness of an equal e-mail address whose owners were born on different days.
const SHARED_EMAIL_SCORE: u8 = 50;
/// RFC 3986 unreserved characters stay as they are.
const IN_URL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A person with what screens show beside them.
#[derive(Debug, Clone)]
pub struct Shown {
    pub patient: Patient,
    pub links: Vec<PatientLink>,
    pub possible_twin: bool,
}

/// What is said of somebody who arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newcomer {
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub birth_date: Option<NaiveDate>,
}

/// Who somebody who arrived turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakenIn {
    /// Somebody known; what was missing was added.
    Matched(PatientId),
    /// Somebody new.
    Created(PatientId),
    /// Somebody new who may be a twin; an admin decides.
    Candidate(PatientId),
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

impl TakenIn {
    /// Whoever it is.
    pub fn id(self) -> PatientId {
        match self {
            Self::Matched(id) | Self::Created(id) | Self::Candidate(id) => id,
        }
    }
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
    let twins = twins_of(&mut tx, &tenant, &newcomer, None).await?;
    store::patient::insert(&mut tx, &patient, &tenant.phone_region).await?;
    propose(&mut tx, id, twins).await?;
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
    filter.last_name_prefix =
        filter.last_name_prefix.map(|prefix| fold::name(&prefix)).filter(|prefix| !prefix.is_empty());
    let mut tx = domain.store.caller(caller).await?;
    let paged = store::patient::list(&mut tx, &filter, page).await?;
    let rows = show_all(&mut tx, paged.rows).await?;
    tx.end_reading();
    Ok(Paged { rows, next: paged.next })
}

/// Changes the practice's own data of a person.
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
        let tenant = store::tenant::current(&mut tx).await?;
        let mut patient = store::patient::find_for_update(&mut tx, id).await?;
        patient.first_name = changes.first_name.unwrap_or(patient.first_name);
        patient.last_name = changes.last_name.unwrap_or(patient.last_name);
        patient.email = changes.email.unwrap_or(patient.email);
        patient.phone = changes.phone.unwrap_or(patient.phone);
        patient.birth_date = changes.birth_date.unwrap_or(patient.birth_date);
        patient.practitioner_id = changes.practitioner_id.unwrap_or(patient.practitioner_id);
        store::patient::update_data(&mut tx, &patient, &tenant.phone_region).await?;
    }
    let shown = shown(&mut tx, id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Forgets a person here: links, cached appointments, keys of kept bodies; a keyed tombstone stays, so that late events of the
/// tool do not bring the person back. Those who were merged into the person are the person, and go too.
pub async fn delete(domain: &Domain, caller: &Caller, key: &Key, id: PatientId) -> Result<()> {
    let tenant_key = domain.tenant_key(caller.tenant).await?;
    let mut tx = domain.store.caller(caller).await?;
    if let Claim::Repeat(_) = claim(&mut tx, caller, key, id).await? {
        return Ok(());
    }
    tx.lock(ARRIVAL_LOCK).await?;
    store::patient::find_for_update(&mut tx, id).await?;
    let mut bodies = vec![id];
    let mut seen = 0;
    while let Some(next) = bodies.get(seen).copied() {
        bodies.extend(store::patient::merged_into(&mut tx, next).await?);
        seen += 1;
    }
    for link in store::patient_link::of_patients(&mut tx, &bodies).await? {
        let tombstone = tombstone(&tenant_key, link.integration_id, &link.external_id);
        store::patient::insert_tombstone(&mut tx, &tombstone).await?;
        store::appointment_link::remove_waiting(&mut tx, link.integration_id, &link.external_id).await?;
        store::webhook_event::destroy_body_keys_of_external(&mut tx, &link.external_id).await?;
    }
    // A cancellation names its appointment alone.
    for (integration, external_id) in store::appointment_link::external_ids_of(&mut tx, &bodies).await? {
        let tombstone = appointment_tombstone(&tenant_key, integration, &external_id);
        store::patient::insert_tombstone(&mut tx, &tombstone).await?;
        store::webhook_event::destroy_body_keys_of_external_appointment(&mut tx, &external_id).await?;
    }
    // Those who point at others first.
    for one in bodies.into_iter().rev() {
        let appointments = store::appointment::of_patient(&mut tx, one).await?;
        push::forget(&mut tx, &tenant_key, &appointments, &caller.subject, Utc::now()).await?;
        appointment::remove_of_patient(&mut tx, one, Utc::now()).await?;
        store::webhook_event::destroy_body_keys_of(&mut tx, one).await?;
        store::patient_link::remove_of(&mut tx, one).await?;
        store::patient::remove(&mut tx, one).await?;
    }
    tx.commit().await
}

/// The booking tool's URL with the person's name filled in. Errors: `BookingUrlNotConfigured`.
pub async fn booking_link(domain: &Domain, caller: &Caller, id: PatientId) -> Result<String> {
    let mut tx = domain.store.caller(caller).await?;
    let patient = store::patient::find(&mut tx, id).await?;
    let tenant = store::tenant::current(&mut tx).await?;
    tx.commit().await?;
    let template = tenant.booking_url.ok_or(Error::BookingUrlNotConfigured)?;
    Ok(fill_in(&template, &patient))
}

/// Finds out who somebody who arrives is, and adds them if nobody knows them; for webhooks and imports alike.
///
/// An equal e-mail address links, unless both birth dates are known and differ: families share mailboxes. `from_tool` says that the
/// address is the tool's knowledge (`booking_email`), not the practice's. Call it under `ARRIVAL_LOCK`.
pub(super) async fn arrive(
    tx: &mut TenantTx,
    tenant: &Tenant,
    newcomer: &Newcomer,
    origin: Origin,
    from_tool: bool,
) -> Result<TakenIn> {
    let same_email = match newcomer.email.as_deref().and_then(fold::email) {
        Some(email) => store::patient::with_email(tx, &email).await?,
        None => Vec::new(),
    };
    if let Some(mut known) = same_person(&same_email, newcomer).cloned() {
        if add_missing(&mut known, newcomer, from_tool) {
            store::patient::update_data(tx, &known, &tenant.phone_region).await?;
        }
        return Ok(TakenIn::Matched(known.id));
    }
    let twins = twins_of(tx, tenant, newcomer, Some(&same_email)).await?;
    let mut patient = new_patient(PatientId::new(), tenant, newcomer, origin);
    if from_tool {
        patient.booking_email.clone_from(&newcomer.email);
    } else {
        patient.email.clone_from(&newcomer.email);
    }
    store::patient::insert(tx, &patient, &tenant.phone_region).await?;
    let is_candidate = !twins.is_empty();
    propose(tx, patient.id, twins).await?;
    Ok(if is_candidate { TakenIn::Candidate(patient.id) } else { TakenIn::Created(patient.id) })
}

/// A row of a file, or anybody else who comes with a record of their own at `source`: known by that record, or `arrive`s.
pub async fn take_in(
    tx: &mut TenantTx,
    tenant: &Tenant,
    source: Option<(IntegrationId, &str)>,
    newcomer: &Newcomer,
    origin: Origin,
    link_origin: LinkOrigin,
) -> Result<TakenIn> {
    tx.lock(ARRIVAL_LOCK).await?;
    let Some((integration, external_id)) = source else {
        return arrive(tx, tenant, newcomer, origin, false).await;
    };
    let known = store::patient_link::find(tx, integration, external_id).await?;
    if let Some(id) = known.as_ref().and_then(|link| link.patient_id) {
        let mut patient = store::patient::find_for_update(tx, id).await?;
        if add_missing(&mut patient, newcomer, false) {
            store::patient::update_data(tx, &patient, &tenant.phone_region).await?;
        }
        return Ok(TakenIn::Matched(id));
    }
    let taken_in = arrive(tx, tenant, newcomer, origin, false).await?;
    let link = known.unwrap_or_else(|| PatientLink::new(integration, external_id));
    let link = PatientLink {
        patient_id: Some(taken_in.id()),
        origin: Some(link_origin),
        link_time: Utc::now(),
        ..link
    };
    store::patient_link::save(tx, &link).await?;
    Ok(taken_in)
}

/// A person with links and likeness.
pub(super) async fn shown(tx: &mut TenantTx, id: PatientId) -> Result<Shown> {
    let patient = store::patient::find(tx, id).await?;
    show_all(tx, vec![patient]).await?.pop().ok_or_else(|| Error::internal("a shown patient vanished"))
}

/// The same for many, in their order.
pub(super) async fn show_all(tx: &mut TenantTx, patients: Vec<Patient>) -> Result<Vec<Shown>> {
    let ids: Vec<PatientId> = patients.iter().map(|patient| patient.id).collect();
    let links = store::patient_link::of_patients(tx, &ids).await?;
    let twins = store::patient::possible_twins(tx, &ids).await?;
    let show = |patient: Patient| Shown {
        links: links.iter().filter(|link| link.patient_id == Some(patient.id)).cloned().collect(),
        possible_twin: twins.contains(&patient.id),
        patient,
    };
    Ok(patients.into_iter().map(show).collect())
}

/// The keyed hash that remembers a deleted person's record.
pub(super) fn tombstone(
    key: &crate::vault::TenantKey,
    integration: IntegrationId,
    external_id: &str,
) -> Vec<u8> {
    key.fingerprint("patient_tombstone", &[integration.0.as_bytes(), external_id.as_bytes()])
}

/// The same for a record of an appointment of theirs.
pub(super) fn appointment_tombstone(
    key: &crate::vault::TenantKey,
    integration: IntegrationId,
    external_id: &str,
) -> Vec<u8> {
    key.fingerprint("appointment_tombstone", &[integration.0.as_bytes(), external_id.as_bytes()])
}

/// A person made of what is known of a newcomer; without e-mail, which is the practice's or the tool's.
pub(super) fn new_patient(id: PatientId, tenant: &Tenant, newcomer: &Newcomer, origin: Origin) -> Patient {
    let now = Utc::now();
    Patient {
        id,
        first_name: newcomer.first_name.clone(),
        last_name: newcomer.last_name.clone(),
        email: None,
        booking_email: None,
        phone: newcomer.phone.clone(),
        birth_date: newcomer.birth_date,
        practitioner_id: tenant.default_practitioner_id,
        origin,
        merged_into_id: None,
        phone_folded: None,
        create_time: now,
        update_time: now,
    }
}

/// Which of those with the newcomer's e-mail address is the newcomer: one of the same name, else the oldest whose birth date fits.
fn same_person<'a>(same_email: &'a [Patient], newcomer: &Newcomer) -> Option<&'a Patient> {
    let fits = |known: &&Patient| match (known.birth_date, newcomer.birth_date) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let named = (fold::name(&newcomer.last_name), fold::name(&newcomer.first_name));
    let mut fitting = same_email.iter().filter(fits);
    let same_name = |known: &&Patient| (fold::name(&known.last_name), fold::name(&known.first_name)) == named;
    fitting.clone().find(same_name).or_else(|| fitting.next())
}

/// Adds to a known person what is missing; what is there stays. A tool's address always becomes `booking_email`.
fn add_missing(known: &mut Patient, newcomer: &Newcomer, from_tool: bool) -> bool {
    let before = (
        known.first_name.clone(),
        known.email.clone(),
        known.booking_email.clone(),
        known.phone.clone(),
        known.birth_date,
    );
    if known.first_name.is_empty() {
        known.first_name.clone_from(&newcomer.first_name);
    }
    if from_tool {
        known.booking_email = newcomer.email.clone().or_else(|| known.booking_email.take());
    } else {
        known.email = known.email.take().or_else(|| newcomer.email.clone());
    }
    known.phone = known.phone.take().or_else(|| newcomer.phone.clone());
    known.birth_date = known.birth_date.or(newcomer.birth_date);
    before
        != (
            known.first_name.clone(),
            known.email.clone(),
            known.booking_email.clone(),
            known.phone.clone(),
            known.birth_date,
        )
}

/// Who may be the newcomer's twin, the likeliest first.
async fn twins_of(
    tx: &mut TenantTx,
    tenant: &Tenant,
    newcomer: &Newcomer,
    same_email: Option<&[Patient]>,
) -> Result<Vec<(PatientId, u8, Vec<Reason>)>> {
    let phone = newcomer.phone.as_deref().and_then(|phone| fold::phone(phone, &tenant.phone_region));
    let mut known =
        store::patient::with_birth_date_or_phone(tx, newcomer.birth_date, phone.as_deref()).await?;
    let sharing = match (same_email, newcomer.email.as_deref().and_then(fold::email)) {
        (Some(found), _) => found.to_vec(),
        (None, Some(email)) => store::patient::with_email(tx, &email).await?,
        (None, None) => Vec::new(),
    };
    let new = Person {
        first_name: Some(&newcomer.first_name),
        last_name: &newcomer.last_name,
        email: newcomer.email.as_deref(),
        phone: phone.as_deref(),
        birth_date: newcomer.birth_date,
    };
    known.retain(|row| sharing.iter().all(|other| other.id != row.id));
    let weighed = known.iter().filter_map(|row| {
        let person = Person {
            first_name: Some(&row.first_name),
            last_name: &row.last_name,
            email: row.email.as_deref().or(row.booking_email.as_deref()),
            phone: row.phone_folded.as_deref(),
            birth_date: row.birth_date,
        };
        matching::compare(&new, &person).map(|likeness| (row.id, likeness.score, likeness.reasons))
    });
    let shared = sharing.iter().map(|row| (row.id, SHARED_EMAIL_SCORE, vec![Reason::SameEmail]));
    let mut twins: Vec<_> = weighed.chain(shared).collect();
    twins.sort_by_key(|(id, score, _)| (std::cmp::Reverse(*score), *id));
    twins.truncate(MAX_CANDIDATES);
    Ok(twins)
}

/// Puts the pairs before an admin.
async fn propose(tx: &mut TenantTx, new: PatientId, twins: Vec<(PatientId, u8, Vec<Reason>)>) -> Result<()> {
    for (known, score, reasons) in twins {
        let candidate = LinkCandidate {
            id: LinkCandidateId::new(),
            patient_id: new,
            known_patient_id: known,
            score: score.into(),
            reasons: reasons.into_iter().map(|reason| reason.as_str().into()).collect(),
            state: CandidateState::Open,
            moved_links: Vec::new(),
            moved_appointments: Vec::new(),
            decided_by: None,
            create_time: Utc::now(),
            decide_time: None,
        };
        store::link_candidate::insert_if_absent(tx, &candidate).await?;
    }
    Ok(())
}

/// Fills in `{name}`, `{first_name}` and `{last_name}`, percent-encoded; a template without any gets `?name=`.
fn fill_in(template: &str, patient: &Patient) -> String {
    let encode = |text: &str| utf8_percent_encode(text, IN_URL).to_string();
    let name = format!("{} {}", patient.first_name, patient.last_name).trim().to_string();
    if !template.contains('{') {
        let sign = if template.contains('?') { '&' } else { '?' };
        return format!("{template}{sign}name={}", encode(&name));
    }
    // One pass, so that braces in a name are text.
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let known =
            [("{name}", &name), ("{first_name}", &patient.first_name), ("{last_name}", &patient.last_name)];
        match known.iter().find(|(placeholder, _)| rest.starts_with(placeholder)) {
            Some((placeholder, value)) => {
                filled.push_str(&encode(value));
                rest = &rest[placeholder.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
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

#[cfg(test)]
#[path = "patient/tests.rs"]
mod tests;
