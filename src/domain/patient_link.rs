//! Who is whom: pairs that may be one person, merges, and taking records apart again.

use chrono::Utc;

use super::{
    Domain,
    idempotency::{Claim, Key, claim},
    patient::{ARRIVAL_LOCK, Data, Newcomer, Shown, compare, new_patient, show_all, shown},
};
use crate::{
    caller::Caller,
    error::{Error, Noun, Result},
    ids::{AppointmentId, LinkCandidateId, PatientId, PatientLinkId},
    page::{Page, Paged},
    store::{
        self, TenantTx, link_candidate::LinkCandidate, patient::Patient, patient_link::PatientLink,
        retry_deadlocks, tenant::Tenant,
    },
    words::{CandidateState, LinkOrigin},
};

/// A pair with both people.
#[derive(Debug)]
pub struct ShownCandidate {
    pub candidate: LinkCandidate,
    pub patient: Shown,
    pub known_patient: Shown,
}

/// What an admin decides about a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Merge,
    KeepApart,
}

/// A page of pairs in one state, newest first.
pub async fn list_candidates(
    domain: &Domain,
    caller: &Caller,
    state: CandidateState,
    page: &Page<LinkCandidateId>,
) -> Result<Paged<ShownCandidate, LinkCandidateId>> {
    let mut tx = domain.store.caller(caller).await?;
    let paged = store::link_candidate::list(&mut tx, state, page).await?;
    let rows = show_candidates(&mut tx, paged.rows).await?;
    tx.end_reading();
    Ok(Paged { rows, next: paged.next })
}

/// Merges the pair into the known person, or keeps the two apart for good. Errors: `CandidateDecided`.
pub async fn resolve_candidate(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: LinkCandidateId,
    decision: Decision,
) -> Result<ShownCandidate> {
    retry_deadlocks(|| resolve_once(domain, caller, key, id, decision)).await
}

async fn resolve_once(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: LinkCandidateId,
    decision: Decision,
) -> Result<ShownCandidate> {
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        tx.lock(ARRIVAL_LOCK).await?;
        let mut candidate = store::link_candidate::find(&mut tx, id).await?;
        if candidate.state != CandidateState::Open {
            return Err(Error::CandidateDecided(candidate.state));
        }
        match decision {
            Decision::KeepApart => candidate.state = CandidateState::KeptApart,
            Decision::Merge => merge(&mut tx, caller, &mut candidate).await?,
        }
        candidate.decided_by = Some(caller.subject.clone());
        candidate.decide_time = Some(Utc::now());
        store::link_candidate::save(&mut tx, &candidate).await?;
    }
    let candidate = store::link_candidate::find(&mut tx, id).await?;
    let shown = show_candidates(&mut tx, vec![candidate]).await?.pop();
    tx.commit().await?;
    shown.ok_or_else(|| Error::internal("a link candidate lost its patients"))
}

/// Takes a tool's record off a person; returns that person and the one the record stands for now.
///
/// After a merge that is the merged person, whole again;
/// after a match by e-mail a new one made of what the tool last said. What came to the other by them goes.
pub async fn unlink(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    from: PatientId,
    link: PatientLinkId,
) -> Result<(Shown, Shown)> {
    retry_deadlocks(|| unlink_once(domain, caller, key, from, link)).await
}

async fn unlink_once(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    from: PatientId,
    link: PatientLinkId,
) -> Result<(Shown, Shown)> {
    let mut tx = domain.store.caller(caller).await?;
    let fresh = PatientId::new();
    let unlinked = match claim(&mut tx, caller, key, link).await? {
        Claim::Repeat(_) => {
            store::patient_link::find_for_update(&mut tx, link).await?.patient_id.unwrap_or(from)
        }
        Claim::First => {
            tx.lock(ARRIVAL_LOCK).await?;
            store::patient::find_for_update(&mut tx, from).await?;
            let record = store::patient_link::find_for_update(&mut tx, link).await?;
            if record.patient_id != Some(from) {
                return Err(Error::NotFound(Noun::PatientLink));
            }
            match undo_merge(&mut tx, caller, &record, from).await? {
                Some(restored) => restored,
                None => split_off(&mut tx, caller, record, from, fresh).await?,
            }
        }
    };
    let (kept, unlinked) = (shown(&mut tx, from).await?, shown(&mut tx, unlinked).await?);
    tx.commit().await?;
    Ok((kept, unlinked))
}

