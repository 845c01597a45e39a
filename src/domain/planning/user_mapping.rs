//! Whose account a planning tool's user is: said by a person, and only suggested by e-mail address or name.
//! An address can be typed by anybody into either tool, so nothing follows from it alone.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::{
    caller::Caller,
    domain::{
        Domain,
        engine::reconcile,
        idempotency::{Claim, Key, claim},
    },
    error::Result,
    fold,
    ids::{ExternalUserId, IntegrationId, PractitionerId},
    page::{Page, Paged},
    store::{
        self, TenantTx,
        planning::user::{ExternalUser, Filter},
    },
    words::AbsenceSource,
};

/// In what a user and a practitioner are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likeness {
    Email,
    Name,
}

/// A user, and whose account it may be while nobody has said.
#[derive(Debug)]
pub struct ShownUser {
    pub user: ExternalUser,
    pub suggestion: Option<(PractitionerId, Likeness)>,
}

/// Who could be meant by an address or a name.
#[derive(Debug, Default)]
struct Known {
    /// None: more than one practitioner has it.
    emails: HashMap<String, Option<PractitionerId>>,
    names: HashMap<String, PractitionerId>,
}

impl Known {
    /// Everybody whom one of these users may be.
    async fn of(tx: &mut TenantTx, users: &[ExternalUser]) -> Result<Self> {
        let unmapped = || users.iter().filter(|user| user.practitioner_id.is_none());
        let emails: Vec<&str> = unmapped().filter_map(|user| user.email_folded.as_deref()).collect();
        let names: Vec<String> = unmapped().map(|user| fold::name(&user.name)).collect();
        let mut known = Self::default();
        if !emails.is_empty() {
            known.add_emails(store::practitioner::of_emails(tx, &emails).await?);
        }
        let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        if !names.is_empty() {
            known.names = store::practitioner::of_names(tx, &names).await?.into_iter().collect();
        }
        Ok(known)
    }

    fn add_emails(&mut self, found: Vec<(String, PractitionerId)>) {
        for (email, practitioner) in found {
            self.emails.entry(email).and_modify(|only| *only = None).or_insert(Some(practitioner));
        }
    }

    fn suggest(&self, user: &ExternalUser) -> Option<(PractitionerId, Likeness)> {
        if user.practitioner_id.is_some() {
            return None;
        }
        let by_email = user.email_folded.as_ref().and_then(|email| self.emails.get(email).copied().flatten());
        let by_name = || self.names.get(&fold::name(&user.name)).map(|found| (*found, Likeness::Name));
        by_email.map(|found| (found, Likeness::Email)).or_else(by_name)
    }
}

/// A page, in the order in which the users were first seen.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<ExternalUserId>,
) -> Result<Paged<ShownUser, ExternalUserId>> {
    let mut tx = domain.store.caller(caller).await?;
    let Paged { rows, next } = store::planning::user::list(&mut tx, filter, page).await?;
    let known = Known::of(&mut tx, &rows).await?;
    tx.end_reading();
    let shown = |user: ExternalUser| ShownUser { suggestion: known.suggest(&user), user };
    Ok(Paged { rows: rows.into_iter().map(shown).collect(), next })
}

/// Says whose account a user is; nobody's without a practitioner. Absences of whoever was nobody are read
/// now; of whoever is nobody any more the out-of-office entries go, which are read of those alone who are
/// somebody. Errors: `NotFound` (user, practitioner), `IdempotencyKeyReused`.
pub async fn set(
    domain: &Domain,
    caller: &Caller,
    key: &Key,
    id: ExternalUserId,
    practitioner: Option<PractitionerId>,
    now: DateTime<Utc>,
) -> Result<ShownUser> {
    let mut tx = domain.store.caller(caller).await?;
    if claim(&mut tx, caller, key, id).await? == Claim::First {
        let mut user = store::planning::user::find_for_update(&mut tx, id).await?;
        if let Some(practitioner) = practitioner {
            store::practitioner::find(&mut tx, practitioner).await?;
        }
        if user.practitioner_id != practitioner {
            let was_nobody = user.practitioner_id.is_none();
            user.practitioner_id = practitioner;
            user.mapped_by = practitioner.map(|_| caller.subject.clone());
            user.map_time = practitioner.map(|_| now);
            user.update_time = now;
            if practitioner.is_none() {
                user.absences_time = None;
                store::planning::absence::forget_out_of_office(&mut tx, user.id).await?;
            }
            store::planning::user::save(&mut tx, &user).await?;
            if was_nobody && is_asked_for_absences(&mut tx, user.integration_id).await? {
                reconcile::queue_absences(&mut tx, user.integration_id, &caller.subject, now).await?;
            }
        }
    }
    let user = store::planning::user::find(&mut tx, id).await?;
    let known = Known::of(&mut tx, std::slice::from_ref(&user)).await?;
    tx.commit().await?;
    Ok(ShownUser { suggestion: known.suggest(&user), user })
}

/// Whether each of an integration's users is asked for by itself, and only who is somebody here.
async fn is_asked_for_absences(tx: &mut TenantTx, integration: IntegrationId) -> Result<bool> {
    let settings = store::planning::settings::find(tx, integration).await?;
    Ok(settings.is_some_and(|settings| settings.absence_source == AbsenceSource::OutOfOffice))
}
