//! Somebody arrives, by a webhook, in a file or at the desk: who they turn out to be,
//! and who may be their twin.

use std::collections::HashSet;

use chrono::{NaiveDate, Utc};
use serde_json::Value;

use super::{before::Data, delete::tombstone};
use crate::{
    domain::matching::{self, Person, Reason},
    error::Result,
    fold,
    ids::{IntegrationId, PatientId},
    store::{
        self, TenantTx, link_candidate::LinkCandidate, patient::Patient, patient_link::PatientLink,
        tenant::Tenant,
    },
    vault::TenantKey,
    words::{LinkOrigin, Origin},
};

/// The lock that makes people arrive one by one in a tenant: two deliveries of one newcomer must not both
/// find nobody.
pub(in crate::domain) const ARRIVAL_LOCK: &str = "patients";
/// Twins that a newcomer is shown with, at most.
const MAX_CANDIDATES: usize = 5;
/// The likeness of an equal e-mail address whose owners were born on different days.
const SHARED_EMAIL_SCORE: u8 = 50;

/// What is said of somebody who arrives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Newcomer {
    pub first_name: String,
    pub last_name: String,
    pub email: Option<String>,
    pub phone: Option<String>,
    pub birth_date: Option<NaiveDate>,
}

/// A tool's record that somebody comes with.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    pub key: &'a TenantKey,
    pub integration: IntegrationId,
    pub external_id: &'a str,
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

impl TakenIn {
    /// Whoever it is.
    pub fn id(self) -> PatientId {
        match self {
            Self::Matched(id) | Self::Created(id) | Self::Candidate(id) => id,
        }
    }
}

/// How somebody arrived.
#[derive(Debug)]
pub(in crate::domain) struct Arrival {
    pub(in crate::domain) who: TakenIn,
    /// What a known person was before, to be given back if it was not them after all.
    pub(in crate::domain) before: Option<Value>,
}

/// Finds out who somebody who arrives is, and adds them if nobody knows them; for webhooks and imports alike.
///
/// An equal e-mail address links, unless both birth dates are known and differ: families share mailboxes. Who
/// has it by a merge is the person today, whose birth date counts as well.
/// `from_tool` says that the address is the tool's knowledge (`booking_email`), not the practice's. Call it
/// under `ARRIVAL_LOCK`.
pub(in crate::domain) async fn arrive(
    tx: &mut TenantTx,
    tenant: &Tenant,
    newcomer: &Newcomer,
    origin: Origin,
    from_tool: bool,
) -> Result<Arrival> {
    let same_email = match newcomer.email.as_deref().and_then(fold::email) {
        Some(email) => store::patient::with_email(tx, &email).await?,
        None => Vec::new(),
    };
    if let Some(id) = same_person(tx, &same_email, newcomer).await? {
        let known = store::patient::find_for_update(tx, id).await?;
        complete(tx, tenant, &known, newcomer, from_tool).await?;
        return Ok(Arrival { who: TakenIn::Matched(id), before: Some(Data::of(&known).kept()?) });
    }
    let twins = twins_of(tx, tenant, newcomer, None).await?;
    let mut patient = new_patient(PatientId::new(), tenant, newcomer, origin);
    if from_tool {
        patient.booking_email.clone_from(&newcomer.email);
    } else {
        patient.email.clone_from(&newcomer.email);
    }
    store::patient::insert(tx, &patient, &tenant.phone_region).await?;
    let is_candidate = !twins.is_empty();
    propose(tx, patient.id, twins).await?;
    let who = if is_candidate { TakenIn::Candidate(patient.id) } else { TakenIn::Created(patient.id) };
    Ok(Arrival { who, before: None })
}