/// Moves records and appointments of the newer person to the known one, and remembers which.
async fn merge(tx: &mut TenantTx, caller: &Caller, candidate: &mut LinkCandidate) -> Result<()> {
    let into = store::patient::survivor(tx, candidate.known_patient_id).await?;
    let from = store::patient::survivor(tx, candidate.patient_id).await?;
    if into == from {
        candidate.state = CandidateState::Merged;
        return Ok(());
    }
    let tenant = store::tenant::current(tx).await?;
    let links = store::patient_link::lock_of_patients(tx, &[from]).await?;
    // Who books for them right now is waited for, so that their appointment is moved, too.
    let mut merged = store::patient::find_exclusively(tx, from).await?;
    let mut survivor = store::patient::find_for_update(tx, into).await?;
    for mut link in links {
        candidate.moved_links.push(link.id.0);
        link.patient_id = Some(into);
        link.origin = Some(LinkOrigin::Merge);
        link.link_time = Utc::now();
        store::patient_link::save(tx, &link).await?;
    }
    let appointments = store::appointment::of_patient(tx, from).await?;
    candidate.moved_appointments = appointments.iter().map(|id| id.0).collect();
    store::appointment::move_to_patient(tx, &appointments, into, caller.origin, &caller.subject).await?;
    candidate.merged_patient_id = Some(from);
    candidate.known_before = Some(Data::of(&survivor).kept()?);
    take_what_lacks(&mut survivor, &merged);
    store::patient::update_data(tx, &survivor, &tenant.phone_region).await?;
    merged.merged_into_id = Some(into);
    store::patient::update_data(tx, &merged, &tenant.phone_region).await?;
    candidate.state = CandidateState::Merged;
    Ok(())
}

/// What the survivor lacks is taken over; what they have stays.
fn take_what_lacks(survivor: &mut Patient, merged: &Patient) {
    if survivor.first_name.is_empty() {
        survivor.first_name.clone_from(&merged.first_name);
    }
    survivor.email = survivor.email.take().or_else(|| merged.email.clone());
    survivor.booking_email = survivor.booking_email.take().or_else(|| merged.booking_email.clone());
    survivor.phone = survivor.phone.take().or_else(|| merged.phone.clone());
    survivor.birth_date = survivor.birth_date.or(merged.birth_date);
    survivor.practitioner_id = survivor.practitioner_id.or(merged.practitioner_id);
}

/// If the record came to `from` by a merge, makes the merged person whole again,
/// with all that the merge moved.
async fn undo_merge(
    tx: &mut TenantTx,
    caller: &Caller,
    record: &PatientLink,
    from: PatientId,
) -> Result<Option<PatientId>> {
    let Some((mut candidate, merged)) = merge_by(tx, record, from).await? else { return Ok(None) };
    let tenant = store::tenant::current(tx).await?;
    let mut restored = store::patient::find_for_update(tx, merged).await?;
    take_back(tx, &tenant, &candidate, &restored).await?;
    restored.merged_into_id = None;
    store::patient::update_data(tx, &restored, &tenant.phone_region).await?;
    for mut link in store::patient_link::of_patients(tx, &[from]).await? {
        if candidate.moved_links.contains(&link.id.0) {
            link.patient_id = Some(merged);
            link.origin = Some(LinkOrigin::Unlink);
            link.link_time = Utc::now();
            store::patient_link::save(tx, &link).await?;
            move_appointments_of(tx, caller, &link, from, merged).await?;
        }
    }
    let still_there = store::appointment::of_patient(tx, from).await?;
    let moved: Vec<AppointmentId> =
        still_there.into_iter().filter(|id| candidate.moved_appointments.contains(&id.0)).collect();
    store::appointment::move_to_patient(tx, &moved, merged, caller.origin, &caller.subject).await?;
    candidate.state = CandidateState::Undone;
    (candidate.merged_patient_id, candidate.known_before) = (None, None);
    candidate.decided_by = Some(caller.subject.clone());
    candidate.decide_time = Some(Utc::now());
    store::link_candidate::save(tx, &candidate).await?;
    keep_apart(tx, caller, from, merged).await?;
    compare(tx, &tenant, &restored).await?;
    Ok(Some(merged))
}

/// The merge that brought the record to `from`, and whom it merged. Of several, one on top of the other, that
/// is the first, which joined the record with others'.
async fn merge_by(
    tx: &mut TenantTx,
    record: &PatientLink,
    from: PatientId,
) -> Result<Option<(LinkCandidate, PatientId)>> {
    for candidate in store::link_candidate::merges_that_moved(tx, record.id).await? {
        if let Some(merged) = candidate.merged_patient_id
            && store::patient::survivor(tx, merged).await? == from
        {
            return Ok(Some((candidate, merged)));
        }
    }
    Ok(None)
}

