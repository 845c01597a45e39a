//! Reading appointments, with what screens show beside them.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{AppointmentId, Caller, Domain, Error, Result, TenantTx, store};
use crate::{
    caller::Person,
    ids::{AppointmentChangeId, IntentId},
    page::{Page, Paged},
    provider::catalog::{self, Noun},
    store::{
        appointment::{Appointment, Change, Cursor, Filter},
        integration::Freshness,
        intent::Intent,
    },
};

/// A source that has delivered nothing for longer than this is stale.
const FRESH: TimeDelta = TimeDelta::hours(24);

/// An appointment with what screens show beside it.
#[derive(Debug, Clone)]
pub struct Shown {
    pub appointment: Appointment,
    /// Its source has delivered nothing for more than 24 hours.
    pub is_stale: bool,
    /// Who wants the same time.
    pub conflicting_ids: Vec<AppointmentId>,
}

/// A change with the write to the provider that it is the outcome, or the echo, of.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub change: Change,
    pub intent: Option<Intent>,
}

/// One appointment. Errors: `NotFound`.
pub async fn get(domain: &Domain, caller: &Caller, id: AppointmentId, now: DateTime<Utc>) -> Result<Shown> {
    let mut tx = domain.store.caller(caller).await?;
    let row = store::appointment::find(&mut tx, id).await?;
    let shown = show(&mut tx, row, now).await?;
    tx.end_reading();
    Ok(shown)
}

/// A page by start time and id, and how fresh the sources are.
pub async fn list(
    domain: &Domain,
    caller: &Caller,
    filter: &Filter,
    page: &Page<Cursor>,
    now: DateTime<Utc>,
) -> Result<(Paged<Shown, Cursor>, Vec<Freshness>)> {
    let mut tx = domain.store.caller(caller).await?;
    let found = store::appointment::list(&mut tx, filter, page).await?;
    let sources = sources(&mut tx).await?;
    let rows = show_all(&mut tx, found.rows, &sources, now).await?;
    tx.end_reading();
    Ok((Paged { rows, next: found.next }, sources))
}

/// How fresh the copies of appointments are, by those who tell of them.
pub(super) async fn sources(tx: &mut TenantTx) -> Result<Vec<Freshness>> {
    let tell = catalog::all().iter().filter(|row| row.adapter.inbound().contains(&Noun::Appointments));
    let providers: Vec<&str> = tell.map(|row| row.id).collect();
    store::integration::freshness(tx, &providers).await
}

/// The same for a patient's own appointments. Errors: `SubjectNotLinked`.
pub async fn list_mine(
    domain: &Domain,
    caller: &Caller,
    start_time_from: Option<DateTime<Utc>>,
    page: &Page<Cursor>,
    now: DateTime<Utc>,
) -> Result<(Paged<Shown, Cursor>, Vec<Freshness>)> {
    let Some(Person::Patient(patient)) = caller.person else { return Err(Error::SubjectNotLinked) };
    let filter = Filter { patient: Some(patient), start_time_from, ..Filter::default() };
    list(domain, caller, &filter, page, now).await
}

/// What happened to an appointment, oldest first. Errors: `NotFound`.
pub async fn history(
    domain: &Domain,
    caller: &Caller,
    id: AppointmentId,
    page: &Page<AppointmentChangeId>,
) -> Result<Paged<Recorded, AppointmentChangeId>> {
    let mut tx = domain.store.caller(caller).await?;
    store::appointment::find(&mut tx, id).await?;
    let changes = store::appointment::changes(&mut tx, id, page).await?;
    let rows = with_intents(&mut tx, changes.rows).await?;
    tx.end_reading();
    Ok(Paged { rows, next: changes.next })
}

/// Whether a source that last delivered then, if ever, is stale.
pub fn is_stale(last_delivery_time: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    last_delivery_time.is_none_or(|last| now - last > FRESH)
}

pub(super) async fn show(tx: &mut TenantTx, row: Appointment, now: DateTime<Utc>) -> Result<Shown> {
    let (delivered, conflicting_ids) = store::appointment::beside(tx, &row).await?;
    let is_stale = row.integration_id.is_some() && is_stale(delivered, now);
    Ok(Shown { is_stale, conflicting_ids, appointment: row })
}

/// Changes in the same order, with their writes as they stand now.
pub(super) async fn with_intents(tx: &mut TenantTx, changes: Vec<Change>) -> Result<Vec<Recorded>> {
    let ids: Vec<IntentId> = changes.iter().filter_map(|change| change.intent_id).collect();
    let found = if ids.is_empty() { Vec::new() } else { store::intent::find_all(tx, &ids).await? };
    let intents: HashMap<IntentId, Intent> = found.into_iter().map(|intent| (intent.id, intent)).collect();
    let recorded = changes.into_iter().map(|change| {
        let intent = change.intent_id.and_then(|id| intents.get(&id).cloned());
        Recorded { change, intent }
    });
    Ok(recorded.collect())
}

pub(super) async fn show_all(
    tx: &mut TenantTx,
    rows: Vec<Appointment>,
    sources: &[Freshness],
    now: DateTime<Utc>,
) -> Result<Vec<Shown>> {
    let mut conflicts = store::appointment::conflicts_of(tx, &rows).await?;
    let stale = |row: &Appointment| {
        row.integration_id.is_some_and(|id| {
            let source = sources.iter().find(|source| source.integration_id == id);
            is_stale(source.and_then(|source| source.last_delivery_time), now)
        })
    };
    let shown = rows.into_iter().map(|row| Shown {
        is_stale: stale(&row),
        conflicting_ids: conflicts.remove(&row.id).unwrap_or_default(),
        appointment: row,
    });
    Ok(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_stale_after_24_hours_without_a_delivery() {
        let now: DateTime<Utc> = "2026-03-02T12:00:00Z".parse().unwrap();

        assert!(!is_stale(Some(now - TimeDelta::hours(24)), now));
        assert!(is_stale(Some(now - TimeDelta::hours(24) - TimeDelta::seconds(1)), now));
        assert!(is_stale(None, now));
    }
}