/// A row of a file, or anybody else who comes with a record of their own: known by that record, or `arrive`s.
/// `None`: the record's person was deleted here.
pub async fn take_in(
    tx: &mut TenantTx,
    tenant: &Tenant,
    record: Option<Record<'_>>,
    newcomer: &Newcomer,
    origin: Origin,
    link_origin: LinkOrigin,
) -> Result<Option<TakenIn>> {
    tx.lock(ARRIVAL_LOCK).await?;
    let Some(Record { key, integration, external_id }) = record else {
        return Ok(Some(arrive(tx, tenant, newcomer, origin, false).await?.who));
    };
    let known = store::patient_link::find(tx, integration, external_id).await?;
    if let Some(id) = known.as_ref().and_then(|link| link.patient_id) {
        let patient = store::patient::find_for_update(tx, id).await?;
        complete(tx, tenant, &patient, newcomer, false).await?;
        return Ok(Some(TakenIn::Matched(id)));
    }
    if store::patient::has_tombstone(tx, &tombstone(key, integration, external_id)).await? {
        return Ok(None);
    }
    let arrival = arrive(tx, tenant, newcomer, origin, false).await?;
    let link = PatientLink {
        patient_id: Some(arrival.who.id()),
        origin: Some(link_origin),
        link_time: Utc::now(),
        former_patient_id: None,
        patient_before: arrival.before,
        // The tool's next word changes what differs from this, and nothing that was corrected here since.
        first_name: newcomer.first_name.clone(),
        last_name: newcomer.last_name.clone(),
        email: newcomer.email.clone(),
        phone: newcomer.phone.clone(),
        birth_date: newcomer.birth_date,
        ..known.unwrap_or_else(|| PatientLink::new(integration, external_id))
    };
    store::patient_link::save(tx, &link).await?;
    Ok(Some(arrival.who))
}

