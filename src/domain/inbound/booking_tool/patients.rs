//! What the booking tool says of people.

use chrono::Utc;

use super::{Applied, Context, PATIENT_DELETED, appointments};
use crate::{
    domain::patient::{ARRIVAL_LOCK, Newcomer, TakenIn, arrive, change, tombstone},
    error::Result,
    ids::PatientId,
    provider::booking_tool::ToolPatient,
    store::{self, TenantTx, patient::Patient, patient_link::PatientLink},
    words::{EventStatus, LinkOrigin, Origin},
};

/// A younger state was applied before.
pub(super) const OLDER: &str = "OLDER_STATE";

/// `patient.created` and `patient.updated`: create, link or update. What changed at the tool changes here, and
/// what is gone there goes here if it was the tool's; the practice's own e-mail is not touched.
pub(super) async fn upserted(
    tx: &mut TenantTx,
    context: &Context<'_>,
    created: bool,
    said: &ToolPatient,
) -> Result<Applied> {
    tx.lock(ARRIVAL_LOCK).await?;
    let known = store::patient_link::find(tx, context.integration, &said.id).await?;
    if is_forgotten(tx, context, known.as_ref(), &said.id).await? {
        return Ok(Applied::new(EventStatus::Ignored, Some(PATIENT_DELETED)));
    }
    let fingerprint = context.key.fingerprint("patient_state", &[&said.canonical()]);
    let rank = if created { 1 } else { 2 };
    let mut link = known.unwrap_or_else(|| PatientLink::new(context.integration, &said.id));
    let is_same = link.state_fingerprint.as_ref() == Some(&fingerprint) && link.patient_id.is_some();
    // What the tool deleted it may well make again; then the arrival decides, as for any other word.
    let is_said = link.state_time.is_some() && link.delete_time.is_none();
    let is_late_creation = created && !context.is_dated && is_said;
    if is_same && !context.is_identified {
        if !is_late_creation {
            let told = (Some(context.effective_time), rank);
            (link.state_time, link.state_rank) = told.max((link.state_time, link.state_rank));
            store::patient_link::save(tx, &link).await?;
        }
        return Ok(Applied { patient: link.patient_id, ..Applied::new(EventStatus::Duplicate, None) });
    }
    // Of what was said for one time a deletion is the younger, as a cancellation is of appointments.
    let is_older = link.state_time.is_some_and(|at| (context.effective_time, rank) < (at, link.state_rank))
        || link.delete_time.is_some_and(|at| context.effective_time <= at);
    if is_late_creation || is_older {
        return Ok(Applied { patient: link.patient_id, ..Applied::new(EventStatus::Ignored, Some(OLDER)) });
    }

    let tenant = store::tenant::current(tx).await?;
    let id = match link.patient_id {
        Some(id) => {
            for told in everybody_told(tx, id, &link).await? {
                let before = store::patient::find_for_update(tx, told).await?;
                let mut patient = before.clone();
                take_over(&mut patient, &link, said);
                change(tx, &tenant, &before, &patient).await?;
            }
            id
        }
        None => {
            let newcomer = Newcomer {
                first_name: said.first_name.clone().unwrap_or_default(),
                last_name: said.last_name.clone(),
                email: said.email.clone(),
                phone: said.phone.clone(),
                birth_date: said.birth_date,
            };
            let arrival = arrive(tx, &tenant, &newcomer, Origin::BookingTool, true).await?;
            link.origin = Some(match arrival.who {
                TakenIn::Matched(_) => LinkOrigin::Email,
                _ => LinkOrigin::Created,
            });
            link.link_time = Utc::now();
            link.patient_before = arrival.before;
            arrival.who.id()
        }
    };
    link.patient_id = Some(id);
    link.former_patient_id = None;
    link.first_name = said.first_name.clone().unwrap_or_default();
    link.last_name.clone_from(&said.last_name);
    link.email.clone_from(&said.email);
    link.phone.clone_from(&said.phone);
    link.birth_date = said.birth_date;
    link.state_time = Some(context.effective_time);
    link.state_rank = rank;
    link.state_fingerprint = Some(fingerprint);
    link.delete_time = None;
    store::patient_link::save(tx, &link).await?;
    appointments::settle_waiting(tx, context, &said.id, id).await?;
    Ok(Applied { patient: Some(id), ..Applied::new(EventStatus::Success, None) })
}