/// Takes a merged person's data off whom they were merged into, and whom that one was merged into since. What
/// came with them is not what these later merges moved any more.
async fn take_back(
    tx: &mut TenantTx,
    tenant: &Tenant,
    undone: &LinkCandidate,
    restored: &Patient,
) -> Result<()> {
    let theirs = Data::of(restored);
    let mut merged = restored.clone();
    while let Some(into) = merged.merged_into_id {
        let mut survivor = store::patient::find_for_update(tx, into).await?;
        if let Some(mut merge) = store::link_candidate::merge_of(tx, merged.id).await? {
            if let Some(before) = &merge.known_before {
                Data::read(before)?.give_back(&mut survivor, &theirs);
                if merged.id != restored.id {
                    take_what_lacks(&mut survivor, &merged);
                }
                store::patient::update_data(tx, &survivor, &tenant.phone_region).await?;
            }
            if merge.id != undone.id {
                merge.moved_links.retain(|link| !undone.moved_links.contains(link));
                merge.moved_appointments.retain(|visit| !undone.moved_appointments.contains(visit));
                store::link_candidate::save(tx, &merge).await?;
            }
        }
        merged = survivor;
    }
    Ok(())
}

/// Makes a person of the record alone, with the appointments that came with it.
async fn split_off(
    tx: &mut TenantTx,
    caller: &Caller,
    record: PatientLink,
    from: PatientId,
    fresh: PatientId,
) -> Result<PatientId> {
    let tenant = store::tenant::current(tx).await?;
    let mut known = store::patient::find(tx, from).await?;
    if let Some(before) = &record.patient_before {
        Data::read(before)?.give_back(&mut known, &Data::said_by(&record));
        store::patient::update_data(tx, &known, &tenant.phone_region).await?;
    }
    let said =
        |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_string() } else { text.to_string() };
    let newcomer = Newcomer {
        first_name: said(&record.first_name, &known.first_name),
        last_name: said(&record.last_name, &known.last_name),
        email: record.email.clone(),
        phone: record.phone.clone(),
        birth_date: record.birth_date,
    };
    let mut patient = new_patient(fresh, &tenant, &newcomer, known.origin);
    patient.booking_email.clone_from(&newcomer.email);
    store::patient::insert(tx, &patient, &tenant.phone_region).await?;
    let link = PatientLink {
        patient_id: Some(fresh),
        origin: Some(LinkOrigin::Unlink),
        link_time: Utc::now(),
        patient_before: None,
        ..record
    };
    store::patient_link::save(tx, &link).await?;
    move_appointments_of(tx, caller, &link, from, fresh).await?;
    keep_apart(tx, caller, from, fresh).await?;
    compare(tx, &tenant, &patient).await?;
    Ok(fresh)
}

/// Remembers that the two were taken apart, so that no news of them asks an admin again.
async fn keep_apart(tx: &mut TenantTx, caller: &Caller, from: PatientId, fresh: PatientId) -> Result<()> {
    let decided = LinkCandidate {
        state: CandidateState::KeptApart,
        decided_by: Some(caller.subject.clone()),
        decide_time: Some(Utc::now()),
        ..LinkCandidate::new(from, fresh)
    };
    store::link_candidate::insert_if_absent(tx, &decided).await
}

/// Moves the appointments that came with the record and still are `from`'s.
async fn move_appointments_of(
    tx: &mut TenantTx,
    caller: &Caller,
    link: &PatientLink,
    from: PatientId,
    to: PatientId,
) -> Result<()> {
    let came_with =
        store::appointment_link::appointments_of(tx, link.integration_id, &link.external_id).await?;
    let theirs = store::appointment::of_patient(tx, from).await?;
    let both: Vec<AppointmentId> = came_with.into_iter().filter(|id| theirs.contains(id)).collect();
    store::appointment::move_to_patient(tx, &both, to, caller.origin, &caller.subject).await
}

async fn show_candidates(tx: &mut TenantTx, candidates: Vec<LinkCandidate>) -> Result<Vec<ShownCandidate>> {
    let ids: Vec<PatientId> =
        candidates.iter().flat_map(|row| [row.patient_id, row.known_patient_id]).collect();
    let found = store::patient::find_all(tx, &ids).await?;
    let people = show_all(tx, found).await?;
    let one = |id: PatientId| people.iter().find(|shown| shown.patient.id == id).cloned();
    // Both exist: the pair goes with either of them.
    let pair = |candidate: LinkCandidate| {
        let (patient, known_patient) = (one(candidate.patient_id)?, one(candidate.known_patient_id)?);
        Some(ShownCandidate { candidate, patient, known_patient })
    };
    Ok(candidates.into_iter().filter_map(pair).collect())
}