/// A person made of what is known of a newcomer; without e-mail, which is the practice's or the tool's.
pub(in crate::domain) fn new_patient(
    id: PatientId,
    tenant: &Tenant,
    newcomer: &Newcomer,
    origin: Origin,
) -> Patient {
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

/// Which of those with the newcomer's e-mail address is the newcomer: one of the same name, else the oldest
/// whose birth date fits. Of somebody who was merged that is whom they were merged into, if both fit.
async fn same_person(
    tx: &mut TenantTx,
    same_email: &[Patient],
    newcomer: &Newcomer,
) -> Result<Option<PatientId>> {
    let fits = |known: &Patient| match (known.birth_date, newcomer.birth_date) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    let named = (fold::name(&newcomer.last_name), fold::name(&newcomer.first_name));
    let mut oldest = None;
    for known in same_email.iter().filter(|known| fits(known)) {
        let mut id = known.id;
        if let Some(into) = known.merged_into_id {
            id = store::patient::survivor(tx, into).await?;
            if !fits(&store::patient::find(tx, id).await?) {
                continue;
            }
        }
        if (fold::name(&known.last_name), fold::name(&known.first_name)) == named {
            return Ok(Some(id));
        }
        oldest = oldest.or(Some(id));
    }
    Ok(oldest)
}

/// Writes down what was missing of a known person.
async fn complete(
    tx: &mut TenantTx,
    tenant: &Tenant,
    known: &Patient,
    newcomer: &Newcomer,
    from_tool: bool,
) -> Result<()> {
    let mut completed = known.clone();
    add_missing(&mut completed, newcomer, from_tool);
    if said_of(&completed) != said_of(known) {
        change(tx, tenant, known, &completed).await?;
    }
    Ok(())
}

/// Writes a known person's new data. Who may be a twin by these is put before an admin, unless the pair was
/// before. Call it under `ARRIVAL_LOCK`.
pub(in crate::domain) async fn change(
    tx: &mut TenantTx,
    tenant: &Tenant,
    before: &Patient,
    after: &Patient,
) -> Result<()> {
    store::patient::update_data(tx, after, &tenant.phone_region).await?;
    if said_of(before) == said_of(after) || after.merged_into_id.is_some() {
        return Ok(());
    }
    compare(tx, tenant, after).await
}

/// Puts before an admin who may be this person's twin, unless the pair was before. Call it under
/// `ARRIVAL_LOCK`.
pub(in crate::domain) async fn compare(tx: &mut TenantTx, tenant: &Tenant, person: &Patient) -> Result<()> {
    let mut emails = vec![&person.email, &person.booking_email];
    emails.retain(|email| email.is_some());
    emails.dedup();
    if emails.is_empty() {
        emails.push(&None);
    }
    for email in emails {
        let said = Newcomer {
            first_name: person.first_name.clone(),
            last_name: person.last_name.clone(),
            email: email.clone(),
            phone: person.phone.clone(),
            birth_date: person.birth_date,
        };
        let twins = twins_of(tx, tenant, &said, Some(person.id)).await?;
        propose(tx, person.id, twins).await?;
    }
    Ok(())
}

/// What people are compared by.
fn said_of(person: &Patient) -> (&str, &str, [Option<&str>; 3], Option<NaiveDate>) {
    let texts = [&person.email, &person.booking_email, &person.phone].map(|text| text.as_deref());
    (&person.first_name, &person.last_name, texts, person.birth_date)
}

/// Adds to a known person what is missing; what is there stays. A tool's address always becomes
/// `booking_email`.
fn add_missing(known: &mut Patient, newcomer: &Newcomer, from_tool: bool) {
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
}

/// Who may be this person's twin, the likeliest first. `oneself` is who they are already.
pub(super) async fn twins_of(
    tx: &mut TenantTx,
    tenant: &Tenant,
    newcomer: &Newcomer,
    oneself: Option<PatientId>,
) -> Result<Vec<(PatientId, u8, Vec<Reason>)>> {
    let phone = newcomer.phone.as_deref().and_then(|phone| fold::phone(phone, &tenant.phone_region));
    let name = (newcomer.first_name.as_str(), newcomer.last_name.as_str());
    let mut known =
        store::patient::with_birth_date_or_phone(tx, newcomer.birth_date, phone.as_deref(), name).await?;
    let sharing = match newcomer.email.as_deref().and_then(fold::email) {
        Some(email) => store::patient::with_email(tx, &email).await?,
        None => Vec::new(),
    };
    let new = Person {
        first_name: Some(&newcomer.first_name),
        last_name: &newcomer.last_name,
        email: newcomer.email.as_deref(),
        phone: phone.as_deref(),
        birth_date: newcomer.birth_date,
    };
    known.retain(|row| sharing.iter().all(|other| other.id != row.id));
    let likeness = |row: &Patient, email: Option<&str>| {
        let person = Person {
            first_name: Some(&row.first_name),
            last_name: &row.last_name,
            email,
            phone: row.phone_folded.as_deref(),
            birth_date: row.birth_date,
        };
        matching::compare(&new, &person).map(|likeness| (row.id, likeness.score, likeness.reasons))
    };
    let weighed =
        known.iter().filter_map(|row| likeness(row, row.email.as_deref().or(row.booking_email.as_deref())));
    let shared = sharing
        .iter()
        .map(|row| likeness(row, new.email).unwrap_or((row.id, SHARED_EMAIL_SCORE, vec![Reason::SameEmail])));
    let alike: Vec<_> = weighed.chain(shared).collect();
    let mut twins: Vec<(PatientId, u8, Vec<Reason>)> = Vec::new();
    for (id, score, reasons) in alike {
        let id = store::patient::survivor(tx, id).await?;
        if Some(id) != oneself {
            twins.push((id, score, reasons));
        }
    }
    twins.sort_by_key(|(id, score, _)| (std::cmp::Reverse(*score), *id));
    let mut seen = HashSet::new();
    twins.retain(|(id, ..)| seen.insert(*id));
    twins.truncate(MAX_CANDIDATES);
    Ok(twins)
}

/// Puts the pairs before an admin; who was here first is the known one of a pair.
pub(super) async fn propose(
    tx: &mut TenantTx,
    one: PatientId,
    twins: Vec<(PatientId, u8, Vec<Reason>)>,
) -> Result<()> {
    for (other, score, reasons) in twins {
        let candidate = LinkCandidate {
            score: score.into(),
            reasons: reasons.into_iter().map(|reason| reason.as_str().into()).collect(),
            ..LinkCandidate::new(one, other)
        };
        store::link_candidate::insert_if_absent(tx, &candidate).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Patient {
        let now = Utc::now();
        Patient {
            id: PatientId::new(),
            first_name: "Erika".into(),
            last_name: "Muster".into(),
            email: Some("practice@example.org".into()),
            booking_email: None,
            phone: None,
            birth_date: None,
            practitioner_id: None,
            origin: Origin::Admin,
            merged_into_id: None,
            phone_folded: None,
            create_time: now,
            update_time: now,
        }
    }

    #[test]
    fn a_tools_address_never_overwrites_the_practices_own() {
        let mut known = known();
        let newcomer = Newcomer {
            email: Some("tool@example.org".into()),
            phone: Some("030 123".into()),
            ..Newcomer::default()
        };

        add_missing(&mut known, &newcomer, true);

        assert_eq!(
            (known.email.as_deref(), known.booking_email.as_deref()),
            (Some("practice@example.org"), Some("tool@example.org"))
        );
    }
}