/// Whom a record's news concern: the person it stands for, and those who brought it to them by a merge,
/// so that they are whole when it is undone.
async fn everybody_told(tx: &mut TenantTx, id: PatientId, link: &PatientLink) -> Result<Vec<PatientId>> {
    let mut told = vec![id];
    if matches!(link.origin, Some(LinkOrigin::Merge | LinkOrigin::Unlink)) {
        let merges = store::link_candidate::merges_that_moved(tx, link.id).await?;
        told.extend(merges.into_iter().filter_map(|merge| merge.merged_patient_id));
    }
    Ok(told)
}

/// Only what changed at the tool: what the practice corrected since, or another record said, stays. `link` holds
/// what was said before, perhaps by a file, which may say more than the tool does.
fn take_over(patient: &mut Patient, link: &PatientLink, said: &ToolPatient) {
    let is_first_word = link.state_time.is_none();
    let first_name = said.first_name.clone().unwrap_or_default();
    let is_kept = first_name.is_empty() && (is_first_word || patient.first_name != link.first_name);
    if first_name != link.first_name && !is_kept {
        patient.first_name = first_name;
    }
    if said.last_name != link.last_name {
        patient.last_name.clone_from(&said.last_name);
    }
    follow(&mut patient.phone, &link.phone, &said.phone, is_first_word);
    follow(&mut patient.birth_date, &link.birth_date, &said.birth_date, is_first_word);
    // A file's address became the practice's own, so that the tool's first one is news.
    let email_before = link.email.as_ref().filter(|_| !is_first_word).cloned();
    follow(&mut patient.booking_email, &email_before, &said.email, is_first_word);
}

/// Makes what a person `has` what the record says now, if that is not what it said `before`. What it says no
/// more goes only where it is the record's; a first word takes nothing away.
fn follow<T: Clone + PartialEq>(
    has: &mut Option<T>,
    before: &Option<T>,
    now: &Option<T>,
    is_first_word: bool,
) {
    let is_kept = now.is_none() && (is_first_word || has != before);
    if now != before && !is_kept {
        has.clone_from(now);
    }
}

/// `patient.deleted`: the link goes, the person and the tool's data stay.
pub(super) async fn deleted(tx: &mut TenantTx, context: &Context<'_>, external_id: &str) -> Result<Applied> {
    tx.lock(ARRIVAL_LOCK).await?;
    let known = store::patient_link::find(tx, context.integration, external_id).await?;
    if is_forgotten(tx, context, known.as_ref(), external_id).await? {
        return Ok(Applied::new(EventStatus::Ignored, Some(PATIENT_DELETED)));
    }
    let mut link = known.unwrap_or_else(|| PatientLink::new(context.integration, external_id));
    let patient = link.patient_id;
    if link.delete_time.is_some() && patient.is_none() && !context.is_identified {
        link.delete_time = link.delete_time.max(Some(context.effective_time));
        store::patient_link::save(tx, &link).await?;
        return Ok(Applied::new(EventStatus::Duplicate, None));
    }
    if link.state_time.is_some_and(|at| context.effective_time < at) {
        return Ok(Applied { patient, ..Applied::new(EventStatus::Ignored, Some(OLDER)) });
    }
    if let Some(patient) = patient {
        // Forgetting the person must find them, and the record's late events, when the link is gone.
        link.former_patient_id = Some(patient);
        store::webhook_event::assign_bodies(tx, context.integration, external_id, patient).await?;
    }
    link.patient_id = None;
    link.origin = None;
    link.delete_time = link.delete_time.max(Some(context.effective_time));
    // What the tool said of the person is no longer ours to keep.
    link.first_name.clear();
    link.last_name.clear();
    link.patient_before = None;
    (link.email, link.phone, link.birth_date, link.state_fingerprint) = (None, None, None, None);
    store::patient_link::save(tx, &link).await?;
    Ok(Applied { patient, ..Applied::new(EventStatus::Success, None) })
}

/// Whether the tool's person was deleted here; only asked for people who are not linked.
pub(super) async fn is_forgotten(
    tx: &mut TenantTx,
    context: &Context<'_>,
    link: Option<&PatientLink>,
    external_id: &str,
) -> Result<bool> {
    if link.is_some_and(|link| link.patient_id.is_some()) {
        return Ok(false);
    }
    store::patient::has_tombstone(tx, &tombstone(context.key, context.integration, external_id)).await
}
