//! Absences and time entries that the tool does not tell any more: marked with the answer that leaves them
//! out, and forgotten together at the end of the reading, so that much of it can wait for a person.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::{
    BoolExpressionMethods, ExpressionMethods, QueryDsl, delete,
    dsl::{exists, select},
    update,
};
use diesel_async::RunQueryDsl;

use crate::{
    error::Result,
    ids::{ExternalUserId, IntegrationId, PhaseId},
    store::{
        Cached, TenantTx,
        schema::{absence, time_entry},
    },
    words::AbsenceSource,
};

/// How many are known, and how many of them are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sum {
    pub known: i64,
    pub missing: i64,
}

/// Marks the out-of-office entries of a user that end at or after `begin` and are none of `told`.
pub async fn mark_absences_of(
    tx: &mut TenantTx,
    user: ExternalUserId,
    begin: NaiveDate,
    told: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let untold = absence::table
        .filter(absence::user_id.eq(user))
        .filter(absence::source.eq(AbsenceSource::OutOfOffice))
        .filter(absence::end_date.ge(begin))
        .filter(absence::missing_time.is_null())
        .filter(absence::external_id.ne_all(told));
    update(untold).set(absence::missing_time.eq(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Marks the absences from a project that are none of `told`.
pub async fn mark_absences_of_project(
    tx: &mut TenantTx,
    integration: IntegrationId,
    told: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let untold = absence::table
        .filter(absence::integration_id.eq(integration))
        .filter(absence::source.eq(AbsenceSource::Project))
        .filter(absence::missing_time.is_null())
        .filter(absence::external_id.ne_all(told));
    update(untold).set(absence::missing_time.eq(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Marks a phase's entries that are none of `told`.
pub async fn mark_time_entries_of(
    tx: &mut TenantTx,
    phase: PhaseId,
    told: &[String],
    now: DateTime<Utc>,
) -> Result<()> {
    let untold = time_entry::table
        .filter(time_entry::phase_id.eq(phase))
        .filter(time_entry::missing_time.is_null())
        .filter(time_entry::external_id.ne_all(told));
    update(untold).set(time_entry::missing_time.eq(now)).execute(tx.conn()).await?;
    Ok(())
}

/// Absences of a source; `begin`: known are only those that end at or after it.
pub async fn absences(
    tx: &mut TenantTx,
    integration: IntegrationId,
    source: AbsenceSource,
    begin: Option<NaiveDate>,
) -> Result<Sum> {
    let of = || {
        let of = absence::table.filter(absence::integration_id.eq(integration));
        of.filter(absence::source.eq(source))
    };
    let missing = of().filter(absence::missing_time.is_not_null()).count().get_result(tx.conn()).await?;
    let known = match begin {
        Some(begin) => of().filter(absence::end_date.ge(begin)).count().get_result(tx.conn()).await?,
        None => of().count().get_result(tx.conn()).await?,
    };
    Ok(Sum { known, missing })
}

/// An integration's time entries.
pub async fn time_entries(tx: &mut TenantTx, integration: IntegrationId) -> Result<Sum> {
    let of = || time_entry::table.filter(time_entry::integration_id.eq(integration));
    let missing = of().filter(time_entry::missing_time.is_not_null()).count().get_result(tx.conn()).await?;
    let known = of().count().get_result(tx.conn()).await?;
    Ok(Sum { known, missing })
}

/// Forgets the marked absences of a source.
pub async fn forget_absences(
    tx: &mut TenantTx,
    integration: IntegrationId,
    source: AbsenceSource,
) -> Result<()> {
    let missing = absence::table
        .filter(absence::integration_id.eq(integration))
        .filter(absence::source.eq(source))
        .filter(absence::missing_time.is_not_null());
    delete(missing).execute(tx.conn()).await?;
    Ok(())
}

/// Forgets the marked time entries.
pub async fn forget_time_entries(tx: &mut TenantTx, integration: IntegrationId) -> Result<()> {
    let missing = time_entry::table
        .filter(time_entry::integration_id.eq(integration))
        .filter(time_entry::missing_time.is_not_null());
    delete(missing).execute(tx.conn()).await?;
    Ok(())
}

/// Whether anything is marked.
pub async fn is_any_left(tx: &mut TenantTx, integration: IntegrationId) -> Result<bool> {
    let absences = absence::table
        .filter(absence::integration_id.eq(integration))
        .filter(absence::missing_time.is_not_null());
    let entries = time_entry::table
        .filter(time_entry::integration_id.eq(integration))
        .filter(time_entry::missing_time.is_not_null());
    Ok(Cached(select(exists(absences).or(exists(entries)))).get_result(tx.conn()).await?)
}
