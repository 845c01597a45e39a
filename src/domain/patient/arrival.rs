//! Somebody arrives, by a webhook, in a file or at the desk: who they turn out to be,
//! and who may be their twin.

use chrono::{NaiveDate, Utc};

use crate::{
    domain::matching::{self, Person, Reason},
    error::Result,
    fold,
    ids::{IntegrationId, LinkCandidateId, PatientId},
    store::{
        self, TenantTx, link_candidate::LinkCandidate, patient::Patient, patient_link::PatientLink,
        tenant::Tenant,
    },
    words::{CandidateState, LinkOrigin, Origin},
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

/// Finds out who somebody who arrives is, and adds them if nobody knows them; for webhooks and imports alike.
///
/// An equal e-mail address links, unless both birth dates are known and differ: families share mailboxes.
/// `from_tool` says that the address is the tool's knowledge (`booking_email`), not the practice's. Call it
/// under `ARRIVAL_LOCK`.
pub(in crate::domain) async fn arrive(
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

/// A row of a file, or anybody else who comes with a record of their own at `source`: known by that record,
/// or `arrive`s.
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
/// whose birth date fits.
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

/// Adds to a known person what is missing; what is there stays. A tool's address always becomes
/// `booking_email`.
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
pub(super) async fn twins_of(
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
pub(super) async fn propose(
    tx: &mut TenantTx,
    new: PatientId,
    twins: Vec<(PatientId, u8, Vec<Reason>)>,
) -> Result<()> {
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

        assert!(add_missing(&mut known, &newcomer, true));
        assert!(!add_missing(&mut known, &newcomer, true));

        assert_eq!(
            (known.email.as_deref(), known.booking_email.as_deref()),
            (Some("practice@example.org"), Some("tool@example.org"))
        );
    }
}
